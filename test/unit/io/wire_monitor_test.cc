// SPDX-License-Identifier: BSD-3-Clause
#include "support/wire_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/script_port.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint32_t kOurs = 1000;   // the watched end's ISN
constexpr std::uint32_t kPeers = 5000;  // the peer's

// Plays both ends by hand. `ours` is the path of what the watched end sends.
class Monitor : public testing::Test {
 protected:
  void sent(Segment segment) {
    segment.path = ours_;
    monitor_.sent(now_, build(segment));
  }
  void received(Segment segment) {
    segment.path = ours_.reversed();
    monitor_.received(now_, build(segment));
  }
  // A passive open; a window of 10,000 and an MSS of 1000 from the peer.
  void establish() {
    received({.flags = "S", .seq = kPeers, .window = 10'000, .mss = 1000});
    sent({.flags = "S.", .seq = kOurs, .ack = kPeers + 1, .window = 8000, .mss = 1460});
    received({.flags = ".", .seq = kPeers + 1, .ack = kOurs + 1, .window = 10'000});
  }
  // With window scaling (ours 4, the peer's 7) and timestamps.
  void establish_with_options() {
    received(
        {.flags = "S", .seq = kPeers, .window = 10'000, .mss = 1460, .ts = {1, 0}, .wscale = 7});
    sent({.flags = "S.",
          .seq = kOurs,
          .ack = kPeers + 1,
          .window = 65535,
          .ts = {100, 1},
          .wscale = 4});
    received({.flags = ".", .seq = kPeers + 1, .ack = kOurs + 1, .window = 100, .ts = {2, 100}});
  }
  Segment data(std::uint32_t offset, const std::string& payload) const {
    return {.flags = "P.",
            .seq = kOurs + 1 + offset,
            .ack = kPeers + 1,
            .window = 8000,
            .payload = payload};
  }
  void expect_violation(const std::string& words) {
    EXPECT_THAT(monitor_.violations(), ElementsAre(HasSubstr(words)));
  }

  const Path ours_ = Path{}.reversed();
  Instant now_{};
  WireMonitor monitor_{"end"};
};

TEST_F(Monitor, AWholeConnectionIsInOrder) {
  establish();
  sent(data(0, "hello "));
  sent(data(6, "world"));
  received({.seq = kPeers + 1, .ack = kOurs + 7, .window = 10'000, .payload = "abc"});
  Segment ack = data(6, "world");  // again, with a newer ACK
  ack.ack = kPeers + 4;
  ack.window = 7997;
  sent(ack);
  received({.flags = "F.", .seq = kPeers + 4, .ack = kOurs + 12, .window = 10'000});
  sent({.flags = "F.", .seq = kOurs + 12, .ack = kPeers + 5, .window = 0});
  sent({.flags = "F.", .seq = kOurs + 12, .ack = kPeers + 5, .window = 0});
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  EXPECT_EQ(monitor_.segments_checked(), 6u);
}

TEST_F(Monitor, AnActiveOpenIsInOrder) {
  sent({.flags = "S", .seq = kOurs, .mss = 1460, .ts = {1, 0}, .wscale = 2});
  sent({.flags = "S", .seq = kOurs, .mss = 1460, .ts = {2, 0}, .wscale = 2});
  received(
      {.flags = "S.", .seq = kPeers, .ack = kOurs + 1, .window = 4, .ts = {5, 1}, .wscale = 0});
  sent({.flags = ".", .seq = kOurs + 1, .ack = kPeers + 1, .window = 16384, .ts = {3, 5}});
  sent({.flags = "P.",
        .seq = kOurs + 1,
        .ack = kPeers + 1,
        .window = 16384,
        .ts = {3, 5},
        .payload = "four"});
  EXPECT_THAT(monitor_.violations(), IsEmpty());
}

TEST_F(Monitor, WrongChecksums) {
  establish();
  Segment segment = data(0, "x");
  segment.tcp_checksum_ok = false;
  segment.ip_checksum_ok = false;
  sent(segment);
  EXPECT_THAT(monitor_.violations(),
              ElementsAre(HasSubstr("wrong IP checksum"), HasSubstr("wrong TCP checksum")));
}

TEST_F(Monitor, BeyondTheWindow) {
  establish();
  const std::string piece(1000, 'a');
  for (std::uint32_t i = 0; i < 10; ++i) sent(data(i * 1000, piece));
  sent(data(10'000, "p"));  // a window probe: one byte
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent(data(10'000, "pq"));
  expect_violation("beyond the peer's right edge 11001");
}

TEST_F(Monitor, TheScaledWindowCounts) {
  establish_with_options();  // 100 << 7 = 12,800
  Segment segment{.flags = ".",
                  .seq = kOurs + 1,
                  .ack = kPeers + 1,
                  .window = 4096,
                  .ts = {100, 2},
                  .payload = std::string(1440, 'b')};
  for (; segment.seq + 1440 <= kOurs + 1 + 12'800; segment.seq += 1440) sent(segment);
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent(segment);
  expect_violation("beyond the peer's right edge");
}

TEST_F(Monitor, DataBeforeTheHandshake) {
  sent({.flags = "S", .seq = kOurs, .payload = "early"});
  expect_violation("data before the peer's window is known");
}

TEST_F(Monitor, LargerThanTheMss) {
  establish();
  sent(data(0, std::string(1000, 'm')));
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent(data(1000, std::string(1001, 'm')));
  expect_violation("larger than the peer's MSS of 1000");
}

TEST_F(Monitor, OptionsCountTowardsTheMss) {
  establish_with_options();
  Segment segment{.flags = ".",
                  .seq = kOurs + 1,
                  .ack = kPeers + 1,
                  .window = 4096,
                  .ts = {100, 2},
                  .payload = std::string(1449, 'b')};
  sent(segment);  // 1449 + 12 > 1460
  expect_violation("larger than the peer's MSS of 1460");
}

TEST_F(Monitor, AckBackwards) {
  establish();
  received({.seq = kPeers + 1, .ack = kOurs + 1, .window = 10'000, .payload = "abc"});
  sent({.seq = kOurs + 1, .ack = kPeers + 4, .window = 8000});
  sent({.seq = kOurs + 1, .ack = kPeers + 3, .window = 8001});
  expect_violation("the ACK went backwards from 5004");
}

TEST_F(Monitor, AckOfWhatNeverArrived) {
  establish();
  sent({.seq = kOurs + 1, .ack = kPeers + 2, .window = 8000});
  expect_violation("an ACK beyond what arrived, 5001");
}

TEST_F(Monitor, WindowShrinks) {
  establish();
  sent({.seq = kOurs + 1, .ack = kPeers + 1, .window = 7999});
  expect_violation("the offered right edge shrank by 1");
}

TEST_F(Monitor, RoundingAfterTheSynIsNoShrinking) {
  establish_with_options();  // 65535 unscaled, then in units of 16
  sent({.seq = kOurs + 1, .ack = kPeers + 1, .window = 4095, .ts = {100, 2}});  // 65520
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent({.seq = kOurs + 1, .ack = kPeers + 1, .window = 4094, .ts = {100, 2}});
  expect_violation("the offered right edge shrank by 16");
}

TEST_F(Monitor, SynInTheMiddle) {
  establish();
  sent(data(0, "x"));
  sent({.flags = "S.", .seq = kOurs, .ack = kPeers + 1, .window = 8000});
  expect_violation("a SYN in the middle of a connection");
}

// ... but one that waits for a TCB may repeat its SYN,ACK, until it has acknowledged data.
TEST_F(Monitor, ASynAckMayBeRepeatedByWhoHasTakenNothingYet) {
  establish();
  sent({.flags = "S.", .seq = kOurs, .ack = kPeers + 1, .window = 8000});
  EXPECT_EQ(monitor_.violations(), std::vector<std::string>{});
}

TEST_F(Monitor, ASegmentBeforeAnySyn) {
  sent({.seq = 1, .ack = 1});
  expect_violation("a segment before any SYN");
}

TEST_F(Monitor, ASegmentWithoutAck) {
  establish();
  Segment segment = data(0, "x");
  segment.flags = "P";
  sent(segment);
  expect_violation("a segment without ACK");
}

TEST_F(Monitor, ARetransmissionMustNotChange) {
  establish();
  sent(data(0, "abcdef"));
  sent(data(2, "cdef"));
  sent(data(4, "efgh"));  // overlaps and goes on
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent(data(5, "fgX"));
  expect_violation("other bytes than were sent before");
}

TEST_F(Monitor, WhatWasAcknowledgedMayBeAnything) {
  establish();
  sent(data(0, "abc"));
  received({.seq = kPeers + 1, .ack = kOurs + 4, .window = 10'000});
  sent(data(2, "?"));  // a keep-alive
  EXPECT_THAT(monitor_.violations(), IsEmpty());
}

TEST_F(Monitor, AGap) {
  establish();
  sent(data(1, "x"));
  expect_violation("a gap in the sequence numbers after 1001");
}

TEST_F(Monitor, TheFinMoves) {
  establish();
  sent({.flags = "F.", .seq = kOurs + 1, .ack = kPeers + 1, .window = 8000});
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent({.flags = "F.", .seq = kOurs + 2, .ack = kPeers + 1, .window = 8000});
  EXPECT_THAT(monitor_.violations(),
              ElementsAre(HasSubstr("data behind the FIN"), HasSubstr("the FIN moved from 1001")));
}

TEST_F(Monitor, DataBehindTheFin) {
  establish();
  sent({.flags = "F.", .seq = kOurs + 1, .ack = kPeers + 1, .window = 8000});
  sent(data(1, "x"));
  expect_violation("data behind the FIN");
}

TEST_F(Monitor, AFinBeforeDataAlreadySent) {
  establish();
  sent(data(0, "abc"));
  sent({.flags = "F.", .seq = kOurs + 2, .ack = kPeers + 1, .window = 8000});
  expect_violation("a FIN before data already sent");
}

TEST_F(Monitor, OnlyResetsAfterAReset) {
  establish();
  sent({.flags = "R.", .seq = kOurs + 1, .ack = kPeers + 1, .window = 0});
  sent({.flags = "R", .seq = kOurs + 1, .window = 0});
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent(data(0, "x"));
  expect_violation("a segment after a RST");
}

TEST_F(Monitor, ANewConnectionOfTheSameTupleStartsAfresh) {
  establish();
  sent(data(0, "old"));
  sent({.flags = "R.", .seq = kOurs + 4, .ack = kPeers + 1, .window = 0});
  received({.flags = "S", .seq = 77, .window = 100});
  sent({.flags = "S.", .seq = 99, .ack = 78, .window = 10});
  received({.seq = 78, .ack = 100, .window = 100});
  sent({.seq = 100, .ack = 78, .window = 10, .payload = "new"});
  EXPECT_THAT(monitor_.violations(), IsEmpty());
}

TEST_F(Monitor, ASynSentResetRefusesOneSegmentOnly) {
  sent({.flags = "S", .seq = kOurs});
  received({.seq = 7, .ack = 8});  // of an old connection
  sent({.flags = "R", .seq = 8, .window = 0});
  sent({.flags = "S", .seq = kOurs});
  EXPECT_THAT(monitor_.violations(), IsEmpty());
}

TEST_F(Monitor, Timestamps) {
  establish_with_options();
  sent({.seq = kOurs + 1, .ack = kPeers + 1, .window = 4096});
  expect_violation("no timestamp (RFC 7323 3.2)");
  sent({.seq = kOurs + 1, .ack = kPeers + 1, .window = 4096, .ts = {99, 2}});
  EXPECT_THAT(monitor_.violations().back(), HasSubstr("the timestamp went backwards from 100"));
}

TEST_F(Monitor, OptionsThatWereNotOffered) {
  received({.flags = "S", .seq = kPeers});
  sent({.flags = "S.",
        .seq = kOurs,
        .ack = kPeers + 1,
        .sack_permitted = true,
        .ts = {1, 0},
        .wscale = 1});
  EXPECT_THAT(monitor_.violations(), ElementsAre(HasSubstr("a window scale that was not offered"),
                                                 HasSubstr("timestamps that were not offered"),
                                                 HasSubstr("SACK that was not offered")));
  sent({.flags = ".", .seq = kOurs + 1, .ack = kPeers + 1, .ts = {1, 0}});
  EXPECT_THAT(monitor_.violations().back(), HasSubstr("a timestamp, but none agreed"));
}

TEST_F(Monitor, ASynAckForNothing) {
  sent({.flags = "S.", .seq = kOurs, .ack = 1});
  EXPECT_THAT(monitor_.violations(), testing::Contains(HasSubstr("a SYN-ACK for no SYN")));
}

TEST_F(Monitor, WhatArrivesDamagedDidNotArrive) {
  establish();
  received({.seq = kPeers + 1, .ack = kOurs + 1, .payload = "abc", .tcp_checksum_ok = false});
  sent({.seq = kOurs + 1, .ack = kPeers + 4, .window = 8000});
  expect_violation("an ACK beyond what arrived");
}

TEST_F(Monitor, SequenceNumbersWrap) {
  received({.flags = "S", .seq = 0xffffffff, .window = 1000});
  sent({.flags = "S.", .seq = 0xfffffffe, .ack = 0, .window = 1000});
  received({.seq = 0, .ack = 0xffffffff, .window = 1000});
  for (std::uint32_t i = 0; i < 4; ++i)
    sent({.seq = 0xffffffff + i,
          .ack = 0,
          .window = 1000,
          .payload = std::string(1, char('a' + i))});
  received({.seq = 0, .ack = 2, .window = 1000});
  sent({.seq = 2, .ack = 0, .window = 1000, .payload = "d"});
  EXPECT_THAT(monitor_.violations(), IsEmpty());
  sent({.seq = 2, .ack = 0, .window = 1000, .payload = "c"});
  expect_violation("other bytes");
}

TEST_F(Monitor, WatchesAPort) {
  ScriptPort port;
  port.observe(monitor_.observer());
  Frame frame;
  ASSERT_EQ(port.allocate({&frame, 1}), 1u);
  const Bytes bytes = build(Segment{.seq = 1});
  std::copy(bytes.begin(), bytes.end(), frame.data);
  frame.length = static_cast<std::uint32_t>(bytes.size());
  ASSERT_EQ(port.transmit({&frame, 1}), 1u);
  expect_violation("a segment before any SYN");
}

}  // namespace
}  // namespace tern::test
