// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/assert.h"
#include "base/index_pool.h"
#include "wire/checksum.h"

namespace tern::tcp {

/// At the start of every send chunk.
struct SendChunkHeader {
  std::uint32_t next;    // the chunk behind it in its queue, or kNoIndex
  std::uint32_t start;   // stream position of its first byte, modulo 2^32
  std::uint32_t length;  // bytes written
  std::uint32_t unused;  // keeps the data 16-byte aligned
};

/// The memory of all send queues of a stack, in chunks of two sizes, so that a 64-byte reply pins
/// no 2 KB. Chunks are named by 32-bit indices whose top bit says the size. Last in, first out;
/// never written before its first use. Thread: the stack's.
class SendChunkPool {
 public:
  static constexpr std::uint32_t kSmallBytes = 256;  // header included, both
  static constexpr std::uint32_t kLargeBytes = 2048;
  static constexpr std::uint32_t kSmallCapacity = kSmallBytes - sizeof(SendChunkHeader);
  static constexpr std::uint32_t kLargeCapacity = kLargeBytes - sizeof(SendChunkHeader);

  /// A quarter of `bytes` becomes small chunks, the rest large ones, each rounded down.
  explicit SendChunkPool(std::uint64_t bytes);

  /// A chunk for `bytes` more bytes: small if they fit a small one, else large; of the other size
  /// when those are out. kNoIndex when both are.
  std::uint32_t acquire(std::size_t bytes) {
    const std::uint32_t small = bytes <= kSmallCapacity ? acquire_small() : kNoIndex;
    return small != kNoIndex ? small : acquire_large(bytes);
  }
  /// kNoIndex when no small one is left.
  std::uint32_t acquire_small() { return small_.acquire(); }
  void release(std::uint32_t index);

  SendChunkHeader& header(std::uint32_t index) {
    return is_large(index) ? large_[index & ~kLargeBit].header : small_[index].header;
  }
  const SendChunkHeader& header(std::uint32_t index) const {
    return is_large(index) ? large_[index & ~kLargeBit].header : small_[index].header;
  }
  std::byte* data(std::uint32_t index) {
    return is_large(index) ? large_[index & ~kLargeBit].bytes : small_[index].bytes;
  }
  const std::byte* data(std::uint32_t index) const {
    return is_large(index) ? large_[index & ~kLargeBit].bytes : small_[index].bytes;
  }

  static constexpr bool is_large(std::uint32_t index) { return (index & kLargeBit) != 0; }
  static constexpr std::uint32_t capacity_of(std::uint32_t index) {
    return is_large(index) ? kLargeCapacity : kSmallCapacity;
  }

  /// Chunks, of both sizes.
  std::uint32_t in_use() const { return small_.in_use() + large_.in_use(); }
  std::uint32_t capacity() const { return small_.capacity() + large_.capacity(); }
  /// Bytes that free chunks can hold.
  std::uint64_t available_bytes() const {
    return std::uint64_t{small_.available()} * kSmallCapacity +
           std::uint64_t{large_.available()} * kLargeCapacity;
  }
  /// Bytes that one connection may have queued: as much as is still free, a dynamic threshold
  /// (Choudhury and Hahne 1998), so that N peers that read nothing leave about 1/(N + 1) of the
  /// memory to the others; but the last eighth is for connections that have nothing queued.
  std::uint64_t share() const {
    const std::uint32_t kept = large_.capacity() / 8;
    const std::uint32_t free = large_.available();
    return free > kept ? std::uint64_t{free - kept} * kLargeCapacity : 0;
  }
  /// share() >= bytes, turned around for whoever asks for every segment: true while fewer large
  /// chunks than this are in use.
  std::uint32_t large_in_use_below(std::uint64_t share_bytes) const {
    const std::uint64_t needed =
        large_.capacity() / 8 + (share_bytes + kLargeCapacity - 1) / kLargeCapacity;
    return needed > large_.capacity() ? 0
                                      : static_cast<std::uint32_t>(large_.capacity() - needed) + 1;
  }
  /// Enough for small writes, at a glance.
  bool has_small() const { return small_.available() > 0; }
  std::uint32_t small_in_use() const { return small_.in_use(); }
  std::uint32_t large_in_use() const { return large_.in_use(); }

 private:
  static constexpr std::uint32_t kLargeBit = 1u << 31;

  template <std::uint32_t kBytes>
  struct alignas(64) Chunk {
    Chunk() {}  // leaves the memory alone: the pool's pages stay untouched until used
    SendChunkHeader header;
    std::byte bytes[kBytes - sizeof(SendChunkHeader)];
  };
  static_assert(sizeof(Chunk<kSmallBytes>) == kSmallBytes);
  static_assert(sizeof(Chunk<kLargeBytes>) == kLargeBytes);

  [[gnu::noinline]] std::uint32_t acquire_large(std::size_t bytes);

  IndexPool<Chunk<kSmallBytes>> small_;
  IndexPool<Chunk<kLargeBytes>> large_;
};

/// The bytes of one connection that are queued or unacknowledged: a list of chunks. Transmissions,
/// first and repeated, copy out of it into fresh frames; nothing in it is shared or ref-counted,
/// and written bytes never change. A value in the TCB; before it is given up, clear() must run.
class SendQueue {
 public:
  /// Bytes queued.
  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Starts loading the header of the first chunk.
  void prefetch(const SendChunkPool& pool) const {
    if (head_ != kNoIndex) __builtin_prefetch(&pool.header(head_));
  }

  /// Copies as much as the pool allows, the tail chunk's room first. Returns bytes taken. Ends a
  /// reservation.
  std::size_t append(SendChunkPool& pool, std::span<const std::byte> bytes) {
    return is_small_first(bytes.size()) ? append_first(pool, bytes) : append_any(pool, bytes);
  }

  /// The same, but all or nothing. False: nothing is queued, since the pool has not enough left.
  bool append_all(SendChunkPool& pool, std::span<const std::byte> bytes) {
    if (is_small_first(bytes.size())) [[likely]]
      return append_first(pool, bytes) != 0;
    if (!can_append(pool, bytes.size())) return false;
    append_any(pool, bytes);
    return true;
  }

  /// Contiguous room at the tail, at most `bytes` long; empty when the pool is dry. Not part of the
  /// queue until commit(). Stays writable through drop_front() and copy_out(); the next reserve(),
  /// append(), cancel_reservation() or clear() ends it.
  std::span<std::byte> reserve(SendChunkPool& pool, std::size_t bytes);

  /// Where the reservation begins; nullptr if there is none.
  const std::byte* reservation(const SendChunkPool& pool) const;

  /// Makes the first `bytes` of the reservation part of the queue; 0 gives it back. False: there is
  /// no reservation, and nothing was queued.
  bool commit(SendChunkPool& pool, std::size_t bytes);

  /// Gives an uncommitted reservation's memory back. A connection without one: nothing happens.
  void cancel_reservation(SendChunkPool& pool);

  /// The first `bytes` bytes are acknowledged: frees chunks. bytes <= size().
  void drop_front(SendChunkPool& pool, std::uint32_t bytes);

  /// Copies [offset, offset + out.size()), which must lie in the queue. O(1) at the front and when
  /// reads follow one another; otherwise a walk over the chunks.
  void copy_out(const SendChunkPool& pool, std::uint32_t offset, std::span<std::byte> out) {
    TERN_ASSERT(offset <= size_ && out.size() <= size_ - offset);
    if (out.empty()) return;
    if (const std::byte* text = in_head(pool, offset, out.size())) [[likely]] {
      std::memcpy(out.data(), text, out.size());
    } else {
      copy_across(pool, offset, out);
    }
  }

  /// The same, and returns the partial checksum of what was copied.
  std::uint32_t copy_out_summed(const SendChunkPool& pool, std::uint32_t offset,
                                std::span<std::byte> out) {
    TERN_ASSERT(offset <= size_ && out.size() <= size_ - offset);
    if (out.empty()) return 0;
    if (const std::byte* text = in_head(pool, offset, out.size())) [[likely]]
      return wire::checksum_copy(out.data(), {text, out.size()});
    return copy_across_summed(pool, offset, out);
  }

  void clear(SendChunkPool& pool);

 private:
  // Half the circle, so that stream positions can be compared.
  static constexpr std::uint32_t kMaxBytes = (1u << 31) - 1;

  bool is_small_first(std::size_t bytes) const {
    return bytes - 1 < SendChunkPool::kSmallCapacity && tail_ == kNoIndex && reserved_ == kNoIndex;
  }
  bool can_append(const SendChunkPool& pool, std::size_t bytes) const {
    if (bytes <= SendChunkPool::kSmallCapacity && pool.has_small()) return true;
    return bytes <= tail_room(pool) + pool.available_bytes();
  }
  std::size_t append_first(SendChunkPool& pool, std::span<const std::byte> bytes);
  std::size_t append_any(SendChunkPool& pool, std::span<const std::byte> bytes);
  /// Where so many bytes from there lie, if they lie in the first chunk; else nullptr.
  const std::byte* in_head(const SendChunkPool& pool, std::uint32_t offset,
                           std::size_t bytes) const {
    const SendChunkHeader& head = pool.header(head_);
    const std::uint32_t skip = front_ + offset - head.start;
    return skip >= head.length || bytes > head.length - skip ? nullptr : pool.data(head_) + skip;
  }
  template <class Take>
  void walk(const SendChunkPool& pool, std::uint32_t offset, std::size_t bytes, Take take);
  void copy_across(const SendChunkPool& pool, std::uint32_t offset, std::span<std::byte> out);
  std::uint32_t copy_across_summed(const SendChunkPool& pool, std::uint32_t offset,
                                   std::span<std::byte> out);
  std::uint32_t tail_room(const SendChunkPool& pool) const;
  std::size_t fill_tail(SendChunkPool& pool, std::span<const std::byte> bytes);
  void settle(SendChunkPool& pool, std::uint32_t index, std::uint32_t length);
  void link(SendChunkPool& pool, std::uint32_t index, std::uint32_t length);
  std::uint32_t find(const SendChunkPool& pool, std::uint32_t position) const;

  std::uint32_t head_ = kNoIndex;
  std::uint32_t tail_ = kNoIndex;
  std::uint32_t front_ = 0;  // stream position of the first queued byte
  std::uint32_t size_ = 0;
  std::uint32_t cursor_ = kNoIndex;    // where the last copy_out beyond the head chunk ended
  std::uint32_t reserved_ = kNoIndex;  // the tail, or a chunk that is not linked yet
};
static_assert(sizeof(SendQueue) <= 40);

}  // namespace tern::tcp
