// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>

namespace tern {

/// The engine's time line: a clock type without a now(). The engine never reads a clock; whoever
/// polls it says what time it is, so a test runs on virtual time and a service on its TSC.
struct EngineTime {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<EngineTime>;
  static constexpr bool is_steady = true;
};

using Duration = EngineTime::duration;
using Instant = EngineTime::time_point;

/// The deadline of something that is not waiting for anything.
inline constexpr Instant kNever = Instant::max();

}  // namespace tern
