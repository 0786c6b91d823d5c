// SPDX-License-Identifier: BSD-3-Clause
#include "flow/connection_table.h"

#include <bit>

namespace tern::flow {
namespace {

// At least one cache line of slots, so that a look-up in the smallest table still meets an empty
// one.
std::uint32_t slots_for(std::uint32_t max_entries) {
  TERN_ASSERT(max_entries <= ConnectionTable::kMaxEntries);
  return std::bit_ceil(std::max<std::uint32_t>(2 * max_entries, 8));
}

}  // namespace

ConnectionTable::ConnectionTable(std::uint32_t max_entries)
    : mask_(slots_for(max_entries) - 1),
      max_probe_(std::min(mask_ + 1, kMaxProbe)),
      max_entries_(max_entries),
      slots_(mask_ + std::size_t{1}) {}

bool ConnectionTable::insert(std::uint32_t hash, std::uint32_t index) {
  TERN_ASSERT(index != kNoIndex);
  if (size_ == max_entries_) return false;
  std::uint32_t position = home(hash);
  for (std::uint32_t probe = 0; probe < max_probe_; ++probe, position = next(position)) {
    Slot& slot = slots_[position];
    if (slot.is_empty()) {
      slot = {hash, index + 1};
      ++size_;
      return true;
    }
    // A duplicate has the same home, so it lies before the first empty slot.
    TERN_ASSERT(slot.tag != hash || slot.index() != index);
  }
  return false;
}

bool ConnectionTable::erase(std::uint32_t hash, std::uint32_t index) {
  std::uint32_t hole = position_of(hash, index);
  if (hole == kNoSlot) return false;
  // Backward shift: every later entry of the run that may lie at the hole moves there, so that no
  // entry is ever behind an empty slot. An entry may lie anywhere from its home slot on.
  for (std::uint32_t at = next(hole); !slots_[at].is_empty(); at = next(at)) {
    const std::uint32_t distance_from_home = (at - home(slots_[at].tag)) & mask_;
    const std::uint32_t distance_from_hole = (at - hole) & mask_;
    if (distance_from_home < distance_from_hole) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
  --size_;
  return true;
}

bool ConnectionTable::replace(std::uint32_t hash, std::uint32_t old_index,
                              std::uint32_t new_index) {
  TERN_ASSERT(new_index != kNoIndex);
  const std::uint32_t position = position_of(hash, old_index);
  if (position == kNoSlot) return false;
  TERN_DASSERT(new_index == old_index || position_of(hash, new_index) == kNoSlot);
  slots_[position].index_plus_one = new_index + 1;
  return true;
}

std::uint32_t ConnectionTable::position_of(std::uint32_t hash, std::uint32_t index) const {
  std::uint32_t position = home(hash);
  for (std::uint32_t probe = 0; probe < max_probe_; ++probe, position = next(position)) {
    const Slot slot = slots_[position];
    if (slot.is_empty()) return kNoSlot;
    if (slot.tag == hash && slot.index() == index) return position;
  }
  return kNoSlot;
}

}  // namespace tern::flow
