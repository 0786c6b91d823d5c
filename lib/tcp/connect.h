// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"
#include "tern/result.h"

namespace tern::tcp {

/// Active OPEN (RFC 9293 3.10.1): a TCB in SYN-SENT whose SYN leaves with the next transmit().
/// local_port 0 = drawn (RFC 6056 algorithm 4). Errors: kInvalidArgument for a destination that no
/// connection can have (MUST-46), kUnreachable, kAddressInUse, kNoPorts, kNoConnections.
Result<std::uint32_t> connect(Engine& e, std::uint32_t remote_address, std::uint16_t remote_port,
                              std::uint16_t local_port, ConnectionHandler& handler);

/// SEGMENT ARRIVES in SYN-SENT (RFC 9293 3.10.7.3).
void receive_in_syn_sent(Engine& e, Tcb& c, Arrival& a);

}  // namespace tern::tcp
