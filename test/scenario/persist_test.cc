// SPDX-License-Identifier: BSD-3-Clause
// The sender at a small, shut or shrinking window: probes, Nagle, silly windows.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>

#include "script.h"

namespace tern::test {
namespace {

using enum TcpState;

Given with_window(std::uint16_t bytes) {
  Given given;
  given.peer_syn.window = bytes;
  return given;
}

Segment ack_with_window(std::uint32_t seq, std::uint32_t acked, std::uint16_t window) {
  Segment segment = ack(seq, acked);
  segment.window = window;
  return segment;
}

// MUST-36, SHLD-29, SHLD-30: the first probe after an RTO, then at doubled intervals, one byte
// each.
TEST(Persist, UnansweredProbesDoubleAndGiveUp) {
  Established t(with_window(0));
  t.write(100);
  Duration time = 0s, interval = 200ms;
  for (int i = 0; i < 15; ++i) {
    time += interval;
    interval = std::min<Duration>(2 * interval, 60s);
    t.out_at(time, {data(1, 1, 1)});
  }
  t.silent_to(time + 60s - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.silent_to(time + 60s);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
  EXPECT_EQ(t.counters().persist_probes, 15u);
}

// MUST-37: a peer that answers may keep its window shut for ever. Its answers are no duplicate ACKs
// either: they tell of no loss (RFC 5681 2 (a): nothing is outstanding but the probe).
TEST(Persist, AnsweredProbesNeverGiveUp) {
  Established t(with_window(0));
  t.write(100);
  Duration time = 0s, interval = 200ms;
  while (time < 24h) {
    time += interval;
    interval = std::min<Duration>(2 * interval, 60s);
    t.out_at(time, {data(1, 1, 1)});
    t.run_for(1ms);
    t.in(ack_with_window(1, 1, 0));
    t.silent();
    if (HasFailure()) break;
  }
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.counters().fast_retransmits, 0u);
  t.run_for(10s);
  t.in(ack_with_window(1, 1, 1000));
  t.out({data(1, 100, 1, "P.")});
  t.mark();
  t.out_at(200ms, {data(1, 100, 1, "P.")});  // the RTO is its own again
  t.in(ack(1, 101));
}

TEST(Persist, PeerTakesTheProbedByte) {
  Established t(with_window(0));
  t.write(100);
  t.out_at(200ms, {data(1, 1, 1)});
  t.in(ack_with_window(1, 2, 0));
  t.out_at(600ms, {data(2, 1, 1)});
  t.in(ack_with_window(1, 3, 50));
  t.out({data(3, 50, 1)});
  t.in(ack_with_window(1, 53, 50));
  t.out({data(53, 48, 1, "P.")});
}

// What comes with the opening counts from the byte that the peer has not got, probed or not.
TEST(Persist, ReopeningRepeatsTheProbe) {
  Established t(with_window(0));
  t.write(1460);
  t.out_at(200ms, {data(1, 1, 1)});
  t.in(ack_with_window(1, 1, 2000));
  t.out({data(1, 1460, 1, "P.")});
}

TEST(Persist, LostWindowUpdateIsFoundByAProbe) {
  Established t(with_window(1000));
  t.write(2000);
  t.out({data(1, 1000, 1)});
  t.in(ack_with_window(1, 1001, 0));
  t.out_at(200ms, {data(1001, 1, 1)});
  t.in(ack_with_window(1, 1002, 5000));
  t.out({data(1002, 999, 1, "P.")});
}

// A FIN takes a number, so it waits for window as data does, and is what probes.
TEST(Persist, FinWaitsForTheWindow) {
  Established t(with_window(100));
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.shutdown_send();
  t.silent();
  t.in(ack_with_window(1, 101, 0));
  t.silent_to(100ms);
  t.in(ack_with_window(1, 101, 1));
  t.out({seg("F.", 101, 1)});
  t.in(ack(1, 102));
  EXPECT_EQ(t.state(), kFinWait2);
}

TEST(Persist, FinProbesAShutWindow) {
  Established t(with_window(0));
  t.shutdown_send();
  for (const Duration time : {200ms, 600ms, 1400ms}) {
    t.out_at(time, {seg("F.", 1, 1)});
    t.in(ack_with_window(1, 1, 0));
  }
  t.out_at(3s, {seg("F.", 1, 1)});
  t.in(ack_with_window(1, 2, 0));
  EXPECT_EQ(t.state(), kFinWait2);
}

// SND.WND counts from SND.UNA. A repetition that is the first to acknowledge more tells both,
// though its sequence number is older than that of the last window.
TEST(SendWindow, FollowsARepetitionThatAcknowledgesMore) {
  Established t(with_window(2920));
  Segment ahead = data(101, 10, 1);
  ahead.window = 2920;
  t.in(ahead);
  t.out({ack(1, 1)});
  t.write(10'000);
  t.out({data(1, 1460, 1), data(1461, 1460, 1)});
  Segment repetition = data(1, 100, 2921);
  repetition.window = 1460;
  t.in(repetition);
  t.out({data(2921, 1460, 111)});
  // One that was sent before it, and is late, says nothing new.
  Segment late = data(111, 10, 1461);
  late.window = 4380;
  t.in(late);
  t.silent();
  t.in(ack_with_window(121, 4381, 2920));
  t.out({data(4381, 1460, 121), data(5841, 1460, 121)});
}

// SHLD-15, -16: nothing new beyond an edge that moved left; old data is repeated inside it.
TEST(Shrink, OnlyWhatFitsIsRepeated) {
  Established t(with_window(7300));
  t.write(10'000);
  EXPECT_EQ(t.take().size(), 5u);
  t.in(ack_with_window(1, 1461, 1000));
  t.silent();
  t.out_at(200ms, {data(1461, 1000, 1)});
  t.in(ack_with_window(1, 7301, 4000));
  t.out({data(7301, 1460, 1)});
}

// SHLD-17: what lies beyond the edge times nobody out; the shut window is probed.
TEST(Shrink, ToNothingIsProbed) {
  Established t(with_window(7300));
  t.write(7300);
  EXPECT_EQ(t.take().size(), 5u);
  t.in(ack_with_window(1, 1, 0));
  Duration time = 200ms, interval = 400ms;  // at the RTO nothing may be repeated
  while (time < 1h) {
    time += interval;
    interval = std::min<Duration>(2 * interval, 60s);
    t.out_at(time, {data(1, 1, 1)});
    t.in(ack_with_window(1, 1, 0));
    if (HasFailure()) break;
  }
  EXPECT_EQ(t.state(), kEstablished);
  t.in(ack_with_window(1, 1, 7300));
  t.out({data(1, 1460, 1)});  // slow start, since the time-out
}

TEST(Nagle, OneSmallSegmentInFlight) {
  Established t;
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.write(100);
  t.write(100);
  t.silent();
  t.write(1300);
  t.out({data(101, 1460, 1)});  // a full one may go
  t.silent_to(10ms);
  t.in(ack(1, 101));
  t.silent();
  t.in(ack(1, 1561));
  t.out({data(1561, 40, 1, "P.")});
}

// MUST-17.
TEST(Nagle, CanBeSwitchedOff) {
  Established t;
  t.write(100);
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.connection().set_nodelay(true);
  t.poll();
  t.out({data(101, 100, 1, "P.")});
  t.write(1);
  t.out({data(201, 1, 1, "P.")});
  t.connection().set_nodelay(false);
  t.write(1);
  t.silent();

  Given given;
  given.stack.tcp.nagle = false;
  Established off(given);
  off.write(1);
  off.write(1);
  off.out({data(1, 1, 1, "P."), data(2, 1, 1, "P.")});
}

TEST(Nagle, FinDoesNotWait) {
  Established t;
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.write(100);
  t.shutdown_send();
  t.out({data(101, 100, 1, "FP.")});
}

TEST(Nagle, MoreHoldsAPartialSegmentForOnePoll) {
  Established t;
  const std::string text = stream(0, 100);
  const auto bytes = std::as_bytes(std::span(text));
  ASSERT_TRUE(t.connection().write(bytes.first(40), SendFlags::kMore));
  t.stack().poll(t.now());
  t.silent();
  ASSERT_TRUE(t.connection().write(bytes.subspan(40)));
  t.stack().poll(t.now());
  t.out({data(1, 100, 1, "P.")});
}

TEST(Nagle, MoreIsForgottenAfterThat) {
  Established t;
  const std::string text = stream(0, 40);
  ASSERT_TRUE(t.connection().write(std::as_bytes(std::span(text)), SendFlags::kMore));
  t.stack().poll(t.now());
  t.silent();
  EXPECT_LE(t.stack().next_deadline(), t.now());
  t.stack().poll(t.now());
  t.out({data(1, 40, 1, "P.")});
}

// MUST-38: a window of less than half the largest is not worth a segment, until the override time.
TEST(SillyWindow, SmallStepsAreNotUsedAtOnce) {
  Established t(with_window(1000));
  t.write(3000);
  t.out({data(1, 1000, 1)});
  t.in(ack_with_window(1, 1001, 499));
  t.silent_to(100ms);
  t.in(ack_with_window(1, 1001, 500));
  t.out({data(1001, 500, 1)});
  t.in(ack_with_window(1, 1501, 100));
  t.silent_to(300ms - 100us);
  t.out_at(300ms, {data(1501, 100, 1)});
  t.in(ack_with_window(1, 1601, 1400));
  t.out({data(1601, 1400, 1, "P.")});
}

// Sooner, each ACK would have the application write a little; later, a fast peer would wait.
TEST(SendBuffer, WakesItsWriterWhenAQuarterIsFree) {
  Given given;
  given.stack.tcp.send_buffer = 65'536;
  Established t(given);
  const std::string text = stream(0, 100'000);
  EXPECT_EQ(*t.connection().write(std::as_bytes(std::span(text))), 65'536u);
  t.poll();
  for (const std::uint32_t acked : {1460u, 14'600u, 16'383u}) {
    t.in(ack(1, 1 + acked));
    EXPECT_EQ(t.record().writable, 0u) << acked;
  }
  t.in(ack(1, 1 + 16'384));
  EXPECT_EQ(t.record().writable, 1u);
  EXPECT_EQ(t.connection().send_space(), 16'384u);
  t.in(ack(1, 1 + 17'520));
  EXPECT_EQ(t.record().writable, 1u) << "once for each write that was refused";
  t.take();
}

}  // namespace
}  // namespace tern::test
