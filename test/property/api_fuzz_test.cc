// SPDX-License-Identifier: BSD-3-Clause
// P10: every API call is legal in every callback, between polls, and in every state. Two
// applications that call anything at any time, on live and stale handles, with chunks that outlive
// their connections, talk over a bad link. Nothing leaks, and what arrives is what was sent.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "conservation.h"
#include "harsh_port.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;
constexpr int kSeeds = 100;

// One direction of a connection.
struct Direction {
  Endpoint from, to;
  friend auto operator<=>(const Direction&, const Direction&) = default;
};

// What is known from outside about all connections, of both stacks.
struct Ledger {
  struct Stream {
    std::string sent;      // what the stack has taken for sending
    std::string received;  // what receive() has given
    bool complete = false;  // the receiver was told that this was all
  };
  std::map<Direction, Stream> streams;
  unsigned closed = 0, finished = 0;
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Anarchist : public ConnectionHandler {
 public:
  Anarchist(Ledger& ledger, std::uint64_t seed) : ledger_(ledger), prng_(seed) {}
  void attach(Stack& stack, Endpoint peer) { stack_ = &stack, peer_ = peer; }
  void befriend(Anarchist& other) { other_ = &other; }

  void on_established(Connection c) override {
    remember(c);
    record(c).established++;
    EXPECT_EQ(record(c).established, 1u);
    run_riot(c);
  }
  void on_readable(Connection c) override { heard(c), run_riot(c); }
  void on_writable(Connection c) override { heard(c), run_riot(c); }
  void on_peer_finished(Connection c) override {
    heard(c);
    EXPECT_FALSE(c.receive()) << "something behind the end";
    EXPECT_EQ(record(c).peer_finished++, 0u);
    if (!record(c).closed_by_us) ledger_.streams[incoming(c)].complete = true;
    if (prng_.chance(0.7)) c.shutdown_send();
    run_riot(c);
  }
  void on_closed(Connection c, CloseReason reason) override {
    heard(c);
    record(c).over = true;
    ++ledger_.closed;
    ledger_.finished += reason == CloseReason::kFinished;
    run_riot(c);
  }

  /// Anything, on anything.
  void run_riot(Connection c = {}) {
    if (resting) return;
    for (std::uint32_t calls = prng_.below(5); calls > 0; --calls) {
      const bool other = handles_.empty() ? false : prng_.chance(c == Connection{} ? 1 : 0.3);
      call(other ? handles_[prng_.below(static_cast<std::uint32_t>(handles_.size()))] : c);
    }
  }
  void drop_everything() {
    loans_.clear();
    rooms_.clear();
  }

  bool resting = false;

 private:
  struct Record {
    Connection connection;
    unsigned established = 0, peer_finished = 0;
    bool closed_by_us = false;
    bool over = false;
  };

  static Direction incoming(Connection c) { return {c.remote(), c.local()}; }
  static Direction outgoing(Connection c) { return {c.local(), c.remote()}; }

  void remember(Connection c) {
    if (std::find(handles_.begin(), handles_.end(), c) != handles_.end()) return;
    handles_.push_back(c);
    if (handles_.size() > 40) handles_.erase(handles_.begin());
  }
  Record& record(Connection c) {
    const auto found = std::find_if(records_.begin(), records_.end(),
                                    [&](const Record& r) { return r.connection == c; });
    if (found != records_.end()) return *found;
    records_.push_back({.connection = c});
    return records_.back();
  }
  void heard(Connection c) {
    remember(c);
    EXPECT_TRUE(c.valid());
    EXPECT_FALSE(record(c).over) << "a call after on_closed";
  }

  void call(Connection c) {
    switch (prng_.below(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return borrow(c);
      case 4:
      case 5:
        return forward(c, loans_);
      case 6:
        return forward(c, other_->loans_);  // a proxy between two stacks
      case 7:
      case 8:
        return return_some();
      case 9:
      case 10:
      case 11:
        return write(c);
      case 12:
        return reserve(c);
      case 13:
      case 14:
        return send(c);
      case 15:
        return open();
      case 16:
        return listen();
      case 17:
        return look(c);
      default:
        return change(c);
    }
  }

  void change(Connection c) {
    switch (prng_.below(12)) {
      case 0:
        return c.shutdown_send();
      case 1:
        if (c.valid()) record(c).closed_by_us = true;
        return c.close();
      case 2:
        if (prng_.chance(0.5)) c.abort();
        return;
      case 3:
      case 4:
        return c.set_nodelay(prng_.chance(0.5));
      case 5:
        return c.set_handler(*this);
      case 6:
        c.set_user_data(5);
        EXPECT_EQ(c.user_data(), c.valid() ? 5u : 0u);
        return;
      case 7:
        if (prng_.chance(0.02)) stack_->abort_all();
        return;
      default:
        return;
    }
  }

  void borrow(Connection c) {
    auto chunk = c.receive(prng_.chance(0.2) ? c.send_space() : SIZE_MAX);
    if (!chunk) return;
    ledger_.streams[incoming(c)].received += text_of(chunk->bytes());
    for (std::byte& b : chunk->writable_bytes()) b ^= std::byte{0x20};
    loans_.push_back(std::move(*chunk));
    if (loans_.size() > 20) loans_.erase(loans_.begin(), loans_.begin() + 10);
  }

  void forward(Connection c, std::vector<RxChunk>& loans) {
    if (loans.empty()) return;
    RxChunk& chunk = loans[prng_.below(static_cast<std::uint32_t>(loans.size()))];
    const std::string text(text_of(chunk.bytes()));
    const Errc result = c.forward(std::move(chunk));
    EXPECT_EQ(result == Errc::kStaleHandle, !c.valid());
    if (result != Errc::kOk) {
      EXPECT_EQ(text_of(chunk.bytes()), text) << "a refused chunk stays the caller's";
      return;
    }
    ledger_.streams[outgoing(c)].sent += text;
    EXPECT_NE(c.forward(std::move(chunk)), Errc::kOk) << "a chunk is forwarded once";
  }

  void return_some() {
    if (loans_.empty()) return;
    loans_.erase(loans_.begin() + prng_.below(static_cast<std::uint32_t>(loans_.size())));
  }

  void write(Connection c) {
    std::string text(prng_.below(prng_.chance(0.1) ? 100'000 : 3'000), '\0');
    for (char& letter : text) letter = static_cast<char>('a' + prng_.below(26));
    const auto flags = prng_.chance(0.2) ? SendFlags::kMore : SendFlags::kNone;
    const auto taken = c.write(std::as_bytes(std::span(text)), flags);
    EXPECT_EQ(taken.error() == Errc::kStaleHandle, !c.valid());
    if (taken && *taken > 0) ledger_.streams[outgoing(c)].sent += text.substr(0, *taken);
  }

  void reserve(Connection c) {
    auto room = c.reserve(prng_.below(5'000));
    if (!room) return;
    for (std::byte& b : room->writable_bytes()) b = std::byte('A' + prng_.below(26));
    rooms_.emplace_back(c, *room);
    if (rooms_.size() > 4) rooms_.erase(rooms_.begin());
  }

  // Rooms are sent on the wrong connections, twice, and after they have ended. Only the last
  // reservation of a connection counts.
  void send(Connection c) {
    if (rooms_.empty()) return;
    auto [owner, room] = rooms_[prng_.below(static_cast<std::uint32_t>(rooms_.size()))];
    if (prng_.chance(0.8)) c = owner;
    room.resize(prng_.below(5'000));
    const std::string text(text_of(room.writable_bytes().first(room.size())));
    if (c.send(std::move(room)) == Errc::kOk) ledger_.streams[outgoing(c)].sent += text;
  }

  void open() {
    const auto made = stack_->connect({.remote = peer_}, *this);
    if (!made) return;
    remember(*made);
    EXPECT_EQ(made->state(), TcpState::kSynSent);
  }

  void listen() {
    if (prng_.chance(0.9)) return;
    if (listening_) stack_->stop_listening(*listening_);
    const auto listener = stack_->listen({.port = kPort, .backlog = 1 + prng_.below(4)}, *this);
    if (listener) listening_ = *listener;
  }

  void look(Connection c) {
    const ConnectionInfo info = c.info();
    EXPECT_EQ(info.state, c.state());
    if (c.valid()) {
      EXPECT_LE(info.send_queue_bytes + c.send_space(), stack_->config().tcp.send_buffer);
    } else {
      EXPECT_EQ(c.state(), TcpState::kClosed);
      EXPECT_EQ(c.send_space(), 0u);
      EXPECT_EQ(c.remote(), Endpoint{});
      EXPECT_FALSE(c.receive());
      EXPECT_EQ(c.reserve(10).error(), Errc::kStaleHandle);
    }
  }

  Ledger& ledger_;
  Prng prng_;
  Stack* stack_ = nullptr;
  Anarchist* other_ = nullptr;
  Endpoint peer_;
  std::vector<Connection> handles_;
  std::vector<Record> records_;
  std::vector<RxChunk> loans_;
  std::vector<std::pair<Connection, TxChunk>> rooms_;
  std::optional<ListenerId> listening_;
};

HostConfig fuzzed_host(std::uint8_t n, std::uint64_t seed) {
  HostConfig config = numbered_host(n);
  config.stack.max_connections = 8;
  config.stack.max_time_wait = 8;
  config.stack.tcp.msl = 500ms;
  config.stack.tcp.fin_wait_2_timeout = 2s;
  config.stack.tcp.half_close_timeout = 5s;
  config.stack.tcp.receive_buffer = 32'768;
  config.stack.send_memory = config.stack.receive_memory = seed % 2 == 0 ? 65'536 : 0;
  config.port.blocks.rx_frames = seed % 3 == 0 ? 64 : 1024;
  return config;
}

void check(const Ledger& ledger) {
  for (const auto& [direction, stream] : ledger.streams) {
    SCOPED_TRACE(to_string(direction.from) + " > " + to_string(direction.to));
    EXPECT_TRUE(stream.sent.starts_with(stream.received));
    EXPECT_TRUE(!stream.complete || stream.received.size() == stream.sent.size());
  }
}

// Returns how many connections ended, and how many of them in order.
std::pair<unsigned, unsigned> fuzz(std::uint64_t seed) {
  Ledger ledger;
  Simulation sim;
  std::array<HarshPort*, 2> ports{};
  std::array<Host*, 2> hosts{};
  for (std::uint8_t i = 0; i < 2; ++i)
    hosts[i] = &sim.add_host(fuzzed_host(i + 1, seed), [&, i](Port& inner) {
      auto port = std::make_unique<HarshPort>(inner);
      ports[i] = port.get();
      return port;
    });
  const io::LinkConfig link{.delay = 1ms, .loss = 0.02, .reorder = 0.05, .reorder_delay = 2ms, .seed = seed};
  sim.connect(*hosts[0], *hosts[1], link, link);
  std::array<Anarchist, 2> apps{Anarchist(ledger, 2 * seed), Anarchist(ledger, 2 * seed + 1)};
  for (std::size_t i = 0; i < 2; ++i) {
    apps[i].attach(hosts[i]->stack(), {hosts[1 - i]->address(), kPort});
    apps[i].befriend(apps[1 - i]);
    EXPECT_TRUE(hosts[i]->stack().listen({.port = kPort}, apps[i]));
    ports[i]->at_poll = [&, i] {
      expect_conserved(hosts[i]->stack(), hosts[i]->port());
      apps[i].run_riot();
    };
  }
  for (int i = 0; i < 300 && !testing::Test::HasFailure(); ++i) {
    static_cast<void>(hosts[0]->stack().connect({.remote = {hosts[1]->address(), kPort}}, apps[0]));
    sim.run_for(20ms);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    apps[i].resting = true;
    apps[i].drop_everything();
    hosts[i]->stack().abort_all();
  }
  sim.run_for(10s);
  for (Host* host : hosts) expect_nothing_left(host->stack(), host->port());
  check(ledger);
  return {ledger.closed, ledger.finished};
}

TEST(ApiFuzz, EveryCallAnywhere) {
  unsigned closed = 0, finished = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto [ended, in_order] = fuzz(seed);
    closed += ended;
    finished += in_order;
  }
  EXPECT_GT(closed, 20u * kSeeds);
  EXPECT_GT(finished, 2u * kSeeds);
}

}  // namespace
}  // namespace tern::test
