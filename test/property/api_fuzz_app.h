// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "tern/stack.h"

namespace tern::test {

/// What a fuzzing application knows of one connection.
struct FuzzStream {
  Connection connection;
  std::string sent;      // every byte that a send took, in order
  std::string received;  // every byte that receive() lent, in order
  bool established = false, send_closed = false, dropped = false;
  unsigned peer_finished = 0, closed = 0;
  CloseReason reason = CloseReason::kFinished;
};

/// An application that calls whatever the API has, in any order, in every callback and between
/// polls, with handles that are live or long dead, and checks each answer against what the API
/// promises. Streams are known by the client's port, which no two connections of a run share.
class FuzzApp final : public ConnectionHandler {
 public:
  FuzzApp(std::string name, std::uint64_t seed, bool is_server);

  /// Where this end lives, and where the other end listens.
  void attach(Stack& stack, IpAddress peer);

  /// A few calls, as an application between polls.
  void act();
  /// From now on: sends nothing, reads everything, closes in order.
  void wind_down();
  /// Gives back what it holds on loan.
  void drop_chunks() { held_.clear(); }
  /// To be called before each poll: the limits on callbacks count from here.
  void begin_poll() { called_.clear(); }

  const std::map<std::uint16_t, FuzzStream>& streams() const { return streams_; }
  std::uint64_t calls() const { return calls_; }

  void on_established(Connection c) override;
  void on_readable(Connection c) override;
  void on_writable(Connection c) override;
  void on_peer_finished(Connection c) override;
  void on_closed(Connection c, CloseReason reason) override;

 private:
  enum class Kind { kEstablished, kReadable, kWritable, kPeerFinished, kClosed };
  struct Held {
    RxChunk chunk;
    std::string bytes;
  };

  void note_call(Kind kind, Connection c);
  FuzzStream& stream_of(Connection c);
  void act_on(Connection c);
  void open();
  void listen_or_stop();
  void write(Connection c);
  void reserve_and_send(Connection c);
  void receive(Connection c);
  void forward(Connection c);
  void end(Connection c);
  void ask(Connection c);
  void note_received(Connection c, const RxChunk& chunk);
  void read_all(Connection c);
  std::size_t below(std::size_t bound);
  Connection any_handle();
  std::string text(std::size_t bytes);

  const std::string name_;
  Prng prng_;
  const bool is_server_;
  Stack* stack_ = nullptr;
  IpAddress peer_;
  bool winding_down_ = false;
  std::map<std::uint16_t, FuzzStream> streams_;  // by the client's port
  std::vector<Connection> handles_;              // live and dead
  std::vector<Held> held_;
  std::vector<std::pair<Kind, std::uint16_t>> called_;  // since begin_poll()
  std::optional<ListenerId> listener_;
  std::uint16_t next_port_ = 20'000;
  std::uint64_t calls_ = 0;
  std::uint8_t letter_ = 0;
};

/// Where servers of the fuzz listen.
inline constexpr std::uint16_t kFuzzPort = 7000;

}  // namespace tern::test
