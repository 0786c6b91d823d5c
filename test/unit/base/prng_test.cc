// SPDX-License-Identifier: BSD-3-Clause
#include "base/prng.h"

#include <gtest/gtest.h>

#include <array>

namespace tern {
namespace {

TEST(PrngTest, TheSeedDecides) {
  Prng a(1), b(1), c(2);
  const std::uint64_t first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_NE(a.next(), first);
}

TEST(PrngTest, BelowIsUniformAndStaysBelow) {
  Prng rng(3);
  std::array<int, 10> seen{};
  for (int i = 0; i < 100000; ++i) ++seen.at(rng.below(10));
  double chi_square = 0;
  for (int count : seen) chi_square += (count - 10000.0) * (count - 10000.0) / 10000.0;
  EXPECT_LT(chi_square, 27.9);  // 9 degrees of freedom, p = 0.001
  EXPECT_EQ(rng.below(1), 0U);
}

TEST(PrngTest, ChanceHitsItsProbability) {
  Prng rng(4);
  int hits = 0;
  for (int i = 0; i < 100000; ++i) hits += rng.chance(0.25);
  EXPECT_NEAR(hits, 25000, 600);  // over 4 standard deviations
  EXPECT_FALSE(rng.chance(0));
  EXPECT_TRUE(rng.chance(1));
}

}  // namespace
}  // namespace tern
