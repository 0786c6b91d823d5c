// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <vector>

namespace tern {

/// Counts 64-bit values (say, nanoseconds) in log-linear buckets as HdrHistogram does: exact below
/// 2048, and above that to one part in 1024, so three significant digits over the whole range.
/// Takes 440 KB whatever is recorded; recording never allocates. Thread rule: one thread at a time.
class Histogram {
 public:
  Histogram();

  void record(std::uint64_t value, std::uint64_t times = 1);
  void merge(const Histogram& other);
  void reset();

  /// The smallest recorded value that at least `percent` of the values do not exceed, rounded up to
  /// the end of its bucket and never above max(). 0 <= percent <= 100; 0 when empty.
  std::uint64_t percentile(double percent) const;

  /// How many recorded values are `value` or less, or share its bucket.
  std::uint64_t count_at_or_below(std::uint64_t value) const;

  std::uint64_t count() const { return count_; }
  std::uint64_t min() const { return count_ == 0 ? 0 : min_; }  // exact; 0 when empty
  std::uint64_t max() const { return max_; }                    // exact; 0 when empty
  double mean() const;                                          // exact to a double; 0 when empty
  double standard_deviation() const;  // of the whole, to a bucket's width; 0 when empty

 private:
  __extension__ using Sum = unsigned __int128;  // 2^64 values of 2^64 fit

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
  Sum sum_ = 0;
};

}  // namespace tern
