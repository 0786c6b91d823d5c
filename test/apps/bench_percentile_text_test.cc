// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "percentile_text.h"

namespace bench {
namespace {

// What HdrHistogram's own outputPercentileDistribution prints for the values 1 to 10 (five steps in
// each halving), by its rules.
TEST(PercentileText, IsHdrHistograms) {
  tern::Histogram histogram;
  for (std::uint64_t v = 1; v <= 10; ++v) histogram.record(v);
  EXPECT_EQ(percentile_text(histogram, 1),
            "       Value     Percentile TotalCount 1/(1-Percentile)\n"
            "\n"
            "       1.000 0.000000000000          1           1.00\n"
            "       1.000 0.100000000000          1           1.11\n"
            "       2.000 0.200000000000          2           1.25\n"
            "       3.000 0.300000000000          3           1.43\n"
            "       4.000 0.400000000000          4           1.67\n"
            "       5.000 0.500000000000          5           2.00\n"
            "       6.000 0.550000000000          6           2.22\n"
            "       6.000 0.600000000000          6           2.50\n"
            "       7.000 0.650000000000          7           2.86\n"
            "       7.000 0.700000000000          7           3.33\n"
            "       8.000 0.750000000000          8           4.00\n"
            "       8.000 0.775000000000          8           4.44\n"
            "       8.000 0.800000000000          8           5.00\n"
            "       9.000 0.825000000000          9           5.71\n"
            "       9.000 0.850000000000          9           6.67\n"
            "       9.000 0.875000000000          9           8.00\n"
            "       9.000 0.887500000000          9           8.89\n"
            "       9.000 0.900000000000          9          10.00\n"
            "      10.000 0.912500000000         10          11.43\n"
            "      10.000 1.000000000000         10\n"
            "#[Mean    =        5.500, StdDeviation   =        2.872]\n"
            "#[Max     =       10.000, Total count    =           10]\n"
            "#[Buckets =           54, SubBuckets     =         2048]\n");
}

TEST(PercentileText, OfNothing) {
  EXPECT_NE(percentile_text(tern::Histogram(), 1000).find("Total count    =            0"),
            std::string::npos);
}

TEST(PercentileText, DividesByTheUnit) {
  tern::Histogram histogram;
  histogram.record(1500);
  EXPECT_NE(percentile_text(histogram, 1000).find("       1.500 1.000000000000          1\n"),
            std::string::npos);
}

}  // namespace
}  // namespace bench
