// SPDX-License-Identifier: BSD-3-Clause
// The predicted path is redundant: two stacks that differ in TcpConfig::header_prediction alone are
// fed the same frames at the same times, and nobody outside can tell which is which.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/siphash.h"
#include "scripted_peer.h"
#include "support/script_port.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kListenPort = Path{}.destination_port;
constexpr int kSeeds = 300;
constexpr int kStepsPerSeed = 300;
constexpr std::size_t kPeers = 3;

// Named numbers: what two stacks are compared by.
using Facts = std::vector<std::pair<std::string_view, std::uint64_t>>;

// What the application heard, and what its calls answered.
struct Event {
  std::string_view what;
  std::uint16_t port;  // the peer's
  std::uint64_t value;
  friend bool operator==(const Event&, const Event&) = default;
  friend void PrintTo(const Event& e, std::ostream* out) {
    *out << e.what << "(" << e.port << ", " << e.value << ")";
  }
};

// What an application may do of its own accord. A draw decides on the details.
enum class Action { kRead, kReadAndHold, kReturnHeld, kWrite, kShutdown, kClose, kAbort, kNodelay };

// Echoes, reads everything, or leaves the reading to act(), depending on the peer's port.
class App : public ConnectionHandler {
 public:
  std::vector<Event> events;

  void on_established(Connection c) override {
    handles_[c.remote().port] = c;
    note("established", c, 0);
  }
  void on_readable(Connection c) override {
    note("readable", c, c.info().receive_queue_bytes);
    serve(c);
  }
  void on_writable(Connection c) override {
    note("writable", c, c.send_space());
    serve(c);
  }
  void on_peer_finished(Connection c) override {
    note("peer finished", c, 0);
    if (c.remote().port % 2 == 0) c.shutdown_send();
  }
  void on_closed(Connection c, CloseReason reason) override {
    note("closed", c, static_cast<std::uint64_t>(reason));
  }

  void act(std::uint16_t port, Action action, std::uint32_t draw) {
    Connection c = handles_[port];
    switch (action) {
      case Action::kRead:
        return read(c);
      case Action::kReadAndHold:
        if (auto chunk = c.receive()) held_.push_back(std::move(*chunk));
        return;
      case Action::kReturnHeld:
        return held_.clear();
      case Action::kWrite:
        return write(c, draw);
      case Action::kShutdown:
        return c.shutdown_send();
      case Action::kClose:
        return c.close();
      case Action::kAbort:
        return c.abort();
      case Action::kNodelay:
        return c.set_nodelay(draw % 2 == 0);
    }
  }

 private:
  void note(std::string_view what, Connection c, std::uint64_t value) {
    events.push_back({what, c.remote().port, value});
  }
  void serve(Connection c) {
    const unsigned manner = c.remote().port % 3;
    if (manner == 0) return;  // act() reads
    while (auto chunk = c.receive(manner == 1 ? c.send_space() : SIZE_MAX)) {
      note("read", c, siphash13({1, 2}, chunk->bytes()));
      if (manner != 1) continue;
      if (c.forward(std::move(*chunk)) != Errc::kOk) return;
    }
  }
  void read(Connection c) {
    if (const auto chunk = c.receive()) note("read", c, siphash13({1, 2}, chunk->bytes()));
  }
  void write(Connection c, std::uint32_t draw) {
    const std::vector<std::byte> bytes(draw % 20'000, std::byte{0x5a});
    const auto taken = c.write(bytes, draw % 3 == 0 ? SendFlags::kMore : SendFlags::kNone);
    note("wrote", c, taken ? *taken : 1'000'000 + static_cast<std::uint64_t>(taken.error()));
  }

  std::map<std::uint16_t, Connection> handles_;  // by the peer's port
  std::vector<RxChunk> held_;
};

HostConfig config_for(bool header_prediction, std::uint64_t seed) {
  HostConfig config = numbered_host(1);
  config.stack.max_connections = 16;
  config.stack.tcp.header_prediction = header_prediction;
  // Small buffers fill up, large ones need a window scale.
  config.stack.tcp.receive_buffer = seed % 2 == 0 ? 16'384 : 262'144;
  config.stack.tcp.nagle = seed % 3 != 0;
  // Few frames, so that some payloads are copied and some refused.
  config.port.blocks.rx_frames = seed % 4 == 0 ? 32 : 1024;
  config.stack.receive_memory = seed % 4 == 0 ? 65'536 : 0;
  return config;
}

// One of the two stacks, with its device and its application.
struct Lane {
  explicit Lane(const HostConfig& config) : port(config.port), stack(make(config, port)) {
    EXPECT_TRUE(stack->listen({.port = kListenPort}, app));
    port.inject(Arp{});  // the peers' MAC is known from its question
  }
  ~Lane() {
    stack.reset();
    EXPECT_EQ(port.outstanding(), 0u);
    EXPECT_EQ(port.violations(), std::vector<std::string>{});
  }

  static std::unique_ptr<Stack> make(const HostConfig& config, Port& port) {
    auto made = Stack::create(config.stack, port);
    EXPECT_TRUE(made.ok()) << made.status();
    return std::move(*made);
  }

  void poll(Instant now) {
    port.set_now(now);
    stack->poll(now);
  }

  Facts facts() const;
  Facts counters() const;

  ScriptPort port;
  std::unique_ptr<Stack> stack;
  App app;
};

Facts Lane::facts() const {
  Facts facts;
  const StackUsage u = stack->usage();
  facts = {{"connections", u.connections},       {"time_wait", u.time_wait},
           {"table_entries", u.table_entries},   {"timers", u.timers},
           {"held_frames", u.held_frames},       {"waiting_frames", u.waiting_frames},
           {"staged_frames", u.staged_frames},   {"spare_frames", u.spare_frames},
           {"send_chunks", u.send_chunks},       {"receive_chunks", u.receive_chunks},
           {"outstanding", port.outstanding()},
           {"deadline", stack->next_deadline().time_since_epoch().count()}};
  std::vector<ConnectionInfo> sockets;
  stack->list(0, SIZE_MAX, sockets);
  for (const ConnectionInfo& c : sockets) {
    const Facts socket = {{"state", static_cast<std::uint64_t>(c.state)},
                          {"port", c.remote.port},
                          {"receive_queue", c.receive_queue_bytes},
                          {"send_queue", c.send_queue_bytes},
                          {"cwnd", c.cwnd_bytes},
                          {"ssthresh", c.ssthresh_bytes},
                          {"srtt", c.srtt_us},
                          {"rttvar", c.rttvar_us},
                          {"rto", c.rto_us},
                          {"send_window", c.send_window_bytes},
                          {"receive_window", c.receive_window_bytes},
                          {"bytes_received", c.bytes_received},
                          {"bytes_acked", c.bytes_acked},
                          {"retransmitted", c.segments_retransmitted}};
    facts.insert(facts.end(), socket.begin(), socket.end());
  }
  return facts;
}

// All but those that name the path taken.
Facts Lane::counters() const {
  Facts facts;
  const Counters& c = stack->counters();
  for (const CounterInfo& info : counter_infos()) {
    const bool names_path = info.name == "rx_predicted_data" || info.name == "rx_predicted_ack" ||
                            info.name == "rx_slow";
    if (!names_path) facts.emplace_back(info.name, c.*info.member);
  }
  facts.emplace_back("segments", c.rx_predicted_data + c.rx_predicted_ack + c.rx_slow);
  return facts;
}

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed)
      : prng_(seed), predicting_(config_for(true, seed)), plain_(config_for(false, seed)) {
    for (std::size_t i = 0; i < kPeers; ++i) replace_peer(i);
  }

  void step() {
    pass_time();
    for (std::uint32_t burst = prng_.below(6); burst > 0; --burst) inject_one();
    if (prng_.chance(0.3)) act();
    predicting_.poll(now_);
    plain_.poll(now_);
    compare();
  }

  const Counters& predicting() const { return predicting_.stack->counters(); }
  const Counters& plain() const { return plain_.stack->counters(); }

 private:
  void pass_time() {
    const std::uint32_t roll = prng_.below(100);
    if (roll < 40) return;
    if (roll < 90) now_ += 1us * prng_.below(roll < 60 ? 1000 : 50'000);
    const Instant deadline = predicting_.stack->next_deadline();
    if (roll >= 90 && deadline != kNever && deadline > now_) now_ = std::min(deadline, now_ + 20s);
  }

  template <typename T>
  void inject_both(const T& frame) {
    const bool taken = predicting_.port.inject(frame);
    EXPECT_EQ(plain_.port.inject(frame), taken);
  }

  void inject_one() {
    const std::size_t i = prng_.below(kPeers);
    if (peers_[i]->reset() || prng_.chance(0.002)) replace_peer(i);
    inject_both(peers_[i]->next(now_));
  }

  void act_on_both(std::uint16_t port, Action action) {
    const auto draw = static_cast<std::uint32_t>(prng_.next());
    predicting_.app.act(port, action, draw);
    plain_.app.act(port, action, draw);
  }

  void act() {
    using enum Action;
    constexpr Action kActions[] = {kRead,  kRead,  kRead,   kRead,     kReadAndHold, kReturnHeld,
                                   kWrite, kWrite, kNodelay, kShutdown, kClose,       kAbort};
    const Action action = kActions[prng_.below(std::size(kActions))];
    const bool ends = action == kShutdown || action == kClose || action == kAbort;
    if (ends && !prng_.chance(0.1)) return;
    act_on_both(peers_[prng_.below(kPeers)]->port(), action);
  }

  void replace_peer(std::size_t i) {
    if (peers_[i]) act_on_both(peers_[i]->port(), Action::kAbort);
    peers_[i] = std::make_unique<ScriptedPeer>(next_port_++, prng_);
  }

  void compare() {
    const std::vector<SentFrame> sent = predicting_.port.take_frames();
    const std::vector<SentFrame> expected = plain_.port.take_frames();
    ASSERT_EQ(sent.size(), expected.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      ASSERT_TRUE(sent[i].bytes == expected[i].bytes)
          << testing::PrintToString(parse_segment(sent[i].bytes)) << " instead of "
          << testing::PrintToString(parse_segment(expected[i].bytes));
      deliver(sent[i].bytes);
    }
    ASSERT_EQ(predicting_.app.events, plain_.app.events);
    ASSERT_EQ(predicting_.facts(), plain_.facts());
    ASSERT_EQ(predicting_.counters(), plain_.counters());
    predicting_.app.events.clear();
    plain_.app.events.clear();
  }

  void deliver(const Bytes& frame) {
    if (const auto arp = parse_arp(frame); arp && arp->operation == 1 && arp->target == Path{}.source)
      inject_both(Arp{.operation = 2, .target_mac = Path{}.destination_mac,
                      .ethernet_destination = Path{}.destination_mac});
    const auto segment = parse_segment(frame);
    if (!segment) return;
    for (const auto& peer : peers_)
      if (peer->port() == segment->path.destination_port) peer->receive(*segment);
  }

  Prng prng_;
  Instant now_{1000s};
  Lane predicting_, plain_;
  std::uint16_t next_port_ = 40'000;
  std::unique_ptr<ScriptedPeer> peers_[kPeers];
};

TEST(HeaderPrediction, IsRedundant) {
  std::uint64_t predicted_data = 0, predicted_acks = 0, segments = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Comparison comparison(seed);
    for (int step = 0; step < kStepsPerSeed; ++step) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " step " + std::to_string(step));
      comparison.step();
      if (HasFailure()) return;
    }
    predicted_data += comparison.predicting().rx_predicted_data;
    predicted_acks += comparison.predicting().rx_predicted_ack;
    segments += comparison.plain().rx_slow;
    ASSERT_EQ(comparison.plain().rx_predicted_data + comparison.plain().rx_predicted_ack, 0u);
  }
  // Otherwise nothing has been compared.
  EXPECT_GT(predicted_data, segments / 10);
  EXPECT_GT(predicted_acks, segments / 50);
  EXPECT_GT(segments, kSeeds * 100u);
  RecordProperty("segments", static_cast<int>(segments));
  RecordProperty("predicted_data", static_cast<int>(predicted_data));
  RecordProperty("predicted_acks", static_cast<int>(predicted_acks));
}

}  // namespace
}  // namespace tern::test
