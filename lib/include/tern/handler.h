// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tern/connection.h"

namespace tern {

/// What an application hears of its connections. Called from Stack::poll after the received burst
/// has been processed, never from inside another call: there is no re-entrancy, at most one call of
/// a kind per connection per poll, and every API call is legal in every callback.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;

  /// The handshake is complete (either side's open).
  virtual void on_established(Connection) {}

  /// The peer has announced urgent data (RFC 6093: in line with the rest, nothing is taken out): it
  /// ends `bytes` after what has been read, and may not all be here. Again when the end moves on.
  virtual void on_urgent(Connection, std::size_t /*bytes*/) {}

  /// New in-order bytes are there. Edge: not called again for bytes that were left unread.
  virtual void on_readable(Connection c) = 0;

  /// The send queue had refused something, or receive(at_most) had, and now has room. Edge.
  virtual void on_writable(Connection) {}

  /// R1 (RFC 9293 3.8.3): the peer has acknowledged nothing of what was sent again
  /// TcpConfig::advise_after times. The stack goes on until R2 or the user time-out.
  virtual void on_stalled(Connection) {}

  /// An ICMP error about what is in flight that does not end the connection (RFC 9293 3.9.2.2,
  /// MUST-47): the way may be broken, or somebody lies. Once a poll at most; not with
  /// Connection::set_error_reports(false).
  virtual void on_soft_error(Connection, SoftError) {}

  /// The peer has sent FIN and everything before it has been read: no more will arrive. The default
  /// closes our side too; an application that still wants to send does so and closes later.
  virtual void on_peer_finished(Connection c) { c.shutdown_send(); }

  /// The last call; the handle is stale when it returns. For kFinished it comes after everything
  /// has been read; for the active closer when TIME-WAIT begins, which the stack sits out by
  /// itself.
  virtual void on_closed(Connection, CloseReason) {}
};

}  // namespace tern
