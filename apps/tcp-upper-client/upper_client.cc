// SPDX-License-Identifier: BSD-3-Clause
#include "upper_client.h"

namespace client {

tern::Errc UpperClient::connect(tern::Stack& stack, const tern::ConnectOptions& options) {
  const auto connection = stack.connect(options, *this);
  if (!connection.ok()) return connection.error();
  connection_ = *connection;
  local_ = connection_.local();
  return tern::Errc::kOk;
}

void UpperClient::on_established(tern::Connection) {
  conversation_.set_established();
  pump();
}

void UpperClient::pump() {
  if (!conversation_.established() || conversation_.over()) return;
  if (conversation_.given_up()) return connection_.abort();
  send();
  receive();
}

void UpperClient::send() {
  if (shut_) return;
  const bool all_gone = conversation_.drain_outgoing([this](std::span<const std::byte> bytes) {
    const auto taken = connection_.write(bytes);
    return taken.ok() ? *taken : 0;
  });
  if (!all_gone) return;
  shut_ = true;
  connection_.shutdown_send();
}

// A chunk may be larger than the room that is left: the bound is one for the mind, not for memory.
void UpperClient::receive() {
  while (conversation_.room() > 0) {
    const auto chunk = connection_.receive();
    if (!chunk) return;
    conversation_.put_received(chunk->bytes());
  }
}

// The peer sends no more, so neither will it answer what we could still send.
void UpperClient::on_peer_finished(tern::Connection c) {
  conversation_.set_peer_finished();
  shut_ = true;
  c.shutdown_send();
}

void UpperClient::on_closed(tern::Connection, tern::CloseReason reason) {
  conversation_.set_over(reason);
}

}  // namespace client
