// SPDX-License-Identifier: BSD-3-Clause
// Probing for a larger path MTU (RFC 4821 7, RFC 8899 5.3).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "icmp_message.h"
#include "script.h"

namespace tern::test {
namespace {

constexpr Duration kTick = 100us;

enum class Because { kBlackHole, kRouter };

// A connection whose full segments have vanished three times, or were too big for a router, and
// which goes on with 1024 bytes of text in each.
struct Narrowed : Established {
  using Pieces = std::vector<std::pair<std::uint32_t, std::size_t>>;  // first number, bytes

  static Given with_sack() {
    Given given;
    given.peer_syn.sack_permitted = true;
    return given;
  }
  explicit Narrowed(const Given& g = {}, Because because = Because::kBlackHole) : Established(g) {
    write(1460);
    if (because == Because::kRouter)
      port().inject(message(isn(), {.code = kTooBig, .mtu = 1064, .seq = 1}));
    while (info().send_mss == 1460) run_for(10ms);
    const Segment last = take().back();
    next = last.seq + last.length();
    in(ack(1, next));
    acknowledge();
    // A window for a probe, and the three segments behind it.
    while (info().cwnd_bytes < 16 * 1024) carry(1460, 50ms);
    acknowledge();
    run_for(3s);  // past the second ARP announcement
    mark();
  }

  // Carries segments of at most `largest` bytes for so long, with always enough to send.
  void carry(std::size_t largest, Duration time) {
    for (const Duration end = clock() + time; clock() < end; run_for(100ms)) {
      while (connection().send_space() > 180'000) write(32 * 1024);
      receive(largest);
    }
  }
  // Receives all that has been sent, whatever its size.
  void acknowledge() {
    while (receive(65'535)) continue;
  }
  // The receiver: answers each segment that fits. False if there was none.
  bool receive(std::size_t largest) {
    bool any = false;
    for (const Segment& s : take()) {
      if (s.payload.size() > largest || s.payload.empty()) continue;
      any = true;
      held[s.seq] = std::max(held[s.seq], s.seq + s.length());
      for (auto it = held.begin(); it != held.end() && it->first <= next; it = held.erase(it))
        next = std::max(next, it->second);
      Segment answer = ack(1, next);
      answer.window = given.peer_syn.window;
      if (given.peer_syn.sack_permitted && !held.empty())
        answer.sack = {{held.begin()->first, held.begin()->second}};
      in(answer);
    }
    return any;
  }

  // To a tick before a search looks whether it can send: nothing else is waited for.
  void run_to_search() {
    const Duration left = stack().next_deadline() - now();
    ASSERT_LT(left, 11s);
    run_for(left - kTick);
    silent();
  }
  // Fills the window with segments, which it returns; then a probe is due that waits for room.
  std::vector<Segment> hold_probe() {
    run_to_search();
    write(100'000);
    const std::vector<Segment> burst = take();
    EXPECT_GE(burst.size(), 8u);
    for (const Segment& s : burst) EXPECT_EQ(s.payload.size(), 1024u);
    run_for(kTick);
    silent();  // new text waits for the probe's window
    return burst;
  }
  // Sends a probe of 1460 bytes, of which `first` is the first number, and segments behind it.
  void send_probe() {
    const std::vector<Segment> burst = hold_probe();
    ASSERT_GE(burst.size(), 2u);
    in(ack(1, burst[0].seq + 1024));
    if (info().ssthresh_bytes != UINT32_MAX) {  // in slow start one ACK makes room
      silent();
      in(ack(1, burst[1].seq + 1024));
    }
    const std::vector<Segment> probe = take();
    ASSERT_GE(probe.size(), 1u);
    EXPECT_EQ(probe[0].payload.size(), 1460u);
    EXPECT_EQ(probe[0].seq, burst.back().seq + 1024);
    EXPECT_EQ(probe[0].payload, stream(probe[0].seq - 1, 1460)) << "the text that is next anyway";
    first = probe[0].seq;
    in(ack(1, first));
    const std::vector<Segment> behind = take();
    ASSERT_GE(behind.size(), 4u);
    EXPECT_EQ(behind[0].payload.size(), 1024u) << "only the one is larger";
    next = behind.back().seq + 1024;
  }
  // What of the probe's numbers has been sent since; `next` is behind all that has been sent.
  Pieces repeated() {
    Pieces out;
    for (const Segment& s : take()) {
      if (s.seq < first + 1460) out.emplace_back(s.seq - first, s.payload.size());
      next = std::max(next, s.seq + s.length());
    }
    return out;
  }

  std::uint32_t first = 0;
  std::uint32_t next = 0;                       // of the receiver
  std::map<std::uint32_t, std::uint32_t> held;  // beyond it
};

TEST(PathProbe, ALargerSegmentThatArrivesMakesAllLarger) {
  Narrowed t;
  t.send_probe();
  EXPECT_EQ(t.info().send_mss, 1024u);
  t.in(ack(1, t.next));
  t.acknowledge();
  t.run_for(1s);  // the next look
  EXPECT_EQ(t.info().send_mss, 1460u);
  EXPECT_EQ(t.counters().path_mtu_probes, 1u);
  EXPECT_EQ(t.counters().path_mtu_raises, 1u);
  EXPECT_EQ(t.counters().path_mtu_probes_lost, 0u);
  t.write(2920);
  std::vector<std::size_t> sent;
  for (const Segment& s : t.take()) sent.push_back(s.payload.size());
  EXPECT_EQ(sent, (std::vector<std::size_t>{1460, 1460}));
}

// RFC 4821 7.6.2: it is sent again in segments that fit, and the window stays.
TEST(PathProbe, ALostProbeIsNoCongestion) {
  Narrowed t;
  t.send_probe();
  const std::uint32_t window = t.info().cwnd_bytes;
  for (int i = 0; i < 3; ++i) t.in(ack(1, t.first));
  EXPECT_EQ(t.repeated(), (Narrowed::Pieces{{0, 1024}}));
  t.in(ack(1, t.first + 1024));
  EXPECT_EQ(t.repeated(), (Narrowed::Pieces{{1024, 1024}}));
  t.in(ack(1, t.next));
  t.acknowledge();
  EXPECT_GE(t.info().cwnd_bytes, window);
  EXPECT_EQ(t.counters().path_mtu_probes_lost, 1u);
  EXPECT_EQ(t.counters().fast_retransmits, 1u);
  EXPECT_EQ(t.info().send_mss, 1024u);
}

TEST(PathProbe, ALostProbeIsNoCongestionWithSack) {
  Narrowed t(Narrowed::with_sack());
  t.send_probe();
  const std::uint32_t window = t.info().cwnd_bytes, end = t.first + 1460;
  Narrowed::Pieces again;
  for (std::uint32_t i = 1; i <= 4; ++i) {
    Segment sack = ack(1, t.first);
    sack.sack = {{end, end + i * 1024}};
    t.in(sack);
    std::ranges::copy(t.repeated(), std::back_inserter(again));
  }
  EXPECT_EQ(again, (Narrowed::Pieces{{0, 1024}, {1024, 436}}));
  t.in(ack(1, t.next));
  t.acknowledge();
  EXPECT_GE(t.info().cwnd_bytes, window);
  EXPECT_EQ(t.counters().path_mtu_probes_lost, 1u);
  EXPECT_EQ(t.counters().sack_recoveries, 1u);
}

// RFC 8899 3: a connection that has never met congestion goes on in slow start.
TEST(PathProbe, ALostProbeDoesNotEndSlowStart) {
  for (const bool sack : {false, true}) {
    for (const auto algorithm : {CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic}) {
      Given given = sack ? Narrowed::with_sack() : Given{};
      given.stack.tcp.congestion = algorithm;
      given.stack.tcp.path_mtu_interval = 10s;
      Narrowed t(given, Because::kRouter);
      t.send_probe();
      const std::uint32_t window = t.info().cwnd_bytes;
      EXPECT_EQ(t.info().ssthresh_bytes, UINT32_MAX);
      for (std::uint32_t i = 1; i <= 3; ++i) {
        Segment answer = ack(1, t.first);
        if (sack) answer.sack = {{t.first + 1460, t.first + 1460 + i * 1024}};
        t.in(answer);
      }
      EXPECT_FALSE(t.repeated().empty());
      t.in(ack(1, t.first + 1024));
      t.repeated();
      t.in(ack(1, t.next));
      EXPECT_EQ(t.counters().path_mtu_probes_lost, 1u);
      EXPECT_EQ(t.counters().fast_retransmits, 1u);
      EXPECT_EQ(t.info().ssthresh_bytes, UINT32_MAX) << sack;
      t.acknowledge();
      EXPECT_GE(t.info().cwnd_bytes, window);
    }
  }
}

// What is lost besides the probe is congestion as ever.
TEST(PathProbe, AnotherLossIsCongestion) {
  Narrowed t;
  t.send_probe();
  const std::uint32_t window = t.info().cwnd_bytes;
  for (int i = 0; i < 3; ++i) t.in(ack(1, t.first));
  t.in(ack(1, t.first + 1024));
  t.in(ack(1, t.first + 1460));  // and stops there
  EXPECT_LT(t.info().ssthresh_bytes, window);
  t.take();
}

// RFC 4821 7.3: between what fits and what does not; bounded; and anew after the interval.
TEST(PathProbe, FindsWhatFits) {
  for (const bool sack : {false, true}) {
    SCOPED_TRACE(sack);
    Given given = sack ? Narrowed::with_sack() : Given{};
    given.stack.tcp.path_mtu_interval = 1min;
    given.peer_syn.window = 20'000;
    Narrowed t(given);
    t.carry(1300, 25s);
    EXPECT_EQ(t.info().send_mss, 1296u);
    EXPECT_EQ(t.counters().path_mtu_probes, 6u);  // 1460, 1242, 1351, 1296, 1323, 1309
    EXPECT_EQ(t.counters().path_mtu_probes_lost, 4u);
    EXPECT_EQ(t.counters().path_mtu_raises, 2u);
    EXPECT_EQ(t.counters().rto_timeouts, 3u) << "those of the black hole";
    t.carry(1300, 30s);
    EXPECT_EQ(t.counters().path_mtu_probes, 6u) << "the search is over";
    t.carry(1460, 35s);
    EXPECT_EQ(t.info().send_mss, 1460u);
    EXPECT_EQ(t.counters().path_mtu_probes, 7u);
    t.acknowledge();
  }
}

// A probe is as large as the link allows: what else there is to tell goes by itself, in time.
TEST(PathProbe, HasNoRoomForADuplicatesReport) {
  Narrowed t(Narrowed::with_sack());
  t.in(data(1, 100, t.next));
  t.read();
  t.run_for(300ms);
  t.take();  // its ACK
  const std::vector<Segment> burst = t.hold_probe();
  t.in_burst({ack(101, burst[1].seq + 1024), data(1, 100, burst[1].seq + 1024)});
  const std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].payload.size(), 1460u);
  EXPECT_TRUE(sent[0].sack.empty());
  EXPECT_EQ(sent[1].payload.size(), 0u);
  EXPECT_EQ(sent[1].sack, (std::vector<SackRange>{{1, 101}}));
}

TEST(PathProbe, HasNoRoomForAUserTimeout) {
  Given given;
  given.stack.tcp.user_timeout_option = true;
  Narrowed t(given);
  const std::vector<Segment> burst = t.hold_probe();
  t.connection().set_user_timeout(1min);
  t.in(ack(1, burst[1].seq + 1024));
  const std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload.size(), 1460u);
  EXPECT_EQ(sent[0].option_bytes(), 0u);
}

// RFC 5681 4.1: after a pause the window is that of a beginning, whatever is sent first.
TEST(PathProbe, AfterAPauseTheWindowIsThatOfABeginning) {
  Narrowed t;
  t.run_to_search();
  ASSERT_GT(t.info().cwnd_bytes, 10u * 1024);
  t.stall_to(t.clock() + kTick);
  t.write(100'000);  // in the poll in which the probe is due
  std::size_t bytes = 0;
  const std::vector<Segment> sent = t.take();
  for (const Segment& s : sent) bytes += s.payload.size();
  EXPECT_EQ(sent.front().payload.size(), 1460u);
  EXPECT_LE(bytes, 10u * 1024);
}

// The search begins anew, and what was due is forgotten: it is no probe of a shut window.
TEST(PathProbe, OneThatWaitsEndsWhenTheSegmentsShrink) {
  Narrowed t;
  const std::vector<Segment> burst = t.hold_probe();
  const Message too_big{.code = kTooBig, .mtu = 900, .seq = burst[0].seq};
  ASSERT_TRUE(t.port().inject(message(t.isn(), too_big)));
  t.poll();
  EXPECT_EQ(t.info().send_mss, 860u);
  EXPECT_EQ(t.counters().persist_probes, 0u);
  t.acknowledge();
}

TEST(PathProbe, TooLittleToSendIsNoReasonToProbe) {
  Narrowed t;
  for (int i = 0; i < 100; ++i) {
    t.write(3000);
    t.acknowledge();
    t.run_for(500ms);
  }
  EXPECT_EQ(t.counters().path_mtu_probes, 0u);
  EXPECT_EQ(t.info().send_mss, 1024u);
}

TEST(PathProbe, IsConfigured) {
  Given given;
  given.stack.tcp.path_mtu_interval = 0s;
  Narrowed t(given);
  t.carry(1460, 30s);
  EXPECT_EQ(t.counters().path_mtu_probes, 0u);
  t.acknowledge();
}

}  // namespace
}  // namespace tern::test
