// SPDX-License-Identifier: BSD-3-Clause
// The predicted path is semantically redundant: two stacks, one with header prediction and one
// without, are fed the same frames at the same virtual times by a peer that is sometimes
// well-behaved and sometimes not, and must send the same frames, tell the application the same
// things and hold the same state, after every poll.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"
#include "support/recording_handler.h"
#include "support/rounds.h"
#include "support/script_port.h"
#include "support/segment.h"
#include "tern/stack.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;  // Path's default

// One of the two stacks, with its port and its application.
struct Side {
  explicit Side(bool predict, std::uint32_t receive_buffer, bool timestamps) {
    StackConfig config;
    config.address = {Ipv4Address(10, 0, 0, 1), 24};
    config.secret = {17, 4};
    config.max_connections = 16;
    config.max_time_wait = 64;
    config.send_memory = config.receive_memory =
        1'000'000;  // pools below a huge page: 800 stacks are made
    config.tcp.header_prediction = predict;
    config.tcp.receive_buffer = receive_buffer;
    config.tcp.timestamps = timestamps;
    config.tcp.max_retransmits = 4;
    stack = std::move(*Stack::create(config, port));
    handler.echo = true;
    EXPECT_TRUE(stack->listen({.port = kPort}, handler));
  }

  void poll(Instant now) {
    port.set_now(now);
    stack->poll(now);
  }

  ScriptPort port;
  RecordingHandler handler;
  std::unique_ptr<Stack> stack;
};

bool is_same(const ConnectionInfo& a, const ConnectionInfo& b) {
  const auto key = [](const ConnectionInfo& i) {
    return std::tuple(i.state, i.local, i.remote, i.receive_queue_bytes, i.send_queue_bytes,
                      i.cwnd_bytes, i.ssthresh_bytes, i.srtt_us, i.rttvar_us, i.rto_us,
                      i.send_window_bytes, i.receive_window_bytes, i.bytes_received, i.bytes_acked,
                      i.segments_retransmitted);
  };
  return key(a) == key(b);
}

auto usage_of(const Side& side) {
  const StackUsage u = side.stack->usage();
  return std::tuple(u.connections, u.time_wait, u.table_entries, u.timers, u.held_frames,
                    u.staged_frames, u.send_chunks, u.receive_chunks);
}

auto events_of(const Side& side) {
  std::vector<std::tuple<unsigned, unsigned, unsigned, unsigned, unsigned,
                         std::optional<CloseReason>, std::string>>
      all;
  for (const ConnectionRecord& r : const_cast<Side&>(side).handler.records())
    all.emplace_back(r.established, r.readable, r.writable, r.peer_finished, r.closed, r.reason,
                     r.received);
  return all;
}

// Both stacks, and the peer's view of the connection.
class Pair {
 public:
  Pair(std::uint64_t seed, bool timestamps)
      : prng_(seed),
        timestamps_(timestamps),
        with_(true, prng_.chance(0.5) ? 8192 : 262144, timestamps),
        without_(false, with_.stack->config().tcp.receive_buffer, timestamps) {}

  void run(int steps) {
    handshake();
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      const std::uint32_t burst = 1 + prng_.below(4);
      for (std::uint32_t k = 0; k < burst; ++k) inject(next_segment());
      if (prng_.chance(0.05)) with_.handler.read = without_.handler.read = !with_.handler.read;
      if (prng_.chance(0.05)) read_what_waits();
      step(std::chrono::milliseconds(prng_.below(3)));
      if (prng_.chance(0.05)) step(std::chrono::milliseconds(prng_.below(3000)));
    }
    predicted_ =
        with_.stack->counters().rx_predicted_data + with_.stack->counters().rx_predicted_ack;
    EXPECT_EQ(
        without_.stack->counters().rx_predicted_data + without_.stack->counters().rx_predicted_ack,
        0u);
    tear_down();
  }

  std::uint64_t predicted() const { return predicted_; }

 private:
  void inject(Segment s) {
    if (prng_.chance(0.05)) s.sack.push_back(some_block(s.ack));
    const bool first = with_.port.inject(s), second = without_.port.inject(s);
    EXPECT_EQ(first, second);
  }

  // Of what is in flight, mostly; with text behind it too, where the predicted path would miss it.
  SackRange some_block(std::uint32_t ack) {
    const std::uint32_t begin = ack + prng_.below(3000);
    return {begin, begin + prng_.below(2000)};
  }

  void handshake() {
    Arp who;  // the stack learns the peer from its question
    with_.port.inject(who);
    without_.port.inject(who);
    step(0ms);
    Segment syn = segment("S");
    syn.seq = peer_next_;
    syn.mss = 1460;
    syn.wscale = 7;
    syn.sack_permitted = true;
    if (timestamps_) syn.ts = Timestamps(clock(), 0);
    inject(syn);
    ++peer_next_;
    step(0ms);
    inject(plain("."));
    step(1ms);
  }

  Segment segment(const std::string& flags) const {
    Segment s;
    s.flags = flags;
    s.seq = peer_next_;
    s.ack = stack_next_;
    s.window = 512;  // x 128
    return s;
  }

  Segment plain(const std::string& flags) {
    Segment s = segment(flags);
    if (timestamps_) s.ts = Timestamps(clock(), echo_);
    return s;
  }

  std::uint32_t clock() const { return static_cast<std::uint32_t>(now_ / 1ms) + 1'000'000; }

  std::string text(std::uint32_t bytes) {
    std::string t(bytes, '\0');
    for (char& c : t) c = static_cast<char>('a' + prng_.below(26));
    return t;
  }

  // Mostly what a good peer sends next, and a little of everything else.
  Segment next_segment() {
    Segment s = plain(prng_.chance(0.5) ? "P." : ".");
    const std::uint32_t kind = prng_.below(100);
    if (kind < 55) return take(s, text(1 + prng_.below(1448)));
    if (kind < 70) return s;  // a pure ACK, or a duplicate one
    if (kind < 74)
      return shifted(s, -static_cast<std::int32_t>(prng_.below(3000)), text(prng_.below(1448)));
    if (kind < 80)
      return shifted(s, static_cast<std::int32_t>(prng_.below(6000)), text(prng_.below(1448)));
    if (kind < 84)
      return with_window(take(s, text(prng_.below(200))),
                         static_cast<std::uint16_t>(prng_.below(64)));
    if (kind < 85) return with_window(s, 0);
    if (kind < 88) return with_ack(s, s.ack - prng_.below(4000));
    if (kind < 90) return with_ack(s, s.ack + prng_.below(4000));
    if (kind < 92) return with_clock(take(s, text(10)), clock() - prng_.below(5000));
    if (kind < 94) return without_clock(take(s, text(10)));
    if (kind < 96) return with_flags(take(s, text(20)), "PU.");
    if (kind < 97)
      return with_flags(shifted(s, static_cast<std::int32_t>(prng_.below(100)) - 50, ""),
                        prng_.chance(0.5) ? "S" : "S.");
    if (kind < 98)
      return shifted(with_flags(s, "R"), 1 + static_cast<std::int32_t>(prng_.below(5000)), "");
    if (prng_.chance(0.1)) return with_flags(s, prng_.chance(0.5) ? "F." : "R.");
    return shifted(s, 1 << 20, text(100));  // far out of the window
  }

  Segment take(Segment s, std::string payload) {
    s.payload = std::move(payload);
    peer_next_ += static_cast<std::uint32_t>(s.payload.size());
    return s;
  }
  static Segment shifted(Segment s, std::int32_t by, std::string payload) {
    s.seq += static_cast<std::uint32_t>(by);
    s.payload = std::move(payload);
    return s;
  }
  static Segment with_window(Segment s, std::uint16_t window) {
    s.window = window;
    return s;
  }
  static Segment with_ack(Segment s, std::uint32_t ack) {
    s.ack = ack;
    return s;
  }
  static Segment with_flags(Segment s, const std::string& flags) {
    s.flags = flags;
    return s;
  }
  static Segment without_clock(Segment s) {
    s.ts = Timestamps();
    return s;
  }
  static Segment with_clock(Segment s, std::uint32_t value) {
    if (s.ts.present) s.ts.value = value;
    return s;
  }

  void read_what_waits() {
    for (Side* side : {&with_, &without_})
      for (ConnectionRecord& r : side->handler.records())
        if (r.connection.valid()) side->handler.read_all(r.connection);
  }

  // Lets time pass, polls both whenever the one of them wants it, and compares.
  void step(Duration time) {
    const Instant end{now_ + time};
    while (true) {
      poll_and_compare();
      const Instant next = std::min(with_.stack->next_deadline(), without_.stack->next_deadline());
      if (next > end || testing::Test::HasFailure()) break;
      now_ = std::max(now_ + 100us, next.time_since_epoch());
    }
    now_ = std::max(now_, end.time_since_epoch());
  }

  void poll_and_compare() {
    with_.poll(Instant(now_));
    without_.poll(Instant(now_));
    const std::vector<SentFrame> a = with_.port.take_frames(), b = without_.port.take_frames();
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto first = parse_segment(a[i].bytes), second = parse_segment(b[i].bytes);
      ASSERT_TRUE(a[i].bytes == b[i].bytes) << testing::PrintToString(first) << "\n"
                                            << testing::PrintToString(second);
      if (first) note(*first);
    }
    std::vector<ConnectionInfo> first, second;
    with_.stack->list(0, 100, first);
    without_.stack->list(0, 100, second);
    ASSERT_TRUE(std::equal(first.begin(), first.end(), second.begin(), second.end(), is_same));
    ASSERT_EQ(usage_of(with_), usage_of(without_));
    ASSERT_EQ(events_of(with_), events_of(without_));
  }

  // What a peer learns from the stack's segments: how far to acknowledge, and what to repeat.
  void note(const Segment& s) {
    if (s.has('R')) return;
    if (s.has('S') || static_cast<std::int32_t>(s.seq + s.length() - stack_next_) > 0)
      stack_next_ = s.seq + s.length();
    if (s.ts.present) echo_ = s.ts.value;
    // Go back to what the stack still wants, now and then: else one lost segment ends the data.
    if (s.has('.') && prng_.chance(0.3)) peer_next_ = s.ack;
  }

  void tear_down() {
    for (Side* side : {&with_, &without_}) {
      side->stack.reset();
      EXPECT_EQ(side->port.outstanding(), 0u);
      EXPECT_EQ(side->port.violations(), std::vector<std::string>{});
    }
  }

  Prng prng_;
  bool timestamps_;
  Side with_, without_;
  Duration now_ = 1s;
  std::uint32_t peer_next_ = 0xffffff00;  // soon around the corner
  std::uint32_t stack_next_ = 0;
  std::uint32_t echo_ = 0;
  std::uint64_t predicted_ = 0;
};

TEST(HeaderPrediction, IsSemanticallyRedundant) {
  std::uint64_t predicted = 0;
  for (std::uint64_t seed = 1; seed <= rounds(400) && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Pair pair(seed, seed % 3 != 0);
    pair.run(150);
    predicted += pair.predicted();
  }
  EXPECT_GT(predicted, rounds(10'000)) << "the comparison has hardly met the predicted path";
}

}  // namespace
}  // namespace tern::test
