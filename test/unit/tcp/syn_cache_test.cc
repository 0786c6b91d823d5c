// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/syn_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tern::tcp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

std::vector<std::uint32_t> expire(SynCache& cache, Instant now, std::size_t max = 100) {
  std::vector<std::uint32_t> due;
  cache.expire(now, max, [&](std::uint32_t index) {
    due.push_back(index);
    cache.remove(index);
  });
  return due;
}

TEST(SynCache, HoldsSoManyAndNoMore) {
  SynCache cache(2);
  const std::uint32_t first = cache.add({});
  cache.add({});
  EXPECT_TRUE(cache.is_full());
  EXPECT_EQ(cache.add({}), kNoIndex);
  cache.remove(first);
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_FALSE(cache.is_in_use(first));
  EXPECT_EQ(cache.add({}), first);
  EXPECT_TRUE(cache.is_in_use(first));
}

TEST(SynCache, ComesUpInTimeFromEveryList) {
  SynCache cache(4);
  EXPECT_EQ(cache.next_deadline(), kNever);
  for (std::uint32_t i = 0; i < 4; ++i) cache.add({});
  cache.schedule(0, 1, Instant(4s));
  cache.schedule(1, 0, Instant(2s));
  cache.schedule(2, 1, Instant(5s));
  cache.schedule(3, 17, Instant(3s));
  EXPECT_EQ(cache.next_deadline(), Instant(2s));
  EXPECT_THAT(expire(cache, Instant(2s - 1ns)), ElementsAre());
  EXPECT_THAT(expire(cache, Instant(2s)), ElementsAre(1));
  EXPECT_EQ(cache.next_deadline(), Instant(3s));
  EXPECT_THAT(expire(cache, Instant(5s)), ElementsAre(0, 2, 3));
  EXPECT_EQ(cache.next_deadline(), kNever);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(SynCache, MovesBetweenLists) {
  SynCache cache(2);
  cache.add({});
  cache.schedule(0, 1, Instant(1s));
  cache.schedule(0, 2, Instant(3s));
  EXPECT_THAT(expire(cache, Instant(2s)), ElementsAre());
  EXPECT_EQ(cache.next_deadline(), Instant(3s));
  EXPECT_THAT(expire(cache, Instant(3s)), ElementsAre(0));
}

TEST(SynCache, ABoundedCallLeavesTheRestDue) {
  SynCache cache(3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    cache.add({});
    cache.schedule(i, 1, Instant(1s));
  }
  EXPECT_THAT(expire(cache, Instant(9s), 2), ElementsAre(0, 1));
  EXPECT_EQ(cache.next_deadline(), Instant(1s));
  EXPECT_THAT(expire(cache, Instant(9s), 2), ElementsAre(2));
}

}  // namespace
}  // namespace tern::tcp
