// SPDX-License-Identifier: BSD-3-Clause
// The retransmission timer: RFC 6298, Karn's algorithm, R2.
#include <gtest/gtest.h>

#include <algorithm>

#include "script.h"

namespace tern::test {
namespace {

using enum TcpState;

// SRTT 100 ms, RTTVAR 50 ms, RTO 300 ms.
Given with_100ms() {
  Given given;
  given.round_trip = 100ms;
  return given;
}

TEST(Rto, EveryTimeUntilR2) {
  Established t(with_100ms());
  EXPECT_EQ(t.info().srtt_us, 100'000u);
  EXPECT_EQ(t.info().rttvar_us, 50'000u);
  EXPECT_EQ(t.info().rto_us, 300'000u);
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  for (const Duration time : {300ms, 900ms, 2100ms, 4500ms, 9300ms, 18900ms, 38100ms, 76500ms})
    t.out_at(time, {data(1, 100, 1, "P.")});
  Duration time = 76500ms;
  for (int i = 8; i < 15; ++i) t.out_at(time += 60s, {data(1, 100, 1, "P.")});
  t.silent_to(time + 60s - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.silent_to(time + 60s);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
  EXPECT_EQ(t.counters().retransmitted, 15u);
  EXPECT_EQ(t.counters().rto_timeouts, 16u);
  EXPECT_EQ(t.counters().timed_out, 1u);
}

// The process is stopped for longer than a time-out, and the ACK waits behind a burst of other
// frames: what has arrived is read before a timer may take the pause for a loss (threats.md P7).
TEST(Rto, AStalledProcessReadsFirst) {
  Established t(with_100ms());
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.stall_to(2s);
  std::vector<Segment> waiting(100, data(5000, 1, 1));
  waiting.push_back(ack(1, 101));
  t.in_burst(waiting);
  t.take();
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
  EXPECT_EQ(t.counters().retransmitted, 0u);
  EXPECT_EQ(t.info().flight_bytes, 0u);
}

// But not for ever: who fills every burst does not hold the timers up.
TEST(Rto, AFloodDoesNotHoldTheTimersUp) {
  Established t(with_100ms());
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.stall_to(300ms);
  t.in_burst(std::vector<Segment>(1000, data(5000, 1, 1)));
  t.take();
  EXPECT_EQ(t.counters().rto_timeouts, 1u);
}

TEST(Rto, R2IsConfigured) {
  Given given = with_100ms();
  given.stack.tcp.max_retransmits = 2;
  given.stack.tcp.max_rto = 500ms;
  Established t(given);
  t.write(1);
  t.take();
  for (const Duration time : {300ms, 800ms}) t.out_at(time, {data(1, 1, 1, "P.")});
  t.silent_to(1300ms - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.silent_to(1300ms);
  EXPECT_EQ(t.state(), kClosed);
}

// RFC 6298 2.3, in microseconds: 100 ms is followed by 140 and 60.
TEST(Rto, FollowsTheSamples) {
  Established t(with_100ms());
  const auto exchange = [&](Duration round_trip, std::uint32_t seq) {
    t.write(10);
    t.take();
    t.run_for(round_trip);
    t.in(ack(1, seq + 10));
  };
  exchange(140ms, 1);
  EXPECT_EQ(t.info().srtt_us, 105'000u);
  EXPECT_EQ(t.info().rttvar_us, 47'500u);
  EXPECT_EQ(t.info().rto_us, 295'000u);
  exchange(60ms, 11);
  EXPECT_EQ(t.info().srtt_us, 99'375u);
  EXPECT_EQ(t.info().rttvar_us, 46'875u);
  EXPECT_EQ(t.info().rto_us, 286'875u);
  t.mark();
  t.write(10);
  t.out({data(21, 10, 1, "P.")});
  t.out_at(286'900us, {data(21, 10, 1, "P.")});  // the next tick
}

// One segment in a round trip is timed, the first of a flight.
TEST(Rto, TimesOneSegmentAtATime) {
  Established t(with_100ms());
  t.write(4 * 1460);
  t.take();
  t.run_to(50ms);
  t.in(ack(1, 1461));
  EXPECT_EQ(t.info().srtt_us, 93'750u);
  t.run_to(1s);
  t.take();
  EXPECT_EQ(t.info().srtt_us, 93'750u);
}

// RFC 6298 5.3: an ACK of something new restarts the timer, by the new RTO.
TEST(Rto, RestartsWithEveryNewAck) {
  Established t(with_100ms());
  t.write(2920);
  t.out({data(1, 1460, 1), data(1461, 1460, 1, "P.")});
  t.run_to(200ms);
  t.in(ack(1, 1461));
  EXPECT_EQ(t.info().rto_us, 362'500u);
  t.out_at(562'500us, {data(1461, 1460, 1, "P.")});
}

TEST(Rto, StopsWhenAllIsAcknowledged) {
  Established t;
  t.write(100);
  t.take();
  t.in(ack(1, 101));
  t.silent_to(24h);
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

// MUST-18: what was repeated times nothing, and the backed-off RTO holds until something does.
TEST(Karn, WithoutTimestamps) {
  Established t(with_100ms());
  t.write(10);
  t.take();
  t.out_at(300ms, {data(1, 10, 1, "P.")});
  t.run_to(350ms);
  t.in(ack(1, 11));
  EXPECT_EQ(t.info().srtt_us, 100'000u);
  t.write(10);
  t.out({data(11, 10, 1, "P.")});
  t.out_at(950ms, {data(11, 10, 1, "P.")});
  t.run_to(1s);
  t.in(ack(1, 21));
  t.write(10);
  t.take();
  t.run_to(1100ms);
  t.in(ack(1, 31));
  EXPECT_EQ(t.info().srtt_us, 100'000u);
  EXPECT_EQ(t.info().rttvar_us, 37'500u);
  EXPECT_EQ(t.info().rto_us, 250'000u);
}

// RFC 7323 4: the echo says which of the two it was.
TEST(Karn, WithTimestamps) {
  Given given = with_100ms();
  given.peer_syn.ts = {5000, 0};
  for (const bool repetition : {false, true}) {
    Established t(given);
    t.write(10);
    t.out({data(1, 10, 1, "P.")});
    t.out_at(300ms, {data(1, 10, 1, "P.")});
    t.run_to(350ms);
    Segment answer = ack(1, 11);
    answer.ts = {5400, repetition ? 400u : 100u};  // the script is 100 ms older than the mark
    t.in(answer);
    EXPECT_EQ(t.info().srtt_us, repetition ? 93'750u : 100'000u);
    EXPECT_EQ(t.info().rto_us, repetition ? 293'750u : 600'000u);
  }
}

// RFC 6298 5.7: the RTO is 3 s if the SYN had to be repeated; RFC 6928 2: the window is one segment
// if that happened twice.
TEST(Rto, AfterALossyHandshake) {
  for (const bool twice : {false, true}) {
    SynReceived t;
    t.run_to(twice ? 3s : 1s);
    t.run_for(100ms);
    EXPECT_EQ(t.take().size(), twice ? 2u : 1u);
    t.in(ack(1, 1));
    EXPECT_EQ(t.info().srtt_us, 0u);
    EXPECT_EQ(t.info().rto_us, 3'000'000u);
    EXPECT_EQ(t.info().cwnd_bytes, twice ? 1460u : 14600u);
    t.mark();
    t.write(100);
    t.out({data(1, 100, 1, "P.")});
    t.out_at(3s, {data(1, 100, 1, "P.")});
  }
}

// RFC 5681 3.1, equation 4: ssthresh is halved once for the same data, cwnd is one segment.
TEST(Rto, CutsTheCongestionWindow) {
  Established t;
  t.write(14600);
  EXPECT_EQ(t.take().size(), 10u);
  t.out_at(200ms, {data(1, 1460, 1)});
  EXPECT_EQ(t.info().cwnd_bytes, 1460u);
  EXPECT_EQ(t.info().ssthresh_bytes, 7300u);
  t.out_at(600ms, {data(1, 1460, 1)});
  EXPECT_EQ(t.info().ssthresh_bytes, 7300u);
}

// RFC 5681 4.1.
TEST(Rto, SilenceLongerThanItRestartsSlowStart) {
  Established t;
  t.write(29200);
  EXPECT_EQ(t.take().size(), 10u);
  t.in(ack(1, 14601));  // one ACK: two segments more
  EXPECT_EQ(t.info().cwnd_bytes, 17520u);
  EXPECT_EQ(t.take().size(), 10u);
  t.in(ack(1, 29201));
  t.run_for(201ms);
  t.write(20440);
  EXPECT_EQ(t.take().size(), 10u);
  EXPECT_EQ(t.info().cwnd_bytes, 14600u);
}

}  // namespace
}  // namespace tern::test
