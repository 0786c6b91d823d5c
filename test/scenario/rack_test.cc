// SPDX-License-Identifier: BSD-3-Clause
// What RACK finds lost, and when (RFC 8985 6), and the tail loss probe (7). The round trip is 40 ms
// throughout: srtt and the shortest are 40 ms, so the reordering window is 10 ms at first, the PTO
// 82 ms with several segments in flight, and the RTO 200 ms.
#include <gtest/gtest.h>

#include "script.h"

namespace tern::test {
namespace {

Given with_round_trip() {
  Given given;
  given.peer_syn.mss = 1000;
  given.peer_syn.sack_permitted = true;
  given.round_trip = 40ms;
  return given;
}

struct Run {
  std::uint32_t first, last;
};

// Segment n is [1000 (n - 1) + 1, + 1000).
constexpr std::uint32_t begin_of(std::uint32_t n) { return 1000 * (n - 1) + 1; }

/// The ACK of everything up to and including segment n, with blocks of segments.
Segment ack_of(std::uint32_t n, std::initializer_list<Run> runs = {}) {
  Segment s = ack(1, begin_of(n + 1));
  for (const Run& run : runs) s.sack.push_back({begin_of(run.first), begin_of(run.last + 1)});
  return s;
}

/// The ACK of segments 1 to n that reports [first, last] to have come twice (RFC 2883).
Segment ack_with_duplicate(std::uint32_t n, Run twice) { return ack_of(n, {twice}); }

struct Rack : Established {
  Rack() : Established(with_round_trip()) {}
  static Segment segment(std::uint32_t n, const char* flags = ".") {
    return data(begin_of(n), 1000, 1, flags);
  }
  /// Queues so many segments, which go out at once.
  void send(std::uint32_t first, std::uint32_t last) {
    write(1000 * (last - first + 1));
    EXPECT_EQ(take().size(), last - first + 1);
  }
};

// RFC 8985 3.1: the repetition is lost as well. Something that was sent after it has arrived.
TEST(Rack, FindsALostRepetition) {
  Rack t;
  t.write(30'000);
  EXPECT_EQ(t.take().size(), 10u);
  t.run_to(40ms);
  t.in(ack_of(0, {{2, 4}}));
  t.out({t.segment(1)});  // lost again
  t.run_to(41ms);
  t.in(ack_of(0, {{2, 10}}));
  t.out({t.segment(11), t.segment(12), t.segment(13), t.segment(14)});
  t.run_to(80ms);  // the repetition's time, but nothing sent later has arrived yet
  t.silent();
  t.run_to(81ms);
  t.in(ack_of(0, {{2, 11}}));
  EXPECT_EQ(t.take().front().seq, 1u);
  EXPECT_EQ(t.counters().lost_retransmissions, 1u);
  EXPECT_EQ(t.info().ssthresh_bytes, 2500u) << "a second sign of congestion (RFC 5681 4.3)";
  t.run_to(82ms);
  t.in(ack_of(0, {{2, 14}}));
  for (const Segment& s : t.take()) EXPECT_NE(s.seq, 1u) << "may still come";
  t.run_to(121ms);
  t.in(ack_of(14));
  t.take();
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

// Repetitions that left in one poll, of which a lower one was lost: one that left after it has
// come.
TEST(Rack, FindsALostRepetitionOfOneBurst) {
  Rack t;
  t.send(1, 10);
  t.run_to(40ms);
  t.in_burst({ack_of(0, {{4, 4}}), ack_of(0, {{4, 6}}), ack_of(0, {{4, 10}})});
  const std::vector<Segment> again = t.take();
  ASSERT_EQ(again.size(), 3u);
  for (std::uint32_t n = 1; n <= 3; ++n) EXPECT_EQ(again[n - 1].seq, begin_of(n));
  t.run_to(80ms);
  t.in(ack_of(1, {{3, 3}, {4, 10}}));
  t.out({t.segment(2)});
  t.run_to(120ms);
  t.in(ack_of(10));
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

// A time-out was repaired to the last byte: the flight after it is like any other.
TEST(Rack, FindsALossAfterARepairedTimeOut) {
  Rack t;
  t.send(1, 1);
  t.out_at(200ms, {t.segment(1, "P.")});
  t.run_to(240ms);
  t.in(ack_of(1));
  t.send(2, 3);
  t.run_to(280ms);
  t.in(ack_of(1, {{3, 3}}));
  t.out_at(290ms, {t.segment(2)});
  t.run_to(330ms);
  t.in(ack_of(3));
  EXPECT_EQ(t.counters().rto_timeouts, 1u) << "the first one";
}

// RFC 8985 3.2: three segments, the first two lost. One SACK is too little for three duplicates,
// but RACK's window of a quarter of the round trip runs out.
TEST(Rack, FindsLossesThatTooFewDuplicatesShow) {
  Rack t;
  t.send(1, 3);
  t.run_to(40ms);
  t.in(ack_of(0, {{3, 3}}));
  t.silent_to(50ms - 100us);
  t.out_at(50ms, {t.segment(1)});  // one at first, says PRR
  EXPECT_EQ(t.counters().reordering_timeouts, 1u);
  t.run_to(90ms);
  t.in(ack_of(1, {{3, 3}}));
  t.out({t.segment(2)});
  t.run_to(130ms);
  t.in(ack_of(3));
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
  EXPECT_EQ(t.stack().usage().sack_senders, 0u);
}

// What was late arrives within the window: no loss.
TEST(Rack, WaitsForWhatIsReordered) {
  Rack t;
  t.send(1, 3);
  t.run_to(40ms);
  t.in(ack_of(0, {{3, 3}}));
  t.run_to(49ms);
  t.in(ack_of(3));
  t.silent_to(1s);
  EXPECT_EQ(t.counters().retransmitted, 0u);
}

// Step 3 and 4: once reordering has been seen, three SACKs are not enough either.
TEST(Rack, GivesUpThreeDuplicatesOnceReorderingIsSeen) {
  Rack t;
  t.send(1, 3);
  t.run_to(40ms);
  t.in(ack_of(0, {{3, 3}}));
  t.run_to(45ms);
  t.in(ack_of(3));
  t.run_to(100ms);
  t.send(4, 9);
  t.run_to(140ms);
  t.in(ack_of(3, {{5, 9}}));
  t.silent_to(150ms - 100us);
  t.out_at(150ms, {t.segment(4)});
  t.run_to(190ms);
  t.in(ack_of(9));
  t.silent();
}

// Step 4: what was sent again for nothing widens the window, by 10 ms a round trip, for 16
// recoveries.
TEST(Rack, WidensTheWindowByDuplicatesReported) {
  Rack t;
  t.send(1, 3);
  t.run_to(40ms);
  t.in(ack_of(0, {{3, 3}}));
  t.out_at(50ms, {t.segment(1)});
  t.run_to(55ms);
  t.in(ack_of(3));  // they were only late
  t.run_to(90ms);
  t.in(ack_with_duplicate(3, {1, 1}));
  EXPECT_EQ(t.counters().dsacks_in, 1u);
  t.run_to(100ms);
  t.send(4, 5);
  t.run_to(140ms);
  t.in(ack_of(3, {{5, 5}}));
  t.silent_to(160ms - 100us);
  t.out_at(160ms, {t.segment(4)});
  t.run_to(200ms);
  t.in(ack_of(5));
  t.silent();
}

// The RTO stands behind the reordering timer and comes when it would have come.
TEST(Rack, KeepsTheTimeOut) {
  Rack t;
  t.send(1, 3);
  t.run_to(40ms);
  t.in(ack_of(0, {{3, 3}}));
  t.out_at(50ms, {t.segment(1)});  // lost again; the RTO begins here
  t.silent_to(250ms - 100us);
  t.out_at(250ms, {t.segment(1)});
  EXPECT_EQ(t.counters().rto_timeouts, 1u);
}

// RFC 8985 3.3, 7.3: the last of ten is lost. After two round trips and 2 ms it goes out again, and
// that it was lost is seen from the ACK that goes beyond it.
TEST(TailLossProbe, RepairsTheLastSegment) {
  Rack t;
  t.send(1, 10);
  t.run_to(40ms);
  t.in(ack_of(8));
  t.silent_to(122ms - 100us);
  t.out_at(122ms, {t.segment(10, "P.")});
  EXPECT_EQ(t.counters().loss_probes, 1u);
  t.run_to(162ms);
  t.in(ack_of(8, {{10, 10}}));
  t.out({t.segment(9)});  // sent long before the probe, which has arrived
  t.run_to(202ms);
  t.in(ack_of(10));
  t.silent_to(1s);
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
  EXPECT_EQ(t.counters().fast_retransmits, 1u) << "and so the window has been reduced";
}

// 7.4: only the last one was lost, and the probe was its repair: the window is reduced, when the
// ACK of something newer comes without the report of a duplicate.
TEST(TailLossProbe, SeesItsOwnRepair) {
  Rack t;
  t.send(1, 10);
  t.run_to(40ms);
  t.in(ack_of(8));
  t.out_at(122ms, {t.segment(10, "P.")});
  t.run_to(162ms);
  t.in(ack_of(10));
  EXPECT_EQ(t.counters().loss_probe_repairs, 0u) << "or was the first ACK only late?";
  t.send(11, 11);
  t.run_to(202ms);
  t.in(ack_of(11));
  EXPECT_EQ(t.counters().loss_probe_repairs, 1u);
  EXPECT_LT(t.info().ssthresh_bytes, 10'000u);
}

// What is sent after the probe is RACK's to watch over as well: the first of the next flight is
// lost before anything says what the probe was good for.
TEST(TailLossProbe, DoesNotHideTheNextFlight) {
  Rack t;
  t.send(1, 10);
  t.run_to(40ms);
  t.in(ack_of(8));
  t.out_at(122ms, {t.segment(10, "P.")});
  t.run_to(162ms);
  t.in(ack_of(10));
  t.send(11, 16);
  t.run_to(202ms);
  t.in_burst({ack_of(10, {{12, 12}}), ack_of(10, {{12, 13}}), ack_of(10, {{12, 16}})});
  EXPECT_EQ(t.take().front().seq, begin_of(11));
  t.run_to(242ms);
  t.in(ack_of(16));
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

// Nor what was sent while the probe was out.
TEST(TailLossProbe, DoesNotHideWhatFollowedIt) {
  Rack t;
  t.send(1, 10);
  t.run_to(40ms);
  t.in(ack_of(8));
  t.out_at(122ms, {t.segment(10, "P.")});
  t.run_to(130ms);
  t.send(11, 16);
  t.run_to(170ms);
  t.in_burst({ack_of(10, {{12, 12}}), ack_of(10, {{12, 13}}), ack_of(10, {{12, 16}})});
  EXPECT_EQ(t.take().front().seq, begin_of(11));
  t.run_to(210ms);
  t.in(ack_of(16));
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

// 7.4.1: it was for nothing, says D-SACK; or a plain duplicate, of a peer that knows none.
TEST(TailLossProbe, SeesThatItWasForNothing) {
  for (const bool dsack : {true, false}) {
    Rack t;
    t.send(1, 10);
    t.run_to(40ms);
    t.in(ack_of(8));
    t.out_at(122ms, {t.segment(10, "P.")});
    t.run_to(125ms);
    t.in(ack_of(10));
    t.run_to(162ms);
    t.in(dsack ? ack_with_duplicate(10, {10, 10}) : ack_of(10));
    t.send(11, 11);
    t.run_to(202ms);
    t.in(ack_of(11));
    EXPECT_EQ(t.counters().loss_probe_repairs, 0u);
    EXPECT_GT(t.info().ssthresh_bytes, 1u << 30);
    // Nor does it widen RACK's window.
    t.send(12, 14);
    t.run_to(242ms);
    t.in(ack_of(11, {{14, 14}}));
    t.out_at(252ms, {t.segment(12)});
    t.run_to(292ms);
    t.in(ack_of(14));
  }
}

// 7.3: something new serves as well, whatever cwnd says.
TEST(TailLossProbe, SendsSomethingNewIfThereIsAny) {
  Rack t;
  t.write(30'000);
  EXPECT_EQ(t.take().size(), 10u);
  t.out_at(82ms, {t.segment(11)});
  t.silent_to(282ms - 100us);
  t.out_at(282ms, {t.segment(1)});
  EXPECT_EQ(t.counters().loss_probes, 1u) << "one, and then the RTO";
}

// 7.2: a lone segment's ACK may be delayed for 200 ms, so the RTO comes first.
TEST(TailLossProbe, NotForALoneSegment) {
  Rack t;
  t.send(1, 1);
  t.out_at(200ms, {t.segment(1, "P.")});
  EXPECT_EQ(t.counters().loss_probes, 0u);
}

// 7.2: each transmission begins the PTO anew.
TEST(TailLossProbe, CountsFromTheLastTransmission) {
  Rack t;
  t.send(1, 2);
  t.run_to(30ms);
  t.send(3, 3);
  t.out_at(112ms, {t.segment(3, "P.")});
}

// It needs a peer that SACKs, since RACK has to make something of it.
TEST(TailLossProbe, NotWithoutSack) {
  Given given = with_round_trip();
  given.peer_syn.sack_permitted = false;
  Established t(given);
  t.write(10'000);
  t.take();
  t.out_at(200ms, {Rack::segment(1)});
}

// A probe that comes to nothing to probe for, and one whose end a time-out has overtaken.
TEST(TailLossProbe, EndsWithATimeOut) {
  Rack t;
  t.send(1, 10);
  t.out_at(82ms, {t.segment(10, "P.")});
  t.out_at(282ms, {t.segment(1)});
  t.run_to(322ms);
  t.in(ack_of(10));
  t.send(11, 12);
  t.run_to(362ms);
  t.in(ack_of(12));
  EXPECT_EQ(t.counters().loss_probe_repairs, 0u);
  EXPECT_EQ(t.info().cwnd_bytes, 3000u) << "slow start from one segment, and no reduction since";
}

}  // namespace
}  // namespace tern::test
