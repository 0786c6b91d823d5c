// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/send_queue.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"

namespace tern::tcp {

SendChunkPool::SendChunkPool(std::uint64_t bytes)
    : small_(static_cast<std::uint32_t>(
          std::min<std::uint64_t>(bytes / 4 / kSmallBytes, kLargeBit - 1))),
      large_(static_cast<std::uint32_t>(
          std::min<std::uint64_t>((bytes - bytes / 4) / kLargeBytes, kLargeBit - 1))) {}

std::uint32_t SendChunkPool::acquire_large(std::size_t bytes) {
  const std::uint32_t index = large_.acquire();
  if (index != kNoIndex) return index | kLargeBit;
  return bytes <= kSmallCapacity ? kNoIndex : small_.acquire();
}

void SendChunkPool::release(std::uint32_t index) {
  if (is_large(index)) {
    large_.release(index & ~kLargeBit);
  } else {
    small_.release(index);
  }
}

std::uint32_t SendQueue::tail_room(const SendChunkPool& pool) const {
  if (tail_ == kNoIndex) return 0;
  return SendChunkPool::capacity_of(tail_) - pool.header(tail_).length;
}

std::size_t SendQueue::fill_tail(SendChunkPool& pool, std::span<const std::byte> bytes) {
  const std::size_t taken = std::min<std::size_t>(bytes.size(), tail_room(pool));
  if (taken == 0) return 0;
  SendChunkHeader& tail = pool.header(tail_);
  copy_bytes(pool.data(tail_) + tail.length, bytes.data(), taken);
  tail.length += static_cast<std::uint32_t>(taken);
  size_ += static_cast<std::uint32_t>(taken);
  return taken;
}

void SendQueue::link(SendChunkPool& pool, std::uint32_t index, std::uint32_t length) {
  SendChunkHeader& header = pool.header(index);
  header.next = kNoIndex;
  header.start = front_ + size_;
  header.length = length;
  (tail_ == kNoIndex ? head_ : pool.header(tail_).next) = index;
  tail_ = index;
  size_ += length;
}

// A small answer into an empty queue: one chunk takes all of it.
std::size_t SendQueue::append_first(SendChunkPool& pool, std::span<const std::byte> bytes) {
  const std::uint32_t index = pool.acquire(bytes.size());
  if (index == kNoIndex) return 0;
  std::memcpy(pool.data(index), bytes.data(), bytes.size());
  link(pool, index, static_cast<std::uint32_t>(bytes.size()));
  return bytes.size();
}

std::size_t SendQueue::append_any(SendChunkPool& pool, std::span<const std::byte> bytes) {
  cancel_reservation(pool);
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), kMaxBytes - size_));
  std::size_t taken = fill_tail(pool, bytes);
  while (taken < bytes.size()) {
    const std::uint32_t index = pool.acquire(bytes.size() - taken);
    if (index == kNoIndex) break;
    link(pool, index, 0);
    taken += fill_tail(pool, bytes.subspan(taken));
  }
  return taken;
}

std::span<std::byte> SendQueue::reserve(SendChunkPool& pool, std::size_t bytes) {
  cancel_reservation(pool);
  bytes = std::min<std::size_t>(bytes, kMaxBytes - size_);
  if (bytes == 0) return {};
  const std::uint32_t room = tail_room(pool);
  if (room < bytes) {
    reserved_ = pool.acquire(bytes);
    if (reserved_ != kNoIndex) {
      return {pool.data(reserved_),
              std::min<std::size_t>(bytes, SendChunkPool::capacity_of(reserved_))};
    }
  }
  if (room == 0) return {};
  reserved_ = tail_;
  return {pool.data(tail_) + pool.header(tail_).length, std::min<std::size_t>(bytes, room)};
}

const std::byte* SendQueue::reservation(const SendChunkPool& pool) const {
  if (reserved_ == kNoIndex) return nullptr;
  return pool.data(reserved_) + (reserved_ == tail_ ? pool.header(tail_).length : 0);
}

bool SendQueue::commit(SendChunkPool& pool, std::size_t bytes) {
  if (reserved_ == kNoIndex) return false;
  if (bytes == 0) {
    cancel_reservation(pool);
    return true;
  }
  const std::uint32_t index = reserved_;
  const std::uint32_t length = static_cast<std::uint32_t>(bytes);
  reserved_ = kNoIndex;
  if (index == tail_) {
    TERN_ASSERT(length <= tail_room(pool));
    pool.header(index).length += length;
    size_ += length;
    return true;
  }
  TERN_ASSERT(length <= SendChunkPool::capacity_of(index));
  settle(pool, index, length);
  return true;
}

/// Links a reserved chunk. Whoever reserves much and commits little must not pin a chunk for it
/// each time: then the bytes move to where append() would have put them.
void SendQueue::settle(SendChunkPool& pool, std::uint32_t index, std::uint32_t length) {
  const bool fits_tail = length <= tail_room(pool);
  if (!fits_tail) {
    const bool wasteful = SendChunkPool::is_large(index) && length <= SendChunkPool::kSmallCapacity;
    const std::uint32_t small = wasteful ? pool.acquire_small() : kNoIndex;
    if (small == kNoIndex) return link(pool, index, length);
    link(pool, small, 0);
  }
  fill_tail(pool, {pool.data(index), length});
  pool.release(index);
}

void SendQueue::cancel_reservation(SendChunkPool& pool) {
  if (reserved_ == kNoIndex) return;
  if (reserved_ != tail_) {
    pool.release(reserved_);
  } else if (size_ == 0) {  // drop_front() had left it to the writer
    pool.release(tail_);
    head_ = tail_ = cursor_ = kNoIndex;
  }
  reserved_ = kNoIndex;
}

void SendQueue::drop_front(SendChunkPool& pool, std::uint32_t bytes) {
  TERN_ASSERT(bytes <= size_);
  front_ += bytes;
  size_ -= bytes;
  while (head_ != kNoIndex) {
    const SendChunkHeader& header = pool.header(head_);
    if (front_ - header.start < header.length) return;
    // The application may be writing into the tail's room at this moment.
    if (head_ == reserved_) return;
    const std::uint32_t next = header.next;
    if (cursor_ == head_) cursor_ = kNoIndex;
    pool.release(head_);
    head_ = next;
  }
  tail_ = kNoIndex;
}

std::uint32_t SendQueue::find(const SendChunkPool& pool, std::uint32_t position) const {
  const auto has = [position](const SendChunkHeader& chunk) {
    return position - chunk.start < chunk.length;
  };
  std::uint32_t index = head_;
  const SendChunkHeader* chunk = &pool.header(index);
  if (has(*chunk)) return index;
  if (cursor_ != kNoIndex && position - pool.header(cursor_).start <= kMaxBytes) {
    index = cursor_;
    chunk = &pool.header(index);
  }
  while (!has(*chunk)) {
    index = chunk->next;
    chunk = &pool.header(index);
  }
  return index;
}

// take(text) for each piece in order.
template <class Take>
void SendQueue::walk(const SendChunkPool& pool, std::uint32_t offset, std::size_t bytes,
                     Take take) {
  std::uint32_t position = front_ + offset;
  std::uint32_t index = find(pool, position);
  for (;;) {
    const SendChunkHeader& header = pool.header(index);
    const std::uint32_t skip = position - header.start;
    const std::size_t n = std::min<std::size_t>(bytes, header.length - skip);
    take(std::span<const std::byte>(pool.data(index) + skip, n));
    bytes -= n;
    position += static_cast<std::uint32_t>(n);
    if (bytes == 0) break;
    index = header.next;
  }
  // The head is found without a cursor; so a retransmission of the first segment does not cost the
  // next new one its place.
  if (index != head_) cursor_ = index;
}

// What does not lie in the head chunk alone.
[[gnu::noinline]] void SendQueue::copy_across(const SendChunkPool& pool, std::uint32_t offset,
                                              std::span<std::byte> out) {
  walk(pool, offset, out.size(), [to = out.data()](std::span<const std::byte> text) mutable {
    copy_bytes(to, text.data(), text.size());
    to += text.size();
  });
}

[[gnu::noinline]] std::uint32_t SendQueue::copy_across_summed(const SendChunkPool& pool,
                                                              std::uint32_t offset,
                                                              std::span<std::byte> out) {
  std::uint64_t sum = 0;
  std::size_t done = 0;
  walk(pool, offset, out.size(), [&](std::span<const std::byte> text) {
    const std::uint32_t piece = wire::checksum_copy(out.data() + done, text);
    sum += done % 2 == 0 ? piece : wire::checksum_at_odd_offset(piece);
    done += text.size();
  });
  return wire::checksum_internal::fold_to_32(sum);
}

void SendQueue::clear(SendChunkPool& pool) {
  cancel_reservation(pool);
  drop_front(pool, size_);
  *this = SendQueue{};
}

}  // namespace tern::tcp
