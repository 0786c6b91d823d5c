// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tern/time.h"

namespace bench {

/// When an open loop means its requests to leave: at even distances, whatever becomes of them. A
/// request that finds no idle connection waits, and its latency counts from here all the same, so
/// that a slow answer delays no measurement (no "coordinated omission").
class Schedule {
 public:
  Schedule(double per_second, tern::Instant start) : per_second_(per_second), start_(start) {}

  bool is_due(tern::Instant now) const { return next() <= now; }

  /// When the next request is meant to leave.
  tern::Instant next() const {
    const double ns = static_cast<double>(issued_) * 1e9 / per_second_;
    return start_ + tern::Duration(static_cast<std::int64_t>(ns));
  }

  /// Takes the next request off the schedule and answers when it was meant to leave.
  tern::Instant take() {
    const tern::Instant intended = next();
    ++issued_;
    return intended;
  }

  /// Requests that are due and have not been taken.
  std::uint64_t backlog(tern::Instant now) const {
    const double due = std::chrono::duration<double>(now - start_).count() * per_second_ + 1;
    const auto whole = due < 0 ? 0 : static_cast<std::uint64_t>(due);
    return whole > issued_ ? whole - issued_ : 0;
  }

 private:
  double per_second_;
  tern::Instant start_;
  std::uint64_t issued_ = 0;
};

}  // namespace bench
