// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/index_pool.h"
#include "base/zeroed_array.h"

namespace tern::flow {

/// From a flow's 32-bit hash to the index of its record. Keeps neither tuples nor records: where
/// tags match, the caller compares what the index names. Open addressing over 8-byte slots, at most
/// half full, linear probes of at most kMaxProbe slots, and no tombstones: a probe ends at the
/// first empty slot for as long as the table lives.
///
/// The hash must be keyed with a secret (table_hash in four_tuple.h), or a peer that can choose its
/// ports makes every probe long. Nothing here allocates after construction.
///
/// A burst is looked up in three passes, so that its cache misses overlap: prefetch(), then
/// candidate() and a prefetch of the record it names, then find(). Thread rule: one thread.
class ConnectionTable {
 public:
  /// How far from its home slot an entry may lie. At half load the longest run of a million random
  /// entries is about 50 slots, so only colliding hashes come near it.
  static constexpr std::uint32_t kMaxProbe = 128;
  static constexpr std::uint32_t kMaxEntries = 1U << 30;

  /// Room for `max_entries` <= kMaxEntries; 16 to 32 bytes each. Throws std::bad_alloc.
  explicit ConnectionTable(std::uint32_t max_entries);

  /// Starts loading the slots in which a look-up of `hash` begins.
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(&slots_[home(hash)]); }

  /// The first index under this hash, unverified, or kNoIndex: where find() will look first.
  std::uint32_t candidate(std::uint32_t hash) const {
    const Slot slot = slots_[home(hash)];
    if (slot.tag == hash && !slot.is_empty()) [[likely]]
      return slot.index();
    return find(hash, [](std::uint32_t) { return true; });
  }

  /// The index under this hash for which `equal(index)` holds, or kNoIndex.
  template <class Equal>
  std::uint32_t find(std::uint32_t hash, Equal&& equal) const {
    std::uint32_t position = home(hash), probe = 0;
    do {
      const Slot slot = slots_[position];
      if (slot.is_empty()) return kNoIndex;
      if (slot.tag == hash && equal(slot.index())) return slot.index();
      position = next(position);
    } while (++probe < max_probe_);
    return kNoIndex;
  }

  /// False when capacity() entries are in, or when no slot is free within the probe bound (which
  /// takes many equal hashes). The pair must not be in the table yet.
  bool insert(std::uint32_t hash, std::uint32_t index);

  /// Takes the pair out; false when it is not in.
  bool erase(std::uint32_t hash, std::uint32_t index);

  /// Puts `new_index` in the place of `old_index`; false when that is not in. Cannot run out of
  /// room.
  bool replace(std::uint32_t hash, std::uint32_t old_index, std::uint32_t new_index);

  std::uint32_t size() const { return size_; }
  std::uint32_t capacity() const { return max_entries_; }
  std::size_t memory_bytes() const { return slots_.bytes(); }

 private:
  /// All zero is empty, as fresh pages are: indices are kept plus one (kNoIndex is never inserted).
  struct Slot {
    std::uint32_t tag;
    std::uint32_t index_plus_one;
    bool is_empty() const { return index_plus_one == 0; }
    std::uint32_t index() const { return index_plus_one - 1; }
  };
  static_assert(sizeof(Slot) == 8);
  static constexpr std::uint32_t kNoSlot = 0xffffffff;

  std::uint32_t home(std::uint32_t hash) const { return hash & mask_; }
  std::uint32_t next(std::uint32_t position) const { return (position + 1) & mask_; }
  std::uint32_t position_of(std::uint32_t hash, std::uint32_t index) const;

  std::uint32_t mask_;  // slots - 1
  std::uint32_t max_probe_;
  std::uint32_t max_entries_;
  std::uint32_t size_ = 0;
  ZeroedArray<Slot> slots_;
};

}  // namespace tern::flow
