// SPDX-License-Identifier: BSD-3-Clause
#include "tern/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/prng.h"

namespace tern {
namespace {

TEST(HistogramTest, IsAllZeroWhenEmpty) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.min(), 0U);
  EXPECT_EQ(h.max(), 0U);
  EXPECT_EQ(h.mean(), 0);
  EXPECT_EQ(h.percentile(99), 0U);
}

TEST(HistogramTest, IsExactBelow2048) {
  Histogram h;
  for (std::uint64_t v = 1; v <= 1000; ++v) h.record(v);
  EXPECT_EQ(h.count(), 1000U);
  EXPECT_EQ(h.min(), 1U);
  EXPECT_EQ(h.max(), 1000U);
  EXPECT_DOUBLE_EQ(h.mean(), 500.5);
  EXPECT_EQ(h.percentile(0), 1U);
  EXPECT_EQ(h.percentile(50), 500U);
  EXPECT_EQ(h.percentile(99), 990U);
  EXPECT_EQ(h.percentile(99.95), 1000U);
  EXPECT_EQ(h.percentile(100), 1000U);
}

TEST(HistogramTest, RoundsUpToTheEndOfABucket) {
  Histogram h;
  h.record(2048);  // shares its bucket with 2049
  h.record(100000);
  EXPECT_EQ(h.percentile(50), 2049U);
  EXPECT_EQ(h.percentile(100), 100000U);  // but never above the maximum
}

TEST(HistogramTest, CountsWhatLiesAtOrBelowAValue) {
  Histogram h;
  h.record(5, 3);
  h.record(7);
  h.record(1'000'000, 6);
  EXPECT_EQ(h.count_at_or_below(4), 0U);
  EXPECT_EQ(h.count_at_or_below(5), 3U);
  EXPECT_EQ(h.count_at_or_below(999), 4U);
  EXPECT_EQ(h.count_at_or_below(UINT64_MAX), 10U);
}

TEST(HistogramTest, KnowsTheSpread) {
  Histogram h;
  EXPECT_EQ(h.standard_deviation(), 0);
  for (const std::uint64_t v : {2, 4, 4, 4, 5, 5, 7, 9}) h.record(v);
  EXPECT_DOUBLE_EQ(h.standard_deviation(), 2);
}

TEST(HistogramTest, HoldsTheLargestValues) {
  Histogram h;
  h.record(UINT64_MAX);
  h.record(UINT64_MAX - 1);
  EXPECT_EQ(h.max(), UINT64_MAX);
  EXPECT_EQ(h.percentile(50), UINT64_MAX);
  EXPECT_DOUBLE_EQ(h.mean(), 0x1p64);
}

TEST(HistogramTest, RecordsManyAtOnceAndMerges) {
  Histogram a, b;
  a.record(10, 90);
  a.record(7, 0);
  b.record(1000000, 10);
  b.record(3);
  a.merge(b);
  EXPECT_EQ(a.count(), 101U);
  EXPECT_EQ(a.min(), 3U);
  EXPECT_EQ(a.max(), 1000000U);
  EXPECT_EQ(a.percentile(50), 10U);
  EXPECT_EQ(a.percentile(95), 1000000U);
  a.merge(Histogram());
  EXPECT_EQ(a.count(), 101U);
  EXPECT_EQ(a.min(), 3U);
  a.reset();
  EXPECT_EQ(a.count(), 0U);
  EXPECT_EQ(a.percentile(50), 0U);
}

TEST(HistogramTest, PercentilesAreWithinOneIn1024OfTheSortedValues) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng rng(kSeed);
  Histogram h;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20480; ++i) {
    values.push_back(rng.next() >> rng.below(64));
    h.record(values.back());
  }
  std::ranges::sort(values);
  for (std::size_t step = 1; step <= 1024;
       ++step) {  // 1024ths, so that ranks are exact in a double
    const std::uint64_t exact = values[step * 20 - 1];
    const std::uint64_t answer = h.percentile(static_cast<double>(step) * 100 / 1024);
    EXPECT_GE(answer, exact);
    EXPECT_LE(answer - exact, exact / 1024);
  }
}

}  // namespace
}  // namespace tern
