// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "conversation.h"
#include "tern/handler.h"
#include "tern/stack.h"

namespace client {

/// One connection that carries a Conversation. Thread: the stack's.
class UpperClient final : public tern::ConnectionHandler {
 public:
  explicit UpperClient(Conversation& conversation) : conversation_(conversation) {}

  tern::Errc connect(tern::Stack& stack, const tern::ConnectOptions& options);

  /// Sends what the conversation has for the peer, and receives what it has room for.
  void pump();

  /// Our end of the connection, known when connect() has answered kOk.
  tern::Endpoint local() const { return local_; }

  void on_established(tern::Connection) override;
  void on_readable(tern::Connection) override { pump(); }
  void on_writable(tern::Connection) override { pump(); }
  void on_peer_finished(tern::Connection) override;
  void on_closed(tern::Connection, tern::CloseReason reason) override;

 private:
  void send();
  void receive();

  Conversation& conversation_;
  tern::Connection connection_;
  tern::Endpoint local_;
  bool shut_ = false;  // our direction
};

}  // namespace client
