// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace tern {

/// Maps zeroed pages, none of which takes memory before it is touched. A mapping of 2 MB or more is
/// aligned to 2 MB and offered to the kernel for huge pages. Throws std::bad_alloc.
void* map_zeroed(std::size_t bytes);
void unmap_zeroed(void* start, std::size_t bytes);

/// A fixed number of Ts for which all bits zero is a good value: costs nothing until it is touched,
/// so that capacity may be generous. Aligned to at least a cache line.
template <typename T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit ZeroedArray(std::size_t size)
      : items_(static_cast<T*>(map_zeroed(size * sizeof(T)))), size_(size) {}
  ~ZeroedArray() {
    if (items_ != nullptr) unmap_zeroed(items_, bytes());
  }
  ZeroedArray(ZeroedArray&& other) noexcept
      : items_(std::exchange(other.items_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  ZeroedArray& operator=(ZeroedArray&&) = delete;

  T& operator[](std::size_t index) { return items_[index]; }
  const T& operator[](std::size_t index) const { return items_[index]; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return size_ * sizeof(T); }

 private:
  T* items_;
  std::size_t size_;
};

}  // namespace tern
