// SPDX-License-Identifier: BSD-3-Clause
// More SYNs than there is room for: cookies, their bounds, and what the operator hears.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint16_t kFloodPort = 1;  // who takes the only record of the cache

Segment from_port(std::uint16_t port, Segment segment) {
  segment.path.source_port = port;
  return segment;
}

Segment reset_of(std::uint32_t seq) {
  Segment reset = seg("R", seq, 0);
  reset.window = 0;
  return reset;
}

Given small_cache(SynCookieMode mode = SynCookieMode::kAuto) {
  Given given;
  given.stack.syn_cache_entries = 1;
  given.stack.tcp.syn_cookies = mode;
  return given;
}

// The cache is full.
struct Flooded : Listening {
  explicit Flooded(const Given& s = small_cache()) : Listening(s) {
    in(from_port(kFloodPort, seg("S", 0, 0)));
    take();
    mark();
  }
  // The SYN,ACK that answers this SYN.
  Segment cookie_for(const Segment& syn) {
    in(syn);
    const std::vector<Segment> sent = take();
    EXPECT_THAT(sent, SizeIs(1));
    return sent.empty() ? Segment{} : sent[0];
  }
};

TEST(SynCookie, OpensAConnectionOfWhichNothingWasKept) {
  Flooded t;
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  t.in(t.given.peer_syn);
  t.out({answer});
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.stack().usage().half_open, 1u);
  t.in(seg(".", 1, 1, "hello"));
  t.out_at(40ms, {ack(1, 6)});
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.record().received, "hello");
  EXPECT_EQ(t.info().send_mss, 1460u);
  EXPECT_EQ(t.info().srtt_us, 0u) << "nobody knows when the SYN,ACK went out";
  EXPECT_EQ(t.counters().syn_cookies_sent, 1u);
  EXPECT_EQ(t.counters().syn_cookies_accepted, 1u);
  EXPECT_EQ(t.counters().syn_cookies_rejected, 0u);
}

TEST(SynCookie, FinWithDataOnTheThirdPacket) {
  Flooded t;
  t.cookie_for(t.given.peer_syn);
  t.in(data(1, 100, 1, "F."));
  t.out({ack(1, 102)});
  EXPECT_EQ(t.state(), kCloseWait);
  EXPECT_EQ(t.record().received, stream(0, 100));
}

// The third packet and the first byte are lost: what follows must not pass for the beginning (P1).
TEST(SynCookie, DataBehindALossOpensNothing) {
  Flooded t;
  t.cookie_for(t.given.peer_syn);
  for (const std::uint32_t seq : {2u, 3u, 4u, 1461u}) {
    t.in(data(seq, 10, 1));
    t.out({reset_of(1)});
  }
  EXPECT_EQ(t.stack().usage().connections, 0u);
}

TEST(SynCookie, IsNeverSentAgain) {
  Flooded t;
  t.cookie_for(t.given.peer_syn);
  t.run_to(2min);
  for (const Segment& s : t.take()) EXPECT_EQ(s.path.destination_port, kFloodPort);
}

TEST(SynCookie, TimestampCarriesTheOptions) {
  for (const std::optional<std::uint8_t> scale : {std::optional<std::uint8_t>{}, {0}, {7}, {14}}) {
    Given given = small_cache();
    given.peer_syn.ts = {5000, 0};
    given.peer_syn.wscale = scale;
    given.peer_syn.sack_permitted = true;
    Flooded t(given);
    t.run_to(12'345ms);
    t.take();
    const Segment answer = t.cookie_for(given.peer_syn);
    EXPECT_EQ(answer.wscale.has_value(), scale.has_value());
    EXPECT_EQ(answer.ts.echo, 5000u);
    EXPECT_EQ(answer.flags, "S.") << "no ECE, which nobody asked for";
    t.run_for(100ms);
    t.in(ack(1, 1));
    EXPECT_EQ(t.state(), kEstablished);
    EXPECT_TRUE(t.info().timestamps);
    EXPECT_TRUE(t.info().sack);
    EXPECT_EQ(t.counters().ecn_connections, 0u);
    EXPECT_EQ(t.info().window_scaling, scale.has_value());
    EXPECT_EQ(t.info().send_window_scale, scale.value_or(0));
    EXPECT_EQ(t.info().send_mss, 1448u);
    EXPECT_EQ(t.info().send_window_bytes, 65535u << scale.value_or(0));
    EXPECT_EQ(t.info().srtt_us, 0u) << "the low bits are no clock";
    t.take();
  }
}

TEST(SynCookie, ForgetsNotThatSackWasNotPermitted) {
  Given given = small_cache();
  given.peer_syn.ts = {5000, 0};
  Flooded t(given);
  EXPECT_FALSE(t.cookie_for(given.peer_syn).sack_permitted);
  t.in(ack(1, 1));
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_FALSE(t.info().sack);
}

TEST(SynCookie, WithoutTimestampsOffersOnlyWhatItCanRemember) {
  Given given = small_cache();
  given.peer_syn.wscale = 7;
  given.peer_syn.sack_permitted = true;
  Flooded t(given);
  const Segment answer = t.cookie_for(given.peer_syn);
  EXPECT_FALSE(answer.wscale);
  EXPECT_FALSE(answer.sack_permitted);
  Given unwanted = given;
  unwanted.stack.tcp.timestamps = false;
  unwanted.peer_syn.ts = {5000, 0};
  Flooded second(unwanted);
  const Segment other = second.cookie_for(unwanted.peer_syn);
  EXPECT_FALSE(other.ts.present);
  EXPECT_FALSE(other.wscale);
  EXPECT_FALSE(other.sack_permitted);
  EXPECT_FALSE(answer.ts.present);
  t.in(ack(1, 1));
  EXPECT_FALSE(t.info().window_scaling);
  EXPECT_EQ(t.info().send_window_bytes, 65535u);
}

TEST(SynCookie, RemembersTheMssFromBelow) {
  const std::pair<std::uint16_t, std::uint32_t> cases[] = {{536, 536},   {1299, 536},  {1300, 1300},
                                                           {1439, 1300}, {1440, 1440}, {1459, 1440},
                                                           {1460, 1460}, {65535, 1460}};
  for (const auto& [offered, used] : cases) {
    Given given = small_cache();
    given.peer_syn.mss = offered;
    Flooded t(given);
    t.cookie_for(given.peer_syn);
    t.in(ack(1, 1));
    EXPECT_EQ(t.info().send_mss, used) << offered;
  }
  Given given = small_cache();
  given.peer_syn.mss.reset();
  Flooded without(given);
  without.cookie_for(given.peer_syn);
  without.in(ack(1, 1));
  EXPECT_EQ(without.info().send_mss, 536u);
}

TEST(SynCookie, IsNotGivenToWhomItCouldNotServe) {  // MUST-16: never more than the peer's MSS
  Given given = small_cache();
  given.peer_syn.mss = 535;
  Flooded t(given);
  t.in(given.peer_syn);
  t.silent();
  EXPECT_EQ(t.counters().drop_tcp_half_open_full, 1u);
}

TEST(SynCookie, ForgedOnesAreStrays) {
  Flooded t;
  t.cookie_for(t.given.peer_syn);
  // A wrong acknowledgment, another SYN's number, another port's cookie.
  for (const std::uint32_t number : {1u + (1u << 23), 5u, 1u + (1u << 24), 1u - (1u << 24)}) {
    t.in(ack(1, number));
    t.out({reset_of(number)});
  }
  t.in(ack(2, 1));
  t.out({reset_of(1)});
  Segment elsewhere = ack(1, 1);
  elsewhere.ack = t.isn() + 1;
  elsewhere.path.source_port = 77;
  t.in(elsewhere);
  EXPECT_THAT(t.take(), SizeIs(1));
  EXPECT_EQ(t.counters().syn_cookies_rejected, 6u);
  EXPECT_EQ(t.stack().usage().connections, 0u);
  t.in(ack(1, 1));
  EXPECT_EQ(t.state(), kEstablished);
}

// This minute's and the last one's, so between one and two minutes; the script begins 40 s into a
// minute.
TEST(SynCookie, AgesByTheMinute) {
  for (const Duration age : {0ms, 19'999ms, 20'000ms, 79'999ms}) {
    Flooded t;
    t.cookie_for(t.given.peer_syn);
    t.run_to(age);
    t.take();
    t.in(ack(1, 1));
    EXPECT_EQ(t.state(), kEstablished) << age / 1ms;
  }
  Flooded t;
  t.cookie_for(t.given.peer_syn);
  t.run_to(80s);
  t.take();
  t.in(ack(1, 1));
  t.out({reset_of(1)});
  EXPECT_EQ(t.counters().syn_cookies_rejected, 1u);
}

// CVE-2023-52881: nobody guesses cookies when there are none.
TEST(SynCookie, CountOnlyForTwoMinutesAfterAnOverflow) {
  Flooded t;
  t.cookie_for(t.given.peer_syn);
  t.run_to(2min);
  t.take();
  t.in(ack(1, 12345));
  t.out({reset_of(12345)});
  EXPECT_EQ(t.counters().syn_cookies_rejected, 1u) << "looked at";
  t.run_to(2min + 1ms);
  t.in(ack(1, 12345));
  t.out({reset_of(12345)});
  EXPECT_EQ(t.counters().syn_cookies_rejected, 1u) << "not even looked at";
}

TEST(SynCookie, BeforeAnyOverflowNoneCounts) {
  Listening t;
  t.in(ack(1, 1));
  t.out({reset_of(1)});
  EXPECT_EQ(t.counters().syn_cookies_rejected, 0u);
}

TEST(SynCookie, OfAListenersOwnBacklog) {
  Listening t({}, 1);
  t.in(from_port(1, t.given.peer_syn));
  t.in(from_port(2, t.given.peer_syn));
  EXPECT_THAT(t.take(), SizeIs(2));
  EXPECT_EQ(t.counters().syn_cookies_sent, 1u);
  t.in(from_port(2, ack(1, 1)));
  EXPECT_EQ(t.state(2), kEstablished);
}

TEST(SynCookie, AlwaysMeansThatNothingIsEverKept) {
  Given given = small_cache(SynCookieMode::kAlways);
  Listening t(given);
  t.in(given.peer_syn);
  EXPECT_THAT(t.take(), SizeIs(1));
  EXPECT_FALSE(t.stack().syn_flood().active) << "a matter of course";
  EXPECT_EQ(t.stack().usage().half_open, 0u);
  t.run_to(75s);  // without an overflow, too
  t.silent();
  t.in(ack(1, 1));
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_FALSE(t.stack().syn_flood().active);
}

TEST(SynCookie, OffMeansThatSynsAreDropped) {
  Flooded t(small_cache(SynCookieMode::kOff));
  t.in(t.given.peer_syn);
  t.silent();
  EXPECT_EQ(t.counters().drop_tcp_half_open_full, 1u);
  t.in(ack(1, 1));
  t.out({reset_of(1)});
}

// Bytes out are at most 1.1 times the bytes in, for every combination of options.
TEST(SynCookie, IsNoAmplifier) {
  for (unsigned bits = 0; bits < 16; ++bits) {
    Given given = small_cache();
    given.peer_syn = {.flags = "S"};
    if ((bits & 1) != 0) given.peer_syn.mss = 1460;
    if ((bits & 2) != 0) given.peer_syn.ts = {1, 0};
    if ((bits & 4) != 0) given.peer_syn.wscale = 7;
    if ((bits & 8) != 0) given.peer_syn.sack_permitted = true;
    Flooded t(given);
    const std::size_t in = 40 + given.peer_syn.option_bytes();
    const std::size_t out = 40 + t.cookie_for(given.peer_syn).option_bytes();
    EXPECT_LE(out * 10, in * 11) << "options " << bits;
  }
}

TEST(SynCookie, WhereNoConnectionIsFreeTheSynIsDropped) {
  Given given = small_cache();
  given.stack.max_connections = 1;
  Flooded t(given);
  t.cookie_for(given.peer_syn);
  t.cookie_for(from_port(2, given.peer_syn));
  t.in(ack(1, 1));
  t.in(from_port(2, ack(1, 1)));
  t.in(from_port(3, given.peer_syn));
  t.silent();
  EXPECT_EQ(t.counters().drop_tcp_no_connection, 2u);
}

TEST(SynFlood, IsToldOnceAtItsBeginningAndOnceAtItsEnd) {
  Listening t(small_cache());
  std::vector<std::pair<bool, Duration>> told;
  t.stack().on_syn_flood(
      [&](const SynFlood& flood) { told.emplace_back(flood.active, t.clock()); });
  t.in(from_port(1, t.given.peer_syn));
  EXPECT_THAT(told, IsEmpty());
  for (std::uint16_t i = 0; i < 100; ++i) {  // with pauses
    t.run_to(1s + i * 500ms);
    t.in(from_port(static_cast<std::uint16_t>(100 + i), t.given.peer_syn));
  }
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0], std::pair(true, Duration(1s)));
  const SynFlood flood = t.stack().syn_flood();
  EXPECT_TRUE(flood.active);
  EXPECT_EQ(flood.half_open, 1u);
  EXPECT_EQ(flood.cache_entries, 1u);
  EXPECT_EQ(flood.cookies_sent, 100u);
  t.run_to(1s + 99 * 500ms + 10s - 100us);
  EXPECT_THAT(told, SizeIs(1));
  t.run_to(1s + 99 * 500ms + 10s);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_FALSE(told[1].first);
  EXPECT_FALSE(t.stack().syn_flood().active);
  EXPECT_EQ(t.counters().syn_floods, 1u);
  t.take();
}

}  // namespace
}  // namespace tern::test
