// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"
#include "tern/result.h"

namespace tern::tcp {

/// Active OPEN (RFC 9293 3.10.1): a TCB in SYN-SENT whose SYN leaves with the next transmit().
/// Local address 0 = IP's choice (RFC 6724), else one of the interface's own; local port 0 = drawn
/// (RFC 6056 algorithm 4). Errors: kInvalidArgument for a destination that no connection can have
/// (MUST-46), kUnreachable, kAddressInUse, kNoPorts, kNoConnections.
Result<std::uint32_t> connect(Engine& e, flow::FourTuple4 tuple, ConnectionHandler& handler);

/// SEGMENT ARRIVES in SYN-SENT (RFC 9293 3.10.7.3).
void receive_in_syn_sent(Engine& e, Tcb& c, Arrival& a);

}  // namespace tern::tcp
