// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// RFC 6298 5.4-5.7: nothing was acknowledged for an RTO. Goes back to snd_una, or gives up (R2).
void on_retransmit_timeout(Engine& e, Tcb& c);

/// Everything from snd_una on is to be sent again, with what the peer may have of it already; ends
/// recovery. The congestion window is the caller's.
void go_back(Engine& e, Tcb& c);

/// RFC 9293 3.8.6.1: the window is shut: probe it, double the interval, give up on a peer that does
/// not answer at all.
void on_persist_timeout(Engine& e, Tcb& c);

/// The delayed ACK is due.
void on_delayed_ack_timeout(Engine& e, Tcb& c);

/// RFC 6582 3.2 step 4, RFC 6675 5.1: remembers how far was sent, so that no duplicate of that
/// starts fast retransmit again.
void note_recovery_point(Tcb& c);

/// RFC 5681 3.2, RFC 6582: counts duplicates; the third starts fast retransmit and recovery.
void on_duplicate_ack(Engine& e, Tcb& c);

}  // namespace tern::tcp
