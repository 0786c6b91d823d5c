// SPDX-License-Identifier: BSD-3-Clause
// The receiver's window: how it closes, stays where it was promised, and opens again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::AllOf;
using testing::ElementsAre;

constexpr std::uint32_t kBuffer = 4096;

// A connection whose application does not read.
struct SlowReader : Established {
  explicit SlowReader(Given setup = {}) : Established(small(std::move(setup))) { app.read = false; }
  static Given small(Given setup) {
    setup.stack.tcp.receive_buffer = kBuffer;
    return setup;
  }
  // Takes one chunk and gives its buffer back.
  std::size_t read_one() {
    const auto chunk = connection().receive();
    return chunk ? chunk->size() : 0;
  }
};

Segment ack_with_window(std::uint32_t seq, std::uint32_t acked, std::uint16_t window) {
  Segment segment = ack(seq, acked);
  segment.window = window;
  return segment;
}

// SHLD-14: whatever is read or not, the right edge stays where it was or moves right.
TEST(ReceiveWindow, ClosesFromTheLeft) {
  SlowReader t;
  for (std::uint32_t i = 0; i < 40; ++i) {
    t.in(data(1 + 100 * i, 100, 1));
    t.run_for(40ms);
    t.out({ack_with_window(1, 101 + 100 * i, static_cast<std::uint16_t>(3996 - 100 * i))});
  }
  t.in(data(4001, 96, 1));
  t.run_for(40ms);
  t.out({ack_with_window(1, 4097, 0)});
}

TEST(ReceiveWindow, ReopensWhenItIsWorthASegment) {  // MUST-39
  SlowReader t;
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1), data(2921, 1176, 1)});
  t.out({ack_with_window(1, 4097, 0)});
  EXPECT_EQ(t.read_one(), 1460u);
  t.poll();
  t.silent();
  EXPECT_EQ(t.read_one(), 1460u);
  t.poll();
  t.out({ack_with_window(1, 4097, 2920)});
  EXPECT_EQ(t.read_one(), 1176u);
  t.silent_to(1s);
  t.in(data(4097, 1460, 1));
  // Less than a segment has become free since: the edge stays where it is.
  t.out_at(1040ms, {ack_with_window(1, 5557, 1460)});
}

// What the application holds on loan still takes its room.
TEST(ReceiveWindow, LoanedBytesCount) {
  SlowReader t;
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1), data(2921, 1176, 1)});
  t.out({ack_with_window(1, 4097, 0)});
  {
    auto first = t.connection().receive();
    auto second = t.connection().receive();
    auto third = t.connection().receive();
    EXPECT_FALSE(t.connection().receive());
    t.poll();
    t.silent();
    EXPECT_EQ(t.info().receive_window_bytes, 0u);
  }
  t.poll();
  t.out({ack_with_window(1, 4097, kBuffer)});
}

// RFC 9293 3.8.6.1: a probe of the shut window is answered, its byte is not taken.
TEST(ReceiveWindow, AnswersProbes) {
  SlowReader t;
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1), data(2921, 1176, 1)});
  t.out({ack_with_window(1, 4097, 0)});
  for (int i = 0; i < 5; ++i) {
    t.run_for(10ms);
    t.in(data(4097, 1, 1));
    t.out({ack_with_window(1, 4097, 0)});
  }
  t.read();
  t.out({ack_with_window(1, 4097, kBuffer)});
  EXPECT_EQ(t.record().received, stream(0, 4096));
}

// RFC 9293 3.10.7.4: at a zero window an ACK is still processed.
TEST(ReceiveWindow, AcksCountWhileItIsShut) {
  SlowReader t;
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1), data(2921, 1176, 1)});
  t.out({ack_with_window(101, 4097, 0)});
  t.in(seg(".", 4097, 101, "x"));
  t.out({ack_with_window(101, 4097, 0)});
  EXPECT_EQ(t.info().bytes_acked, 100u);
}

TEST(ReceiveWindow, WhatExceedsItIsCutOff) {
  SlowReader t;
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1)});
  t.out({ack_with_window(1, 2921, kBuffer - 2920)});
  t.in(data(2921, 1460, 1, "FP."));  // 284 bytes too many, and a FIN behind them
  t.out_at(40ms, {ack_with_window(1, 4097, 0)});
  EXPECT_EQ(t.state(), kEstablished);
  t.read();
  t.out({ack_with_window(1, 4097, kBuffer)});
  EXPECT_EQ(t.record().received, stream(0, 4096));
  t.in(data(4097, 284, 1, "FP."));
  t.out({ack(1, 4382)});
  EXPECT_EQ(t.state(), kCloseWait);
}

// A FIN takes a number but no room: behind text that fills the window it is taken, as Linux does.
TEST(ReceiveWindow, FinAtItsEdgeIsTaken) {
  SlowReader t;
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1), data(2921, 1176, 1, "FP.")});
  t.out({ack_with_window(1, 4098, 0)});
  EXPECT_EQ(t.state(), kCloseWait);
}

TEST(ReceiveWindow, WhatLiesBeyondItIsAnsweredAndDropped) {
  SlowReader t;
  t.in(data(kBuffer + 1, 10, 1));
  t.out({ack(1, 1)});
  t.in(data(kBuffer, 10, 1));  // one byte of it lies inside
  t.out({ack(1, 1)});
  EXPECT_EQ(t.counters().rx_out_of_window, 1u);
  EXPECT_EQ(t.counters().rx_out_of_order, 1u);
}

// RFC 7323 2: 1 MB needs a scale of 5, and is offered in the first ACK, but not in the SYN.
TEST(ReceiveWindow, Scaled) {
  Given given;
  given.stack.tcp.receive_buffer = 1 << 20;
  given.peer_syn.wscale = 0;
  Listening t(given);
  t.app.read = false;
  t.in(given.peer_syn);
  EXPECT_THAT(t.take(), ElementsAre(AllOf(HasFlags("S."), HasWindow(65535), HasWscale(5))));
  t.in(ack(1, 1));
  EXPECT_EQ(t.info().receive_window_bytes, 65535u);
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1)});
  t.out({ack_with_window(1, 2921, ((1 << 20) - 2920) >> 5)});
  std::uint32_t next = 2921;
  for (; next + 1460 < 200'000; next += 1460) t.in(data(next, 1460, 1));
  t.run_for(40ms);
  const std::vector<Segment> sent = t.take();
  EXPECT_EQ(sent.back().ack, next);
  EXPECT_LE(next + (sent.back().window << 5), (1u << 20) + 32) << "rounded up to a unit of scale";
  EXPECT_EQ(t.info().receive_queue_bytes, next - 1);
  t.read();
  EXPECT_TRUE(t.record().received == stream(0, next - 1));
}

// Reading as fast as data comes, without window scaling: no update is worth a segment of its own.
TEST(ReceiveWindow, FastReaderSendsNoUpdates) {
  Established t;
  for (std::uint32_t i = 0; i < 100; ++i) t.in(data(1 + 1460 * i, 1460, 1));
  const std::vector<Segment> sent = t.take();
  EXPECT_EQ(sent.size(), 50u);
  for (const Segment& segment : sent) EXPECT_GE(segment.window, 65535 - 2 * 1460);
}

}  // namespace
}  // namespace tern::test
