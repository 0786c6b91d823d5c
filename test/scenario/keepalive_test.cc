// SPDX-License-Identifier: BSD-3-Clause
// Peers that have gone without a word: keepalive (RFC 9293 3.8.4).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;

const Segment kProbe = seg(".", 0, 1);  // one number before what is next: an ACK is due for it

Given with_keepalive() {
  Given given;
  given.stack.tcp.keepalive_idle = 10s;
  given.stack.tcp.keepalive_interval = 2s;
  given.stack.tcp.keepalive_count = 3;
  return given;
}

TEST(Keepalive, IsOffUnlessAskedFor) {  // MUST-24, MUST-25
  Established t;
  t.silent_to(7 * 24h);
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.stack().usage().timers, 0u);
}

TEST(Keepalive, FindsAPeerThatVanished) {
  Established t(with_keepalive());
  for (const Duration time : {10s, 12s, 14s}) t.out_at(time, {kProbe});
  t.silent_to(16s - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.out_at(16s, {seg("R.", 1, 1)});
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
  EXPECT_EQ(t.counters().keepalive_probes, 3u);
  EXPECT_EQ(t.counters().timed_out, 1u);
}

TEST(Keepalive, AnAnswerBeginsTheSilenceAnew) {
  Established t(with_keepalive());
  t.out_at(10s, {kProbe});
  t.run_to(10s + 500ms);
  t.in(ack(1, 1));
  t.out_at(20s + 500ms, {kProbe});
  t.out_at(22s + 500ms, {kProbe});
  t.in(ack(1, 1));
  t.out_at(32s + 500ms, {kProbe});
  EXPECT_EQ(t.state(), kEstablished);
}

// On a fast link the answer comes in the tick of the probe, and polls are at no tick's beginning.
TEST(Keepalive, AnAnswerWithinTheTickCounts) {
  Established t(with_keepalive());
  for (int i = 0; i < 5; ++i) {
    t.stall_to(t.clock() + 10s + 130us);
    t.poll();
    t.out({kProbe});
    t.in(ack(1, 1));
  }
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.counters().keepalive_probes, 5u);
}

// The answer counts even where the silence is shorter than the interval.
TEST(Keepalive, AnAnswerCountsWhateverTheTimes) {
  Given given = with_keepalive();
  given.stack.tcp.keepalive_idle = 1s;
  Established t(given);
  for (int i = 0; i < 10; ++i) {
    t.run_to(t.clock() + 3s);
    if (!t.take().empty()) t.in(ack(1, 1));
  }
  EXPECT_EQ(t.state(), kEstablished);
}

TEST(Keepalive, WhatArrivesIsASignOfLife) {
  Established t(with_keepalive());
  t.run_to(5s);
  t.in(data(1, 100, 1));  // by the predicted path
  t.out_at(5s + 40ms, {ack(1, 101)});
  t.silent_to(15s - 100us);
  t.out_at(15s, {seg(".", 0, 101)});
  EXPECT_GT(t.counters().rx_predicted_data, 0u);
}

TEST(Keepalive, SegmentsThatAreRefusedAreNone) {
  Established t(with_keepalive());
  t.run_to(5s);
  t.in(ack(70'000, 1));
  t.take();
  t.out_at(10s, {kProbe});
}

TEST(Keepalive, WhatIsInFlightIsWatchedOverAlready) {
  Established t(with_keepalive());
  t.run_to(9s);
  t.write(10);
  t.run_to(18s);
  EXPECT_EQ(t.counters().keepalive_probes, 0u);
  t.in(ack(1, 11));
  t.take();
  t.silent_to(28s - 100us);
}

TEST(Keepalive, GoesOnAfterThePeersFin) {
  CloseWait t(with_keepalive());
  t.out_at(10s, {seg(".", 0, 2)});
  t.in(ack(2, 1));
  EXPECT_EQ(t.state(), kCloseWait);
  t.shutdown_send();  // LAST-ACK has a time limit of its own
  t.take();
  t.in(ack(2, 2));
  EXPECT_EQ(t.state(), kClosed);
}

TEST(Keepalive, OfOneConnection) {
  Established t;
  t.run_to(1s);
  t.connection().set_keepalive(3s, 1s, 1);
  t.out_at(4s, {kProbe});
  t.in(ack(1, 1));
  t.connection().set_keepalive(0s);
  t.silent_to(1h);
  EXPECT_EQ(t.state(), kEstablished);
}

// Linux's probe, and RFC 1122's with a byte of garbage: both are answered, for as long as they
// come.
TEST(Keepalive, ThePeersIsAnswered) {
  Established t;
  for (int i = 1; i <= 100; ++i) {
    t.run_to(i * 1s);
    t.in(ack(0, 1));
    t.out({ack(1, 1)});
  }
  t.run_to(101s);
  t.in(seg(".", 0, 1, "g"));
  t.out({ack(1, 1)});
  EXPECT_EQ(t.record().received, "");
}

}  // namespace
}  // namespace tern::test
