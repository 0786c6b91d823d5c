// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

#include "base/assert.h"

namespace tern {

/// A bounded queue from one thread to one other, without locks. Each side keeps its index and its
/// last view of the other's on a cache line of its own, and reads the other's line only when that
/// view does not suffice.
/// Thread rule: push from one thread, pop from one thread; construction and destruction outside.
template <typename T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// Holds `capacity` elements, rounded up to a power of two.
  explicit SpscRing(std::size_t capacity)
      : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 1)) - 1),
        items_(std::make_unique_for_overwrite<T[]>(mask_ + 1)) {}

  /// Appends a prefix of `items` and returns its length; short when the ring is full.
  std::size_t push(std::span<const T> items) {
    const std::size_t tail = producer_.index.load(std::memory_order_relaxed);
    if (capacity() - (tail - producer_.other) < items.size())
      producer_.other = consumer_.index.load(std::memory_order_acquire);
    const std::size_t count = std::min(items.size(), capacity() - (tail - producer_.other));
    for (std::size_t i = 0; i < count; ++i) items_[(tail + i) & mask_] = items[i];
    producer_.index.store(tail + count, std::memory_order_release);
    return count;
  }
  bool push(const T& item) { return push(std::span<const T>(&item, 1)) == 1; }

  /// Fills a prefix of `items` with the oldest elements and returns its length.
  std::size_t pop(std::span<T> items) {
    const std::size_t head = consumer_.index.load(std::memory_order_relaxed);
    if (consumer_.other - head < items.size())
      consumer_.other = producer_.index.load(std::memory_order_acquire);
    const std::size_t count = std::min(items.size(), consumer_.other - head);
    for (std::size_t i = 0; i < count; ++i) items[i] = items_[(head + i) & mask_];
    consumer_.index.store(head + count, std::memory_order_release);
    return count;
  }
  bool pop(T& item) { return pop(std::span<T>(&item, 1)) == 1; }

  /// How many elements there are; exact only while neither side is at work.
  std::size_t size() const {
    const std::size_t head = consumer_.index.load(std::memory_order_acquire);
    return producer_.index.load(std::memory_order_acquire) - head;
  }
  std::size_t capacity() const { return mask_ + 1; }

 private:
  // Indices run freely and wrap with the type; only their differences count.
  struct alignas(64) Side {
    std::atomic<std::size_t> index{0};
    std::size_t other = 0;
  };
  const std::size_t mask_;
  const std::unique_ptr<T[]> items_;
  Side producer_;  // index: one past the newest element
  Side consumer_;  // index: the oldest element
};

}  // namespace tern
