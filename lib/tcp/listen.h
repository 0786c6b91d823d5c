// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// SEGMENT ARRIVES where no connection is: at a listener, in the LISTEN state (RFC 9293 3.10.7.2),
/// or at nothing, in the CLOSED state (3.10.7.1), which answers with a RST. `hash` is
/// table_hash(tuple), here and below.
void receive_unconnected(Engine& e, std::uint32_t hash, const flow::FourTuple4& tuple, Arrival& a);

/// SEGMENT ARRIVES in TIME-WAIT: a retransmitted FIN is acknowledged and restarts 2MSL, a RST is
/// ignored (RFC 1337), a SYN that must be newer begins a new connection (RFC 6191, RFC 1122
/// 4.2.2.13).
void receive_in_time_wait(Engine& e, std::uint32_t record, std::uint32_t hash,
                          const flow::FourTuple4& tuple, const wire::TcpSegment& s);

/// Takes over what both ends' SYNs agree on: MSS, window scale, timestamps.
void negotiate_options(Engine& e, Tcb& c, const wire::TcpOptions& options);

}  // namespace tern::tcp
