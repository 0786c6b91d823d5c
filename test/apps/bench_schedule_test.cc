// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "schedule.h"

namespace bench {
namespace {

using namespace std::chrono_literals;
using tern::Instant;

TEST(Schedule, SpacesRequestsEvenly) {
  Schedule schedule(1000, Instant(5s));
  EXPECT_EQ(schedule.take(), Instant(5s));
  EXPECT_EQ(schedule.take(), Instant(5001ms));
  EXPECT_FALSE(schedule.is_due(Instant(5001ms)));
  EXPECT_TRUE(schedule.is_due(Instant(5002ms)));
}

// A rate that does not divide a second must not drift.
TEST(Schedule, DoesNotDrift) {
  Schedule schedule(3, Instant{});
  for (int i = 0; i < 3'000'000; ++i) schedule.take();
  EXPECT_EQ(schedule.take(), Instant(1'000'000s));
}

// Whatever has become of the others, a request's own time is what counts.
TEST(Schedule, ALateRequestKeepsItsTime) {
  Schedule schedule(100, Instant{});
  EXPECT_TRUE(schedule.is_due(Instant(10s)));
  EXPECT_EQ(schedule.backlog(Instant(10s)), 1001u);
  EXPECT_EQ(schedule.take(), Instant{});
  EXPECT_EQ(schedule.take(), Instant(10ms));
  EXPECT_EQ(schedule.backlog(Instant(10s)), 999u);
}

}  // namespace
}  // namespace bench
