// SPDX-License-Identifier: BSD-3-Clause
// The sender whose peer SACKs: RFC 6675 with PRR (RFC 9937).
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <set>

#include "script.h"
#include "support/rounds.h"

namespace tern::test {
namespace {

Given with_sack() {
  Given given;
  given.peer_syn.mss = 1000;
  given.peer_syn.sack_permitted = true;
  return given;
}

// Segment n is [1000 (n - 1) + 1, + 1000).
constexpr std::uint32_t begin_of(std::uint32_t n) { return 1000 * (n - 1) + 1; }

struct Run {
  std::uint32_t first, last;
};

/// The ACK of everything up to and including segment n, with blocks of segments.
Segment ack_of(std::uint32_t n, std::initializer_list<Run> runs = {}) {
  Segment s = ack(1, begin_of(n + 1));
  for (const Run& run : runs) s.sack.push_back({begin_of(run.first), begin_of(run.last + 1)});
  return s;
}

// 30,000 bytes are queued, segments 1 to 10 are in flight.
struct SackTenInFlight : Established {
  explicit SackTenInFlight(const Given& g = with_sack()) : Established(g) {
    write(30'000);
    EXPECT_EQ(take().size(), 10u);
  }
  static Segment segment(std::uint32_t n) { return data(begin_of(n), 1000, 1); }
};

// Step by step: segment 1 is lost.
TEST(SackRecovery, OfOneSegment) {
  SackTenInFlight t;
  t.in(ack_of(0, {{2, 2}}));
  t.out({t.segment(11)});  // limited transmit (RFC 3042)
  t.in(ack_of(0, {{2, 3}}));
  t.out({t.segment(12)});
  EXPECT_EQ(t.info().cwnd_bytes, 10'000u);
  t.in(ack_of(0, {{2, 4}}));
  t.out({t.segment(1)});
  EXPECT_EQ(t.info().ssthresh_bytes, 5000u) << "half of what was in flight before limited transmit";
  // PRR: of ten segments in flight five shall be left, so every second ACK sends one.
  t.in(ack_of(0, {{2, 5}}));
  t.silent();
  t.in(ack_of(0, {{2, 6}}));
  t.silent();
  t.in(ack_of(0, {{2, 7}}));
  t.out({t.segment(13)});
  t.in(ack_of(0, {{2, 8}}));
  t.silent();
  t.in(ack_of(0, {{2, 9}}));
  t.silent();
  t.in(ack_of(0, {{2, 10}}));
  t.out({t.segment(14)});  // down to ssthresh: one out for each one delivered
  t.in(ack_of(0, {{2, 11}}));
  t.out({t.segment(15)});
  t.in(ack_of(0, {{2, 12}}));
  t.out({t.segment(16)});
  t.in(ack_of(12));
  t.out({t.segment(17)});
  EXPECT_EQ(t.info().cwnd_bytes, 5000u) << "recovery ends at ssthresh";
  EXPECT_EQ(t.counters().sack_recoveries, 1u);
  EXPECT_EQ(t.counters().retransmitted, 1u);
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
  t.in(ack_of(17));
  EXPECT_EQ(t.take().size(), 6u) << "congestion avoidance";
}

TEST(SackRecovery, RestartsTheTimer) {
  SackTenInFlight t;
  t.run_to(150ms);
  t.in(ack_of(0, {{2, 4}}));
  t.take();
  t.silent_to(350ms - 100us);
  t.out_at(350ms, {t.segment(1)});
}

// RFC 6675 4, IsLost: more than two segments' bytes above the hole, in whatever number of ACKs.
TEST(SackRecovery, BeginsByBytesToo) {
  SackTenInFlight t;
  t.in(ack_of(0, {{2, 3}}));
  t.out({t.segment(11), t.segment(12)});
  Segment one_byte_more = ack_of(0, {{2, 3}});
  one_byte_more.sack[0].end += 1;
  t.in(one_byte_more);
  t.out({t.segment(1)});
}

// Reordering of less than three segments is no loss.
TEST(SackRecovery, NotByReorderingBelowTheThreshold) {
  SackTenInFlight t;
  t.in(ack_of(0, {{2, 2}}));
  t.in(ack_of(0, {{2, 3}}));
  t.out({t.segment(11), t.segment(12)});
  t.in(ack_of(3));
  EXPECT_EQ(t.counters().fast_retransmits, 0u);
  EXPECT_EQ(t.counters().retransmitted, 0u);
  EXPECT_EQ(t.stack().usage().sack_senders, 0u);
  t.take();
}

// A receiver that plays by RFC 2018: what has arrived, and the ACK of it.
class Receiver {
 public:
  bool take(const Segment& s) { return got_.insert((s.seq - 1) / 1000 + 1).second; }
  /// The ACK that the arrival of segment n calls forth.
  Segment ack_for(std::uint32_t n) const {
    std::vector<Run> runs;
    std::uint32_t cumulative = 0;
    while (got_.count(cumulative + 1) > 0) ++cumulative;
    for (const std::uint32_t g : got_) {
      if (g <= cumulative) continue;
      if (!runs.empty() && runs.back().last + 1 == g)
        runs.back().last = g;
      else
        runs.push_back({g, g});
    }
    std::stable_partition(runs.begin(), runs.end(),
                          [&](const Run& r) { return r.first <= n && n <= r.last; });
    Segment s = ack_of(cumulative);
    for (const Run& r : runs)
      if (s.sack.size() < 4) s.sack.push_back({begin_of(r.first), begin_of(r.last + 1)});
    return s;
  }
  bool complete(std::uint32_t n) const { return got_.size() == n && *got_.rbegin() == n; }

 private:
  std::set<std::uint32_t> got_;
};

// Every pattern of losses among the first eight of ten: repaired within one round trip of its
// discovery, by exactly as many retransmissions as there were losses, without a time-out.
TEST(SackRecovery, OfEveryPatternOfLossesInOneRoundTrip) {
  for (unsigned lost = 1; lost < 1u << 8; ++lost) {
    if (!is_tried(lost)) continue;
    SCOPED_TRACE("lost segments, as bits: " + std::to_string(lost));
    SackTenInFlight t;
    t.write(70'000);  // so that there is always something new to send
    Receiver receiver;
    std::vector<Segment> under_way;
    for (std::uint32_t n = 1; n <= 10; ++n)
      if (n > 8 || (lost >> (n - 1) & 1) == 0) under_way.push_back(t.segment(n));
    unsigned round_trips = 0;
    for (; !receiver.complete(100) && round_trips < 30; ++round_trips) {
      t.run_for(10ms);
      std::vector<Segment> next;
      for (const Segment& s : under_way) {
        receiver.take(s);
        t.in(receiver.ack_for((s.seq - 1) / 1000 + 1));
        for (Segment& sent : t.take()) next.push_back(std::move(sent));
      }
      under_way = std::move(next);
      // Discovered in the first round trip, or, where too few came through to show it, the second.
      // Of more than half a window PRR lets go only twice as much in each round trip.
      if (round_trips == (std::popcount(lost) <= 5 ? 2 : 4)) {
        EXPECT_GE(t.info().bytes_acked, 10'000u);
      }
    }
    EXPECT_EQ(t.counters().retransmitted, static_cast<unsigned>(std::popcount(lost)));
    EXPECT_EQ(t.counters().sack_recoveries, 1u);
    EXPECT_EQ(t.counters().rto_timeouts, 0u);
    EXPECT_LT(round_trips, 30u);
    if (HasFailure()) return;
  }
}

// A third of the ACKs are lost: those that come tell all.
TEST(SackRecovery, WithLostAcks) {
  SackTenInFlight t;
  t.in(ack_of(0, {{6, 6}, {4, 4}, {2, 2}}));
  // Three blocks above segment 1: it is lost. 3 and 5 have too little above them.
  t.out({t.segment(1)});
  // One of what is lost is under way again, and all the rest is known: up to ssthresh at once.
  t.in(ack_of(0, {{8, 10}, {6, 6}, {4, 4}}));
  t.out({t.segment(3), t.segment(5), t.segment(7), t.segment(11)});
  t.in(ack_of(6, {{8, 10}}));
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
  EXPECT_GE(t.take().size(), 1u);
}

// RFC 6675 4 rule 4: nothing new to send, and the last segments lost: one goes out again.
TEST(SackRecovery, RescuesTheTail) {
  Established t(with_sack());
  t.write(10'000);
  t.take();
  t.in(ack_of(0, {{2, 5}}));
  t.out({SackTenInFlight::segment(1)});
  t.in(ack_of(0, {{2, 7}}));
  t.out({data(begin_of(10), 1000, 1, "P.")});
  t.in(ack_of(7));
  t.silent();                   // once
  t.in(ack_of(7, {{10, 10}}));  // rule 3: what lies below it is not known to be lost, but likely
  t.out({SackTenInFlight::segment(8), SackTenInFlight::segment(9)});
  t.in(ack_of(10));
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

// Numbers that cannot be, one at a time: nothing is believed, nothing is sent.
TEST(SackRecovery, RefusesAbsurdBlocks) {
  SackTenInFlight t;
  const auto with = [](SackRange range) {
    Segment s = ack(1, 1);
    s.sack = {range};
    return s;
  };
  for (const SackRange& range : std::vector<SackRange>{{1, 10'001},               // snd_una itself
                                                       {3001, 2001},              // reversed
                                                       {2001, 2001},              // empty
                                                       {2001, 10'002},            // beyond snd_max
                                                       {20'001, 21'001},          // never sent
                                                       {0x80000001, 10'001},      // from behind
                                                       {0x7fffffff, 0xfffffff0},  // round about
                                                       {2001, 0x80002001}}) {     // half the circle
    t.in(with(range));
    t.silent();
  }
  EXPECT_GE(t.counters().sack_blocks_refused, 6u);
  EXPECT_EQ(t.counters().dup_acks_in, 0u);
  EXPECT_EQ(t.stack().usage().sack_senders, 0u);
}

// RFC 2018 8: the peer gave up what it had SACKed. Only the time-out tells; then all goes out
// again.
TEST(SackRecovery, FromAPeerThatReneges) {
  SackTenInFlight t;
  t.in(ack_of(0, {{2, 10}}));
  EXPECT_EQ(t.take().front().seq, 1u);
  t.run_to(10ms);
  t.in(ack_of(1));  // 2 to 10 are gone
  t.take();
  t.run_to(210ms - 100us);
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
  t.run_to(210ms);
  t.out({t.segment(2)});
  EXPECT_EQ(t.counters().sack_reneges_in, 1u);
  t.in(ack_of(2));
  t.out({t.segment(3), t.segment(4)});
}

// After a time-out what is SACKed anew is not sent again.
TEST(SackRecovery, GoesAroundWhatIsSackedAfterATimeOut) {
  SackTenInFlight t;
  t.out_at(2ms, {t.segment(11)});  // a loss probe (RFC 8985 7), which is lost as well
  t.out_at(202ms, {t.segment(1)});
  t.in(ack_of(1, {{3, 4}, {6, 9}}));
  t.out({t.segment(2), t.segment(5)});
  t.in(ack_of(4, {{6, 9}}));
  t.out({t.segment(10), t.segment(11)});
}

// More connections in trouble than there are scoreboards: NewReno for those beyond.
TEST(SackRecovery, FallsBackToNewReno) {
  Given given = with_sack();
  given.stack.max_sack_senders = 1;
  Established t(given);
  t.write(30'000);
  t.take();
  Segment other_syn = given.peer_syn;
  other_syn.path.source_port = 1;
  t.in(other_syn);
  Segment third = ack(1, 1);
  third.path.source_port = 1;
  t.in(third);
  t.write(30'000);
  t.take();
  Segment first_takes_it = ack_of(0, {{2, 2}});
  t.in(first_takes_it);
  EXPECT_EQ(t.stack().usage().sack_senders, 1u);
  t.take();
  for (std::uint32_t n = 2; n <= 4; ++n) {
    Segment s = ack_of(0, {{2, n}});
    s.path.source_port = 1;
    t.in(s);
  }
  EXPECT_EQ(t.counters().sack_senders_short, 3u);
  EXPECT_EQ(t.counters().fast_retransmits, 1u);
  EXPECT_EQ(t.counters().sack_recoveries, 0u);
  t.take();
}

}  // namespace
}  // namespace tern::test
