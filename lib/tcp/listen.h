// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// SEGMENT ARRIVES where no connection is, in the LISTEN state (RFC 9293 3.10.7.2), as far as it
/// makes a connection: a SYN, or the ACK of a SYN cookie. False: it does not, and nothing has
/// happened. `hash` is table_hash(tuple), here and below.
bool receive_opening(Engine& e, std::uint32_t hash, const flow::FourTuple4& tuple, Arrival& a);

/// The rest of LISTEN, and the CLOSED state (3.10.7.1): the segment is answered with a RST or
/// ignored.
void refuse_unconnected(Engine& e, const flow::FourTuple4& tuple, const wire::TcpSegment& s);

/// SEGMENT ARRIVES in TIME-WAIT: a retransmitted FIN is acknowledged and restarts 2MSL, a RST is
/// ignored (RFC 1337), a SYN that must be newer begins a new connection (RFC 6191, RFC 1122
/// 4.2.2.13).
void receive_in_time_wait(Engine& e, std::uint32_t record, std::uint32_t hash,
                          const flow::FourTuple4& tuple, const wire::TcpSegment& s);

/// Takes over what both ends' SYNs agree on: MSS, window scale, timestamps.
void negotiate_options(Engine& e, Tcb& c, const wire::TcpOptions& options);

}  // namespace tern::tcp
