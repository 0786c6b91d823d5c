// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// A connection has five deadlines but one wheel node, which stands for the earliest of them and may
// lie: stopping a timer or moving it later only writes the TCB, since that happens for nearly every
// ACK; the node then fires early, finds nothing due, and re-inserts itself. Only a deadline earlier
// than the node's moves the node at once.

/// (Re)starts a timer `delay` from now, rounded up to a tick.
void start_timer(Engine& e, Tcb& c, TimerKind kind, Duration delay);

inline void stop_timer(Tcb& c, TimerKind kind) {
  c.timers &= static_cast<std::uint8_t>(~(1u << static_cast<unsigned>(kind)));
}
inline bool is_running(const Tcb& c, TimerKind kind) {
  return (c.timers >> static_cast<unsigned>(kind) & 1) != 0;
}

/// Takes the connection's node out of the wheel: the connection is over.
void cancel_timers(Engine& e, Tcb& c);

/// The wheel's node has come up: does what is due, re-inserts the node for what is not.
void on_timer_node(Engine& e, std::uint32_t index);

}  // namespace tern::tcp
