// SPDX-License-Identifier: BSD-3-Clause
#include "net/token_bucket.h"

#include <gtest/gtest.h>

namespace tern::net {
namespace {

using namespace std::chrono_literals;

int take_all(TokenBucket& bucket, Instant now) {
  int taken = 0;
  while (bucket.take(now)) ++taken;
  return taken;
}

TEST(TokenBucketTest, LetsABurstPassAndThenOnePerInterval) {
  TokenBucket bucket(1000, 100);
  Instant now{5s};
  EXPECT_EQ(take_all(bucket, now), 100);
  EXPECT_EQ(take_all(bucket, now + 1ms - 1ns), 0);
  EXPECT_EQ(take_all(bucket, now + 1ms), 1);
  EXPECT_EQ(take_all(bucket, now + 11ms), 10);
}

TEST(TokenBucketTest, IsFullAtFirstAndNeverFullerThanTheBurst) {
  TokenBucket bucket(1000, 100);
  EXPECT_EQ(take_all(bucket, Instant{}), 100);
  EXPECT_EQ(take_all(bucket, Instant{99ms}), 99);
  EXPECT_EQ(take_all(bucket, Instant{10h}), 100);
}

TEST(TokenBucketTest, KeepsTheRateOverALongTime) {
  TokenBucket bucket(1000, 1);
  int taken = 0;
  for (Duration t = 0s; t < 10s; t += 100us) taken += bucket.take(Instant{t}) ? 1 : 0;
  EXPECT_EQ(taken, 10'000);
}

}  // namespace
}  // namespace tern::net
