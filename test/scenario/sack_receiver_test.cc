// SPDX-License-Identifier: BSD-3-Clause
// What the receiver reports: SACK blocks (RFC 2018) and duplicates (RFC 2883).
#include <gtest/gtest.h>

#include "script.h"

namespace tern::test {
namespace {

Given with_sack(bool timestamps = false) {
  Given given;
  given.peer_syn.sack_permitted = true;
  if (timestamps) given.peer_syn.ts = {1'000'000, 0};
  return given;
}

// Segment n is [1000 (n - 1) + 1, + 1000).
constexpr std::uint32_t begin_of(std::uint32_t n) { return 1000 * (n - 1) + 1; }
Segment segment(std::uint32_t n) { return data(begin_of(n), 1000, 1); }

/// Blocks from the beginning of one segment to the end of another.
struct Run {
  std::uint32_t first, last;
};
Segment ack_with(std::uint32_t ack_number, std::initializer_list<Run> runs) {
  Segment s = ack(1, ack_number);
  for (const Run& run : runs) s.sack.push_back({begin_of(run.first), begin_of(run.last + 1)});
  return s;
}

// RFC 2018 4: the block that holds the segment that came last is first, then those last reported.
TEST(SackBlocks, MostRecentFirst) {
  Established t(with_sack());
  t.in(segment(3));
  t.out({ack_with(1, {{3, 3}})});
  t.in(segment(5));
  t.out({ack_with(1, {{5, 5}, {3, 3}})});
  t.in(segment(9));
  t.out({ack_with(1, {{9, 9}, {5, 5}, {3, 3}})});
  t.in(segment(7));
  t.out({ack_with(1, {{7, 7}, {9, 9}, {5, 5}, {3, 3}})});
  t.in(segment(11));
  t.out({ack_with(1, {{11, 11}, {7, 7}, {9, 9}, {3, 3}})});
  t.in(segment(8));  // two runs become one
  t.out({ack_with(1, {{7, 9}, {11, 11}, {3, 3}, {5, 5}})});
  t.in(segment(4));
  t.out({ack_with(1, {{3, 5}, {7, 9}, {11, 11}})});
  t.in(segment(1));  // in order: the edge moves, the rest stays as it was
  t.out({ack_with(1001, {{3, 5}, {7, 9}, {11, 11}})});
  t.in(segment(2));
  t.out({ack_with(5001, {{7, 9}, {11, 11}})});
  t.in(segment(6));
  t.out({ack_with(9001, {{11, 11}})});
  t.in(segment(10));
  t.out({ack(1, 11'001)});
  EXPECT_EQ(t.record().received, stream(0, 11'000));
}

// Three fit beside a timestamp.
TEST(SackBlocks, LeaveRoomForTheTimestamp) {
  Established t(with_sack(true));
  for (const std::uint32_t n : {3u, 5u, 7u}) t.in(segment(n));
  t.take();
  t.in(segment(9));
  t.out({ack_with(1, {{9, 9}, {7, 7}, {5, 5}})});
  t.in(segment(10));
  t.out({ack_with(1, {{9, 10}, {7, 7}, {5, 5}})});
}

// A burst behind a hole is one event for the memory of what was reported last.
TEST(SackBlocks, ABurstIsOneEvent) {
  Established t(with_sack());
  for (const std::uint32_t n : {3u, 5u}) t.in(segment(n));
  t.take();
  t.in_burst({segment(7), segment(8), segment(9), segment(10), segment(11)});
  const Segment expected = ack_with(1, {{7, 11}, {5, 5}, {3, 3}});
  t.out({expected, expected, expected, expected, expected});  // RFC 5681 4.2: one for each
}

TEST(SackBlocks, OnlyIfBothEndsAgree) {
  Established unasked;
  unasked.in(segment(2));
  unasked.out({ack(1, 1)});
  Given given = with_sack();
  given.stack.tcp.sack = false;
  Established refused(given);
  refused.in(segment(2));
  refused.out({ack(1, 1)});
  refused.in(segment(2));
  refused.out({ack(1, 1)});
}

// Text that leaves no room for blocks does not swallow the news.
TEST(SackBlocks, BesideText) {
  Established t(with_sack());
  t.connection().set_nodelay(true);
  t.in(segment(2));
  t.out({ack_with(1, {{2, 2}})});
  t.write(100);
  Segment with_text = data(1, 100, 1, "P.");
  with_text.sack = {{1001, 2001}};
  t.out({with_text});
  t.write(1460);
  t.out({data(101, 1460, 1, "P.")});
  t.in(segment(4));
  t.out({[] {
    Segment news = ack_with(1, {{4, 4}, {2, 2}});
    news.seq = 1561;
    return news;
  }()});
}

TEST(SackBlocks, OnTheSynAckIsOnlyThePermission) {
  Given given = with_sack();
  SynReceived t(given);  // its SYN,ACK is compared there
  SynSent active(given);
  Segment answer = given.peer_syn;
  answer.flags = "S.";
  answer.ack = 1;
  active.in(answer);
  active.out({ack(1, 1)});
  active.in(segment(2));
  active.out({ack_with(1, {{2, 2}})});
}

// RFC 2883 4.1: a duplicate of what is acknowledged, once.
TEST(Dsack, OfWhatIsAcknowledged) {
  Established t(with_sack());
  t.in(segment(1));
  t.in(segment(2));
  t.out({ack(1, 2001)});
  t.in(segment(1));
  t.out({ack_with(2001, {{1, 1}})});
  t.in(segment(4));
  t.out({ack_with(2001, {{4, 4}})});
  t.in(segment(2));
  t.out({ack_with(2001, {{2, 2}, {4, 4}})});
  EXPECT_EQ(t.counters().dsacks_out, 2u);
}

// 4.2: of what waits out of order, with the run that holds it next.
TEST(Dsack, OfWhatWaits) {
  Established t(with_sack());
  for (const std::uint32_t n : {3u, 4u, 6u}) t.in(segment(n));
  t.take();
  t.in(segment(4));
  t.out({ack_with(1, {{4, 4}, {3, 4}, {6, 6}})});
}

// 4.3: the part that is a duplicate.
TEST(Dsack, OfAPart) {
  Established t(with_sack());
  t.in(segment(1));
  t.take();
  t.in(data(501, 1000, 1));
  Segment expected = ack(1, 1501);
  expected.sack = {{501, 1001}};
  t.out_at(40ms, {expected});
}

}  // namespace
}  // namespace tern::test
