// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors (RFC 9293 3.9.2.2, RFC 5927), path MTU discovery (RFC 1191) and black holes (RFC
// 4821).
#include <gtest/gtest.h>

#include <algorithm>

#include "icmp_message.h"
#include "script.h"

namespace tern::test {
namespace {

using enum TcpState;

constexpr std::uint8_t kSourceQuench = 4, kRedirect = 5, kTimeExceeded = 11, kParameterProblem = 12;
constexpr std::uint8_t kPort = 3;

void in(Script& t, const Message& m) {
  ASSERT_TRUE(t.port().inject(message(t.isn(), m)));
  t.poll();
}

void expect_sizes(Script& t, std::vector<std::size_t> sizes) {
  std::vector<std::size_t> sent;
  for (const Segment& s : t.take()) sent.push_back(s.payload.size());
  EXPECT_EQ(sent, sizes);
}

// There is no TCB yet, and the peer's third packet says more than a router.
TEST(IcmpError, AboutAHalfOpenConnectionIsNotBelieved) {
  SynReceived t;
  in(t, {.code = kPort});
  EXPECT_EQ(t.state(), kSynReceived);
  EXPECT_EQ(t.counters().drop_icmp_unbelieved, 1u);
}

TEST(IcmpError, HardOneEndsAnOpening) {
  SynSent t;
  t.take();
  in(t, {.code = kPort});
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kUnreachable);
  EXPECT_EQ(t.counters().icmp_errors_in, 1u);
}

// MUST-56, SHLD-25: it may be over soon; but if nothing better comes, it was the cause.
TEST(IcmpError, SoftOneIsTheCauseIfNothingBetterComes) {
  Given given;
  given.stack.tcp.connect_timeout = 10s;
  SynSent t(given);
  in(t, {.code = kHost});
  EXPECT_EQ(t.state(), kSynSent);
  t.run_to(10s - 100us);
  EXPECT_EQ(t.state(), kSynSent);
  t.run_to(10s + 100us);
  t.take();
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kUnreachable);
}

TEST(IcmpError, IsNotTheCauseWhenThePeerRefuses) {
  SynSent t;
  t.take();
  in(t, {.code = kHost});
  t.in(seg("R.", 0, 1));
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kRefused);
}

TEST(IcmpError, SoftOneEndsAnOpeningIfTheApplicationWants) {
  Given given;
  given.stack.tcp.abort_connect_on_soft_error = true;
  SynSent t(given);
  t.take();
  in(t, {.code = kHost});
  EXPECT_EQ(t.record().reason, CloseReason::kUnreachable);
}

TEST(IcmpError, IsForgottenWhenTheAnswerComes) {
  Given given;
  given.stack.tcp.max_retransmits = 1;
  Established t(given);
  t.write(100);
  in(t, {.code = kHost, .seq = 1});
  t.in(ack(1, 101));
  t.write(100);
  t.run_for(10s);
  t.take();
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
}

// MUST-56, RFC 5927 5.2: hard errors too are soft once the connection is synchronized; source
// quench and redirects are ignored (MUST-55 as RFC 6633 has it).
TEST(IcmpError, NoneEndsASynchronizedConnection) {
  for (const std::uint8_t type :
       {kUnreachable, kSourceQuench, kRedirect, kTimeExceeded, kParameterProblem})
    for (std::uint8_t code = 0; code < 16; ++code) {
      Established t;
      t.write(100);
      t.take();
      in(t, {.type = type, .code = code, .mtu = 1500, .seq = 1});
      EXPECT_EQ(t.state(), kEstablished) << int(type) << '/' << int(code);
      t.silent();
    }
}

// MUST-47, SHLD-25: what does not end the connection is told, once a poll.
TEST(IcmpError, SoftOnesAreTold) {
  Established t;
  t.write(100);
  t.take();
  in(t, {.code = kHost, .seq = 1});
  in(t, {.type = kTimeExceeded, .code = 0, .seq = 1});
  in(t, {.code = kPort, .seq = 1});
  in(t, {.code = kHost, .seq = 5000});  // not in flight
  in(t, {.code = kTooBig, .mtu = 1000, .seq = 1});
  EXPECT_EQ(
      t.record().soft_errors,
      (std::vector<SoftError>{{kUnreachable, kHost}, {kTimeExceeded, 0}, {kUnreachable, kPort}}));
  t.take();
}

TEST(IcmpError, SoftOnesAreToldWhileConnecting) {
  SynSent t;
  in(t, {.code = kHost});
  EXPECT_EQ(t.record().soft_errors, (std::vector<SoftError>{{kUnreachable, kHost}}));
  t.take();
}

TEST(IcmpError, ReportsCanBeSwitchedOff) {  // SHLD-20
  Given given;
  given.stack.tcp.report_soft_errors = false;
  Established t(given);
  t.write(100);
  t.take();
  in(t, {.code = kHost, .seq = 1});
  t.connection().set_error_reports(true);
  in(t, {.code = kHost, .seq = 1});
  t.connection().set_error_reports(false);
  in(t, {.code = kHost, .seq = 1});
  EXPECT_EQ(t.record().soft_errors.size(), 1u);
  EXPECT_EQ(t.counters().icmp_errors_in, 3u);
}

TEST(IcmpError, IsBelievedOnlyAboutWhatIsInFlight) {
  Established t;
  t.write(100);
  t.take();
  std::uint64_t unbelieved = 0;
  for (const std::uint32_t seq : {0u, 101u, 102u, 0x80000000u, 0xffffffffu}) {
    in(t, {.code = kTooBig, .mtu = 600, .seq = seq});
    EXPECT_EQ(t.counters().drop_icmp_unbelieved, ++unbelieved) << seq;
  }
  EXPECT_EQ(t.info().send_mss, 1460u);
  in(t, {.code = kTooBig, .mtu = 600, .seq = 100});
  EXPECT_EQ(t.info().send_mss, 560u);
}

TEST(IcmpError, QuotesTooLittleOrSomethingElse) {
  Established t;
  t.write(100);
  t.take();
  in(t, {.code = kTooBig, .mtu = 600, .seq = 1, .quoted = 27});
  in(t, {.code = kTooBig, .mtu = 600, .seq = 1, .protocol = 17});
  in(t, {.code = kTooBig, .mtu = 600, .seq = 1, .fragment = 1});
  EXPECT_EQ(t.counters().drop_icmp, 3u);
  EXPECT_EQ(t.info().send_mss, 1460u);
}

TEST(IcmpError, AboutNoConnectionOfOurs) {
  Established t;
  Datagram other = message(t.isn(), {.code = kTooBig, .mtu = 600, .seq = 1});
  other.payload[8 + 20] = std::byte{1};  // the quoted source port
  other.payload[2] = other.payload[3] = std::byte{0};
  const std::uint16_t sum = textbook_checksum(other.payload);
  other.payload[2] = std::byte(sum >> 8), other.payload[3] = std::byte(sum);
  t.port().inject(other);
  t.poll();
  EXPECT_EQ(t.counters().drop_icmp_unbelieved, 1u);
}

// RFC 1191 6.5: at once, smaller, and without blame for congestion.
TEST(PathMtu, SmallerSegmentsAreSentAgainAtOnce) {
  Established t;
  t.write(2 * 1460);
  expect_sizes(t, {1460, 1460});
  const std::uint32_t cwnd = t.info().cwnd_bytes;
  in(t, {.code = kTooBig, .mtu = 1000, .seq = 1});
  expect_sizes(t, {960, 960, 960, 40});
  EXPECT_EQ(t.info().cwnd_bytes, cwnd);
  EXPECT_EQ(t.counters().path_mtu_reductions, 1u);
  // The router speaks of each of them; the second time there is nothing new in it.
  in(t, {.code = kTooBig, .mtu = 1000, .seq = 1461});
  t.silent();
  t.in(ack(1, 2921));
  EXPECT_EQ(t.info().send_queue_bytes, 0u);
}

// With and without SACK: recovery ends, since its repetitions did not fit either.
TEST(PathMtu, InTheMiddleOfRecovery) {
  for (const bool sack : {false, true}) {
    Given given;
    given.peer_syn.sack_permitted = sack;
    Established t(given);
    t.write(6 * 1460);
    expect_sizes(t, {1460, 1460, 1460, 1460, 1460, 1460});
    for (std::uint32_t i = 2; i <= 5; ++i) {
      Segment duplicate = ack(1, 1);
      if (sack) duplicate.sack = {{1 + 1460, 1 + i * 1460}};
      t.in(duplicate);
    }
    EXPECT_EQ(t.counters().fast_retransmits, 1u);
    t.take();
    in(t, {.code = kTooBig, .mtu = 1000, .seq = 1});
    const std::vector<Segment> again = t.take();
    ASSERT_FALSE(again.empty());
    EXPECT_EQ(again.front().seq, 1u);
    for (const Segment& s : again) EXPECT_LE(s.payload.size(), 960u);
    t.in(ack(1, 1 + 6 * 1460));
    EXPECT_EQ(t.info().send_queue_bytes, 0u);
  }
}

TEST(PathMtu, TimestampsCountAsData) {
  Given given;
  given.peer_syn.ts = {7, 0};
  Established t(given);
  t.write(1448);
  t.take();
  in(t, {.code = kTooBig, .mtu = 1000, .seq = 1});
  expect_sizes(t, {948, 500});
}

TEST(PathMtu, NoMessageRaisesIt) {
  Established t;
  t.write(100);
  t.take();
  in(t, {.code = kTooBig, .mtu = 1000, .seq = 1});
  in(t, {.code = kTooBig, .mtu = 1400, .seq = 1});
  in(t, {.code = kTooBig, .mtu = 9000, .seq = 1});
  EXPECT_EQ(t.info().send_mss, 960u);
}

TEST(PathMtu, HasAFloor) {
  Established t;
  t.write(100);
  t.take();
  in(t, {.code = kTooBig, .mtu = 68, .seq = 1});
  EXPECT_EQ(t.info().send_mss, 512u);
}

// RFC 1191 7.1.
TEST(PathMtu, AnOldRouterDoesNotSayHowMuchFits) {
  for (const auto& [length, mss] : {std::pair{1500u, 1452u}, {1492u, 966u}, {1006u, 512u}}) {
    Established t;
    t.write(100);
    t.take();
    in(t, {.code = kTooBig, .mtu = 0, .seq = 1, .length = static_cast<std::uint16_t>(length)});
    EXPECT_EQ(t.info().send_mss, mss) << length;
  }
}

TEST(PathMtu, TheNextConnectionKnowsIt) {
  Established t;
  t.write(100);
  t.take();
  in(t, {.code = kTooBig, .mtu = 1000, .seq = 1});
  t.take();
  Segment syn = seg("S", 0, 0);
  syn.mss = 1460;
  syn.path.source_port = 40001;
  t.in(syn);
  EXPECT_EQ(t.take().back().mss, 1460) << "what we can receive is another matter";
  Segment third = ack(1, 1);
  third.path.source_port = 40001;
  t.in(third);
  EXPECT_EQ(t.app.records().back().connection.info().send_mss, 960u);
}

// What the next time-outs send.
std::vector<std::size_t> sizes_repeated(Script& t, int time_outs) {
  t.take();
  std::vector<std::size_t> sizes;
  for (int i = 0; i < time_outs; ++i) {
    t.run_for(t.info().rto_us * 1us + 1ms);
    for (const Segment& s : t.take()) sizes.push_back(s.payload.size());
  }
  return sizes;
}

// Full segments vanish, the short last one would not: after three time-outs smaller ones are tried,
// after five those that fit everywhere.
TEST(BlackHole, SmallerSegmentsAreTried) {
  Established t;
  t.write(1460);
  EXPECT_EQ(sizes_repeated(t, 6), (std::vector<std::size_t>{1460, 1460, 1024, 1024, 536, 536}));
  EXPECT_EQ(t.counters().path_mtu_black_holes, 2u);
}

// A peer that has vanished looks like a black hole: others at its address keep their segments.
TEST(BlackHole, OtherConnectionsAreNotTold) {
  Established t;
  t.write(1460);
  t.run_for(60s);
  EXPECT_EQ(t.info().send_mss, 536u);
  t.take();
  Segment syn = seg("S", 0, 0);
  syn.mss = 1460;
  syn.path.source_port = 40001;
  t.in(syn);
  t.take();
  Segment third = ack(1, 1);
  third.path.source_port = 40001;
  t.in(third);
  EXPECT_EQ(t.app.records().back().connection.info().send_mss, 1460u);
}

// The last of a flight is too large for the path as well, although it is no full one.
TEST(BlackHole, ALastSegmentVanishesToo) {
  Established t;
  t.write(1300);
  EXPECT_EQ(sizes_repeated(t, 4), (std::vector<std::size_t>{1300, 1300, 1024, 1024}));
  EXPECT_EQ(t.counters().path_mtu_black_holes, 1u);
}

TEST(BlackHole, AShortSegmentIsNoSign) {
  Established t;
  t.write(536);
  t.run_for(60s);
  t.take();
  EXPECT_EQ(t.counters().path_mtu_black_holes, 0u);
  EXPECT_EQ(t.info().send_mss, 1460u);
}

TEST(BlackHole, IsConfigured) {
  Given given;
  given.stack.tcp.black_hole_detection = false;
  Established t(given);
  t.write(1460);
  t.run_for(60s);
  t.take();
  EXPECT_EQ(t.info().send_mss, 1460u);
}

}  // namespace
}  // namespace tern::test
