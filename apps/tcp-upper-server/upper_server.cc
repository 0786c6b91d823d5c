// SPDX-License-Identifier: BSD-3-Clause
#include "upper_server.h"

#include <utility>

namespace upper {

using tern::CloseReason;
using tern::Connection;
using tern::Errc;
using tern::TcpState;

namespace {

bool can_send(TcpState state) {
  return state == TcpState::kEstablished || state == TcpState::kCloseWait;
}

}  // namespace

// Without a branch, so that the compiler makes vectors of it.
void to_upper(std::span<std::byte> bytes) {
  for (std::byte& byte : bytes) {
    const auto c = static_cast<std::uint8_t>(byte);
    const bool lower = static_cast<std::uint8_t>(c - 'a') < 26;
    byte = static_cast<std::byte>(c - (lower ? 'a' - 'A' : 0));
  }
}

void UpperServer::on_established(Connection c) {
  c.set_user_data(++last_id_);
  if (announce_) announce_(to_string(c.remote()) + " connected");
}

// Takes no more than the send queue holds, so that forward() fails only if the stack as a whole is
// out of buffers; then the chunk waits here for on_writable.
void UpperServer::echo(Connection c) {
  if (!can_send(c.state())) return discard(c);
  if (!send_refused(c)) return;
  while (auto chunk = c.receive_to_forward()) {
    to_upper(chunk->writable_bytes());
    const Errc error = c.forward(std::move(*chunk));
    if (error == Errc::kOk) continue;
    if (error == Errc::kQueueFull || error == Errc::kNoBuffers)
      refused_.emplace(c.user_data(), Refused{.chunk = std::move(*chunk)});
    return;
  }
}

// The stack drains: we have finished, and the peer has not yet. Its end can only be heard when what
// comes before it has been read.
void UpperServer::discard(Connection c) {
  refused_.erase(c.user_data());
  while (c.receive()) continue;
}

// False: a chunk still waits, and nothing may overtake it.
bool UpperServer::send_refused(Connection c) {
  const auto found = refused_.find(c.user_data());
  if (found == refused_.end()) return true;
  const Errc error = c.forward(std::move(found->second.chunk));
  if (error == Errc::kQueueFull || error == Errc::kNoBuffers) return false;
  const bool finish = found->second.finish;
  refused_.erase(found);
  if (finish) c.shutdown_send();
  return true;
}

void UpperServer::on_peer_finished(Connection c) {
  const auto found = refused_.find(c.user_data());
  if (found == refused_.end())
    c.shutdown_send();
  else
    found->second.finish = true;
}

// A connection that never was established has not been announced either.
void UpperServer::on_closed(Connection c, CloseReason) {
  if (c.user_data() == 0) return;
  refused_.erase(c.user_data());
  if (announce_) announce_(to_string(c.remote()) + " disconnected");
}

}  // namespace upper
