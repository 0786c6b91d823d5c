// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "tern/time.h"

namespace tern::runtime {

/// Decides when a worker that finds nothing to do may nap, and for how long. Pure: it is told the
/// time. A virtual device's other end is often the kernel on the same few cores, which a busy loop
/// would starve; a service on a NIC does not want the naps.
class IdleWatch {
 public:
  struct Verdict {
    bool became_idle = false;  ///< once in every idle period: time for housekeeping
    Duration nap{};            ///< zero: poll on
  };

  /// Naps begin at `shortest` and double up to `longest`.
  explicit IdleWatch(bool may_nap, Duration shortest = kShortestNap, Duration longest = kLongestNap)
      : may_nap_(may_nap), shortest_(shortest), longest_(longest) {}

  /// After each poll: how much work it did, the time, and when the next timer is due, which is
  /// asked for only when it matters: the answer costs a third of an idle turn.
  template <class NextDeadline>
  Verdict after_poll(std::size_t work, Instant now, NextDeadline&& next_deadline) {
    if (work > 0 || !quiet_) {
      quiet_ = work == 0;
      quiet_since_ = now;
      nap_ = Duration::zero();
      return {};
    }
    if (now - quiet_since_ < kPatience) return {};
    const bool became_idle = nap_ == Duration::zero();
    nap_ = became_idle ? shortest_ : std::min(2 * nap_, longest_);
    if (!may_nap_) return {became_idle, Duration::zero()};
    const Instant deadline = next_deadline();
    if (deadline <= now) return {became_idle, Duration::zero()};
    return {became_idle, deadline == kNever ? nap_ : std::min(nap_, deadline - now)};
  }

  static constexpr Duration kPatience = std::chrono::microseconds(200);
  static constexpr Duration kShortestNap = std::chrono::microseconds(50);
  static constexpr Duration kLongestNap = std::chrono::milliseconds(1);

 private:
  const bool may_nap_;
  const Duration shortest_, longest_;
  bool quiet_ = false;     // the last poll did nothing
  Instant quiet_since_{};  // if quiet_
  Duration nap_{};         // the last one of this idle period; zero: none yet
};

}  // namespace tern::runtime
