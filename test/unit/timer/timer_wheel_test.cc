// SPDX-License-Identifier: BSD-3-Clause
#include "timer/timer_wheel.h"

#include <gtest/gtest.h>

#include <vector>

namespace tern::timer {
namespace {

using Ids = std::vector<std::uint32_t>;

Ids fired_by(TimerWheel& wheel, Tick now, std::size_t max_fired = SIZE_MAX) {
  Ids ids;
  const std::size_t count =
      wheel.advance(now, max_fired, [&ids](std::uint32_t id) { ids.push_back(id); });
  EXPECT_EQ(count, ids.size());
  return ids;
}

TEST(TimerWheelTest, IsIdleAtFirst) {
  TimerWheel wheel(4, 1000);
  EXPECT_EQ(wheel.armed(), 0U);
  EXPECT_FALSE(wheel.is_armed(3));
  EXPECT_FALSE(wheel.has_backlog());
  EXPECT_EQ(wheel.next_deadline(), std::nullopt);
  EXPECT_EQ(fired_by(wheel, 5000), Ids{});
}

// One deadline in every level, and on both sides of each level's ends.
TEST(TimerWheelTest, FiresAtItsTickAndNotOneEarlier) {
  for (Tick start : {0U, 1U, 255U, 256U, 0x12345678U, 0xffffff80U, 0xffffffffU, 0x7fffffffU}) {
    for (Tick delay : {1U, 2U, 127U, 128U, 255U, 256U, 257U, 0xffffU, 0x10000U, 0x10001U, 0xffffffU,
                       0x1000000U, 0x1000001U, 0x7fffffffU}) {
      TimerWheel wheel(1, start);
      wheel.arm(0, start + delay);
      EXPECT_EQ(wheel.deadline(0), start + delay);
      EXPECT_EQ(wheel.next_deadline(), start + delay);
      EXPECT_EQ(fired_by(wheel, start + delay - 1), Ids{}) << start << "+" << delay;
      EXPECT_EQ(wheel.next_deadline(), start + delay);
      EXPECT_TRUE(wheel.is_armed(0));
      EXPECT_EQ(fired_by(wheel, start + delay), Ids{0}) << start << "+" << delay;
      EXPECT_FALSE(wheel.is_armed(0));
      EXPECT_EQ(wheel.next_deadline(), std::nullopt);
    }
  }
}

TEST(TimerWheelTest, OneJumpFiresAllInTheOrderOfDeadlines) {
  TimerWheel wheel(8, 0xfffff000);
  const Tick start = 0xfffff000;
  const Tick delays[] = {0x2000000, 5, 0x3000, 300, 0x2000001, 299, 0x12345, 1};
  for (std::uint32_t id = 0; id < 8; ++id) wheel.arm(id, start + delays[id]);
  EXPECT_EQ(wheel.armed(), 8U);
  EXPECT_EQ(wheel.next_deadline(), start + 1);
  EXPECT_EQ(fired_by(wheel, start + 0x40000000), (Ids{7, 1, 5, 3, 2, 6, 0, 4}));
  EXPECT_EQ(wheel.armed(), 0U);
}

TEST(TimerWheelTest, ADeadlineThatHasPassedFiresAtTheNextAdvance) {
  TimerWheel wheel(4, 1000);
  wheel.arm(0, 1000);
  wheel.arm(1, 900);
  EXPECT_EQ(wheel.deadline(1), 1000U);
  EXPECT_EQ(wheel.next_deadline(), 1000U);
  EXPECT_FALSE(wheel.has_backlog());  // nothing was left over: it is new
  EXPECT_EQ(fired_by(wheel, 1000), (Ids{0, 1}));
}

TEST(TimerWheelTest, ReArmingMovesBothWays) {
  TimerWheel wheel(1, 0);
  wheel.arm(0, 100);
  wheel.arm(0, 5000);
  EXPECT_EQ(wheel.armed(), 1U);
  EXPECT_EQ(fired_by(wheel, 4999), Ids{});
  wheel.arm(0, 900000);
  wheel.arm(0, 5001);
  EXPECT_EQ(wheel.next_deadline(), 5001U);
  EXPECT_EQ(fired_by(wheel, 5001), Ids{0});
}

TEST(TimerWheelTest, ReArmingWithinABucketIsSeen) {
  TimerWheel wheel(1, 0);
  wheel.arm(0, 0x150);
  wheel.arm(0, 0x140);  // the same bucket of level 1, earlier
  EXPECT_EQ(wheel.next_deadline(), 0x140U);
  EXPECT_EQ(fired_by(wheel, 0x13f), Ids{});
  EXPECT_EQ(fired_by(wheel, 0x140), Ids{0});
}

TEST(TimerWheelTest, CancelledTimersNeverFire) {
  TimerWheel wheel(4, 0);
  for (std::uint32_t id = 0; id < 4; ++id) wheel.arm(id, 500);
  wheel.cancel(1);
  wheel.cancel(1);
  wheel.cancel(3);
  EXPECT_EQ(wheel.armed(), 2U);
  EXPECT_EQ(fired_by(wheel, 500), (Ids{0, 2}));
  wheel.arm(0, 500);  // overdue
  wheel.cancel(0);
  EXPECT_EQ(wheel.next_deadline(), std::nullopt);
  EXPECT_EQ(fired_by(wheel, 501), Ids{});
}

TEST(TimerWheelTest, AtMostMaxFiredAndTheRestLater) {
  TimerWheel wheel(10, 0);
  for (std::uint32_t id = 0; id < 10; ++id) wheel.arm(id, 10 + id / 5);
  EXPECT_EQ(fired_by(wheel, 20, 4), (Ids{0, 1, 2, 3}));
  EXPECT_TRUE(wheel.has_backlog());
  EXPECT_EQ(wheel.next_deadline(), 10U);
  wheel.arm(0, 15);  // has passed: counts as 20, behind what was left over
  EXPECT_EQ(wheel.deadline(0), 20U);
  EXPECT_EQ(fired_by(wheel, 20, 4), (Ids{4, 5, 6, 7}));
  wheel.cancel(8);
  EXPECT_EQ(fired_by(wheel, 20, 2), (Ids{9, 0}));
  EXPECT_FALSE(wheel.has_backlog());
  EXPECT_EQ(fired_by(wheel, 20, 0), Ids{});
}

TEST(TimerWheelTest, ABacklogStaysInOrderWithWhatComesDueMeanwhile) {
  TimerWheel wheel(6, 0);
  wheel.arm(0, 10);
  wheel.arm(1, 20);
  EXPECT_EQ(fired_by(wheel, 100, 1), Ids{0});
  wheel.arm(2, 50);  // passed: counts as 100
  wheel.arm(3, 130);
  EXPECT_EQ(fired_by(wheel, 200, 1), Ids{1});
  EXPECT_EQ(fired_by(wheel, 200, 1), Ids{2});
  EXPECT_TRUE(wheel.has_backlog());
  EXPECT_EQ(fired_by(wheel, 200, 1), Ids{3});
  EXPECT_FALSE(wheel.has_backlog());
}

TEST(TimerWheelTest, FireMayReArmItself) {
  TimerWheel wheel(1, 0);
  wheel.arm(0, 10);
  int calls = 0;
  const auto again = [&](std::uint32_t id) {
    EXPECT_FALSE(wheel.is_armed(id));
    ++calls;
    wheel.arm(id, 10);  // due at once, yet not within this advance
  };
  EXPECT_EQ(wheel.advance(50, SIZE_MAX, again), 1U);
  EXPECT_FALSE(wheel.has_backlog());
  EXPECT_EQ(wheel.next_deadline(), 50U);
  EXPECT_EQ(wheel.advance(50, SIZE_MAX, again), 1U);
  EXPECT_EQ(calls, 2);
}

TEST(TimerWheelTest, FireMayCancelAndArmOthers) {
  TimerWheel wheel(5, 0);
  for (std::uint32_t id = 0; id < 4; ++id) wheel.arm(id, 10);
  Ids ids;
  wheel.advance(20, SIZE_MAX, [&](std::uint32_t id) {
    ids.push_back(id);
    if (id != 0) return;
    wheel.cancel(1);
    wheel.arm(2, 21);
    wheel.arm(4, 5);  // passed: the next advance
  });
  EXPECT_EQ(ids, (Ids{0, 3}));
  EXPECT_EQ(wheel.armed(), 2U);
  EXPECT_EQ(fired_by(wheel, 20), Ids{4});
  EXPECT_EQ(fired_by(wheel, 21), Ids{2});
}

TEST(TimerWheelTest, TimeThatGoesBackCountsAsStandingStill) {
  TimerWheel wheel(2, 1000);
  wheel.arm(0, 1500);
  EXPECT_EQ(fired_by(wheel, 1400), Ids{});
  EXPECT_EQ(fired_by(wheel, 900), Ids{});
  wheel.arm(1, 1400);
  EXPECT_EQ(fired_by(wheel, 1399), Ids{1});
  EXPECT_EQ(fired_by(wheel, 1500), Ids{0});
}

// A cascade is bounded as firing is: the timers of one wide bucket move down over several calls.
TEST(TimerWheelTest, ACascadeIsSpreadOverCalls) {
  constexpr std::uint32_t kMany = 1000;
  TimerWheel wheel(kMany + 1, 0);
  for (std::uint32_t id = 0; id < kMany; ++id) wheel.arm(id, 0x1ffff);
  wheel.arm(kMany, 0x10001);
  constexpr std::size_t kMaxFired = 4;
  int calls = 0;
  Ids ids;
  do {
    ids = fired_by(wheel, 0x10001, kMaxFired);
    ++calls;
    if (calls == 3) wheel.cancel(500);  // in the midst of it
  } while (ids.empty() && wheel.has_backlog());
  EXPECT_EQ(ids, Ids{kMany});
  EXPECT_EQ(calls, static_cast<int>(kMany / (kMaxFired * TimerWheel::kMovesPerFire)) + 1);
  EXPECT_FALSE(wheel.has_backlog());
  EXPECT_EQ(wheel.next_deadline(), 0x1ffffU);
  EXPECT_EQ(fired_by(wheel, 0x1ffff).size(), kMany - 1);
}

TEST(TimerWheelTest, CancellingTheWholeRestOfACascadeEndsIt) {
  TimerWheel wheel(100, 0);
  for (std::uint32_t id = 0; id < 100; ++id) wheel.arm(id, 0x10100);
  EXPECT_EQ(fired_by(wheel, 0x10000, 1), Ids{});
  EXPECT_TRUE(wheel.has_backlog());
  EXPECT_EQ(wheel.next_deadline(), 0x10000U);
  for (std::uint32_t id = 0; id < 100; ++id) wheel.cancel(id);
  EXPECT_FALSE(wheel.has_backlog());
  EXPECT_EQ(wheel.next_deadline(), std::nullopt);
  wheel.arm(0, 0x10100);
  EXPECT_EQ(fired_by(wheel, 0x10100), Ids{0});
}

TEST(TimerWheelTest, AMillionTimersInOneTickAreBoundedPerCall) {
  constexpr std::uint32_t kMillion = 1000000;
  TimerWheel wheel(kMillion, 0);
  for (std::uint32_t id = 0; id < kMillion; ++id) wheel.arm(id, 200);
  std::size_t fired = 0;
  std::size_t calls = 0;
  do {
    const std::size_t count = wheel.advance(200 + static_cast<Tick>(calls), 1000, [](auto) {});
    ASSERT_EQ(count, 1000U);
    fired += count;
    ++calls;
  } while (wheel.has_backlog());
  EXPECT_EQ(fired, kMillion);
  EXPECT_EQ(calls, 1000U);
  EXPECT_EQ(wheel.armed(), 0U);
}

TEST(TimerWheelTest, NextDeadlineIsExactAndGetsExactAgainAfterACancel) {
  TimerWheel wheel(2, 0);
  wheel.arm(0, 0x2010000);
  wheel.arm(1, 0x2020000);
  EXPECT_EQ(wheel.next_deadline(), 0x2010000U);
  wheel.cancel(0);
  int steps = 0;
  while (wheel.is_armed(1)) {
    const Tick next = *wheel.next_deadline();
    ASSERT_LE(next, 0x2020000U);
    wheel.advance(next, SIZE_MAX, [](auto) {});
    ASSERT_LE(++steps, 4);
  }
  EXPECT_EQ(steps, 2);
}

TEST(TimerWheelTest, TakesLittleMemoryPerTimer) {
  EXPECT_EQ(TimerWheel(10000000, 0).memory_bytes() - TimerWheel(0, 0).memory_bytes(), 160000000U);
  EXPECT_LT(TimerWheel(0, 0).memory_bytes(), 16384U);
}

}  // namespace
}  // namespace tern::timer
