// SPDX-License-Identifier: BSD-3-Clause
#include "timer/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace tern::timer {

// The level of a deadline is the highest byte in which it differs from base_, its slot the value of
// that byte. So every timer of a level is due before every timer of the levels above it, and within
// a level slots are in order from base_'s own on. Only the top level's order wraps around. Apart
// from the bucket that is being cascaded, base_'s own slot is empty on all levels but the lowest.

TimerWheel::TimerWheel(std::uint32_t capacity, Tick now)
    : base_(now), now_(now), nodes_(capacity) {}

void TimerWheel::arm(std::uint32_t id, Tick deadline) {
  TERN_DASSERT(id < nodes_.size());
  Node& node = nodes_[id];
  const bool overdue = !is_after(deadline, now_);
  const std::uint32_t bucket = overdue ? kOverdue : bucket_of(deadline);
  if (node.bucket_plus_one == bucket + 1 && !overdue) {
    // Order within a bucket does not matter, so the timer may stay where it is.
    node.deadline = deadline;
    Tick& earliest = buckets_[bucket].earliest;
    if (deadline - base_ < earliest - base_) earliest = deadline;
    return;
  }
  if (node.bucket_plus_one != 0) {
    unlink(id);
  } else {
    ++armed_;
  }
  node.deadline = overdue ? now_ : deadline;
  link(id, bucket);
}

void TimerWheel::cancel(std::uint32_t id) {
  TERN_DASSERT(id < nodes_.size());
  if (!is_armed(id)) return;
  unlink(id);
  --armed_;
}

Tick TimerWheel::deadline(std::uint32_t id) const {
  TERN_DASSERT(is_armed(id));
  return nodes_[id].deadline;
}

bool TimerWheel::has_backlog() const {
  if (is_settled()) return false;
  if (cascade_pending() || front_is_late()) return true;
  const std::uint32_t bucket = first_bucket();
  return bucket != kNoBucket && buckets_[bucket].earliest - base_ <= now_ - base_;
}

std::optional<Tick> TimerWheel::next_deadline() const {
  if (armed_ == 0) return std::nullopt;
  if (cascade_pending()) return base_;
  const std::uint32_t bucket = first_bucket();
  if (overdue_.empty()) return buckets_[bucket].earliest;
  const Tick overdue = nodes_[overdue_.front()].deadline;
  if (bucket == kNoBucket) return overdue;
  return base_ + std::min(overdue - base_, buckets_[bucket].earliest - base_);
}

void TimerWheel::begin_advance(Tick now) {
  if (is_after(now, now_)) now_ = now;
  fresh_ = kNoIndex;
}

// The next id to fire, disarmed; kNoIndex when none is due or the moves are used up.
std::uint32_t TimerWheel::take_due(std::size_t& moves) {
  const bool late = front_is_late();
  std::uint32_t id = kNoIndex;
  switch (reach(late ? nodes_[overdue_.front()].deadline : now_, moves)) {
    case Reached::kDue:
      id = buckets_[base_ % kSlots].list.front();
      break;
    case Reached::kNothing:
      id = late ? overdue_.front() : kNoIndex;
      break;
    case Reached::kOutOfMoves:
      break;
  }
  if (id == kNoIndex) return kNoIndex;
  unlink(id);
  --armed_;
  return id;
}

// Moves base_ to the first tick up to `until` at which timers are due, or else to `until`.
TimerWheel::Reached TimerWheel::reach(Tick until, std::size_t& moves) {
  for (;;) {
    if (!finish_cascade(moves)) return Reached::kOutOfMoves;
    const std::uint32_t bucket = first_bucket();
    if (bucket == kNoBucket || start_of(bucket) - base_ > until - base_) {
      base_ = until;
      return Reached::kNothing;
    }
    base_ = start_of(bucket);
    if (bucket < kSlots) return Reached::kDue;
    cascading_ = bucket;
  }
}

// False when the moves run out before the bucket is empty.
bool TimerWheel::finish_cascade(std::size_t& moves) {
  while (cascade_pending()) {
    if (moves == 0) return false;
    --moves;
    const std::uint32_t id = buckets_[cascading_].list.front();
    unlink(id);
    link(id, bucket_of(nodes_[id].deadline));
  }
  cascading_ = kNoBucket;
  return true;
}

// Cancelling can empty the bucket in between.
bool TimerWheel::cascade_pending() const {
  return cascading_ != kNoBucket && !buckets_[cascading_].list.empty();
}

std::uint32_t TimerWheel::bucket_of(Tick deadline) const {
  const auto highest_bit = static_cast<std::uint32_t>(std::bit_width((deadline ^ base_) | 1)) - 1;
  const std::uint32_t level = highest_bit / 8;
  return level * kSlots + (deadline >> (8 * level)) % kSlots;
}

// The first tick that a bucket stands for, given that base_ has not passed it.
Tick TimerWheel::start_of(std::uint32_t bucket) const {
  const std::uint32_t shift = bucket / kSlots * 8;
  const auto level_mask = static_cast<Tick>((std::uint64_t{kSlots} << shift) - 1);
  return (base_ & ~level_mask) | (bucket % kSlots) << shift;
}

// The occupied bucket with the earliest timers; kNoBucket when all are empty. None is being
// cascaded.
std::uint32_t TimerWheel::first_bucket() const {
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    const std::uint32_t bucket = first_occupied(level, (base_ >> (8 * level)) % kSlots);
    if (bucket != kNoBucket) return bucket;
  }
  return first_occupied(kLevels - 1, 0);  // the top level's order wraps around
}

std::uint32_t TimerWheel::first_occupied(std::uint32_t level, std::uint32_t from_slot) const {
  const std::uint32_t end = (level + 1) * kSlots / 64;
  std::uint32_t word = (level * kSlots + from_slot) / 64;
  std::uint64_t bits = occupied_[word] & ~std::uint64_t{0} << from_slot % 64;
  while (bits == 0) {
    if (++word == end) return kNoBucket;
    bits = occupied_[word];
  }
  return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
}

void TimerWheel::link(std::uint32_t id, std::uint32_t bucket) {
  const auto links_of = [this](std::uint32_t i) -> IndexLinks& { return nodes_[i].links; };
  nodes_[id].bucket_plus_one = bucket + 1;
  if (bucket == kOverdue) {
    overdue_.push_back(links_of, id);
    if (fresh_ == kNoIndex) fresh_ = id;
    return;
  }
  Bucket& b = buckets_[bucket];
  const Tick deadline = nodes_[id].deadline;
  if (b.list.empty() || deadline - base_ < b.earliest - base_) b.earliest = deadline;
  b.list.push_back(links_of, id);
  occupied_[bucket / 64] |= std::uint64_t{1} << bucket % 64;
}

void TimerWheel::unlink(std::uint32_t id) {
  const auto links_of = [this](std::uint32_t i) -> IndexLinks& { return nodes_[i].links; };
  const std::uint32_t bucket = nodes_[id].bucket_plus_one - 1;
  nodes_[id].bucket_plus_one = 0;
  if (bucket == kOverdue) {
    if (fresh_ == id) fresh_ = nodes_[id].links.next;
    overdue_.remove(links_of, id);
    return;
  }
  IndexList& list = buckets_[bucket].list;
  list.remove(links_of, id);
  if (list.empty()) occupied_[bucket / 64] &= ~(std::uint64_t{1} << bucket % 64);
}

}  // namespace tern::timer
