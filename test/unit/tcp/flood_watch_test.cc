// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/flood_watch.h"

#include <gtest/gtest.h>

namespace tern::tcp {
namespace {

using namespace std::chrono_literals;

TEST(FloodWatch, BeginsWithAnOverflowAndEndsTenSecondsAfterTheLast) {
  FloodWatch watch;
  EXPECT_FALSE(watch.active());
  EXPECT_EQ(watch.next_deadline(), kNever);
  watch.on_overflow(Instant(5s));
  watch.on_overflow(Instant(8s));
  EXPECT_TRUE(watch.active());
  EXPECT_EQ(watch.since(), Instant(5s));
  EXPECT_EQ(watch.next_deadline(), Instant(18s));
  watch.expire(Instant(18s - 1ns));
  EXPECT_TRUE(watch.active());
  watch.expire(Instant(18s));
  EXPECT_FALSE(watch.active());
  EXPECT_EQ(watch.since(), Instant(18s));
}

TEST(FloodWatch, RoutineCookiesAreAFloodWhenThereAreVeryMany) {
  FloodWatch watch;
  for (std::uint32_t i = 0; i < FloodWatch::kCookiesPerSecond; ++i)
    watch.on_routine_cookie(Instant(5s));
  EXPECT_FALSE(watch.active());
  for (std::uint32_t i = 0; i < FloodWatch::kCookiesPerSecond; ++i)
    watch.on_routine_cookie(Instant(6s));
  EXPECT_FALSE(watch.active()) << "in two seconds";
  watch.on_routine_cookie(Instant(6s));
  EXPECT_TRUE(watch.active());
}

}  // namespace
}  // namespace tern::tcp
