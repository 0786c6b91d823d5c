// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tern/time.h"

namespace tern::tcp {

/// Whether there is a SYN flood, with hysteresis: it begins when half-open connections have no room
/// (or, where every SYN gets a cookie, when very many come in a second), and ends when that has not
/// happened for kQuiet. So an operator hears of one flood once, however it comes and goes.
class FloodWatch {
 public:
  static constexpr Duration kQuiet = std::chrono::seconds(10);
  static constexpr std::uint32_t kCookiesPerSecond = 4096;

  /// A SYN found no room.
  void on_overflow(Instant now) {
    if (!active_) since_ = now;
    active_ = true;
    last_ = now;
  }
  /// A SYN got a cookie as a matter of course.
  void on_routine_cookie(Instant now) {
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      in_second_ = 0;
    }
    if (++in_second_ > kCookiesPerSecond) on_overflow(now);
  }
  void expire(Instant now) {
    if (!active_ || now < last_ + kQuiet) return;
    active_ = false;
    since_ = now;
  }

  Instant next_deadline() const { return active_ ? last_ + kQuiet : kNever; }
  bool active() const { return active_; }
  Instant since() const { return since_; }  ///< of the present state

 private:
  bool active_ = false;
  std::uint32_t in_second_ = 0;
  Instant since_{}, last_{}, second_{};
};

}  // namespace tern::tcp
