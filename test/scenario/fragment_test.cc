// SPDX-License-Identifier: BSD-3-Clause
// Datagrams in fragments: RFC 791 3.2, RFC 1122 3.3.2, RFC 8200 4.5, RFC 5722. Each test runs over
// both families.
#include <gtest/gtest.h>

#include <algorithm>

#include "script.h"
#include "support/fragments.h"

namespace tern::test {
namespace {

using enum TcpState;

// WireMonitor knows no fragments.
Given given_fragments() {
  Given given;
  given.monitored = false;
  given.stack.tcp_fragments = true;
  return given;
}

// The frame of a segment of the peer's, with the stream's bytes for its numbers.
Bytes frame_of(Script& t, std::uint32_t seq, std::size_t bytes) {
  return build(t.absolute(data(seq, bytes, 1, "P.")));
}

void in(Script& t, const std::vector<Bytes>& frames) {
  for (const Bytes& frame : frames) ASSERT_TRUE(t.port().inject(frame));
  t.poll();
}

// Without what goes to all or to groups: ARP and neighbour discovery.
std::vector<Bytes> sent(Script& t) {
  std::vector<Bytes> out;
  for (const SentFrame& f : t.port().take_frames())
    if ((f.bytes[0] & std::byte{1}) == std::byte{0}) out.push_back(f.bytes);
  return out;
}

std::string text_of(Script& t) {
  t.read();
  return t.record().received;
}

TEST(Fragments, OfASegmentMakeTheSegment) {
  Established t(given_fragments());
  in(t, cut(frame_of(t, 1, 1000), 400));
  EXPECT_EQ(text_of(t), stream(0, 1000));
  t.out_at(40ms, {ack(1, 1001)});
  EXPECT_EQ(t.counters().fragments_in, 3u);
  EXPECT_EQ(t.counters().datagrams_reassembled, 1u);
  EXPECT_EQ(t.counters().segs_in, 3u) << "SYN, ACK and this one";
  EXPECT_EQ(t.stack().usage().reassembling, 0u);
}

TEST(Fragments, InAnyOrderAndBetweenOtherSegments) {
  Established t(given_fragments());
  std::vector<Bytes> parts = cut(frame_of(t, 1, 1000), 256);
  std::ranges::reverse(parts);
  parts.insert(parts.begin() + 2, frame_of(t, 1001, 100));
  in(t, parts);
  EXPECT_EQ(text_of(t), stream(0, 1100));
  EXPECT_EQ(t.counters().rx_out_of_order, 1u);
  t.take();
}

TEST(Fragments, HoldNoFrames) {
  Established t(given_fragments());
  t.app.read = false;
  const std::vector<Bytes> parts = cut(frame_of(t, 1, 1000), 400);
  in(t, {parts[0], parts[1]});
  EXPECT_EQ(t.stack().usage().reassembling, 1u);
  EXPECT_EQ(t.port().outstanding(), t.stack().usage().spare_frames);
  in(t, {parts[2]});
  EXPECT_EQ(t.stack().usage().held_frames, 0u) << "what was put together is copied";
  EXPECT_EQ(t.counters().rx_held_copied, 1u);
  EXPECT_EQ(text_of(t), stream(0, 1000));
  t.take();
}

// A device's verdict on a fragment says nothing of the segment, even where it is believed.
TEST(Fragments, TheChecksumIsLookedAt) {
  Given given = given_fragments();
  given.claims_intact = true;
  Established t(given);
  Bytes frame = frame_of(t, 1, 1000);
  frame.back() ^= std::byte{1};
  in(t, cut(frame, 400));
  t.silent();
  EXPECT_EQ(t.counters().drop_tcp_checksum, 1u);
}

TEST(Fragments, AnExactDuplicateIsDroppedAlone) {
  Established t(given_fragments());
  const std::vector<Bytes> parts = cut(frame_of(t, 1, 1000), 400);
  in(t, {parts[0], parts[0], parts[2], parts[2], parts[1]});
  EXPECT_EQ(text_of(t), stream(0, 1000));
  EXPECT_EQ(t.counters().drop_ip_fragment_duplicate, 2u);
  t.take();
}

// RFC 5722: nothing of the datagram is ever delivered, and the next one is not concerned.
TEST(Fragments, AnOverlapSpoilsTheDatagram) {
  Established t(given_fragments());
  const Bytes frame = frame_of(t, 1, 1000);
  const std::vector<Bytes> parts = cut(frame, 400);
  in(t, {parts[0], fragment_of(frame, {392, 800}), parts[1], parts[2], parts[0]});
  t.silent();
  EXPECT_EQ(t.counters().drop_ip_fragment_overlap, 4u);
  EXPECT_EQ(t.stack().usage().reassembling, 1u) << "so that late ones are known";
  in(t, cut(frame, 400, 2));
  EXPECT_EQ(text_of(t), stream(0, 1000));
  t.take();
  t.run_for(61s);
  EXPECT_EQ(t.stack().usage().reassembling, 0u);
  EXPECT_EQ(t.counters().reassembly_timeouts, 0u);
  EXPECT_EQ(t.counters().icmp_time_exceeded_out, 0u) << "discarded silently";
}

TEST(Fragments, AreForgottenAfterAMinuteAndTheirSenderIsTold) {
  Established t(given_fragments());
  sent(t);
  const Bytes frame = frame_of(t, 1, 1000);
  in(t, {fragment_of(frame, {0, 400})});
  t.mark();
  t.run_to(60s - 100us);
  EXPECT_EQ(t.stack().usage().reassembling, 1u);
  t.run_to(60s);
  EXPECT_EQ(t.stack().usage().reassembling, 0u);
  EXPECT_EQ(t.counters().reassembly_timeouts, 1u);
  EXPECT_EQ(t.counters().icmp_time_exceeded_out, 1u);
  const std::vector<Bytes> errors = sent(t);
  ASSERT_EQ(errors.size(), 1u);
  const std::size_t message = speaks_v6() ? 54 : 34;
  EXPECT_EQ(errors[0][message], std::byte(speaks_v6() ? 3 : 11));
  EXPECT_EQ(errors[0][message + 1], std::byte{1}) << "reassembly";
  const Bytes quoted(errors[0].begin() + static_cast<std::ptrdiff_t>(message) + 8, errors[0].end());
  const Bytes first = fragment_of(frame, {0, 400});
  EXPECT_EQ(quoted, Bytes(first.begin() + 14, first.end())) << "as it came";
}

TEST(Fragments, WithoutTheFirstNobodyIsTold) {  // RFC 1122 3.3.2, RFC 8200 4.5
  Established t(given_fragments());
  sent(t);
  in(t, {fragment_of(frame_of(t, 1, 1000), {400, 800})});
  t.run_for(61s);
  EXPECT_EQ(t.counters().reassembly_timeouts, 1u);
  EXPECT_EQ(sent(t), std::vector<Bytes>{});
}

TEST(Fragments, OfAnEchoRequestAreAnsweredInFragments) {  // RFC 1122 3.2.2.6
  Established t(given_fragments());
  sent(t);
  for (const std::size_t bytes : {1500u, 4000u, 60'000u}) {
    t.run_for(1s);
    const Bytes request = echo_request(bytes);
    in(t, cut(request, 1400));
    const std::vector<Bytes> answer = sent(t);
    EXPECT_GT(answer.size(), 1u);
    for (const Bytes& f : answer) EXPECT_LE(f.size(), 14u + t.port().info().mtu);
    const auto whole = join(answer);
    ASSERT_TRUE(whole) << bytes;
    const std::size_t message = speaks_v6() ? 54 : 34;
    EXPECT_EQ((*whole)[message], std::byte(speaks_v6() ? 129 : 0));
    EXPECT_TRUE(std::equal(whole->begin() + static_cast<std::ptrdiff_t>(message) + 4, whole->end(),
                           request.begin() + static_cast<std::ptrdiff_t>(message) + 4,
                           request.end()))
        << "number and data as they came";
    EXPECT_EQ(icmp_checksum_of(*whole), 0u);
  }
  EXPECT_EQ(t.counters().icmp_echo_replies, 3u);
}

// The limit is of packets: an answer in fragments counts for as many.
TEST(Fragments, OfEchoRepliesAreLimited) {
  Established t(given_fragments());
  sent(t);
  for (std::uint16_t i = 0; i < 50; ++i) in(t, cut(echo_request(4000, i), 1400, i));
  EXPECT_LE(sent(t).size(), 102u);
  EXPECT_GT(t.counters().drop_icmp, 0u);
}

TEST(Fragments, ASynInFragmentsOpens) {
  Listening t(given_fragments());
  in(t, cut(build(t.absolute(t.given.peer_syn)), speaks_v6() ? 24 : 8));
  EXPECT_EQ(t.state(), kSynReceived);
  t.take();
}

// RFC 6946 4: a fragment header, or a number, of a whole packet has no part in anything.
TEST(Fragments, AWholePacketIsNoPartOfAnotherOfItsNumber) {
  Established t(given_fragments());
  const std::vector<Bytes> parts = cut(frame_of(t, 1, 1000), 400);
  const Bytes other = frame_of(t, 1, 100);
  in(t, {parts[0], fragment_of(other, {0, payload_bytes_of(other), false})});
  EXPECT_EQ(text_of(t), stream(0, 100));
  EXPECT_EQ(t.stack().usage().reassembling, 1u);
  in(t, {parts[1], parts[2]});
  EXPECT_EQ(text_of(t), stream(0, 1000));
  EXPECT_EQ(t.counters().fragments_in, 3u);
  t.take();
}

// RFC 3168 5.3: marked, where each part could have been.
TEST(Fragments, AMarkOnOneIsAMarkOnTheWhole) {
  Given given = given_fragments();
  given.peer_syn.flags = "SEW";
  Listening t(given);
  t.in(given.peer_syn);
  t.in(ack(1, 1));
  ASSERT_EQ(t.state(), kEstablished);
  t.take();
  Segment s = t.absolute(data(1, 1000, 1, "P."));
  std::vector<Bytes> frames;
  for (const std::uint8_t tos : {std::uint8_t{2}, std::uint8_t{3}, std::uint8_t{2}}) {
    s.tos = tos;
    frames.push_back(fragment_of(
        build(s), {frames.size() * 400, std::min<std::size_t>(frames.size() * 400 + 400, 1020)}));
  }
  in(t, frames);
  EXPECT_EQ(t.counters().ecn_marks_in, 1u);
  t.read();
  t.take();
  s.tos = 0;
  frames[0] = fragment_of(build(s), {0, 400}, 2);
  s.tos = 3;
  frames[1] = fragment_of(build(s), {400, 800}, 2);
  frames[2] = fragment_of(build(s), {800, 1020}, 2);
  in(t, frames);
  EXPECT_EQ(t.counters().drop_ip_fragment, 1u) << "of which a part was not ECN-capable";
}

// What nobody who finds the path's MTU sends. Not even its first fragment takes memory.
TEST(Fragments, OfASegmentAreDroppedUnlessTheyAreWanted) {
  Given given = given_fragments();
  given.stack.tcp_fragments = StackConfig().tcp_fragments;
  Established t(given);
  in(t, cut(frame_of(t, 1, 1000), 400));
  t.silent();
  EXPECT_EQ(t.counters().drop_tcp_fragment, 3u);
  EXPECT_EQ(t.counters().fragments_in, 0u);
  EXPECT_EQ(t.stack().usage().reassembling, 0u);
  in(t, cut(echo_request(1000), 400));
  EXPECT_EQ(sent(t).size(), 1u) << "but an echo request's are put together";
}

TEST(Fragments, CanBeRefusedByConfiguration) {
  Given given = given_fragments();
  given.stack.max_reassembly = 0;
  Established t(given);
  in(t, cut(frame_of(t, 1, 1000), 400));
  t.silent();
  EXPECT_EQ(t.counters().drop_ip_fragment, 3u);
}

}  // namespace
}  // namespace tern::test
