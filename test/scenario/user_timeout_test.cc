// SPDX-License-Identifier: BSD-3-Clause
// How long what was sent may stay unacknowledged: the user time-out and its option (RFC 5482).
#include "tcp/user_timeout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;

TEST(UserTimeout, EndsTheConnectionOnTheTick) {
  Given given;
  given.stack.tcp.user_timeout = 1s;
  Established t(given);
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  for (const Duration time : {200ms, 600ms}) t.out_at(time, {data(1, 100, 1, "P.")});
  t.silent_to(1s - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.run_to(1s);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
}

TEST(UserTimeout, ProgressBeginsItAnew) {
  Established t;
  t.connection().set_user_timeout(1s);
  t.write(100);
  t.run_to(900ms);
  t.in(ack(1, 51));
  t.run_to(1899ms);
  EXPECT_EQ(t.state(), kEstablished);
  t.run_to(1900ms);
  EXPECT_EQ(t.state(), kClosed);
  t.take();
}

TEST(UserTimeout, OfAPeerThatShutItsWindowAndVanished) {
  Given given;
  given.peer_syn.window = 0;
  Established t(given);
  t.connection().set_user_timeout(1s);
  t.write(100);
  t.run_to(1s - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.run_to(1s);
  EXPECT_EQ(t.state(), kClosed);
  t.take();
}

// The loss probe (RFC 8985 7) begins the time-out anew, and the user time-out does not notice.
TEST(UserTimeout, CountsFromBeforeTheLossProbe) {
  Given given;
  given.peer_syn.sack_permitted = true;
  given.round_trip = 40ms;
  Established t(given);
  t.connection().set_user_timeout(1s);
  t.write(2 * 1460);
  t.out({data(1, 1460, 1), data(1461, 1460, 1, "P.")});
  t.run_to(300ms);
  EXPECT_EQ(t.counters().loss_probes, 1u);
  t.run_to(1s - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.run_to(1s);
  EXPECT_EQ(t.state(), kClosed);
  t.take();
}

// What is acknowledged while the probe is out is progress.
TEST(UserTimeout, ProgressDuringTheLossProbeCounts) {
  Given given;
  given.peer_syn.sack_permitted = true;
  given.round_trip = 40ms;
  Established t(given);
  t.connection().set_user_timeout(1s);
  t.write(2 * 1460);
  t.run_to(300ms);
  EXPECT_EQ(t.counters().loss_probes, 1u);
  t.in(ack(1, 1461));
  t.run_to(1300ms - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.run_to(1300ms);
  EXPECT_EQ(t.state(), kClosed);
  t.take();
}

Given with_option(Duration user_timeout = 0s) {
  Given given;
  given.stack.tcp.user_timeout_option = true;
  given.stack.tcp.user_timeout = user_timeout;
  return given;
}

Segment wishing(Segment segment, std::uint16_t value) {
  segment.user_timeout = value;
  return segment;
}

// When the connection gives up if nothing is acknowledged from now on.
Duration patience(Script& t) {
  const Duration begin = t.clock();
  t.write(100);
  while (t.state() != kClosed && t.clock() - begin < 48h) t.run_for(1s);
  t.take();
  return t.clock() - begin;
}

TEST(UserTimeoutOption, SaysSecondsOrMinutes) {
  using tcp::decode_user_timeout;
  using tcp::encode_user_timeout;
  EXPECT_EQ(encode_user_timeout(1s), 1);
  EXPECT_EQ(encode_user_timeout(1ms), 1) << "0 is reserved";
  EXPECT_EQ(encode_user_timeout(1001ms), 2);
  EXPECT_EQ(encode_user_timeout(32767s), 0x7fff);
  EXPECT_EQ(encode_user_timeout(32768s), 0x8000 | 547);
  EXPECT_EQ(encode_user_timeout(48h), 0x8000 | 2880);
  EXPECT_EQ(encode_user_timeout(40000h), 0xffff);
  EXPECT_EQ(decode_user_timeout(0x7fff), 32767s);
  EXPECT_EQ(decode_user_timeout(0x8001), 1min);
  EXPECT_EQ(decode_user_timeout(0), 0s);
  EXPECT_EQ(decode_user_timeout(0x8000), 0s);
}

// RFC 5482 3.2: in the SYN and in the first segment after it.
TEST(UserTimeoutOption, IsToldByWhoOpens) {
  Script t(with_option(200s));
  t.connect();
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  t.in(answer);
  t.write(10);
  std::vector<std::optional<std::uint16_t>> told;
  for (const Segment& s : t.take()) told.push_back(s.user_timeout);
  EXPECT_THAT(told, testing::ElementsAre(200, 200, std::nullopt));
}

// Who is opened to says so in its first segment: SYN,ACKs are made of little (4987).
TEST(UserTimeoutOption, IsToldByWhoAccepts) {
  Established t(with_option(200s));
  t.connection().set_nodelay(true);
  t.write(1460);
  t.write(10);
  std::vector<std::optional<std::uint16_t>> told;
  for (const Segment& s : t.take()) told.push_back(s.user_timeout);
  EXPECT_THAT(told, testing::ElementsAre(std::nullopt, 200)) << "a full segment has no room";
  t.connection().set_user_timeout(34'000s);
  t.in(data(1, 1, 1471));
  t.run_for(40ms);
  Segment s = ack(1471, 2);
  s.user_timeout = 0x8000 | 567;
  t.out({s});
}

TEST(UserTimeoutOption, OfThePeerIsAdopted) {
  Established t(with_option());
  t.in(wishing(ack(1, 1), 200));
  EXPECT_EQ(patience(t), 200s);
}

TEST(UserTimeoutOption, OnTheThirdPacketToo) {
  SynReceived t(with_option());
  t.in(wishing(ack(1, 1), 200));
  EXPECT_EQ(patience(t), 200s);
}

TEST(UserTimeoutOption, OnTheSynAckToo) {
  SynSent t(with_option());
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  answer.user_timeout = 200;
  t.in(answer);
  EXPECT_EQ(patience(t), 200s);
}

// 3.1: not below L_LIMIT, nor above U_LIMIT, nor below what we want ourselves.
TEST(UserTimeoutOption, IsAdoptedWithinBounds) {
  Given given = with_option(150s);
  given.stack.tcp.user_timeout_most = 300s;
  for (const auto& [wish, adopted] :
       {std::pair{1, 150s}, {200, 200s}, {0x8005, 300s}, {0xffff, 300s}}) {
    Established t(given);
    t.take();
    t.in(wishing(ack(1, 1), static_cast<std::uint16_t>(wish)));
    EXPECT_EQ(patience(t), adopted) << wish;
  }
  Established t(with_option());
  t.in(wishing(ack(1, 1), 1));
  EXPECT_EQ(patience(t), 100s);
}

// The peer may want more patience than R2's number of repetitions has.
TEST(UserTimeoutOption, MayBeLongerThanR2) {
  Established t(with_option());
  t.in(wishing(ack(1, 1), 0x8000 | 60));
  EXPECT_EQ(patience(t), 1h);
}

TEST(UserTimeoutOption, DoesNotCountAgainstTheApplications) {
  Established t(with_option());
  t.connection().set_user_timeout(10s);
  t.in(wishing(ack(1, 1), 200));
  EXPECT_EQ(patience(t), 10s);
}

TEST(UserTimeoutOption, ReservedValuesAndTwoOfThemMeanLittle) {
  for (const std::uint16_t reserved : {std::uint16_t{0}, std::uint16_t{0x8000}}) {
    Given given = with_option();
    given.stack.tcp.max_retransmits = 2;
    Established t(given);
    t.in(wishing(ack(1, 1), reserved));
    EXPECT_LT(patience(t), 10s) << "R2 alone decides";
  }
}

TEST(UserTimeoutOption, IsNeitherToldNorReadUnlessAskedFor) {
  Given given;
  given.stack.tcp.user_timeout = 10s;
  Established t(given);
  t.in(wishing(ack(1, 1), 200));
  t.write(100);
  Segment plain = data(1, 100, 1, "P.");
  t.out({plain});
  t.run_to(10s - 100us);
  EXPECT_EQ(t.state(), kEstablished);
  t.run_to(10s);
  EXPECT_EQ(t.state(), kClosed);
  t.take();
}

// Header prediction leaves it to the RFC's steps, whatever else is in the segment.
TEST(UserTimeoutOption, IsSeenBesideATimestamp) {
  Given given = with_option();
  given.peer_syn.ts = {5000, 0};
  Established t(given);
  Segment s = data(1, 10, 1);
  s.ts = {5001, 0};
  s.user_timeout = 200;
  t.in(s);
  t.run_for(40ms);
  t.take();
  EXPECT_EQ(patience(t), 200s);
}

}  // namespace
}  // namespace tern::test
