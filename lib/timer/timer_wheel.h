// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/index_list.h"
#include "base/zeroed_array.h"
#include "tern/time.h"

namespace tern::timer {

/// A point of the wheel's time. Wraps after five days, so only differences count: a deadline lies
/// less than 2^31 ticks (2.5 days) from now.
using Tick = std::uint32_t;
inline constexpr Duration kTick = std::chrono::microseconds(100);

/// Whether `a` is later than `b`, for ticks less than 2^31 apart.
constexpr bool is_after(Tick a, Tick b) { return static_cast<std::int32_t>(a - b) > 0; }

/// One deadline for each of a fixed number of ids: four levels of 256 buckets, each level's bucket
/// as wide as the whole level below. Arming, re-arming and cancelling take constant time; empty
/// stretches are skipped in constant time by a bitmap per level; a timer moves down at most three
/// times in its life.
///
/// Cheap use (design.md, "Timer wheel"): leave a timer armed when its deadline moves later, note
/// the new deadline elsewhere, and re-arm when it fires early; arm at once only for an earlier one.
///
/// Takes 16 bytes an id, not touched before the id is used, and allocates nothing later. Reads no
/// clock. Thread rule: one thread.
class TimerWheel {
 public:
  /// Ids are 0 to capacity - 1; none is armed. Throws std::bad_alloc.
  TimerWheel(std::uint32_t capacity, Tick now);

  /// Arms or re-arms. A deadline that is not after the last advance's `now` counts as that `now`,
  /// and fires at the next advance: never in the one that is going on.
  void arm(std::uint32_t id, Tick deadline);

  /// Does nothing to an id that is not armed.
  void cancel(std::uint32_t id);

  bool is_armed(std::uint32_t id) const { return nodes_[id].bucket_plus_one != 0; }
  /// As armed, or as it counted then. Only for an armed id.
  Tick deadline(std::uint32_t id) const;

  /// Calls fire(id) for each id whose deadline is not after `now`, in the order of deadlines (equal
  /// ones in a repeatable order), at most `max_fired`, and returns how many. An id is disarmed
  /// before its call. `fire` may arm and cancel anything, but not advance. What time has passed is
  /// bounded too: moving timers down the levels stops after kMovesPerFire * max_fired, so that a
  /// call may fire fewer than are due; has_backlog() alone says whether something is left. `now` is
  /// less than 2^31 ticks after the previous one; an earlier one counts as the previous.
  template <class Fire>
  std::size_t advance(Tick now, std::size_t max_fired, Fire&& fire) {
    begin_advance(now);
    if (is_settled()) return 0;
    std::size_t moves = max_fired < SIZE_MAX / kMovesPerFire ? max_fired * kMovesPerFire : SIZE_MAX;
    std::size_t fired = 0;
    while (fired < max_fired) {
      const std::uint32_t id = take_due(moves);
      if (id == kNoIndex) break;
      ++fired;
      fire(id);
    }
    return fired;
  }

  /// Whether advance(now) would change nothing, as most would: no tick has passed since the last
  /// one, and nothing was left over or armed for the past.
  bool is_idle_at(Tick now) const { return now == now_ && is_settled(); }

  /// Whether the last advance left timers that were due to the next one: call it again at once. May
  /// hold without cause for one call, after the timer that caused it was cancelled or moved later.
  bool has_backlog() const;

  /// Never after the earliest armed deadline, and equal to it unless that timer's bucket held an
  /// earlier one since it was last empty, or there is a backlog. Advancing to it fires something or
  /// makes the answer more exact, at most three times in a row. Nullopt when nothing is armed.
  std::optional<Tick> next_deadline() const;

  std::uint32_t armed() const { return armed_; }
  std::uint32_t capacity() const { return static_cast<std::uint32_t>(nodes_.size()); }
  std::size_t memory_bytes() const { return sizeof *this + nodes_.bytes(); }

  static constexpr std::size_t kMovesPerFire = 16;

 private:
  static constexpr std::uint32_t kLevels = 4;
  static constexpr std::uint32_t kSlots = 256;
  static constexpr std::uint32_t kBuckets = kLevels * kSlots;
  static constexpr std::uint32_t kOverdue = kBuckets;  // stands for overdue_, after the buckets
  static constexpr std::uint32_t kNoBucket = kBuckets + 1;

  /// All zero is "not armed", so that fresh pages need no touch.
  struct Node {
    IndexLinks links;
    Tick deadline;
    std::uint32_t bucket_plus_one;
  };
  static_assert(sizeof(Node) == 16);

  struct Bucket {
    IndexList list;
    Tick earliest = 0;  // no deadline in the list is earlier; meaningless while it is empty
  };

  enum class Reached { kDue, kNothing, kOutOfMoves };

  void begin_advance(Tick now);
  // Nothing can be due: the short way out of an advance in which no tick has passed.
  bool is_settled() const {
    return base_ == now_ && overdue_.empty() && cascading_ == kNoBucket &&
           buckets_[base_ % kSlots].list.empty();
  }
  std::uint32_t take_due(std::size_t& moves);
  Reached reach(Tick until, std::size_t& moves);
  bool finish_cascade(std::size_t& moves);
  bool cascade_pending() const;
  bool front_is_late() const { return overdue_.front() != fresh_; }

  std::uint32_t bucket_of(Tick deadline) const;
  Tick start_of(std::uint32_t bucket) const;
  std::uint32_t first_bucket() const;
  std::uint32_t first_occupied(std::uint32_t level, std::uint32_t from_slot) const;
  void link(std::uint32_t id, std::uint32_t bucket);
  void unlink(std::uint32_t id);

  // How far the wheel has come: nothing in the buckets is due earlier. Lags behind now_ while there
  // is a backlog. Distances between ticks are measured from here.
  Tick base_;
  Tick now_;  // the last advance's
  std::uint32_t armed_ = 0;
  std::uint32_t cascading_ =
      kNoBucket;  // the bucket at base_ that is being emptied into lower ones
  // Timers that were due when they were armed, in that order; those from fresh_ on were armed since
  // the last advance began and wait for the next.
  IndexList overdue_;
  std::uint32_t fresh_ = kNoIndex;
  std::array<std::uint64_t, kBuckets / 64> occupied_{};  // a bit for each bucket: not empty
  std::array<Bucket, kBuckets> buckets_;
  ZeroedArray<Node> nodes_;
};

}  // namespace tern::timer
