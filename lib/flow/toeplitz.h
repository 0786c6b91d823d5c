// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "flow/four_tuple.h"

namespace tern::flow {

/// The Toeplitz hash with which devices spread received packets over their queues (Microsoft, "RSS
/// hashing functions"). Tells which queue a packet will arrive on; linear and not a secret, so it
/// must never index a table. Bit by bit: for connection set-up, not for every packet.
///
/// `key` is the device's, at least input.size() + 4 bytes; `input` is what the packet holds, in
/// network byte order.
std::uint32_t toeplitz_hash(std::span<const std::uint8_t> key, std::span<const std::uint8_t> input);

/// The hash that a device computes over a packet *received* on this connection: source is the
/// remote end. The key holds 16 bytes or more for IPv4 and 40 or more for IPv6.
std::uint32_t rss_hash(std::span<const std::uint8_t> key, const FourTuple4& tuple);
std::uint32_t rss_hash(std::span<const std::uint8_t> key, const FourTuple6& tuple);

}  // namespace tern::flow
