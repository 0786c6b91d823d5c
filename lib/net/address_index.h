// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/index_pool.h"
#include "base/siphash.h"

namespace tern::net {

/// Finds a number by IPv4 address. Open addressing at a load of at most 1/2, all memory taken at
/// once. Whoever sends ARP packets chooses the addresses, hence the keyed hash.
class AddressIndex {
 public:
  /// At most `capacity` addresses.
  AddressIndex(std::uint32_t capacity, const SipKey& key)
      : key_(key),
        mask_(std::bit_ceil(2 * std::uint64_t{capacity} + 2) - 1),
        slots_(mask_ + 1, Slot{0, kNoIndex}) {}

  /// kNoIndex when the address is not there.
  std::uint32_t find(std::uint32_t address) const { return slots_[probe(address)].index; }

  /// The address must not be there yet.
  void insert(std::uint32_t address, std::uint32_t index) {
    Slot& slot = slots_[probe(address)];
    TERN_ASSERT(slot.index == kNoIndex);
    slot = {address, index};
  }

  /// The address must be there. Shifts later entries of the run back, so there are no tombstones
  /// for a flood to pile up.
  void erase(std::uint32_t address) {
    std::uint64_t hole = probe(address);
    TERN_ASSERT(slots_[hole].index != kNoIndex);
    for (std::uint64_t i = next(hole); slots_[i].index != kNoIndex; i = next(i)) {
      const std::uint64_t from_home = (i - home(slots_[i].address)) & mask_;
      if (from_home < ((i - hole) & mask_)) continue;  // it would land before its home
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole].index = kNoIndex;
  }

 private:
  struct Slot {
    std::uint32_t address;
    std::uint32_t index;
  };

  std::uint64_t home(std::uint32_t address) const {
    SipHasher<1, 3> hasher(key_);
    hasher.add(std::uint64_t{4} << 56 | address);
    return hasher.finish() & mask_;
  }
  std::uint64_t next(std::uint64_t slot) const { return (slot + 1) & mask_; }

  // The slot that holds the address, or the empty one where it would go.
  std::uint64_t probe(std::uint32_t address) const {
    std::uint64_t i = home(address);
    while (slots_[i].index != kNoIndex && slots_[i].address != address) i = next(i);
    return i;
  }

  SipKey key_;
  std::uint64_t mask_;
  std::vector<Slot> slots_;
};

}  // namespace tern::net
