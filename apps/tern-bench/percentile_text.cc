// SPDX-License-Identifier: BSD-3-Clause
#include "percentile_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace bench {

namespace {

constexpr double kTicksPerHalfDistance = 5;

// The next level to report: nearer to 100 % the steps become shorter.
double next_level(double percent) {
  const double halvings = std::floor(std::log2(100 / (100 - percent))) + 1;
  return percent + 100 / (kTicksPerHalfDistance * std::exp2(halvings));
}

}  // namespace

std::string percentile_text(const tern::Histogram& histogram, double unit) {
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  const auto scaled = [unit](auto value) { return static_cast<double>(value) / unit; };
  fmt::format_to(out, "{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount",
                 "1/(1-Percentile)");
  std::uint64_t count = 0;
  for (double level = 0; count < histogram.count(); level = next_level(level)) {
    const std::uint64_t value = histogram.percentile(level);
    count = histogram.count_at_or_below(value);
    fmt::format_to(out, "{:12.3f} {:2.12f} {:10} {:14.2f}\n", scaled(value), level / 100, count,
                   100 / (100 - level));
  }
  fmt::format_to(out, "{:12.3f} {:2.12f} {:10}\n", scaled(histogram.max()), 1.0, count);
  fmt::format_to(out, "#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n",
                 scaled(histogram.mean()), scaled(histogram.standard_deviation()));
  fmt::format_to(out, "#[Max     = {:12.3f}, Total count    = {:12}]\n", scaled(histogram.max()),
                 histogram.count());
  fmt::format_to(out, "#[Buckets = {:12}, SubBuckets     = {:12}]\n", 54, 2048);
  return fmt::to_string(text);
}

}  // namespace bench
