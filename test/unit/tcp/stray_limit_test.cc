// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/stray_limit.h"

#include <gtest/gtest.h>

#include <set>

namespace tern::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kPrefix = 0x0a0000;

std::uint32_t taken_at_once(StrayLimit& limit, std::uint64_t prefix, Instant now) {
  std::uint32_t taken = 0;
  while (taken < 100'000 && limit.take(prefix, now)) ++taken;
  return taken;
}

TEST(StrayLimit, IsThatOfAPrefix) {
  StrayLimit limit({1, 2});
  const std::uint32_t taken = taken_at_once(limit, kPrefix, Instant(1s));
  EXPECT_NEAR(taken, StrayLimit::kPrefixBurst, StrayLimit::kPrefixBurst / 5);
  EXPECT_TRUE(limit.take(kPrefix + 1, Instant(1s))) << "another prefix";
}

TEST(StrayLimit, ComesBackAtItsRate) {
  StrayLimit limit({1, 2});
  taken_at_once(limit, kPrefix, Instant(1s));
  std::uint32_t taken = 0;
  for (int ms = 0; ms < 10'000; ++ms)
    while (limit.take(kPrefix, Instant(1s) + ms * 1ms)) ++taken;
  EXPECT_NEAR(taken, 10 * StrayLimit::kPrefixPerSecond, StrayLimit::kPrefixPerSecond / 5);
}

TEST(StrayLimit, HoldsForAllTogether) {
  StrayLimit limit({1, 2});
  std::uint32_t taken = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i)
    if (limit.take(i, Instant(1s))) ++taken;
  EXPECT_NEAR(taken, StrayLimit::kBurst, StrayLimit::kBurst / 5);
}

// Whoever counts the answers cannot tell from their number whether somebody else got one.
TEST(StrayLimit, HasAJitter) {
  std::set<std::uint32_t> counts;
  StrayLimit limit({1, 2});
  for (int second = 1; second <= 20; ++second)
    counts.insert(taken_at_once(limit, kPrefix, Instant(second * 10s)));
  EXPECT_GT(counts.size(), 8u);
}

}  // namespace
}  // namespace tern::tcp
