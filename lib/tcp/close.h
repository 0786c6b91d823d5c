// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// CLOSE (RFC 9293 3.10.4) of the sending side: a FIN follows what is queued. Nothing happens if it
/// has been closed already.
void shutdown_send(Engine& e, Tcb& c);

/// CLOSE of both sides: as shutdown_send, but data that is unread, or arrives later, is lost, and
/// the peer is told so with a RST (SHLD-3).
void close_connection(Engine& e, Tcb& c);

/// The same with a limit: a RST if not everything is acknowledged `linger` after the next poll.
/// Zero: abort_connection().
void close_lingering(Engine& e, Tcb& c, Duration linger);

/// ABORT (RFC 9293 3.10.5): RST, and the end.
void abort_connection(Engine& e, Tcb& c);

/// The protocol is through with the connection: it leaves the table, its timers stop, what it
/// queued for sending is freed, and on_closed follows, once the application has read what arrived
/// in order (at once if `reason` is not kFinished). The TCB lives until then.
void finish(Engine& e, Tcb& c, CloseReason reason);

/// Both FINs are exchanged and ours was first: a TIME-WAIT record takes the connection's place in
/// the table, and the TCB goes as in finish(kFinished).
void enter_time_wait(Engine& e, Tcb& c);

/// A TIME-WAIT record is about to go: it leaves the table and gives up its address.
void leave_time_wait(Engine& e, std::uint32_t record);

/// (Re)starts the limit on how long the peer may keep a closing connection without progress. In
/// FIN-WAIT-2 that is its silence: a short time if the application is done with the connection, a
/// long one if it still reads (half close). A connection that waits for nothing but its own FIN to
/// be acknowledged (an orphan: after close(), or when the peer has finished too) has
/// orphan_timeout at a shut window, although the peer may answer the probes all the while (RFC
/// 6429). In other states nothing happens.
void start_closing_timer(Engine& e, Tcb& c);

/// TimerKind::kState has run out: SYN-SENT's R2, FIN-WAIT-2's patience, or an orphan's time.
void on_state_timeout(Engine& e, Tcb& c);

}  // namespace tern::tcp
