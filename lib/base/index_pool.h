// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "base/assert.h"
#include "base/zeroed_array.h"

namespace tern {

/// "No object": ends a list, answers a failed look-up.
inline constexpr std::uint32_t kNoIndex = 0xffffffff;

/// A fixed number of Ts, allocated once and named by 32-bit indices. Last in, first out, so that
/// the next object is likely to be in the cache; untouched memory is never written, so a large pool
/// costs nothing until it is used. T keeps its contents between uses: acquire() neither constructs
/// nor clears beyond the first use, which value-initialises.
template <typename T>
class IndexPool {
 public:
  explicit IndexPool(std::uint32_t capacity)
      : capacity_(capacity), free_(capacity), items_(capacity) {}
  ~IndexPool() {
    for (std::uint32_t i = 0; i < touched_; ++i) (*this)[i].~T();
  }
  IndexPool(const IndexPool&) = delete;
  IndexPool& operator=(const IndexPool&) = delete;

  /// kNoIndex when all are in use.
  std::uint32_t acquire() {
    if (free_count_ > 0) return free_[--free_count_];
    if (touched_ == capacity_) return kNoIndex;
    new (&items_[touched_].bytes) T();
    return touched_++;
  }

  void release(std::uint32_t index) {
    TERN_DASSERT(index < touched_ && free_count_ < touched_);
    free_[free_count_++] = index;
  }

  T& operator[](std::uint32_t index) {
    TERN_DASSERT(index < touched_);
    return reinterpret_cast<T&>(items_[index].bytes);
  }
  const T& operator[](std::uint32_t index) const {
    TERN_DASSERT(index < touched_);
    return reinterpret_cast<const T&>(items_[index].bytes);
  }

  /// Whether the index has ever been handed out: operator[] is defined for it.
  bool is_touched(std::uint32_t index) const { return index < touched_; }
  std::uint32_t touched() const { return touched_; }
  std::uint32_t in_use() const { return touched_ - free_count_; }
  std::uint32_t available() const { return capacity_ - in_use(); }
  std::uint32_t capacity() const { return capacity_; }

 private:
  struct Place {
    alignas(T) unsigned char bytes[sizeof(T)];
  };
  static_assert(alignof(T) <= 4096, "a mapping is aligned to a page");

  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;  // items [0, touched_) have been constructed
  std::uint32_t free_count_ = 0;
  ZeroedArray<std::uint32_t>
      free_;  // mapped, not from malloc: a page that is not used is not touched
  ZeroedArray<Place> items_;
};

}  // namespace tern
