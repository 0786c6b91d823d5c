// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace tern {

/// A bounded queue of records of bytes, from one thread to one other, without locks. A record lies
/// in one piece; where it would cross the end of the memory, it begins anew at the front.
/// Thread rule: push from one thread, front and pop from one thread; construction and destruction
/// outside.
class RecordRing {
 public:
  /// Takes `bytes` of memory, rounded up to a power of two; touched only as it is used.
  explicit RecordRing(std::size_t bytes)
      : capacity_(std::bit_ceil(std::max<std::size_t>(bytes, 4096))),
        memory_(std::make_unique_for_overwrite<std::byte[]>(capacity_)) {}

  /// Appends a record made of two parts. False: there is no room, and nothing has happened.
  bool push(std::span<const std::byte> head, std::span<const std::byte> body) {
    const std::size_t need = padded(kLengthBytes + head.size() + body.size());
    std::size_t tail = tail_.load(std::memory_order_relaxed);
    const std::size_t to_end = capacity_ - offset(tail);
    const std::size_t skipped = need > to_end ? to_end : 0;
    if (need > capacity_ / 2) return false;
    if (tail + skipped + need - head_.load(std::memory_order_acquire) > capacity_) return false;
    if (skipped > 0) store_length(tail, kSkip);
    tail += skipped;
    store_length(tail, static_cast<std::uint32_t>(head.size() + body.size()));
    std::byte* const place = &memory_[offset(tail)] + kLengthBytes;
    if (!head.empty()) std::memcpy(place, head.data(), head.size());
    if (!body.empty()) std::memcpy(place + head.size(), body.data(), body.size());
    tail_.store(tail + need, std::memory_order_release);
    return true;
  }

  /// The oldest record, until pop(); empty if there is none. (A record is never empty.)
  std::span<const std::byte> front() {
    std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return {};
    if (load_length(head) == kSkip) {
      head += capacity_ - offset(head);
      head_.store(head, std::memory_order_release);
    }
    return {&memory_[offset(head)] + kLengthBytes, load_length(head)};
  }
  void pop() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    head_.store(head + padded(kLengthBytes + load_length(head)), std::memory_order_release);
  }

  std::size_t capacity() const { return capacity_; }

 private:
  static constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);
  static constexpr std::uint32_t kSkip = ~std::uint32_t{0};  // nothing more up to the end

  static constexpr std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }
  std::size_t offset(std::size_t position) const { return position & (capacity_ - 1); }
  void store_length(std::size_t position, std::uint32_t length) {
    std::memcpy(&memory_[offset(position)], &length, sizeof length);
  }
  std::uint32_t load_length(std::size_t position) const {
    std::uint32_t length;
    std::memcpy(&length, &memory_[offset(position)], sizeof length);
    return length;
  }

  // Positions run freely; only their differences and their low bits count.
  const std::size_t capacity_;
  const std::unique_ptr<std::byte[]> memory_;
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace tern
