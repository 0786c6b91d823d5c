// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/congestion/controller.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace tern::tcp {
namespace {

constexpr std::uint32_t kMss = 1000;

class NewRenoTest : public testing::Test {
 protected:
  NewRenoTest() { cc_.start(CongestionAlgorithm::kNewReno, kMss, Instant{}); }

  /// An ACK while the window was full.
  void ack(std::uint32_t bytes) {
    cc_.on_ack({.bytes_acked = bytes,
                .flight_bytes = cc_.cwnd(),
                .now = {},
                .rtt = {},
                .cwnd_limited = true});
  }
  void loss(std::uint32_t flight) { cc_.on_loss({.flight_bytes = flight, .now = {}}); }

  /// Into congestion avoidance with cwnd == ssthresh == bytes.
  void avoid_congestion_at(std::uint32_t bytes) {
    loss(2 * bytes);
    cc_.on_recovery_exit(bytes);
    ASSERT_EQ(cc_.cwnd(), bytes);
    ASSERT_EQ(cc_.ssthresh(), bytes);
  }

  CongestionController cc_;
};

std::uint32_t initial_window(std::uint32_t mss) {
  CongestionController cc;
  cc.start(CongestionAlgorithm::kNewReno, mss, Instant{});
  return cc.cwnd();
}

TEST(NewRenoInitialWindow, IsRfc6928s) {
  EXPECT_EQ(initial_window(536), 5360u);
  EXPECT_EQ(initial_window(1448), 14480u);
  EXPECT_EQ(initial_window(1460), 14600u);
  EXPECT_EQ(initial_window(4000), 14600u);
  EXPECT_EQ(initial_window(8960), 17920u);
}

TEST_F(NewRenoTest, StartsInSlowStart) {
  EXPECT_EQ(cc_.cwnd(), 10000u);
  EXPECT_EQ(cc_.ssthresh(), UINT32_MAX);
}

TEST_F(NewRenoTest, SlowStartGrowsByTheBytesAcked) {
  ack(1000);
  EXPECT_EQ(cc_.cwnd(), 11000u);
  ack(2000);
  EXPECT_EQ(cc_.cwnd(), 13000u);
  ack(300);
  EXPECT_EQ(cc_.cwnd(), 13300u);
}

TEST_F(NewRenoTest, SlowStartGrowsByTwoSegmentsAtMost) {  // RFC 3465, L = 2
  ack(9000);
  EXPECT_EQ(cc_.cwnd(), 12000u);
}

TEST_F(NewRenoTest, SplitAcksGainNothing) {  // Savage's ACK division
  for (int i = 0; i < 1000; ++i) ack(1);
  EXPECT_EQ(cc_.cwnd(), 11000u);
  avoid_congestion_at(10000);
  for (int i = 0; i < 10000; ++i) ack(1);
  EXPECT_EQ(cc_.cwnd(), 11000u);
}

TEST_F(NewRenoTest, AnUnusedWindowDoesNotGrow) {
  auto ack_of = [&](std::uint32_t flight, bool limited) {
    const std::uint32_t before = cc_.cwnd();
    cc_.on_ack({.bytes_acked = 1000,
                .flight_bytes = flight,
                .now = {},
                .rtt = {},
                .cwnd_limited = limited});
    return cc_.cwnd() - before;
  };
  EXPECT_EQ(ack_of(9000, false), 0u);
  EXPECT_EQ(ack_of(9001, false), 1000u);  // no room for one more segment: full
  EXPECT_EQ(cc_.cwnd(), 11000u);
  EXPECT_EQ(ack_of(1000, true), 1000u);  // the sender says so
  avoid_congestion_at(5000);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ack_of(4000, false), 0u);
}

TEST_F(NewRenoTest, CongestionAvoidanceGrowsOneSegmentPerWindow) {
  avoid_congestion_at(5000);
  for (int i = 0; i < 4; ++i) {
    ack(1000);
    EXPECT_EQ(cc_.cwnd(), 5000u);
  }
  ack(1000);
  EXPECT_EQ(cc_.cwnd(), 6000u);
  for (int i = 0; i < 5; ++i) ack(1000);
  EXPECT_EQ(cc_.cwnd(), 6000u);
  ack(1000);
  EXPECT_EQ(cc_.cwnd(), 7000u);
}

TEST_F(NewRenoTest, CongestionAvoidanceKeepsTheRestOfAStretchAck) {
  avoid_congestion_at(5000);
  ack(4000);
  ack(4000);
  EXPECT_EQ(cc_.cwnd(), 6000u);  // 8000 - 5000 = 3000 count on
  ack(3000);
  EXPECT_EQ(cc_.cwnd(), 7000u);
  ack(UINT32_MAX);  // one segment for one ACK, whatever it says
  EXPECT_EQ(cc_.cwnd(), 8000u);
}

TEST_F(NewRenoTest, ALossHalvesTheFlightAndInflatesByThree) {  // RFC 5681 3.2 steps 2, 3
  loss(10000);
  EXPECT_EQ(cc_.ssthresh(), 5000u);
  EXPECT_EQ(cc_.cwnd(), 8000u);
  loss(1000);
  EXPECT_EQ(cc_.ssthresh(), 2000u);
  EXPECT_EQ(cc_.cwnd(), 5000u);
}

TEST_F(NewRenoTest, DuplicateAcksInflateNoFurtherThanTheFlight) {  // step 4
  loss(10000);
  for (std::uint32_t i = 1; i <= 7; ++i) {
    cc_.on_duplicate_ack();
    EXPECT_EQ(cc_.cwnd(), 8000u + i * 1000);
  }
  for (int i = 0; i < 100; ++i) cc_.on_duplicate_ack();  // made up: 10 segments were out
  EXPECT_EQ(cc_.cwnd(), 15000u);
}

TEST_F(NewRenoTest, ATinyFlightStillHasItsThree) {
  loss(1500);
  EXPECT_EQ(cc_.cwnd(), 5000u);
  cc_.on_duplicate_ack();
  EXPECT_EQ(cc_.cwnd(), 5000u);
}

TEST_F(NewRenoTest, APartialAckDeflates) {  // RFC 6582 3.2
  loss(10000);
  cc_.on_duplicate_ack();
  ASSERT_EQ(cc_.cwnd(), 9000u);
  cc_.on_partial_ack(2000);
  EXPECT_EQ(cc_.cwnd(), 8000u);  // - 2000 + 1 segment
  cc_.on_partial_ack(1000);
  EXPECT_EQ(cc_.cwnd(), 8000u);
  cc_.on_partial_ack(600);
  EXPECT_EQ(cc_.cwnd(), 7400u);  // less than a segment: none back
  cc_.on_partial_ack(UINT32_MAX);
  EXPECT_EQ(cc_.cwnd(), 1000u);
  EXPECT_EQ(cc_.ssthresh(), 5000u);
}

TEST_F(NewRenoTest, RecoveryEndsWithoutABurst) {  // RFC 6582 3.2, option 1
  loss(20000);
  cc_.on_recovery_exit(4000);
  EXPECT_EQ(cc_.cwnd(), 5000u);
  loss(20000);
  cc_.on_recovery_exit(0);
  EXPECT_EQ(cc_.cwnd(), 2000u);
  loss(20000);
  cc_.on_recovery_exit(50000);
  EXPECT_EQ(cc_.cwnd(), 10000u);
}

TEST_F(NewRenoTest, ATimeOutGoesBackToOneSegment) {  // RFC 5681 3.1
  cc_.on_rto(10000, true);
  EXPECT_EQ(cc_.cwnd(), 1000u);
  EXPECT_EQ(cc_.ssthresh(), 5000u);
}

TEST_F(NewRenoTest, ARepeatedTimeOutHoldsSsthresh) {
  cc_.on_rto(10000, true);
  cc_.on_rto(1000, false);
  EXPECT_EQ(cc_.ssthresh(), 5000u);
  cc_.on_rto(1000, true);
  EXPECT_EQ(cc_.ssthresh(), 2000u);
}

TEST_F(NewRenoTest, AfterATimeOutSlowStartGrowsByOneSegment) {  // RFC 3465 2.3, L = 1
  cc_.on_rto(10000, true);
  ack(5000);
  EXPECT_EQ(cc_.cwnd(), 2000u);
  ack(2000);
  ack(1000);
  ack(1000);
  EXPECT_EQ(cc_.cwnd(), 5000u);  // == ssthresh: congestion avoidance
  ack(2000);
  EXPECT_EQ(cc_.cwnd(), 5000u);
  ack(3000);
  EXPECT_EQ(cc_.cwnd(), 6000u);
}

TEST_F(NewRenoTest, TheLimitOfTwoReturnsWithTheNextSlowStart) {
  cc_.on_rto(40000, true);  // ssthresh 20000
  for (int i = 0; i < 19; ++i) ack(1000);
  ack(1000);              // in congestion avoidance now
  cc_.on_idle_restart();  // 10000 < 20000: slow start again
  ASSERT_EQ(cc_.cwnd(), 10000u);
  ack(5000);
  EXPECT_EQ(cc_.cwnd(), 12000u);
}

TEST_F(NewRenoTest, ALossBeginsANewCountOfBytes) {
  avoid_congestion_at(5000);
  ack(4999);
  avoid_congestion_at(5000);
  ack(4999);
  EXPECT_EQ(cc_.cwnd(), 5000u);
  ack(1);
  EXPECT_EQ(cc_.cwnd(), 6000u);
}

TEST_F(NewRenoTest, AnIdleConnectionRestartsFromTheInitialWindow) {  // RFC 5681 4.1
  for (int i = 0; i < 20; ++i) ack(1000);
  ASSERT_EQ(cc_.cwnd(), 30000u);
  cc_.on_idle_restart();
  EXPECT_EQ(cc_.cwnd(), 10000u);
  EXPECT_EQ(cc_.ssthresh(), UINT32_MAX);
  avoid_congestion_at(3000);
  cc_.on_idle_restart();
  EXPECT_EQ(cc_.cwnd(), 3000u);
}

TEST_F(NewRenoTest, LostSynsLeaveOneSegment) {
  cc_.on_syn_losses();
  EXPECT_EQ(cc_.cwnd(), 1000u);
  EXPECT_EQ(cc_.ssthresh(), UINT32_MAX);
}

TEST_F(NewRenoTest, AnotherMss) {
  cc_.set_mss(500);
  EXPECT_EQ(cc_.cwnd(), 10000u);
  ack(5000);
  EXPECT_EQ(cc_.cwnd(), 11000u);
  cc_.on_rto(600, true);
  EXPECT_EQ(cc_.cwnd(), 500u);
  EXPECT_EQ(cc_.ssthresh(), 1000u);
  cc_.set_mss(1400);
  EXPECT_EQ(cc_.cwnd(), 1400u);
}

TEST_F(NewRenoTest, StartForgetsWhatWas) {
  loss(5000);
  cc_.on_rto(5000, true);
  cc_.start(CongestionAlgorithm::kNewReno, kMss, Instant{});
  EXPECT_EQ(cc_.ssthresh(), UINT32_MAX);
  ack(2000);
  EXPECT_EQ(cc_.cwnd(), 12000u);
}

TEST_F(NewRenoTest, TheWindowStopsAtOneGigabyte) {
  for (int i = 0; i < 600000; ++i) ack(2000);
  EXPECT_EQ(cc_.cwnd(), 1u << 30);
  loss(UINT32_MAX);
  EXPECT_EQ(cc_.ssthresh(), 1u << 29);
  for (int i = 0; i < 600000; ++i) cc_.on_duplicate_ack();
  EXPECT_EQ(cc_.cwnd(), 1u << 30);
}

TEST(NewRenoProperty, KeepsItsBoundsUnderAnyOrderOfCalls) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng prng(seed);
    CongestionController cc;
    std::uint32_t mss = 1 + prng.below(9000);
    cc.start(CongestionAlgorithm::kNewReno, mss, Instant{});
    auto any = [&] { return static_cast<std::uint32_t>(prng.next() >> prng.below(64)); };
    for (int i = 0; i < 5000; ++i) {
      switch (prng.below(9)) {
        case 0:
          cc.on_loss({.flight_bytes = any(), .now = {}});
          break;
        case 1:
          cc.on_duplicate_ack();
          break;
        case 2:
          cc.on_partial_ack(any());
          break;
        case 3:
          cc.on_recovery_exit(any());
          break;
        case 4:
          cc.on_rto(any(), prng.chance(0.5));
          break;
        case 5:
          cc.on_idle_restart();
          break;
        case 6:
          cc.set_mss(mss = 1 + prng.below(9000));
          break;
        default:
          cc.on_ack({.bytes_acked = any(),
                     .flight_bytes = any(),
                     .now = {},
                     .rtt = {},
                     .cwnd_limited = prng.chance(0.5)});
      }
      ASSERT_GE(cc.cwnd(), mss);
      ASSERT_LE(cc.cwnd(), 1u << 30);
      ASSERT_GT(cc.ssthresh(), 0u);
    }
  }
}

}  // namespace
}  // namespace tern::tcp
