// SPDX-License-Identifier: BSD-3-Clause
// Large segments, which the device cuts: on the wire nothing may tell of them. The port shows what
// it has cut, and asserts that a large segment asks for what a device can do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

Given cutting(std::uint32_t tso_bytes = 64'000) {
  Given given;
  given.peer_syn.mss = 1000;
  given.tso_bytes = tso_bytes;
  return given;
}

struct Cutting : Established {
  explicit Cutting(const Given& g = cutting()) : Established(g) {}
  std::uint64_t large() { return counters().tso_out; }
  // In one poll.
  void write_and_finish(std::size_t bytes) {
    const std::string text = stream(0, bytes);
    const auto taken = connection().write(std::as_bytes(std::span(text)));
    EXPECT_TRUE(taken.ok() && *taken == bytes);
    shutdown_send();
  }
};

TEST(Tso, NewTextLeavesInOneLargeSegment) {
  Cutting t;
  t.write(5000);
  t.out({data(1, 1000, 1), data(1001, 1000, 1), data(2001, 1000, 1), data(3001, 1000, 1),
         data(4001, 1000, 1, "P.")});
  EXPECT_EQ(t.large(), 1u);
  EXPECT_EQ(t.port().counts().cut, 1u);
  EXPECT_EQ(t.counters().segs_out, 1u + 5) << "the SYN,ACK, and each that is on the wire";
}

TEST(Tso, ASingleSegmentIsNotLarge) {
  Cutting t;
  t.write(1000);
  t.out({data(1, 1000, 1, "P.")});
  t.write(1999);  // a full one, and one that is not
  EXPECT_EQ(t.take().size(), 1u);
  t.in(ack(1, 2001));
  EXPECT_EQ(t.take().size(), 1u);
  EXPECT_EQ(t.large(), 0u);
}

TEST(Tso, OnlyFullSegmentsAreCut) {
  Cutting t;
  t.write(2500);
  t.out({data(1, 1000, 1), data(1001, 1000, 1)});  // Nagle keeps the rest
  EXPECT_EQ(t.large(), 1u);
  t.in(ack(1, 2001));
  t.out({data(2001, 500, 1, "P.")});
}

TEST(Tso, FinGoesWithTheLast) {
  Cutting t;
  t.write_and_finish(3000);
  t.out({data(1, 1000, 1), data(1001, 1000, 1), data(2001, 1000, 1, "FP.")});
  EXPECT_EQ(t.large(), 1u);
  EXPECT_EQ(t.state(), TcpState::kFinWait1);
}

// A FIN takes a number of the window too.
TEST(Tso, FinWaitsForTheWindow) {
  Given given = cutting();
  given.peer_syn.window = 2000;
  Cutting t(given);
  t.write_and_finish(2000);
  t.out({data(1, 1000, 1), data(1001, 1000, 1, "P.")});
  EXPECT_EQ(t.large(), 1u);
  t.in(ack(1, 2001));
  t.out({seg("F.", 2001, 1)});
}

TEST(Tso, ThePeersWindowIsTheLimit) {
  Cutting t;
  Segment narrow = ack(1, 1);
  narrow.window = 3999;
  t.in(narrow);
  t.write(8000);
  t.out({data(1, 1000, 1), data(1001, 1000, 1), data(2001, 1000, 1)});
  EXPECT_EQ(t.large(), 1u);
}

TEST(Tso, SoIsTheCongestionWindow) {
  Cutting t;
  t.write(30'000);
  EXPECT_EQ(t.take().size(), 10u) << "RFC 6928's initial window";
  t.in(ack(1, 2001));
  EXPECT_EQ(t.take().size(), 4u) << "two that have left, and slow start's two";
  EXPECT_EQ(t.large(), 2u);
}

TEST(Tso, WhatTheDeviceCutsIsTheLimit) {
  Cutting t(cutting(4000));
  t.write(9000);
  EXPECT_EQ(t.take().size(), 9u);
  EXPECT_EQ(t.port().counts().cut, 3u) << "3000 bytes each: with headers 4000 are four and a bit";
  EXPECT_EQ(t.large(), 3u);
}

TEST(Tso, EachPieceHasTheTimestampsAndFitsTheMss) {
  Given given = cutting();
  given.peer_syn.ts = {7, 0};
  Cutting t(given);
  t.write(1976);
  const std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(t.large(), 1u);
  for (const Segment& s : sent) {
    EXPECT_EQ(s.payload.size(), 1000u - 12);
    EXPECT_EQ(s.ts, sent[0].ts);
    EXPECT_TRUE(s.ts.present);
  }
}

// Some drivers refuse to cut into pieces below 256 bytes, and all of the large segment would be
// lost (DPDK's net_i40e and net_iavf).
TEST(Tso, SegmentsThatDevicesRefuseToCutAreSingle) {
  for (const std::uint16_t mss : {std::uint16_t{255}, std::uint16_t{256}}) {
    Given given = cutting();
    given.peer_syn.mss = mss;
    Cutting t(given);
    t.write(2 * std::size_t{mss});
    EXPECT_EQ(t.take().size(), 2u);
    EXPECT_EQ(t.large(), mss < 256 ? 0u : 1u) << mss;
  }
}

// The first one's round trip is timed, as if it had gone by itself.
TEST(Tso, TheFirstPieceIsTimed) {
  Cutting t;
  t.write(5000);
  t.take();
  t.run_to(40ms);
  t.in(ack(1, 1001));
  EXPECT_EQ(t.info().srtt_us, 5000u) << "an eighth of it: the SYN's was 0";
}

TEST(Tso, RepetitionsAreSingle) {
  Cutting t;
  t.write(5000);
  EXPECT_EQ(t.take().size(), 5u);
  for (int i = 0; i < 3; ++i) t.in(ack(1, 1));
  t.out({data(1, 1000, 1)});
  EXPECT_EQ(t.large(), 1u);
}

// After a time-out all is sent again, in what slow start allows, and none of it is large.
TEST(Tso, AfterATimeOutToo) {
  Cutting t;
  t.write(10'000);
  EXPECT_EQ(t.take().size(), 10u);
  while (t.counters().rto_timeouts == 0) t.run_for(100ms);
  t.take();
  t.in(ack(1, 1001));
  t.out({data(1001, 1000, 1), data(2001, 1000, 1)});
  EXPECT_EQ(t.large(), 1u);
  t.in(ack(1, 10'001));
  t.write(10'000);
  EXPECT_GE(t.take().size(), 2u);
  EXPECT_EQ(t.large(), 2u) << "new text is large again";
}

// What a hole makes the receiver report has no room in full segments, nor the same in each.
TEST(Tso, WithSackBlocksToTellSegmentsAreSingle) {
  Given given = cutting();
  given.peer_syn.sack_permitted = true;
  Cutting t(given);
  t.in(data(101, 100, 1));
  t.take();
  t.write(3000);
  EXPECT_EQ(t.take().size(), 3u);
  EXPECT_EQ(t.large(), 0u);
}

// RFC 3168: every piece is ECN-capable and echoes a mark; the one that says that the window was
// reduced goes by itself, since a device need not know that it is for the first piece only.
TEST(Tso, EcnGoesWithEachPieceAndCwrAlone) {
  Given given = cutting();
  given.peer_syn.flags = "SEW";
  Listening t(given);
  t.in(given.peer_syn);
  t.in(ack(1, 1));
  t.take();
  t.write(30'000);
  std::vector<Segment> sent = t.take();
  ASSERT_EQ(sent.size(), 10u);
  for (const Segment& s : sent) EXPECT_EQ(s.tos, 2) << "ECT(0)";
  EXPECT_EQ(t.counters().tso_out, 1u);
  Segment echo = ack(1, 1001);
  echo.flags = ".E";
  t.in(echo);
  t.silent();  // half of nine in flight is the window
  t.in(ack(1, 9001));
  sent = t.take();
  ASSERT_GE(sent.size(), 3u);
  EXPECT_EQ(sent[0].flags, ".W");
  for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_EQ(sent[i].flags, ".");
  EXPECT_EQ(t.counters().tso_out, 2u);
  Segment marked = data(1, 100, 10'001 + 1000 * static_cast<std::uint32_t>(sent.size()));
  marked.tos = 3;
  t.in(marked);
  sent = t.take();
  ASSERT_GE(sent.size(), 2u);
  for (const Segment& s : sent) EXPECT_EQ(s.flags, ".E");
  EXPECT_EQ(t.counters().tso_out, 3u);
}

}  // namespace
}  // namespace tern::test
