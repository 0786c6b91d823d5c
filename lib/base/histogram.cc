// SPDX-License-Identifier: BSD-3-Clause
#include "tern/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/assert.h"

namespace tern {
namespace {

// Values below 2 * kSteps have a bucket each; every further power of two is cut into kSteps.
constexpr unsigned kStepBits = 10;
constexpr std::uint64_t kSteps = 1ULL << kStepBits;
constexpr unsigned kMaxShift = 64 - (kStepBits + 1);
constexpr std::size_t kBuckets = (kMaxShift + 2) * kSteps;

constexpr std::size_t bucket_of(std::uint64_t value) {
  if (value < 2 * kSteps) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - (kStepBits + 1);
  return shift * kSteps + (value >> shift);
}
static_assert(bucket_of(UINT64_MAX) == kBuckets - 1);

constexpr std::uint64_t last_value_of(std::size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const std::uint64_t shift = bucket / kSteps - 1;
  return ((bucket % kSteps + kSteps + 1) << shift) - 1;  // the last bucket's wraps to UINT64_MAX
}
static_assert(last_value_of(kBuckets - 1) == UINT64_MAX);
static_assert(bucket_of(last_value_of(5000)) == 5000 && bucket_of(last_value_of(5000) + 1) == 5001);

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::record(std::uint64_t value, std::uint64_t times) {
  if (times == 0) return;
  buckets_[bucket_of(value)] += times;
  count_ += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<Sum>(value) * times;
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

void Histogram::reset() { *this = Histogram(); }

std::uint64_t Histogram::percentile(double percent) const {
  TERN_ASSERT(percent >= 0 && percent <= 100);
  if (count_ == 0) return 0;
  const double wanted = std::ceil(percent / 100 * static_cast<double>(count_));
  // A double may round a large count up, so both ends are held.
  const std::uint64_t rank =
      wanted < 1
          ? 1
          : (wanted >= static_cast<double>(count_) ? count_ : static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while ((seen += buckets_[bucket]) < rank) ++bucket;
  return std::min(last_value_of(bucket), max_);
}

std::uint64_t Histogram::count_at_or_below(std::uint64_t value) const {
  const auto end = buckets_.begin() + static_cast<std::ptrdiff_t>(bucket_of(value)) + 1;
  return std::accumulate(buckets_.begin(), end, std::uint64_t{0});
}

double Histogram::standard_deviation() const {
  if (count_ == 0) return 0;
  double squares = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (buckets_[i] == 0) continue;
    const double distance = static_cast<double>(last_value_of(i)) - mean();
    squares += distance * distance * static_cast<double>(buckets_[i]);
  }
  return std::sqrt(squares / static_cast<double>(count_));
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

}  // namespace tern
