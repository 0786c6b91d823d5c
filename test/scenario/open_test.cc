// SPDX-License-Identifier: BSD-3-Clause
// Connections begin: exact segments at exact times, and what else may arrive meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::ElementsAre;
using testing::IsEmpty;
using Ports = std::vector<std::uint16_t>;

Given with_all_options() {
  Given given;
  given.peer_syn.ts = {5000, 0};
  given.peer_syn.wscale = 7;
  given.peer_syn.sack_permitted = true;
  return given;
}

Segment from_port(std::uint16_t port, Segment segment) {
  segment.path.source_port = port;
  return segment;
}

TEST(Open, PassiveWithoutOptions) {
  Established t;
  EXPECT_THAT(t.history(), ElementsAre(kSynReceived, kEstablished));
  EXPECT_EQ(t.connection().remote(), (Endpoint{numbered_address(2), 40000}));
  EXPECT_EQ(t.connection().local(), (Endpoint{numbered_address(1), 7000}));
  EXPECT_EQ(t.info().send_mss, 1460u);
  EXPECT_EQ(t.info().send_window_bytes, 65535u);
  EXPECT_FALSE(t.info().timestamps);
  EXPECT_EQ(t.counters().passive_opens, 1u);
  t.abort();
  t.out({seg("R.", 1, 1)});
}

TEST(Open, PassiveWithAllOptions) {
  Given given = with_all_options();
  given.peer_syn.window = 1000;
  Listening t(given);
  t.in(given.peer_syn);
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  answer.ts = {0, 5000};
  answer.sack_permitted = true;
  answer.wscale = 3;  // the least that makes 256 KB fit
  t.out({answer});
  t.run_to(10ms);
  t.in(ack(1, 1));
  t.silent();
  EXPECT_EQ(t.info().send_mss, 1448u);
  EXPECT_EQ(t.info().send_window_scale, 7u);
  EXPECT_EQ(t.info().receive_window_scale, 3u);
  EXPECT_EQ(t.info().send_window_bytes, 65535u << 7);
  EXPECT_EQ(t.info().srtt_us, 10'000u);
}

// MUST-43.
TEST(Open, FromAGivenAddress) {
  Script t;
  const Endpoint peer{numbered_address(2), 80};
  const auto connect = [&](IpAddress local) {
    return t.stack().connect({.remote = peer, .local_address = local}, t.app);
  };
  const auto c = connect(numbered_address(1));
  ASSERT_TRUE(c);
  EXPECT_EQ(c->local().address, numbered_address(1));
  EXPECT_TRUE(connect(Ipv4Address()));
  EXPECT_TRUE(connect(Ipv6Address())) << "unspecified of either family";
  EXPECT_EQ(connect(numbered_address(3)).error(), Errc::kInvalidArgument) << "another's";
  EXPECT_EQ(connect(Ipv4Address(127, 0, 0, 1)).error(), Errc::kInvalidArgument);
  const IpAddress other =
      speaks_v6() ? IpAddress(Ipv4Address(10, 0, 0, 1)) : *IpAddress::parse("fd00::1");
  EXPECT_EQ(connect(other).error(), Errc::kInvalidArgument) << "of the other family";
}

TEST(Open, WhatTheStackDoesNotWantIsNotAnswered) {
  Given given = with_all_options();
  given.stack.tcp.timestamps = given.stack.tcp.window_scaling = given.stack.tcp.sack = false;
  Listening t(given);
  t.in(given.peer_syn);
  const std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].ts.present);
  EXPECT_FALSE(sent[0].wscale);
  EXPECT_FALSE(sent[0].sack_permitted);
  Segment third = ack(1, 1);
  third.raw_options = Bytes(4, std::byte{1});
  t.in(third);
  EXPECT_EQ(t.state(), kEstablished) << "and no timestamp is missed";
}

// RFC 7323 1.3, 2.2, RFC 2018 2: what was not offered is not agreed on.
TEST(Open, WhatTheStackDidNotOfferIsNotAgreedOn) {
  Given given = with_all_options();
  given.stack.tcp.timestamps = given.stack.tcp.window_scaling = given.stack.tcp.sack = false;
  SynSent t(given);
  Segment answer = given.peer_syn;
  answer.flags = "S.";
  answer.ack = 1;
  answer.ts = {5000, 0};
  t.in(answer);
  t.out({ack(1, 1)});
  EXPECT_FALSE(t.info().timestamps);
  EXPECT_FALSE(t.info().window_scaling);
  Segment text = data(1, 10, 1);
  text.raw_options = Bytes(4, std::byte{1});
  t.in(text);
  EXPECT_EQ(t.record().received, stream(0, 10));
  const std::vector<Segment> sent = t.take();
  for (const Segment& s : sent) EXPECT_FALSE(s.ts.present);
}

TEST(Open, Active) {
  Given given = with_all_options();
  SynSent t(given);
  t.run_to(25ms);
  Segment answer = given.peer_syn;
  answer.flags = "S.";
  answer.ack = 1;
  answer.ts = {5000, 0};
  t.in(answer);
  Segment third = ack(1, 1);
  third.ts = {25, 5000};
  third.window = 262144 >> 3;
  t.out({third});
  EXPECT_THAT(t.history(), ElementsAre(kSynSent, kEstablished));
  EXPECT_EQ(t.record().established, 1u);
  EXPECT_EQ(t.info().srtt_us, 25'000u);
  EXPECT_EQ(t.info().send_window_bytes, 65535u) << "a SYN,ACK's window is not scaled";
}

TEST(Open, ActiveOffersAllItCan) {
  Script t;
  t.connect();
  const std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_THAT(sent[0], testing::AllOf(HasFlags("S"), HasMss(1460), HasWscale(3),
                                      HasTimestamps(0, 0), HasWindow(65535)));
}

TEST(Open, WithDataOnTheSynAck) {
  SynSent t;
  Segment answer = seg("S.", 0, 1, "hello");
  answer.mss = 1460;
  t.in(answer);
  t.out({ack(1, 6)});
  EXPECT_EQ(t.record().received, "hello");
}

TEST(Open, WhatIsWrittenBeforeTheHandshakeFollowsIt) {
  SynSent t;
  t.write(100);
  t.connection().shutdown_send();
  t.poll();
  t.silent();
  t.in(seg("S.", 0, 1));
  t.out({data(1, 100, 1, "FP.")});
  EXPECT_THAT(t.history(), ElementsAre(kSynSent, kFinWait1));
}

TEST(Open, Simultaneous) {
  Given given;
  given.peer_syn.wscale = 7;
  given.peer_syn.window = 1000;
  SynSent t(given);
  t.run_to(10ms);
  t.in(given.peer_syn);
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  answer.wscale = 3;
  t.out({answer});
  EXPECT_EQ(t.record().established, 0u);
  t.run_to(20ms);
  Segment crossing = given.peer_syn;
  crossing.flags = "S.";
  crossing.ack = 1;
  t.in(crossing);
  t.silent();
  EXPECT_THAT(t.history(), ElementsAre(kSynSent, kSynReceived, kEstablished));
  EXPECT_EQ(t.record().established, 1u);
  EXPECT_EQ(t.info().send_window_bytes, 1000u) << "RFC 7323 2.2: a SYN's window is not scaled";
  t.write(10);
  Segment first = data(1, 10, 1, "P.");
  first.window = 262144 >> 3;
  t.out({first});
}

// RFC 7323 3.2: timestamps are agreed on by the first, and one that has none has none to echo.
TEST(Open, SimultaneousWithARepeatedSynThatHasLostItsTimestamp) {
  SynSent t(with_all_options());
  t.run_to(10ms);
  t.in(t.given.peer_syn);
  std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_THAT(sent[0], testing::AllOf(HasFlags("S."), HasTimestamps(10, 5000)));
  t.run_to(20ms);
  Segment again = t.given.peer_syn;
  again.ts = {};
  t.in(again);
  sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_THAT(sent[0], testing::AllOf(HasFlags("S."), HasTimestamps(20, 5000)));
}

// Karn: what answers one of two SYNs times neither (MUST-18).
TEST(Open, SimultaneousIsNotTimed) {
  SynSent t;
  t.run_to(500ms);
  t.in(t.given.peer_syn);
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  t.out({answer});
  t.run_to(600ms);
  t.in(ack(1, 1));
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.info().srtt_us, 0u);
  EXPECT_EQ(t.info().rto_us, 1'000'000u);
}

// Stack::drain: what is there goes on, and nothing new begins.
TEST(Open, NothingWhileTheStackDrains) {
  Established t;
  t.stack().drain();
  t.poll();
  t.out({seg("F.", 1, 1)});
  t.listen();  // the old one is gone
  t.in(from_port(1, t.given.peer_syn));
  t.silent();
  EXPECT_EQ(t.state(1), kClosed);
  EXPECT_EQ(t.counters().drop_tcp_no_connection, 1u);
}

TEST(Open, DataOnTheThirdPacket) {
  SynReceived t;
  t.in(data(1, 100, 1));
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.record().received, stream(0, 100));
  t.out_at(40ms, {ack(1, 101)});
}

TEST(Open, FinOnTheThirdPacket) {
  SynReceived t;
  t.in(data(1, 100, 1, "F."));
  t.out({ack(1, 102)});
  EXPECT_EQ(t.state(), kCloseWait);
  EXPECT_EQ(t.record().received, stream(0, 100));
  EXPECT_EQ(t.record().peer_finished, 1u);
}

// The pure ACK is lost; the data behind it says the same, even when it comes in the wrong order.
TEST(Open, LostThirdPacketThenDataOutOfOrder) {
  SynReceived t;
  t.in(data(101, 100, 1));
  EXPECT_EQ(t.state(), kEstablished);
  t.out({ack(1, 1)});
  t.in(data(1, 100, 1));
  t.out({ack(1, 201)});
  EXPECT_EQ(t.record().received, stream(0, 200));
}

TEST(Open, RepeatedSynIsAnsweredAgain) {
  SynReceived t;
  t.run_to(300ms);
  t.in(t.given.peer_syn);
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  t.out({answer});
  EXPECT_EQ(t.state(), kSynReceived);
}

TEST(Open, RepeatedSynAckIsAcknowledged) {
  SynSent t;
  t.in(seg("S.", 0, 1));
  t.out({ack(1, 1)});
  t.run_to(1s);  // the third packet was lost
  t.in(seg("S.", 0, 1));
  t.out({ack(1, 1)});
}

TEST(Open, Refused) {
  SynSent t;
  t.in(seg("R.", 0, 1));
  t.silent();
  EXPECT_EQ(t.record().reason, CloseReason::kRefused);
  EXPECT_FALSE(t.connection().valid());
  EXPECT_THAT(t.history(), ElementsAre(kSynSent, kClosed));
}

// RFC 9293 3.10.7.3: an ACK of something else is answered with a RST; a RST for it means nothing.
TEST(Open, WrongAcknowledgmentsInSynSent) {
  for (const std::uint32_t wrong : {0u, 2u, 0x80000000u}) {
    SynSent t;
    t.in(seg("S.", 0, wrong));
    Segment reset = seg("R", wrong, 0);
    reset.window = 0;
    t.out({reset});
    t.in(ack(0, wrong));
    t.out({reset});
    t.in(seg("R.", 0, wrong));
    t.in(seg("R", 0, 0));
    t.silent();
    EXPECT_EQ(t.state(), kSynSent);
    t.in(ack(1, 1));  // the right ACK, but without a SYN: nothing
    t.silent();
    EXPECT_EQ(t.state(), kSynSent);
  }
}

TEST(Open, WrongAcknowledgmentsInSynReceived) {
  for (const std::uint32_t wrong : {0u, 2u}) {
    SynReceived t;
    t.in(ack(1, wrong));
    Segment reset = seg("R", wrong, 0);
    reset.window = 0;
    t.out({reset});
    EXPECT_EQ(t.state(), kSynReceived);
    t.in(ack(1, 1));
    EXPECT_EQ(t.state(), kEstablished);
  }
}

// R2 of a SYN is three minutes (MUST-23).
TEST(Open, NobodyAnswers) {
  SynSent t;
  Segment syn = seg("S", 0, 0);
  syn.mss = 1460;
  syn.sack_permitted = true;
  syn.wscale = 3;
  for (const Duration time : {1s, 3s, 7s, 15s, 31s, 63s, 123s}) t.out_at(time, {syn});
  t.silent_to(180s - 100us);
  EXPECT_EQ(t.state(), kSynSent);
  t.silent_to(180s);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
  EXPECT_EQ(t.state(), kClosed);
}

TEST(Open, NobodyHasTheAddress) {
  Given given;
  given.answer_arp = false;
  Script t(given);
  t.connect();
  t.silent_to(3s - 100us);
  EXPECT_EQ(t.state(), kSynSent);
  t.silent_to(3s);
  EXPECT_EQ(t.record().reason, CloseReason::kUnreachable);
}

// The repetitions of the SYN fall between the ARP failure (after 3 s) and the end of its memory:
// the next one asks anew, but must not take that for a beginning.
TEST(Open, NobodyHasTheAddressAndTheRepetitionsMissTheFailure) {
  Given given;
  given.answer_arp = false;
  given.stack.tcp.initial_rto = 990ms;  // 0.99, 2.97, 6.93 s
  Script t(given);
  t.connect();
  t.silent_to(6930ms - 100us);
  EXPECT_EQ(t.state(), kSynSent);
  t.silent_to(6930ms);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kUnreachable);
}

// 2^n seconds between the six SYN,ACKs, and as long again after the last.
TEST(Open, HalfOpenConnectionExpires) {
  SynReceived t;
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  for (const Duration time : {1s, 3s, 7s, 15s, 31s}) t.out_at(time, {answer});
  t.silent_to(63s - 100us);
  EXPECT_EQ(t.state(), kSynReceived);
  t.silent_to(63s);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.counters().half_open_expired, 1u);
  EXPECT_THAT(t.app.records(), IsEmpty()) << "the application never heard of it";
}

TEST(Open, BacklogIsFull) {
  Given given;
  given.stack.tcp.syn_cookies = SynCookieMode::kOff;
  Listening t(given, 2);
  for (const std::uint16_t port : Ports{1, 2, 3}) t.in(from_port(port, t.given.peer_syn));
  EXPECT_EQ(t.take().size(), 2u);
  EXPECT_EQ(t.state(3), kClosed);
  EXPECT_EQ(t.counters().drop_tcp_half_open_full, 1u);
  t.in(from_port(1, ack(1, 1)));  // makes room
  t.in(from_port(3, t.given.peer_syn));
  EXPECT_EQ(t.state(3), kSynReceived);
  t.in(from_port(4, t.given.peer_syn));
  EXPECT_EQ(t.state(4), kClosed);
  t.in(from_port(2, seg("R", 1, 0)));  // so does this
  t.in(from_port(4, t.given.peer_syn));
  EXPECT_EQ(t.state(4), kSynReceived);
  t.run_for(63s);  // and this
  t.take();
  for (const std::uint16_t port : Ports{5, 6}) t.in(from_port(port, t.given.peer_syn));
  EXPECT_EQ(t.take().size(), 2u);
}

TEST(Open, ConnectionsAreExhausted) {
  Given given;
  given.stack.max_connections = 2;
  Listening t(given);
  for (const std::uint16_t port : Ports{1, 2, 3}) {
    t.in(from_port(port, given.peer_syn));
    t.in(from_port(port, ack(1, 1)));
  }
  EXPECT_EQ(t.state(2), kEstablished);
  EXPECT_EQ(t.state(3), kClosed);
  EXPECT_EQ(t.counters().drop_tcp_no_connection, 1u);
  EXPECT_EQ(t.stack().connect({.remote = {numbered_address(2), 80}}, t.app).error(),
            Errc::kNoConnections);
  // TIME-WAIT takes no connection.
  t.shutdown_send();
  t.in_burst({from_port(2, seg("F.", 1, 2))});
  EXPECT_EQ(t.state(2), kTimeWait);
  t.in(from_port(4, given.peer_syn));
  EXPECT_EQ(t.state(4), kSynReceived);
}

}  // namespace
}  // namespace tern::test
