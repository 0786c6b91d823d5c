// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// Sends what the connection has to send and may: SYN, retransmission, data, FIN, probe, and at
/// last an ACK if one is still owed; then sees to the timers that follow. False: the port had no
/// empty frame, and the rest must be tried again.
bool transmit(Engine& e, Tcb& c);

/// transmit() for every connection on the output list. Those that could not finish stay on it.
/// Returns the connections visited.
std::size_t transmit_all(Engine& e);

}  // namespace tern::tcp
