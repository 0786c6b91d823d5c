// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/seq_num.h"

namespace tern::tcp {

/// What of [snd_una, snd_max) is not known to have arrived, and when each part of it was sent last:
/// the per-segment variables of RFC 8985 5.2, for runs of text that have them in common. What was
/// sent before there was a log has only a bound, until something above it arrives (settle()).
///
/// Bounded: where there is no room, neighbours become one run that counts as sent when the later of
/// them was, so that a loss is found late at worst. Together with a SackScoreboard of as many
/// ranges at most, whose gaps the runs are, there is always room that way.
class SentLog {
 public:
  static constexpr std::size_t kMaxRuns = 96;

  struct Run {
    wire::SeqNum begin, end;
    std::uint32_t sent_us;  // Engine::now_us at the last transmission; no later than, if !timed
    bool timed;
    bool again;  // has been sent more than once, or may have been
    bool lost;   // and not been sent again since
  };

  /// Starts over: [una, max) was sent, none of it later than `sent_us`.
  void begin(wire::SeqNum una, wire::SeqNum max, std::uint32_t sent_us, bool again);

  /// [begin, end) is sent now; again, where it is in the log.
  void on_sent(wire::SeqNum begin, wire::SeqNum end, std::uint32_t now_us);

  /// Takes [begin, end) out, since it has arrived, and calls `each` with the parts that were in.
  template <class F>
  void take_out(wire::SeqNum begin, wire::SeqNum end, F&& each) {
    const auto [first, last] = isolate(begin, end);
    for (std::size_t i = first; i < last; ++i) each(runs_[i]);
    erase(first, last);
  }

  /// What has no time of its own and lies below `edge` was sent at `sent_us`, or its bound if that
  /// is earlier: something sent later has just arrived.
  void settle(wire::SeqNum edge, std::uint32_t sent_us);

  /// Calls `is_lost` for each run not yet lost, and marks those for which it says so. `newly` hears
  /// of them. Returns their bytes.
  template <class F, class G>
  std::uint32_t mark_lost(F&& is_lost, G&& newly) {
    std::uint32_t bytes = 0;
    for (Run& r : std::span(runs_).first(count_)) {
      if (r.lost || !is_lost(r)) continue;
      newly(r);
      r.lost = true;
      bytes += r.end - r.begin;
    }
    return bytes;
  }

  /// The lowest run that is lost and has not been sent again.
  const Run* lowest_lost() const;
  /// RFC 6675's pipe: bytes sent, not arrived, not lost.
  std::uint32_t in_flight() const;

  std::span<const Run> runs() const { return {runs_.data(), count_}; }

 private:
  struct Range {
    std::size_t first, last;
  };
  Range isolate(wire::SeqNum begin, wire::SeqNum end);
  void split(std::size_t i, wire::SeqNum at);
  void erase(std::size_t first, std::size_t last);
  void make_room();
  void append(const Run& run);

  std::array<Run, kMaxRuns> runs_;
  std::size_t count_ = 0;
};

/// Whether `a` is later than `b`, both microseconds modulo 2^32 within half an hour of each other.
constexpr bool is_later(std::uint32_t a_us, std::uint32_t b_us) {
  return static_cast<std::int32_t>(a_us - b_us) > 0;
}

}  // namespace tern::tcp
