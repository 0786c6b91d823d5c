// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "base/siphash.h"
#include "flow/four_tuple.h"
#include "tern/time.h"
#include "wire/seq_num.h"

namespace tern::tcp {

/// RFC 6528: ISN = M + F(tuple, secret). M ticks every 64 ns, so that it goes around in 275 s: a
/// new connection of the same tuple begins ahead of the old one's numbers, and nobody without the
/// key can tell where any other tuple begins. F is SipHash-2-4.
wire::SeqNum initial_sequence(const SipKey& key, const flow::FlowName& name, Instant now);

/// What is added to the clock in a tuple's timestamps (RFC 7323 5.4), so that they do not tell the
/// stack's uptime, yet go on rising from one connection of the tuple to the next, as PAWS and
/// TIME-WAIT reuse (RFC 6191) want. Independent of the ISN, even under the same key.
std::uint32_t timestamp_offset(const SipKey& key, const flow::FlowName& name);

}  // namespace tern::tcp
