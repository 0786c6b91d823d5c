// SPDX-License-Identifier: BSD-3-Clause
// Urgent data, in line and signalled (RFC 6093, RFC 9293 3.8.5), and the fields of IP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

Segment urgent(std::uint32_t seq, std::size_t bytes, std::uint16_t pointer) {
  Segment s = data(seq, bytes, 1, "U.");
  s.urgent = pointer;
  return s;
}

TEST(Urgent, IsInLineAndSignalled) {
  Established t;
  t.in(urgent(1, 100, 40));
  EXPECT_THAT(t.record().urgent, ElementsAre(40));
  EXPECT_EQ(t.record().received, stream(0, 100)) << "nothing is taken out";
  EXPECT_EQ(t.info().receive_queue_bytes, 0u);
}

TEST(Urgent, MayEndBeyondWhatHasArrived) {
  Established t;
  t.in(urgent(1, 10, 1000));
  t.in(urgent(11, 10, 990));  // the same end, seen from further on
  EXPECT_THAT(t.record().urgent, ElementsAre(1000));
  t.in(urgent(21, 10, 2000));
  EXPECT_THAT(t.record().urgent, ElementsAre(1000, 2000)) << "MUST-32: the end has moved on";
  EXPECT_EQ(t.record().received, stream(0, 30));
}

TEST(Urgent, WithoutDataIsSignalledToo) {
  Established t;
  Segment s = ack(1, 1);
  s.flags = "U.";
  s.urgent = 5;
  t.in(s);
  EXPECT_THAT(t.record().urgent, ElementsAre(5));
}

// URGENT/11: whatever the pointer says, no length is taken from it.
TEST(Urgent, ThePointerChangesNothingElse) {
  for (const unsigned pointer : {0u, 1u, 99u, 100u, 101u, 65535u}) {
    for (const TcpState state : {kEstablished, kFinWait1, kFinWait2}) {
      const auto t = script_in(state);
      const auto [ours, peers] = next_numbers(state);
      Segment s = data(1, 100, ours, "U.");
      s.urgent = static_cast<std::uint16_t>(pointer);
      t->in(s);
      EXPECT_EQ(t->record().received, stream(0, 100));
      EXPECT_EQ(t->record().urgent.size(), pointer == 0 ? 0u : 1u);
      t->take();
    }
  }
}

TEST(Urgent, AfterThePeersFinMeansNothing) {
  CloseWait t;
  Segment s = ack(2, 1);
  s.flags = "U.";
  s.urgent = 5;
  t.in(s);
  EXPECT_THAT(t.record().urgent, IsEmpty());
}

Segment marked(std::uint32_t seq, std::size_t bytes, std::uint16_t pointer, std::string flags) {
  Segment s = data(seq, bytes, 1, std::move(flags));
  s.urgent = pointer;
  return s;
}

// MUST-30, MUST-62: the pointer points behind the urgent data, in whatever segment.
TEST(UrgentSending, IsMarkedUntilItsEndIsAcknowledged) {
  Established t;
  t.connection().set_nodelay(true);
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.write(100, SendFlags::kUrgent);
  t.out({marked(101, 100, 100, "UP.")});
  t.write(50);
  t.out({data(201, 50, 1, "P.")});
  t.out_at(200ms, {marked(1, 250, 200, "UP.")});
  t.in(ack(1, 101));
  t.run_to(1s);
  t.take();
  t.in(ack(1, 201));
  t.write(10);
  for (const Segment& s : t.take()) EXPECT_EQ(s.urgent, 0) << "the urgent data has arrived";
  t.in(ack(1, 261));
}

TEST(UrgentSending, AnAckSaysItToo) {
  Established t;
  t.write(100, SendFlags::kUrgent);
  t.out({marked(1, 100, 100, "UP.")});
  t.in(ack(0, 1));
  t.out({ack(101, 1)});
  t.in(ack(1, 51));
  t.run_to(1s);
  for (const Segment& s : t.take()) EXPECT_EQ(s.urgent, 101 - s.seq);
}

// MUST-31: the pointer goes as far as it can.
TEST(UrgentSending, MayEndBeyondThePointersReach) {
  Established t;
  t.write(100'000, SendFlags::kUrgent);
  std::uint32_t next = 1;
  while (next <= 100'000) {
    for (const Segment& s : t.take()) {
      EXPECT_EQ(s.urgent, std::min<std::uint32_t>(100'001 - s.seq, 65535));
      next = s.seq + s.length();
    }
    t.in(ack(1, next));
  }
}

TEST(UrgentSending, IsToldWhereTheWindowIsShut) {
  Given given;
  given.peer_syn.window = 0;
  Established t(given);
  t.write(10, SendFlags::kUrgent);
  t.out({marked(1, 0, 10, "U.")});
}

TEST(UrgentSending, WhatIsRefusedIsNotTheEnd) {
  Given given;
  given.stack.tcp.send_buffer = 65536;
  Established t(given);
  const std::string text = stream(0, 70'000);
  ASSERT_EQ(*t.connection().write(std::as_bytes(std::span(text)), SendFlags::kUrgent), 65536u);
  t.poll();
  for (const Segment& s : t.take()) EXPECT_EQ(s.urgent, 0);
}

TEST(UrgentSending, BeforeTheHandshakeIsThrough) {
  SynSent t;
  t.write(5, SendFlags::kUrgent);
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  t.in(answer);
  t.out({marked(1, 5, 5, "UP.")});
}

TEST(IpFields, OfOneConnection) {
  Established t;
  t.connection().set_ttl(3);
  t.connection().set_dscp(46);
  t.write(100);
  t.run_to(1s);
  const std::vector<Segment> sent = t.take();
  ASSERT_GE(sent.size(), 2u);
  EXPECT_THAT(sent, Each(testing::Field("ttl", &Segment::ttl, 3)));
  EXPECT_THAT(sent, Each(testing::Field("tos", &Segment::tos, 46 << 2)));
  EXPECT_THAT(sent, Each(testing::Field("ip", &Segment::ip_checksum_ok, true)));
}

TEST(IpFields, ACodePointOutOfRangeSpoilsNothingElse) {
  Established t;
  t.connection().set_dscp(255);
  t.write(100);
  const std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].tos, 63 << 2);
  EXPECT_TRUE(sent[0].ip_checksum_ok);
  EXPECT_TRUE(sent[0].tcp_checksum_ok);
}

TEST(Limits, SayWhatHoldsTheSenderBack) {
  Given given;
  given.peer_syn.window = 3000;
  Established t(given);
  EXPECT_EQ(t.info().send_limit, SendLimit::kSender);
  t.write(10'000);
  EXPECT_EQ(t.info().send_limit, SendLimit::kReceiver);
  EXPECT_EQ(t.info().flight_bytes, 2920u);
  Segment open = ack(1, 2921);
  t.in(open);
  EXPECT_EQ(t.info().send_limit, SendLimit::kSender);
  t.in(ack(1, 10'001));
  t.write(40'000);
  EXPECT_EQ(t.info().send_limit, SendLimit::kCongestion);
  t.run_for(300ms);
  EXPECT_EQ(t.info().time_outs, 1u);
  t.take();
}

}  // namespace
}  // namespace tern::test
