// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "base/assert.h"

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
      : capacity_(capacity),
        free_(std::make_unique_for_overwrite<std::uint32_t[]>(capacity ? capacity : 1)),
        items_(static_cast<T*>(::operator new(sizeof(T) * (capacity ? capacity : std::size_t{1}),
                                              std::align_val_t{alignof(T)}))) {}
  ~IndexPool() {
    for (std::uint32_t i = 0; i < touched_; ++i) items_[i].~T();
    ::operator delete(items_, std::align_val_t{alignof(T)});
  }
  IndexPool(const IndexPool&) = delete;
  IndexPool& operator=(const IndexPool&) = delete;

  /// kNoIndex when all are in use.
  std::uint32_t acquire() {
    if (free_count_ > 0) return free_[--free_count_];
    if (touched_ == capacity_) return kNoIndex;
    new (&items_[touched_]) T();
    return touched_++;
  }

  void release(std::uint32_t index) {
    TERN_DASSERT(index < touched_ && free_count_ < touched_);
    free_[free_count_++] = index;
  }

  T& operator[](std::uint32_t index) {
    TERN_DASSERT(index < touched_);
    return items_[index];
  }
  const T& operator[](std::uint32_t index) const {
    TERN_DASSERT(index < touched_);
    return items_[index];
  }

  /// Whether the index has ever been handed out: operator[] is defined for it.
  bool is_touched(std::uint32_t index) const { return index < touched_; }
  std::uint32_t touched() const { return touched_; }
  std::uint32_t in_use() const { return touched_ - free_count_; }
  std::uint32_t available() const { return capacity_ - in_use(); }
  std::uint32_t capacity() const { return capacity_; }

 private:
  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;  // items [0, touched_) have been constructed
  std::uint32_t free_count_ = 0;
  std::unique_ptr<std::uint32_t[]> free_;
  T* items_;  // last: nothing that can throw comes after its allocation
};

}  // namespace tern
