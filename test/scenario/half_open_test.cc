// SPDX-License-Identifier: BSD-3-Clause
// SYN-RECEIVED by a passive open: a record in the SYN cache, and a TCB from the third packet on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::IsEmpty;
using testing::SizeIs;

Segment from_port(std::uint16_t port, Segment segment) {
  segment.path.source_port = port;
  return segment;
}

constexpr std::uint16_t kTwoPorts[] = {1, 2};

Segment syn_ack(std::uint32_t ack = 1) {
  Segment answer = seg("S.", 0, ack);
  answer.mss = 1460;
  return answer;
}

// threats.md P3: nothing but the record, whatever comes with the SYN.
TEST(HalfOpen, TakesARecordAndNothingElse) {
  Listening t;
  Segment syn = t.given.peer_syn;
  syn.payload = "early";
  t.in(syn);
  t.out({syn_ack()});
  const StackUsage usage = t.stack().usage();
  EXPECT_EQ(usage.half_open, 1u);
  EXPECT_EQ(usage.connections, 0u);
  EXPECT_EQ(usage.timers, 0u);
  EXPECT_EQ(usage.held_frames + usage.receive_chunks, 0u);
  EXPECT_EQ(t.state(), kSynReceived) << "seen in socket lists";
  t.in(seg(".", 1, 1, "early"));  // the text was not acknowledged, so it comes again
  EXPECT_EQ(t.record().received, "early");
  EXPECT_EQ(t.stack().usage().half_open, 0u);
  EXPECT_EQ(t.stack().usage().connections, 1u);
}

TEST(HalfOpen, ARepeatedSynDoesNotKeepItForEver) {
  SynReceived t;
  for (int second = 1; second < 63; ++second) {
    t.run_to(second * 1s + 500ms);
    t.in(t.given.peer_syn);
  }
  t.take();
  EXPECT_EQ(t.state(), kSynReceived);
  t.silent_to(63s - 100us);
  t.silent_to(63s);
  EXPECT_EQ(t.state(), kClosed);
}

// Each goes its own way, however they lie.
TEST(HalfOpen, ManyExpireEachInItsOwnTime) {
  Listening t;
  for (std::uint16_t i = 0; i < 8; ++i) {
    t.run_to(i * 700ms);
    t.in(from_port(static_cast<std::uint16_t>(100 + i), t.given.peer_syn));
  }
  for (std::uint16_t i = 0; i < 8; ++i) {
    const std::uint16_t port = static_cast<std::uint16_t>(100 + i);
    t.run_to(i * 700ms + 63s - 100us);
    EXPECT_EQ(t.state(port), kSynReceived);
    t.run_to(i * 700ms + 63s);
    EXPECT_EQ(t.state(port), kClosed);
  }
  EXPECT_EQ(t.counters().half_open_expired, 8u);
  EXPECT_EQ(t.take().size(), 8u * 6);
}

// RFC 7323 4.3: the answer echoes the timestamp of the last SYN, which an old one is not.
TEST(HalfOpen, ARepeatedSynRenewsTheTimestamp) {
  Given given;
  given.peer_syn.ts = {5000, 0};
  SynReceived t(given);
  t.run_to(100ms);
  const auto echo_of = [&](Timestamps ts) {
    Segment syn = given.peer_syn;
    syn.ts = ts;
    if (!ts.present) syn.raw_options = {std::byte{2}, std::byte{4}, std::byte{5}, std::byte{0xb4}};
    t.in(syn);
    const std::vector<Segment> sent = t.take();
    EXPECT_EQ(sent.size(), 1u);
    return sent.at(0).ts.echo;
  };
  EXPECT_EQ(echo_of({5100, 0}), 5100u);
  EXPECT_EQ(echo_of({5050, 0}), 5100u) << "an old one, late";
  EXPECT_EQ(echo_of({}), 5100u) << "it has lost its options";
}

// Linux's answer to our SYN,ACK where it takes that for a simultaneous open.
TEST(HalfOpen, ASynAckIsTheThirdPacketToo) {
  SynReceived t;
  t.in(seg("S.", 0, 1));
  EXPECT_EQ(t.state(), kEstablished);
  t.silent();
}

// The number before the window is the SYN's, but only a SYN has it.
TEST(HalfOpen, AnAckWithTheNumberOfTheSynOpensNothing) {
  SynReceived t;
  t.in(ack(0, 1));
  t.out({ack(1, 1)});
  EXPECT_EQ(t.state(), kSynReceived);
}

TEST(HalfOpen, RetransmissionsEndWithTheHandshake) {
  SynReceived t;
  t.out_at(1s, {syn_ack()});
  t.run_to(1500ms);
  t.in(ack(1, 1));
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.info().srtt_us, 0u) << "Karn";
  t.silent_to(70s);
}

// RFC 6298 5.7, RFC 6928 2: what a repeated SYN,ACK means for the connection.
TEST(HalfOpen, LossesOfTheSynAckAreRemembered) {
  SynReceived t;
  t.run_to(3s);
  t.take();
  t.in(ack(1, 1));
  EXPECT_EQ(t.info().rto_us, 3'000'000u);
  EXPECT_EQ(t.info().cwnd_bytes, 1460u);
}

TEST(HalfOpen, SegmentsThatCannotBeRightAreAnsweredFromTheRecord) {
  Given given;
  given.peer_syn.wscale = 7;
  SynReceived t(given);
  Segment answer = ack(1, 1);
  answer.window = 65535 >> 3;
  t.in(seg(".", 70'000, 1, "x"));
  t.out({answer});
  t.in(ack(70'000, 1));
  t.out({answer});
  t.in(ack(70'000, 1));
  t.silent();
  EXPECT_EQ(t.counters().challenge_acks, 1u);
  EXPECT_EQ(t.counters().challenge_acks_suppressed, 1u);
  EXPECT_EQ(t.state(), kSynReceived);
}

TEST(HalfOpen, PawsHoldsFromTheSynOn) {
  Given given;
  given.peer_syn.ts = {5000, 0};
  Listening t(given);
  t.in(given.peer_syn);
  t.take();
  Segment old = ack(1, 1);
  old.ts = {4999, 0};
  t.in(old);
  EXPECT_THAT(t.take(), SizeIs(1));
  EXPECT_EQ(t.counters().rx_paws_rejected, 1u);
  Segment bare = ack(1, 1);
  bare.raw_options = Bytes(4, std::byte{1});  // NOPs
  t.in(bare);
  EXPECT_EQ(t.counters().drop_tcp_missing_timestamp, 1u);
  EXPECT_EQ(t.state(), kSynReceived);
  t.in(ack(1, 1));
  EXPECT_EQ(t.state(), kEstablished);
}

TEST(HalfOpen, WaitsForAConnectionToBeFree) {
  Given given;
  given.stack.max_connections = 1;
  Listening t(given);
  for (const std::uint16_t port : kTwoPorts) t.in(from_port(port, given.peer_syn));
  for (const std::uint16_t port : kTwoPorts) t.in(from_port(port, ack(1, 1)));
  EXPECT_EQ(t.state(1), kEstablished);
  EXPECT_EQ(t.state(2), kSynReceived);
  EXPECT_EQ(t.counters().drop_tcp_no_connection, 1u);
  t.in(from_port(1, seg("R", 1, 0)));
  t.in(from_port(2, seg(".", 1, 1, "still there")));
  EXPECT_EQ(t.state(2), kEstablished);
  EXPECT_EQ(t.record().received, "still there");
}

TEST(HalfOpen, EndsWithItsListenerByAReset) {
  Listening t;
  for (const std::uint16_t port : kTwoPorts) t.in(from_port(port, t.given.peer_syn));
  t.take();
  t.stack().stop_listening(t.listener);
  t.poll();
  EXPECT_THAT(t.take(), SizeIs(2));
  EXPECT_EQ(t.stack().usage().half_open, 0u);
  t.in(from_port(1, ack(1, 1)));
  Segment reset = seg("R", 1, 0);
  reset.window = 0;
  t.out({reset});
}

// RFC 7323 3.2: a RST needs no timestamp.
TEST(HalfOpen, ResetWithoutTheTimestampThatWasAgreedOn) {
  Given given;
  given.peer_syn.ts = {5000, 0};
  SynReceived t(given);
  Segment reset = seg("R", 1, 0);
  reset.raw_options = Bytes(4, std::byte{1});
  t.in(reset);
  t.silent();
  EXPECT_EQ(t.state(), kClosed);
}

// Something that asks for an ACK is answered each time.
TEST(HalfOpen, FinBeyondTheWindowIsAnsweredAtOnce) {
  SynReceived t;
  for (int i = 0; i < 3; ++i) t.in(seg("F.", 100'000, 1));
  t.out({ack(1, 1), ack(1, 1), ack(1, 1)});
}

TEST(HalfOpen, FinWithoutAckMeansNothing) {
  SynReceived t;
  t.in(seg("F", 1, 0));
  t.in(seg("", 1, 0, "x"));
  t.silent();
  EXPECT_EQ(t.state(), kSynReceived);
  EXPECT_THAT(t.app.records(), IsEmpty());
}

// RFC 6191 2: the new connection takes the place of the old one in TIME-WAIT, and numbers go on.
TEST(TimeWaitReuse, ByASynBeyondTheOldNumbers) {
  TimeWait t;
  const std::uint32_t old_end = t.isn() + 2;
  Segment syn = seg("S", 2, 0);  // the next number is no proof
  t.in(syn);
  t.out({ack(2, 2)});
  syn.seq = 3;
  t.in(syn);
  t.out({syn_ack(4)});
  EXPECT_EQ(t.state(), kSynReceived);
  EXPECT_EQ(t.stack().usage().time_wait, 0u);
  EXPECT_EQ(t.counters().time_wait_reused, 1u);
  EXPECT_GE(t.isn() - old_end, 1u << 17);
  EXPECT_LT(t.isn() - old_end, 1u << 31);
  t.in(ack(4, 1));
  EXPECT_EQ(t.state(), kEstablished);
}

TEST(TimeWaitReuse, ByALaterTimestampWhateverTheNumbers) {
  Given given;
  given.peer_syn.ts = {5000, 0};
  TimeWait t(given);
  Segment syn = seg("S", 0x80001000, 0);
  syn.ts = {4999, 0};
  t.in(syn);
  EXPECT_THAT(t.take(), SizeIs(1));
  EXPECT_EQ(t.state(), kTimeWait) << "an old duplicate";
  syn.ts = {5001, 0};
  t.in(syn);
  EXPECT_EQ(t.state(), kSynReceived);
}

TEST(TimeWaitReuse, ByTimestampsWhereThereWereNone) {
  TimeWait t;
  Segment syn = seg("S", 0x80001000, 0);
  t.in(syn);
  EXPECT_EQ(t.state(), kTimeWait);
  t.take();
  for (const std::uint32_t value : {1u, 0x90000000u}) {
    TimeWait again;
    syn.ts = {value, 0};
    again.in(syn);
    EXPECT_EQ(again.state(), kSynReceived) << value;
    again.take();
  }
}

TEST(TimeWaitReuse, ByTimestampsMeansNothingToWhoWantsNone) {
  Given given;
  given.stack.tcp.timestamps = false;
  TimeWait t(given);
  Segment syn = seg("S", 0x80001000, 0);
  syn.ts = {1, 0};
  t.in(syn);
  t.out({ack(2, 2)});
  EXPECT_EQ(t.state(), kTimeWait);
}

TEST(TimeWaitReuse, NotWhileThereIsNoRoomToRememberIt) {
  Given given;
  given.stack.syn_cache_entries = 1;
  TimeWait t(given);
  t.in(from_port(1, given.peer_syn));
  t.take();
  const Segment syn = seg("S", 1000, 0);
  t.in(syn);
  t.out({ack(2, 2)});
  EXPECT_EQ(t.state(), kTimeWait);
  t.in(from_port(1, seg("R", 1, 0)));
  t.in(syn);
  EXPECT_EQ(t.state(), kSynReceived);
}

// RFC 1337: no RST, old data or old ACK ends it, or starts it anew.
TEST(TimeWaitReuse, IsNotAssassination) {
  TimeWait t;
  for (const std::uint32_t seq : {0u, 1u, 2u, 3u, 70'000u})
    for (const char* flags : {"R", "R."}) t.in(seg(flags, seq, 2));
  t.silent();
  EXPECT_EQ(t.state(), kTimeWait);
  t.silent_to(60s - 100us);
  EXPECT_EQ(t.state(), kTimeWait);
  t.silent_to(60s);
  EXPECT_EQ(t.state(), kClosed);
}

}  // namespace
}  // namespace tern::test
