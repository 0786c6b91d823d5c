// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// Whether a silent peer is still there (RFC 9293 3.8.4), and how long an unacknowledged byte may
// wait (RFC 5482's local value; RFC 9293 3.8.3).

/// Of this connection, from now on. `idle` zero: none (the default, MUST-25). After `idle` of
/// silence with nothing in flight, a probe every `interval`; `count` unanswered ones end the
/// connection with kTimedOut, and a RST in case the peer is only slow.
void set_keepalive(Engine& e, Tcb& c, Duration idle, Duration interval, unsigned count);

/// (Re)starts the silence, if the connection wants probes.
void start_keepalive(Engine& e, Tcb& c);

/// TimerKind::kKeepalive has run out.
void on_keepalive_timeout(Engine& e, Tcb& c);

/// What a retransmission time-out of `rto` becomes, so that the user time-out is met exactly.
Duration within_user_timeout(const Engine& e, const Tcb& c, Duration rto);

/// At a time-out, counted already: whether nothing has moved for the user time-out.
bool user_timeout_is_over(Engine& e, Tcb& c, unsigned time_outs, Duration rto);

/// A configured time in ticks, at most two days: what the wheel can tell apart.
Tick ticks_of(Duration d);

}  // namespace tern::tcp
