// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>

#include "tern/time.h"

namespace tern::net {

/// Lets `rate_per_second` events pass on average and `burst` at once. Kept as the time when the
/// bucket will be full again (the "virtual scheduling" form, ITU-T I.371), so nothing is rounded
/// and nothing needs to be refilled.
class TokenBucket {
 public:
  constexpr TokenBucket(std::uint32_t rate_per_second, std::uint32_t burst)
      : interval_(Duration(std::chrono::seconds(1)) / rate_per_second), depth_(interval_ * burst) {}

  /// True if an event may pass now, and takes its tokens; more than the burst are as many.
  constexpr bool take(Instant now, std::uint32_t tokens = 1) {
    const Instant full_at = std::max(full_at_, now) + std::min(interval_ * tokens, depth_);
    if (full_at > now + depth_) return false;
    full_at_ = full_at;
    return true;
  }

 private:
  Duration interval_;  // one token's worth
  Duration depth_;     // of an empty bucket
  Instant full_at_{};
};

}  // namespace tern::net
