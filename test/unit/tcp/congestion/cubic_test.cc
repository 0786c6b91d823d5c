// SPDX-License-Identifier: BSD-3-Clause
// CUBIC's integers against RFC 9438's equations in double precision.
#include "tcp/congestion/cubic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/prng.h"

namespace tern::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kMss = 1448;
constexpr double kC = 0.4, kBeta = 0.7, kAlpha = 3 * (1 - kBeta) / (1 + kBeta);

double seconds_of(Duration d) { return std::chrono::duration<double>(d).count(); }

TEST(CubicCurve, AgreesWithDoublePrecision) {
  Prng prng(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint32_t t_ms = prng.below(200'000), k_ms = prng.below(100'000);
    const std::uint32_t w_max = prng.below(1u << 30), mss = 536 + prng.below(8500);
    const double d = (double(t_ms) - k_ms) / 1000;
    const double exact = std::clamp(kC * d * d * d * mss + w_max, 0.0, double(1u << 30));
    EXPECT_NEAR(Cubic::window_at(t_ms, k_ms, w_max, mss), exact, 8) << t_ms << " " << k_ms;
    if (HasFailure()) return;
  }
}

TEST(CubicCurve, ReachesWMaxAtK) {
  Prng prng(2);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint32_t w_max = prng.below(1u << 30), from = prng.below(w_max + 1);
    const std::uint32_t mss = 536 + prng.below(8500);
    const double exact = std::cbrt(double(w_max - from) / mss / kC) * 1000;
    EXPECT_NEAR(Cubic::time_to_w_max(from, w_max, mss), exact, 1.001) << from << " " << w_max;
    if (HasFailure()) return;
  }
  EXPECT_EQ(Cubic::time_to_w_max(10, 10, 1000), 0u);
  EXPECT_EQ(Cubic::time_to_w_max(11, 10, 1000), 0u);
}

/// RFC 9438 in doubles and segments, in congestion avoidance after a loss.
struct Oracle {
  double cwnd, w_max, prior, w_est, k, t = 0;
  Oracle(double before, double after) : cwnd(after), w_max(before), prior(before), w_est(after) {
    k = std::cbrt(std::max(w_max - cwnd, 0.0) / kC);
  }
  double curve(double at) const { return kC * std::pow(at - k, 3) + w_max; }
  void ack(double segments, double rtt) {
    w_est += (w_est < prior ? kAlpha : 1) * segments / cwnd;
    const double target = std::min(curve(t + rtt), 1.5 * cwnd);
    if (target > cwnd) cwnd += (target - cwnd) / cwnd * segments;
    cwnd = std::max(cwnd, w_est);
  }
};

/// A sender whose window is always full, one ACK for each two segments, spread over a round trip.
struct Flow {
  Cubic cubic;
  Instant now{1h};
  Duration rtt;
  explicit Flow(Duration round_trip) : rtt(round_trip) { cubic.start(kMss); }

  void ack(std::uint32_t bytes, Duration delay = {}) {
    cubic.on_ack({.bytes_acked = bytes,
                  .flight_bytes = cubic.cwnd(),
                  .now = now,
                  .rtt = delay,
                  .srtt = rtt,
                  .cwnd_limited = true});
  }
  /// So many round trips; `each` hears of every ACK.
  template <class F>
  void run(unsigned round_trips, F&& each) {
    for (unsigned i = 0; i < round_trips; ++i) {
      const std::uint32_t acks = std::max(cubic.cwnd() / (2 * kMss), 1u);
      for (std::uint32_t n = 0; n < acks; ++n) {
        now += rtt / acks;
        ack(2 * kMss);
        each();
      }
    }
  }
  void lose() {
    cubic.on_loss({.flight_bytes = cubic.cwnd(), .now = now});
    cubic.end_recovery();
  }
  void grow_to(std::uint32_t bytes) {
    while (cubic.cwnd() < bytes) ack(2 * kMss);
  }
};

void expect_like_oracle(Duration rtt, std::uint32_t segments, unsigned round_trips) {
  SCOPED_TRACE(std::to_string(segments) + " segments, " + std::to_string(seconds_of(rtt)) + " s");
  Flow f(rtt);
  f.grow_to(segments * kMss);
  const double before = double(f.cubic.cwnd()) / kMss;
  f.lose();
  Oracle oracle(before, double(f.cubic.cwnd()) / kMss);
  EXPECT_NEAR(oracle.cwnd, before * kBeta, 0.01);
  bool begun = false;
  Instant epoch{};
  double worst = 0;
  f.run(round_trips, [&] {
    if (!begun) epoch = f.now;  // the first ACK begins the curve
    begun = true;
    oracle.t = seconds_of(f.now - epoch);
    oracle.ack(2, seconds_of(rtt));
    worst = std::max(worst, std::abs(double(f.cubic.cwnd()) / kMss / oracle.cwnd - 1));
  });
  EXPECT_LT(worst, 0.005);
  EXPECT_GT(oracle.cwnd, before) << "it came beyond W_max";
}

TEST(Cubic, FollowsTheEquations) {
  expect_like_oracle(100ms, 100, 100);
  expect_like_oracle(100ms, 1000, 150);
  expect_like_oracle(30ms, 5000, 800);
  expect_like_oracle(300ms, 40, 40);
}

// 4.3: where windows are small, Reno's growth is the faster one, and counts.
TEST(Cubic, IsNoSlowerThanReno) {
  expect_like_oracle(1ms, 20, 100);
  expect_like_oracle(10ms, 50, 150);
}

// 4.6, 4.7: by 0.7; and when the window has not come back to where it was, less is left to others.
TEST(Cubic, ReducesAndConvergesFast) {
  Flow f(100ms);
  f.grow_to(100 * kMss);
  const std::uint32_t first = f.cubic.cwnd();
  f.lose();
  EXPECT_EQ(f.cubic.cwnd(), first * 7ull / 10);
  EXPECT_EQ(f.cubic.w_max(), first);
  f.run(2, [] {});
  const std::uint32_t second = f.cubic.cwnd();
  ASSERT_LT(second, first);
  f.lose();
  EXPECT_EQ(f.cubic.w_max(), second * 17ull / 20);
  f.run(200, [] {});
  const std::uint32_t third = f.cubic.cwnd();
  ASSERT_GT(third, second);
  f.lose();
  EXPECT_EQ(f.cubic.w_max(), third);
}

// 4.2: the time in which the window was not used does not count.
TEST(Cubic, StandsStillWhileTheApplicationIsTheLimit) {
  Flow f(100ms);
  f.grow_to(200 * kMss);
  f.lose();
  f.run(10, [] {});
  const std::uint32_t then = f.cubic.cwnd();
  for (int i = 0; i < 100; ++i) {
    f.now += 100ms;
    f.cubic.on_ack({.bytes_acked = kMss, .flight_bytes = kMss, .now = f.now, .srtt = 100ms});
  }
  EXPECT_EQ(f.cubic.cwnd(), then);
  Flow steady(100ms);
  steady.grow_to(200 * kMss);
  steady.lose();
  steady.run(11, [] {});
  f.run(1, [] {});
  EXPECT_NEAR(f.cubic.cwnd(), steady.cubic.cwnd(), 2 * kMss) << "and goes on where it was";
}

// 4.8: after a time-out slow start up to 0.7 of the window, and then the curve from there.
TEST(Cubic, BeginsAnewAfterATimeOut) {
  Flow f(100ms);
  f.grow_to(200 * kMss);
  const std::uint32_t before = f.cubic.cwnd();
  f.cubic.on_rto(before, true);
  EXPECT_EQ(f.cubic.cwnd(), kMss);
  EXPECT_EQ(f.cubic.ssthresh(), before * 7ull / 10);
  f.cubic.on_rto(kMss, false);
  EXPECT_EQ(f.cubic.ssthresh(), before * 7ull / 10) << "held for the same data";
  while (f.cubic.cwnd() < f.cubic.ssthresh()) f.ack(2 * kMss);
  const std::uint32_t at = f.cubic.cwnd();
  f.run(1, [] {});
  EXPECT_EQ(f.cubic.w_max(), at) << "K is 0";
  EXPECT_LT(f.cubic.cwnd(), at + 2 * kMss) << "and the curve is flat";
}

// RFC 9406: a queue builds up, and slow start ends before it overflows.
TEST(HyStart, EndsSlowStartWhenTheDelayGrows) {
  Flow f(50ms);
  Duration delay = 50ms;
  unsigned rounds = 0;
  for (; rounds < 20 && f.cubic.ssthresh() == UINT32_MAX; ++rounds) {
    const std::uint32_t acks = f.cubic.cwnd() / kMss;
    for (std::uint32_t i = 0; i < acks; ++i) f.ack(kMss, delay);
    if (f.cubic.cwnd() > 100 * kMss) delay += 8ms;
  }
  EXPECT_LT(rounds, 20u);
  EXPECT_NEAR(f.cubic.cwnd(), f.cubic.ssthresh(), 4 * kMss);
  EXPECT_LT(f.cubic.cwnd(), 1000 * kMss);
}

TEST(HyStart, LetsASteadyDelayGrowTheWindow) {
  Flow f(50ms);
  for (unsigned round = 0; round < 10; ++round) {
    const std::uint32_t acks = f.cubic.cwnd() / kMss;
    for (std::uint32_t i = 0; i < acks; ++i) f.ack(kMss, 50ms + std::chrono::milliseconds(i % 3));
  }
  EXPECT_EQ(f.cubic.ssthresh(), UINT32_MAX);
  EXPECT_GT(f.cubic.cwnd(), 5000 * kMss);
}

// 4.2: it was a jitter; slow start goes on as fast as before.
TEST(HyStart, GoesOnWhenTheDelayFallsAgain) {
  Flow f(50ms);
  const auto round = [&](Duration delay) {
    const std::uint32_t before = f.cubic.cwnd();
    for (std::uint32_t i = 0; i < before / kMss; ++i) f.ack(kMss, delay);
    return double(f.cubic.cwnd()) / before;
  };
  for (int i = 0; i < 3; ++i) EXPECT_GT(round(50ms), 1.8);
  round(70ms);
  EXPECT_LT(round(70ms), 1.4) << "a quarter as fast";
  round(40ms);
  EXPECT_GT(round(40ms), 1.8);
  EXPECT_EQ(f.cubic.ssthresh(), UINT32_MAX);
}

}  // namespace
}  // namespace tern::tcp
