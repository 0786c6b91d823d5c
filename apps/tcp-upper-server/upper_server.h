// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "tern/handler.h"

namespace upper {

/// a-z become A-Z; every other byte stays.
void to_upper(std::span<std::byte> bytes);

/// Sends back what it receives, in upper case, in the buffers that it arrived in. When the send
/// queue is full the rest waits in the receive queue, whose window then holds the peer back.
/// Thread: the stack's.
class UpperServer final : public tern::ConnectionHandler {
 public:
  /// Takes "10.0.1.2:47762 connected" and the like; may be empty.
  using Announce = std::function<void(const std::string&)>;

  explicit UpperServer(Announce announce = {}) : announce_(std::move(announce)) {}

  void on_established(tern::Connection c) override;
  void on_readable(tern::Connection c) override { echo(c); }
  void on_writable(tern::Connection c) override { echo(c); }
  void on_peer_finished(tern::Connection c) override;
  void on_closed(tern::Connection c, tern::CloseReason reason) override;

 private:
  /// What a connection could not send at once: the stack was out of buffers.
  struct Refused {
    tern::RxChunk chunk;
    bool finish = false;  // the peer has finished: so do we when the chunk has gone
  };

  void echo(tern::Connection c);
  void discard(tern::Connection c);
  bool send_refused(tern::Connection c);

  Announce announce_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Refused> refused_;  // by the connection's user data
};

}  // namespace upper
