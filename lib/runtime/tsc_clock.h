// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <rte_cycles.h>

#include <algorithm>
#include <cstdint>

#include "tern/time.h"

namespace tern::runtime {

/// Cycles of a counter as nanoseconds since a start: one 128-bit product and no division. Errs by
/// less than 1 ns in a second, up to 4 GHz.
class CycleScale {
 public:
  CycleScale(std::uint64_t start_cycles, std::uint64_t hz)
      : start_(start_cycles),
        ns_per_cycle_(static_cast<std::uint64_t>(
            (static_cast<unsigned __int128>(kNsPerSecond) << kFractionBits) / hz)) {}

  /// Before the start it is zero o'clock: another core's counter may lag behind.
  Instant instant_at(std::uint64_t cycles) const {
    const std::uint64_t elapsed = cycles > start_ ? cycles - start_ : 0;
    const auto ns = static_cast<unsigned __int128>(elapsed) * ns_per_cycle_ >> kFractionBits;
    return Instant(Duration(static_cast<std::int64_t>(ns)));
  }

 private:
  static constexpr unsigned kFractionBits = 32;
  static constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  std::uint64_t start_;
  std::uint64_t ns_per_cycle_;  // fixed point
};

/// The time of one worker, by the time-stamp counter as DPDK calibrated it: zero when made, never
/// backwards, also when the thread wakes on a core whose counter lags. Thread: the worker's.
class TscClock {
 public:
  /// `start_cycles` is zero o'clock: workers that are given the same have one time line.
  explicit TscClock(std::uint64_t start_cycles = rte_rdtsc())
      : scale_(start_cycles, rte_get_tsc_hz()) {}

  /// The time without a promise of order to what other cores have read. Thread: any.
  Instant peek() const { return scale_.instant_at(rte_rdtsc()); }

  Instant now() {
    last_ = std::max(last_, scale_.instant_at(rte_rdtsc()));
    return last_;
  }

 private:
  CycleScale scale_;
  Instant last_{};
};

}  // namespace tern::runtime
