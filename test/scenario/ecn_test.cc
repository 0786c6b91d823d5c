// SPDX-License-Identifier: BSD-3-Clause
// Explicit congestion notification (RFC 3168): who asks, who agrees, what is marked, what a mark
// does at either end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"
#include "support/sender.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using enum TcpState;

constexpr std::uint8_t kCapable = 2, kExperienced = 3;  // ECT(0), CE

Given asked() {
  Given given;
  given.peer_syn.flags = "SEW";
  return given;
}

// A passive open in which both have agreed.
struct Ecn : Listening {
  explicit Ecn(const Given& g = asked()) : Listening(g) {
    in(given.peer_syn);
    answer = take();
    in(ack(1, 1));
    mark();
  }
  std::vector<Segment> answer;
};

Segment ce(Segment segment) {
  segment.tos = kExperienced;
  return segment;
}

Segment with_flags(Segment segment, const std::string& flags) {
  segment.flags = flags;
  return segment;
}

// --- 6.1.1: agreement ----------------------------------------------------------------------------

TEST(EcnNegotiation, IsAcceptedWhereItIsAskedFor) {
  Ecn t;
  ASSERT_EQ(t.answer.size(), 1u);
  EXPECT_EQ(t.answer[0].flags, "S.E");
  EXPECT_EQ(t.answer[0].tos, 0);
  EXPECT_EQ(t.counters().ecn_connections, 1u);
}

TEST(EcnNegotiation, IsNotAnsweredToWhoDoesNotAsk) {
  for (const char* flags : {"S", "SE", "SW"}) {
    Given given = asked();
    given.peer_syn.flags = flags;
    Ecn t(given);
    EXPECT_EQ(t.answer[0].flags, "S.") << flags;
    EXPECT_EQ(t.counters().ecn_connections, 0u);
  }
}

TEST(EcnNegotiation, ARepeatedSynAsksAgainOrNoMore) {
  for (const char* flags : {"SEW", "S"}) {
    Listening t(asked());
    t.in(t.given.peer_syn);
    t.take();
    Segment again = t.given.peer_syn;
    again.flags = flags;
    t.in(again);
    const std::vector<Segment> sent = t.take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].flags, again.flags == "S" ? "S." : "S.E");
  }
}

TEST(EcnNegotiation, CanBeSwitchedOff) {
  Given given = asked();
  given.stack.tcp.ecn = EcnMode::kOff;
  Ecn t(given);
  EXPECT_EQ(t.answer[0].flags, "S.");
  t.in(ce(data(1, 100, 1)));
  t.run_for(40ms);
  t.out({ack(1, 101)});
}

// 6.1.1.1: the path may drop SYNs that ask, so the repetition does not, and then means no.
TEST(EcnNegotiation, ARepeatedSynWithoutItMeansNo) {
  Listening t(asked());
  t.in(t.given.peer_syn);
  t.take();
  t.in(with_flags(t.given.peer_syn, "S"));
  EXPECT_THAT(t.take(), testing::ElementsAre(HasFlags("S.")));
  t.in(ack(1, 1));
  EXPECT_EQ(t.counters().ecn_connections, 0u);
}

TEST(EcnNegotiation, SurvivesASynCookie) {
  Given given = asked();
  given.stack.tcp.syn_cookies = SynCookieMode::kAlways;
  given.peer_syn.ts = {5000, 0};
  Ecn t(given);
  EXPECT_EQ(t.answer[0].flags, "S.E");
  EXPECT_EQ(t.counters().syn_cookies_accepted, 1u);
  EXPECT_EQ(t.counters().ecn_connections, 1u);
}

TEST(EcnNegotiation, ACookieWithoutTimestampsCannotRememberIt) {
  Given given = asked();
  given.stack.tcp.syn_cookies = SynCookieMode::kAlways;
  Ecn t(given);
  EXPECT_EQ(t.answer[0].flags, "S.");
  EXPECT_EQ(t.counters().ecn_connections, 0u);
}

struct Asking : Script {
  explicit Asking(EcnMode mode = EcnMode::kAsk) : Script(config(mode)) { connect(); }
  static Given config(EcnMode mode) {
    Given given;
    given.stack.tcp.ecn = mode;
    return given;
  }
  static Segment answer(const std::string& flags) {
    Segment s = seg(flags, 0, 1);
    s.mss = 1460;
    return s;
  }
};

TEST(EcnNegotiation, IsAskedForOnlyOnce) {
  Asking t;
  EXPECT_THAT(t.take(), testing::ElementsAre(HasFlags("SEW")));
  t.run_to(1s);
  EXPECT_THAT(t.take(), testing::ElementsAre(HasFlags("S")));
  t.in(Asking::answer("S.E"));
  EXPECT_EQ(t.counters().ecn_connections, 0u) << "of the first SYN's answer nobody knows";
  t.take();
}

TEST(EcnNegotiation, TheAnswerAgreesOrNot) {
  for (const auto& [flags, agreed] :
       {std::pair{"S.E", 1u}, {"S.", 0u}, {"S.EW", 0u}, {"S.W", 0u}}) {
    Asking t;
    t.take();
    t.in(Asking::answer(flags));
    EXPECT_EQ(t.state(), kEstablished);
    EXPECT_EQ(t.counters().ecn_connections, agreed) << flags;
    t.take();
  }
}

TEST(EcnNegotiation, IsNotAskedForByDefault) {
  Asking t(EcnMode::kAccept);
  EXPECT_THAT(t.take(), testing::ElementsAre(HasFlags("S")));
  t.in(Asking::answer("S.E"));
  EXPECT_EQ(t.counters().ecn_connections, 0u);
  t.take();
}

// --- 6.1.2: the sender ---------------------------------------------------------------------------

// New data is ECN-capable; pure ACKs, repetitions and window probes are not (6.1.4 to 6.1.6).
TEST(EcnSender, MarksNewDataOnly) {
  Ecn t;
  t.connection().set_dscp(46);
  t.write(100);
  std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].tos, 46 << 2 | kCapable);
  EXPECT_TRUE(sent[0].ip_checksum_ok);
  t.run_to(200ms);
  sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].tos, 46 << 2);
  t.in(ack(1, 101));
  t.in(data(1, 100, 101));
  t.run_for(40ms);
  sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].tos, 46 << 2);
}

TEST(EcnSender, WindowProbesAreNot) {
  Ecn t;
  Segment shut = data(1, 1, 1);
  shut.window = 0;
  t.in(shut);
  t.write(10);
  t.run_to(10s);
  for (const Segment& s : t.take()) EXPECT_EQ(s.tos, 0);
  EXPECT_GT(t.counters().persist_probes, 0u);
}

// One reduction for a window of data, then CWR with what is new.
TEST(EcnSender, ReducesOnceAWindow) {
  Ecn t;
  t.write(20 * 1460);
  EXPECT_EQ(t.take().size(), 10u);
  t.in(with_flags(ack(1, 1461), ".E"));
  EXPECT_EQ(t.counters().ecn_reductions, 1u);
  EXPECT_EQ(t.info().cwnd_bytes, 9u * 1460 / 2) << "half of what was in flight";
  t.silent();
  for (std::uint32_t i = 2; i <= 5; ++i) t.in(with_flags(ack(1, 1 + i * 1460), ".E"));
  EXPECT_EQ(t.counters().ecn_reductions, 1u);
  t.silent();
  t.in(with_flags(ack(1, 1 + 6 * 1460), ".E"));
  t.in(with_flags(ack(1, 1 + 7 * 1460), ".E"));
  const std::vector<Segment> sent = t.take();
  ASSERT_GE(sent.size(), 2u);
  EXPECT_EQ(sent[0].flags, ".W") << "the first new segment says so";
  EXPECT_EQ(sent[1].flags, ".");
  EXPECT_EQ(t.counters().ecn_reductions, 1u);
  t.in(with_flags(ack(1, 1 + 10 * 1460), ".E"));
  EXPECT_EQ(t.counters().ecn_reductions, 2u) << "a new window";
  EXPECT_EQ(t.counters().retransmitted, 0u);
  t.take();
}

// A loss and a mark in the same window are one reason.
TEST(EcnSender, DoesNotReduceTwiceForALossAndAMark) {
  Ecn t;
  t.write(10 * 1460);
  t.take();
  for (int i = 0; i < 3; ++i) t.in(ack(1, 1));
  EXPECT_EQ(t.counters().fast_retransmits, 1u);
  t.in(with_flags(ack(1, 1), ".E"));
  t.in(with_flags(ack(1, 1461), ".E"));
  EXPECT_EQ(t.counters().ecn_reductions, 0u);
  t.take();
}

TEST(EcnSender, AnEchoThatWasNotAgreedOnMeansNothing) {
  Established t;
  t.write(10 * 1460);
  t.take();
  const std::uint32_t cwnd = t.info().cwnd_bytes;
  t.in(with_flags(ack(1, 1461), ".E"));
  EXPECT_GE(t.info().cwnd_bytes, cwnd);
  EXPECT_EQ(t.counters().ecn_reductions, 0u);
  t.take();
}

// --- 6.1.3: the receiver -------------------------------------------------------------------------

TEST(EcnReceiver, EchoesUntilThePeerHasReduced) {
  Ecn t;
  t.in(ce(data(1, 100, 1)));
  EXPECT_EQ(t.counters().ecn_marks_in, 1u);
  t.out_at(40ms, {with_flags(ack(1, 101), ".E")});
  t.in(data(101, 100, 1));
  t.out_at(80ms, {with_flags(ack(1, 201), ".E")});
  t.write(10);
  t.out({data(1, 10, 201, "P.E")});
  t.in(data(201, 100, 11, ".W"));
  t.out_at(120ms, {ack(11, 301)});
  t.in(ce(data(301, 100, 11, ".W")));
  t.out_at(160ms, {with_flags(ack(11, 401), ".E")});
}

TEST(EcnReceiver, MarksOnWhatIsNotAcceptableMeanNothing) {
  Ecn t;
  t.in(ce(data(70'000, 100, 1)));
  t.take();
  EXPECT_EQ(t.counters().ecn_marks_in, 0u);
}

TEST(EcnReceiver, MarksWithoutAnAgreementMeanNothing) {
  Established t;
  t.in(ce(data(1, 100, 1)));
  t.out_at(40ms, {ack(1, 101)});
}

// --- Both ----------------------------------------------------------------------------------------

TEST(Ecn, TwoStacksTransferWithIt) {
  Simulation sim;
  HostConfig a = numbered_host(1), b = numbered_host(2);
  a.stack.tcp.ecn = EcnMode::kAsk;
  Host& client = sim.add_host(a);
  Host& server = sim.add_host(b);
  sim.connect(client, server);
  Sender from_client{random_text(300'000, 1)}, from_server{random_text(300'000, 2)};
  ASSERT_TRUE(server.stack().listen({.address = wildcard(), .port = 7000}, from_server));
  ASSERT_TRUE(client.stack().connect({.remote = {server.address(), 7000}}, from_client));
  ASSERT_TRUE(sim.run_until(
      [&] {
        return from_client.records().size() == 1 && from_client.records()[0].closed == 1 &&
               from_server.records().size() == 1 && from_server.records()[0].closed == 1;
      },
      1min));
  EXPECT_TRUE(from_server.only().received == from_client.text());
  EXPECT_TRUE(from_client.only().received == from_server.text());
  EXPECT_EQ(client.stack().counters().ecn_connections, 1u);
  EXPECT_EQ(server.stack().counters().ecn_connections, 1u);
  sim.expect_quiescent();
}

}  // namespace
}  // namespace tern::test
