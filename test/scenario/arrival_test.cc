// SPDX-License-Identifier: BSD-3-Clause
// What may arrive: out of order, twice, differing, from the past, with strange options or numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::AllOf;
using testing::ElementsAre;

// ---- Reassembly ----

TEST(Reassembly, EachOutOfOrderSegmentIsAnsweredAtOnce) {  // RFC 5681 4.2
  Established t;
  t.in(data(101, 100, 1));
  t.out({ack(1, 1)});
  t.in_burst({data(201, 100, 1), data(301, 100, 1), data(301, 100, 1)});
  t.out({ack(1, 1), ack(1, 1), ack(1, 1)});
  t.in(data(1, 100, 1));
  t.out({ack(1, 401)});
  EXPECT_EQ(t.record().received, stream(0, 400));
  EXPECT_EQ(t.counters().rx_out_of_order, 3u);
  EXPECT_EQ(t.counters().rx_duplicate, 1u);
}

TEST(Reassembly, WhileOneOfTwoGapsIsFilledTheAckIsImmediate) {
  Established t;
  t.in(data(101, 100, 1));
  t.in(data(301, 100, 1));
  t.take();
  t.in(data(1, 100, 1));
  t.out({ack(1, 201)});
  t.in(data(201, 100, 1));
  t.out({ack(1, 401)});
}

TEST(Reassembly, DuplicateDataIsAcknowledgedAtOnce) {
  Established t;
  t.in(data(1, 100, 1));
  t.out_at(40ms, {ack(1, 101)});
  for (int i = 0; i < 3; ++i) {
    t.in(data(1, 100, 1));
    t.out({ack(1, 101)});
  }
  t.in(data(51, 100, 1));  // half of it is new
  t.out_at(80ms, {ack(1, 151)});
  EXPECT_EQ(t.record().received, stream(0, 150));
}

TEST(Reassembly, FinBehindTextThatCameBefore) {  // RFC 9293 3.10.7.4: the rest of it counts
  for (const std::uint32_t repeated : {100u, 60u}) {
    Established t;
    t.in(data(1, 100, 1));
    t.take();
    t.in(data(101 - repeated, repeated, 1, "F."));
    t.out({ack(1, 102)});
    EXPECT_EQ(t.state(), kCloseWait);
    EXPECT_EQ(t.record().received, stream(0, 100));
  }
}

TEST(Reassembly, FinOutOfOrder) {
  Established t;
  t.in(seg("F.", 101, 1));
  t.out({ack(1, 1)});
  EXPECT_EQ(t.state(), kEstablished);
  t.in(data(51, 50, 1));
  t.out({ack(1, 1)});
  t.in(data(1, 50, 1));
  t.out({ack(1, 102)});
  EXPECT_EQ(t.state(), kCloseWait);
  EXPECT_EQ(t.record().received, stream(0, 100));
  EXPECT_EQ(t.record().peer_finished, 1u);
}

TEST(Reassembly, FinWithDataOutOfOrder) {
  FinWait2 t;
  t.in(data(101, 50, 2, "FP."));
  t.out({ack(2, 1)});
  t.in(data(1, 100, 2));
  t.out({ack(2, 152)});
  EXPECT_EQ(t.state(), kTimeWait);
  EXPECT_EQ(t.record().received, stream(0, 150));
}

TEST(Reassembly, NothingComesAfterAFin) {
  Given given;
  given.monitored = false;  // it takes the impossible data for sent
  Established t(given);
  t.in(seg("F.", 101, 1));
  t.in(seg(".", 101, 1, "beyond"));
  t.in(seg(".", 91, 1, "0123456789beyond"));
  t.in(data(1, 90, 1));
  EXPECT_EQ(t.state(), kCloseWait);
  EXPECT_EQ(t.record().received, stream(0, 90) + "0123456789");
  EXPECT_EQ(t.take().back().ack, 102u);
}

// Of the bytes that arrive for one number the first ones count, in all of Allen's 13 relations of
// two intervals, whatever fills the gaps afterwards: were it otherwise, an inspecting middlebox and
// we might read different streams.
TEST(Reassembly, TheFirstByteWins) {
  constexpr std::uint32_t kBytes = 5;
  struct Interval {
    std::uint32_t begin, end;
  };
  std::vector<Interval> all;
  for (std::uint32_t begin = 0; begin < kBytes; ++begin)
    for (std::uint32_t end = begin + 1; end <= kBytes; ++end) all.push_back({begin, end});
  Given given;
  given.monitored = false;
  for (const Interval a : all) {
    for (const Interval b : all) {
      Established t(given);
      std::string expected(kBytes, 'c');
      for (const auto& [interval, letter] : {std::pair(b, 'b'), std::pair(a, 'a')})
        std::fill(expected.begin() + interval.begin, expected.begin() + interval.end, letter);
      t.in(seg(".", 1 + a.begin, 1, std::string(a.end - a.begin, 'a')));
      t.in(seg(".", 1 + b.begin, 1, std::string(b.end - b.begin, 'b')));
      t.in(seg(".", 1, 1, std::string(kBytes, 'c')));
      t.take();
      EXPECT_EQ(t.record().received, expected)
          << "[" << a.begin << ", " << a.end << ") then [" << b.begin << ", " << b.end << ")";
      EXPECT_EQ(t.info().bytes_received, kBytes);
    }
  }
}

// ---- Numbers that cannot be right ----

// RFC 5961 5, RFC 9293 3.10.7.4: an ACK of what was never sent, or of long ago, is answered, within
// limits, and changes nothing.
TEST(Arrival, AcksOfTheFutureAndOfThePast) {
  for (const std::uint32_t wrong : {102u, 1u - 65536u, 0x80000000u}) {
    SCOPED_TRACE(wrong);
    Established t;
    t.write(100);
    t.out({data(1, 100, 1, "P.")});
    t.in(seg(".", 1, wrong, "data"));
    t.out({ack(101, 1)});
    EXPECT_EQ(t.record().received, "");
    t.in(ack(1, wrong));
    t.silent();
    EXPECT_EQ(t.counters().rx_bad_ack, 2u);
    t.in(ack(1, 101));
    EXPECT_EQ(t.info().bytes_acked, 100u);
  }
}

TEST(Arrival, AnOldAckInsideTheLargestWindowIsHarmless) {
  Established t;
  t.write(100);
  t.take();
  t.in(ack(1, 101));
  t.in(seg(".", 1, 1u - 65000u, "data"));
  EXPECT_EQ(t.record().received, "data");
}

TEST(Arrival, SegmentsWithoutAckAreDropped) {
  Given given;
  given.monitored = false;
  Established t(given);
  t.in(seg("F", 1, 0, "data"));
  t.silent_to(1s);
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_EQ(t.record().received, "");
}

// Two ends that think nothing of each other's numbers fall silent, instead of telling each other
// for ever.
TEST(Arrival, AckLoopsEnd) {
  Established t;
  t.in(ack(0x80000000, 1));
  std::size_t answers = 0;
  for (int round_trips = 0; round_trips < 100; ++round_trips) {
    t.run_for(1ms);
    const std::size_t answered = t.take().size();
    if (answered == 0) break;
    answers += answered;
    t.in(ack(0x80000000, 1));
  }
  EXPECT_EQ(answers, 1u);
}

// ---- Timestamps (RFC 7323) ----

Given with_timestamps() {
  Given given;
  given.peer_syn.ts = {5000, 0};
  return given;
}

Segment with_ts(Segment segment, std::uint32_t value, std::uint32_t echo = 0) {
  segment.ts = {value, echo};
  return segment;
}

TEST(Paws, RejectsWhatIsOlder) {
  Established t(with_timestamps());
  t.in(with_ts(data(1, 100, 1), 5100));
  t.out_at(40ms, {with_ts(ack(1, 101), 40, 5100)});
  t.in(with_ts(data(101, 100, 1), 5099));
  t.out({with_ts(ack(1, 101), 40, 5100)});
  EXPECT_EQ(t.record().received, stream(0, 100));
  EXPECT_EQ(t.counters().rx_paws_rejected, 1u);
  t.in(with_ts(data(101, 100, 1), 5100));
  EXPECT_EQ(t.record().received, stream(0, 200));
}

TEST(Paws, ComparesAroundTheCircle) {
  Given given;
  given.peer_syn.ts = {0xffffffff, 0};
  Established t(given);
  t.in(with_ts(data(1, 10, 1), 5));
  EXPECT_EQ(t.record().received, stream(0, 10));
  t.take();
  t.run_to(40ms);
  t.take();
  t.in(with_ts(data(11, 10, 1), 0xfffffffe));
  EXPECT_EQ(t.record().received, stream(0, 10));
}

// 5.2: a RST says when it was lost to whom, not when: it is not subject to PAWS.
TEST(Paws, DoesNotApplyToResets) {
  Established t(with_timestamps());
  t.in(with_ts(seg("R", 1, 0), 4000));
  EXPECT_EQ(t.record().reason, CloseReason::kReset);
}

// 5.5: after 24 days the clock may have gone half around.
TEST(Paws, ForgetsAfter24Days) {
  Established t(with_timestamps());
  for (int day = 1; day < 24; ++day) t.run_for(24h);
  t.run_for(24h - 1ms);
  t.in(with_ts(data(1, 10, 1), 4999));
  EXPECT_EQ(t.record().received, "");
  t.run_to(24h * 24 + 1s);  // its clock is coarse
  t.in(with_ts(data(1, 10, 1), 4999));
  EXPECT_EQ(t.record().received, stream(0, 10));
}

// Segments outside the window, or with an impossible ACK, must not poison PAWS.
TEST(Paws, IsNotPoisoned) {
  Established t(with_timestamps());
  t.in(with_ts(data(70'000, 10, 1), 0x7fff'0000));
  t.in(with_ts(data(0x80000000, 10, 1), 0x7fff'0000));
  t.in(with_ts(seg("R", 100, 0), 0x7fff'0000));
  t.in(with_ts(data(101, 10, 1), 0x7fff'0000));  // inside, but not next
  t.take();
  t.in(with_ts(data(1, 10, 1), 5001));
  EXPECT_EQ(t.record().received, stream(0, 10));
}

// 4.3: the echo is of the segment that the ACK was last owed for, so that the peer's sample
// includes the delay of the ACK.
TEST(TimestampEcho, OfTheFirstUnacknowledgedSegment) {
  Established t(with_timestamps());
  t.in(with_ts(data(1, 100, 1), 5010));
  t.run_to(10ms);
  t.in(with_ts(data(101, 100, 1), 5020));
  t.out_at(40ms, {with_ts(ack(1, 201), 40, 5010)});
  t.in(with_ts(data(201, 100, 1), 5050));
  t.out_at(80ms, {with_ts(ack(1, 301), 80, 5050)});
}

TEST(TimestampEcho, NotOfSegmentsBehindAHole) {
  Established t(with_timestamps());
  t.in(with_ts(data(1, 100, 1), 5010));
  t.out_at(40ms, {with_ts(ack(1, 101), 40, 5010)});
  t.in(with_ts(data(201, 100, 1), 5030));
  t.out({with_ts(ack(1, 101), 40, 5010)});
  t.in(with_ts(data(101, 100, 1), 5040));
  t.out({with_ts(ack(1, 301), 40, 5040)});
}

// 3.2: once agreed, what comes without is dropped, but for a RST.
TEST(Timestamps, MissingOnesAreDropped) {
  Established t(with_timestamps());
  Segment bare = data(1, 10, 1);
  bare.raw_options = Bytes(4, std::byte{1});
  t.in(bare);
  t.silent_to(1s);
  EXPECT_EQ(t.record().received, "");
  EXPECT_EQ(t.counters().drop_tcp_missing_timestamp, 1u);
  Segment reset = seg("R", 1, 0);
  reset.raw_options = bare.raw_options;
  t.in(reset);
  EXPECT_EQ(t.record().reason, CloseReason::kReset);
}

TEST(Timestamps, ThatWereNotAgreedMeanNothing) {
  Established t;
  t.in(with_ts(data(1, 10, 1), 9000));
  t.in(with_ts(data(11, 10, 1), 1));
  t.in(with_ts(data(21, 10, 1), 0x90000000));  // before 0, where nothing was agreed
  EXPECT_EQ(t.record().received, stream(0, 30));
  t.silent();
  t.in(with_ts(data(41, 10, 1), 0x90000000));  // behind a gap, off the predicted path
  t.in(with_ts(data(31, 10, 1), 0x90000000));
  EXPECT_EQ(t.record().received, stream(0, 50));
  t.out({ack(1, 31), ack(1, 51)});
}

// ---- The peer's other options ----

TEST(Options, WindowScaleIsAtMost14) {  // RFC 7323 2.3
  for (const std::uint8_t scale : std::vector<std::uint8_t>{14, 15, 16, 31, 32, 255}) {
    Given given;
    given.peer_syn.wscale = scale;
    given.peer_syn.window = 1000;
    Established t(given);
    EXPECT_EQ(t.info().send_window_scale, 14u);
    EXPECT_EQ(t.info().send_window_bytes, 1000u << 14);
  }
}

// MUST-15; a floor, since a peer that asks for 1-byte segments asks for 40 times its bandwidth.
TEST(Options, Mss) {
  struct Case {
    std::optional<std::uint16_t> offered;
    std::uint32_t used;
  };
  for (const Case c :
       {Case{std::nullopt, 536}, Case{0, 48}, Case{1, 48}, Case{47, 48}, Case{48, 48},
        Case{536, 536}, Case{1460, 1460}, Case{1461, 1460}, Case{65535, 1460}}) {
    Given given;
    given.peer_syn.mss = c.offered;
    given.monitored = c.offered.value_or(536) >= 48;
    Established t(given);
    EXPECT_EQ(t.info().send_mss, c.used);
    t.write(c.used + 1);
    t.out({data(1, c.used, 1)});
    t.in(ack(1, 1 + c.used));
    t.out({data(1 + c.used, 1, 1, "P.")});
    t.in(ack(1, 2 + c.used));
  }
}

// RFC 7323 1.3: the timestamps' 12 bytes come out of the segment.
TEST(Options, TimestampsTakeRoom) {
  Given given = with_timestamps();
  given.peer_syn.mss = 0;
  given.monitored = false;
  Established t(given);
  EXPECT_EQ(t.info().send_mss, 36u);
}

}  // namespace
}  // namespace tern::test
