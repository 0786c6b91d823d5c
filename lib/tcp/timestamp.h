// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// What the option takes of each segment, with its padding (RFC 7323 appendix A).
inline constexpr std::uint16_t kTimestampBytes = 12;

/// RFC 7323 5.4: the timestamp clock, 1 ms, from an offset keyed by the four-tuple, so that it
/// tells nobody the uptime or another connection's clock.
inline std::uint32_t timestamp_at(Instant now, std::uint32_t offset) {
  return Engine::milliseconds_of(now) + offset;
}
inline std::uint32_t timestamp_now(const Engine& e, const Tcb& c) { return e.now_ms + c.ts_offset; }

/// The clock of Tcb::ts_recent_age: coarse, so that 32 bits of it last for a century.
inline constexpr unsigned kTimestampAgeShift = 13;
inline constexpr Duration kTimestampAgeUnit = timer::kTick * (1 << kTimestampAgeShift);
inline std::uint32_t timestamp_age(const Engine& e) {
  return static_cast<std::uint32_t>(e.tick >> kTimestampAgeShift);
}

}  // namespace tern::tcp
