// SPDX-License-Identifier: BSD-3-Clause
// What is limited when segments come that belong to nothing, or that two ends disagree about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"
#include "tcp/stray_limit.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::SizeIs;

// A peer behind a round trip longer than the limit on such ACKs, that answers each ACK with one
// which cannot be right: the stack ends it within 10 s.
TEST(AckLoop, Ends) {
  Established t;
  t.in(ack(70'000, 1));
  Duration last{};
  while (!t.take().empty()) {
    last = t.clock();
    ASSERT_LT(last, 10s);
    t.run_for(900ms);
    t.in(ack(70'000, 1));
  }
  EXPECT_EQ(t.counters().challenge_acks, 10u);
  EXPECT_EQ(t.state(), kEstablished);
  t.in(data(1, 10, 1));  // what moves the connection on ends the silence
  t.run_for(1s);
  t.take();
  t.in(ack(70'000, 1));
  EXPECT_THAT(t.take(), SizeIs(1));
}

// Those that the limit held back were not answered, and so are no sign that answers do not help.
TEST(AckLoop, WhatWasNotAnsweredDoesNotCount) {
  Established t;
  for (int i = 0; i < 30; ++i) t.in(ack(70'000, 1));
  EXPECT_THAT(t.take(), SizeIs(1));
  t.run_for(900ms);
  t.in(ack(70'000, 1));
  EXPECT_THAT(t.take(), SizeIs(1));
}

TEST(AckLoop, OverAnAckOfTheFutureEndsToo) {
  Established t;
  t.in(ack(1, 5'000));
  Duration last{};
  while (!t.take().empty()) {
    last = t.clock();
    ASSERT_LT(last, 10s);
    t.run_for(900ms);
    t.in(ack(1, 5'000));
  }
  EXPECT_EQ(t.state(), kEstablished);
}

// CVE-2016-5696: what one connection's challenge ACKs are used up for says nothing to another.
TEST(ChallengeAcks, HaveNoLimitInCommon) {
  Listening t;
  for (std::uint16_t port = 1; port <= 60; ++port) {
    for (Segment s : {t.given.peer_syn, ack(1, 1), seg("S", 9, 0), seg("S", 9, 0)}) {
      s.path.source_port = port;
      t.in(s);
    }
  }
  EXPECT_EQ(t.counters().challenge_acks, 60u);
  EXPECT_EQ(t.counters().challenge_acks_suppressed, 60u);
  t.take();
}

Given unmonitored() {
  Given given;
  given.monitored = false;
  return given;
}

// A flood of strays from one prefix is answered so far, and does not silence the answer to another.
TEST(Stray, AnswersAreLimitedForEachPrefix) {
  Listening t(unmonitored());
  std::size_t answers = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<Segment> burst;
    for (int j = 0; j < 20; ++j) burst.push_back(ack(1, 77));
    t.in_burst(burst);
    answers += t.take().size();
  }
  EXPECT_GT(answers, tcp::StrayLimit::kPrefixBurst / 2);
  EXPECT_LT(answers, tcp::StrayLimit::kPrefixBurst * 2);
  // The first of IPv6's wait for the neighbour, and not all of them can.
  EXPECT_EQ(t.counters().drop_tcp_stray + t.counters().drop_neighbour_queue + answers, 2000u);
  Segment other = ack(1, 77);
  other.path.source = numbered_address(2);
  t.run_for(1s);
  t.in(other);
  EXPECT_THAT(t.take(), SizeIs(1)) << "a second later there is room again";
}

}  // namespace
}  // namespace tern::test
