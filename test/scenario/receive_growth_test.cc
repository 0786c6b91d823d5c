// SPDX-License-Identifier: BSD-3-Clause
// The receive buffer that grows with the flow: from 16 KB up to 128 KB, over a round trip of 40 ms.
// And the send memory, of which each connection may have its share.
#include <gtest/gtest.h>

#include <span>
#include <string>

#include "script.h"

namespace tern::test {
namespace {

constexpr std::uint32_t kFirst = 16'384, kMost = 131'072;

Given growing() {
  Given given;
  given.stack.tcp.receive_buffer = kFirst;
  given.stack.tcp.max_receive_buffer = kMost;
  given.peer_syn.mss = 1000;
  given.peer_syn.wscale = 0;
  given.round_trip = 40ms;
  return given;
}

struct Growing : Established {
  explicit Growing(const Given& g = growing()) : Established(g) { app.read = false; }
  /// The peer sends so many segments of 1000 bytes in that time, and the application reads each.
  void receive(unsigned segments, Duration time) {
    for (unsigned i = 0; i < segments; ++i) {
      in(data(next_, 1000, 1));
      next_ += 1000;
      if (reading) read();
      run_for(time / segments);
    }
    for (const Segment& s : take()) {
      const std::uint32_t edge = s.ack + (std::uint32_t{s.window} << 2);
      EXPECT_GE(edge, edge_) << "the right edge never moves back (SHLD-14)";
      edge_ = edge;
    }
  }
  std::uint32_t window() { return info().receive_window_bytes; }
  bool reading = true;

 private:
  std::uint32_t next_ = 1, edge_ = 0;
};

TEST(ReceiveGrowth, ScalesTheWindowForTheCeiling) {
  const Given given = growing();
  Listening t(given);
  t.in(given.peer_syn);
  const auto answer = t.take();
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0].wscale, 2) << "131,072 >> 1 does not fit 16 bits";
  EXPECT_EQ(answer[0].window, kFirst);
}

// Half a buffer in a round trip: twice as much, at once, and again, up to the ceiling.
TEST(ReceiveGrowth, DoublesWhenHalfABufferComesInARoundTrip) {
  Growing t;
  t.receive(9, 40ms);
  EXPECT_EQ(t.window(), 2 * kFirst);
  t.receive(17, 40ms);
  EXPECT_EQ(t.window(), 4 * kFirst);
  t.receive(100, 40ms);
  EXPECT_LE(t.window(), kMost);
  EXPECT_GE(t.window(), kMost - 2000) << "less than two segments are no news";
  t.receive(200, 40ms);
  EXPECT_LE(t.window(), kMost);
  EXPECT_GE(t.window(), kMost - 2000) << "less than two segments are no news";
  EXPECT_EQ(t.counters().receive_buffers_grown, 3u);
}

TEST(ReceiveGrowth, NotForASlowFlow) {
  Growing t;
  for (int i = 0; i < 20; ++i) t.receive(7, 45ms);
  EXPECT_EQ(t.counters().receive_buffers_grown, 0u);
  EXPECT_LE(t.window(), kFirst);
}

// Who does not read has no use for more.
TEST(ReceiveGrowth, NotWhereTheApplicationIsSlower) {
  Growing t;
  t.reading = false;
  t.receive(15, 10ms);
  t.run_for(1s);
  t.read();
  t.take();
  EXPECT_EQ(t.counters().receive_buffers_grown, 0u);
  EXPECT_LE(t.window(), kFirst);
}

// Nor beyond half of what the memory of all has left for one.
TEST(ReceiveGrowth, KeepsToTheMemory) {
  Given given = growing();
  given.stack.receive_memory = 32 * 2048;
  Growing t(given);
  for (int i = 0; i < 10; ++i) t.receive(64, 40ms);
  EXPECT_LT(t.window(), kMost);
}

TEST(ReceiveGrowth, NotWithoutWindowScaling) {
  Given given = growing();
  given.stack.tcp.window_scaling = false;
  given.stack.tcp.receive_buffer = 65'535;
  Established t(given);
  for (std::uint32_t i = 0; i < 200; ++i) {
    t.in(data(1 + 1000 * i, 1000, 1));
    t.read();
  }
  for (const Segment& s : t.take()) EXPECT_LE(s.window, 65'535u);
  EXPECT_LE(t.info().receive_window_bytes, 65'535u);
}

// A peer that reads nothing leaves half of the send memory to others, and so on.
TEST(SendMemory, IsSharedByThreshold) {
  Given given;
  given.stack.send_memory = 2 << 20;
  given.stack.tcp.send_buffer = 2 << 20;
  Established t(given);
  const std::string text = stream(0, 2 << 20);
  Connection first = t.connection();
  const auto held = first.write(std::as_bytes(std::span(text)));
  ASSERT_TRUE(held);
  EXPECT_GT(*held, 600'000u);
  EXPECT_LT(*held, 700'000u) << "half of what there is for sharing";
  EXPECT_LT(first.send_space(), 4096u);
  t.poll();
  t.take();

  Segment other_syn = given.peer_syn;
  other_syn.path.source_port = 1;
  t.in(other_syn);
  Segment third = ack(1, 1);
  third.path.source_port = 1;
  t.in(third);
  const auto second = t.connection().write(std::as_bytes(std::span(text)));
  ASSERT_TRUE(second);
  EXPECT_NEAR(static_cast<double>(*second), static_cast<double>(*held) / 2, 5000)
      << "half of the rest";
  EXPECT_EQ(t.counters().send_buffer_short, 0u);
  t.poll();
  t.take();
}

}  // namespace
}  // namespace tern::test
