// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// Whether a silent peer is still there (RFC 9293 3.8.4).

/// Of this connection, from now on. `idle` zero: none (the default, MUST-25). After `idle` of
/// silence with nothing in flight, a probe every `interval`; `count` unanswered ones end the
/// connection with kTimedOut, and a RST in case the peer is only slow.
void set_keepalive(Engine& e, Tcb& c, Duration idle, Duration interval, unsigned count);

/// (Re)starts the silence, if the connection wants probes.
void start_keepalive(Engine& e, Tcb& c);

/// TimerKind::kKeepalive has run out.
void on_keepalive_timeout(Engine& e, Tcb& c);

}  // namespace tern::tcp
