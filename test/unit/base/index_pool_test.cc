// SPDX-License-Identifier: BSD-3-Clause
#include "base/index_pool.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace tern {
namespace {

TEST(IndexPoolTest, HandsOutEachIndexOnceAndThenNone) {
  IndexPool<int> pool(3);
  EXPECT_EQ(pool.acquire(), 0U);
  EXPECT_EQ(pool.acquire(), 1U);
  EXPECT_EQ(pool.acquire(), 2U);
  EXPECT_EQ(pool.acquire(), kNoIndex);
  EXPECT_EQ(pool.in_use(), 3U);
  EXPECT_EQ(pool.available(), 0U);
  EXPECT_EQ(pool.capacity(), 3U);
}

TEST(IndexPoolTest, ReusesTheLastReleasedFirst) {
  IndexPool<int> pool(4);
  for (int i = 0; i < 3; ++i) pool.acquire();
  pool.release(0);
  pool.release(2);
  EXPECT_EQ(pool.in_use(), 1U);
  EXPECT_EQ(pool.available(), 3U);
  EXPECT_EQ(pool.acquire(), 2U);
  EXPECT_EQ(pool.acquire(), 0U);
  EXPECT_EQ(pool.acquire(), 3U);  // only now a fresh one
}

TEST(IndexPoolTest, ValueInitialisesOnceAndKeepsContentsAfterwards) {
  IndexPool<std::uint64_t> pool(2);
  const std::uint32_t index = pool.acquire();
  EXPECT_EQ(pool[index], 0U);
  pool[index] = 42;
  pool.release(index);
  ASSERT_EQ(pool.acquire(), index);
  EXPECT_EQ(pool[index], 42U);
}

TEST(IndexPoolTest, KnowsWhichIndicesWereEverHandedOut) {
  IndexPool<int> pool(8);
  EXPECT_FALSE(pool.is_touched(0));
  pool.release(pool.acquire());
  EXPECT_TRUE(pool.is_touched(0));
  EXPECT_FALSE(pool.is_touched(1));
  EXPECT_FALSE(pool.is_touched(kNoIndex));
  EXPECT_EQ(pool.touched(), 1U);
}

TEST(IndexPoolTest, AnEmptyPoolIsDry) {
  IndexPool<int> pool(0);
  EXPECT_EQ(pool.acquire(), kNoIndex);
  EXPECT_EQ(pool.available(), 0U);
}

struct Counted {
  static inline int alive = 0;
  Counted() { ++alive; }
  ~Counted() { --alive; }
};

TEST(IndexPoolTest, ConstructsOnFirstUseAndDestroysAllWithThePool) {
  Counted::alive = 0;
  {
    IndexPool<Counted> pool(10);
    EXPECT_EQ(Counted::alive, 0);
    pool.release(pool.acquire());
    pool.acquire();
    pool.acquire();
    EXPECT_EQ(Counted::alive, 2);  // released ones live on
  }
  EXPECT_EQ(Counted::alive, 0);
}

struct alignas(64) Line {
  std::byte bytes[64];
};

TEST(IndexPoolTest, HonoursAlignment) {
  IndexPool<Line> pool(3);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&pool[pool.acquire()]) % 64, 0U);
}

}  // namespace
}  // namespace tern
