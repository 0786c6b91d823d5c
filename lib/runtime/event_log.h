// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/config.h"
#include "tern/runtime.h"
#include "tern/stats.h"
#include "tern/time.h"

namespace tern::runtime {

/// "2.5 s".
std::string in_seconds(Duration duration);

/// A counter of something that should not happen, as an operator wants to hear of it: once when it
/// begins to grow, and once when it has not grown for kQuiet. So a line comes at most every kQuiet,
/// however fast it counts.
class Episode {
 public:
  static constexpr Duration kQuiet = std::chrono::seconds(10);
  enum class News : std::uint8_t { kNone, kBegan, kOver };

  /// The counter's present value; the first look only remembers it.
  News look(std::uint64_t count, Instant now);
  /// Of the present episode, or the last one.
  std::uint64_t count() const { return last_count_ - first_count_; }
  /// From the last look at which it had not begun.
  Duration lasted() const { return last_growth_ - began_; }

 private:
  bool known_ = false, active_ = false;
  std::uint64_t first_count_ = 0, last_count_ = 0;
  Instant began_{}, last_growth_{}, last_look_{};
};

/// What is to be seen of a running process at one time.
struct Observation {
  Instant now{};
  bool link_up = true;
  std::vector<std::uint64_t> turns;  ///< of each worker's loop; they grow unless it hangs
  /// Of all workers together; nothing: not asked this time, or one did not answer.
  std::optional<Counters> counters = {};
  std::uint64_t frames_missed = 0;  ///< by the device, for want of buffers or of room in its ring
};

/// Makes the lines of what an operator acts on out of what is seen: a link that goes down or comes
/// up, buffers and places that run out, an address claimed by two, a worker that hangs. One line
/// when a thing begins, with what to do, and one when it is over. Pure: it is told the time.
class EventLog {
 public:
  /// A link must have been as it is for so many looks before that is told: a device that has just
  /// started flickers.
  static constexpr unsigned kLinkLooks = 3;
  /// A worker hangs when it has made no turn for so many looks. Looks and not seconds, so that a
  /// process that was stopped as a whole raises no alarm.
  static constexpr unsigned kStallLooks = 10;

  using Log = std::function<void(LogLevel, const std::string&)>;
  EventLog(const std::string& device, const StackConfig& config, unsigned workers, Log log);

  /// Once every `interval`, by the same clock.
  void look(const Observation& seen);

 private:
  struct Worry {
    std::uint64_t Counters::*counter;  // nullptr: Observation::frames_missed
    std::string began, over, unit;
    Episode episode = {};
  };
  struct Loop {
    std::uint64_t turns = 0;
    unsigned looks = 0;  // without a turn
    Instant moved{};
  };

  void look_at_link(bool up);
  void look_at_loop(std::size_t worker, std::uint64_t turns, Instant now);
  void look_at(Worry& worry, std::uint64_t count, Instant now);

  const std::string device_;
  const Log log_;
  std::vector<Worry> worries_;
  std::vector<Loop> loops_;
  bool link_told_ = true;
  unsigned link_looks_ = 0;  // that it has been otherwise
};

}  // namespace tern::runtime
