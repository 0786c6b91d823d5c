// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/receive_queue.h"

#include <algorithm>

#include "base/assert.h"

namespace tern::tcp {

bool ReceiveQueue::push(ReceiveBuffers& buffers, const Frame& frame, std::span<std::byte> payload,
                        wire::SeqNum seq) {
  TERN_DASSERT(!payload.empty());
  const bool reader_lags = head_ != kNoIndex;
  const bool copy_first = reader_lags && payload.size() <= kSmallSegmentBytes;
  if (!copy_first && push_frame(buffers, frame, payload, seq)) return true;
  if (push_copy(buffers, payload, seq)) {
    buffers.give_back(frame, true);
    return true;
  }
  if (push_frame(buffers, frame, payload, seq)) return true;
  buffers.give_back(frame, false);
  return false;
}

bool ReceiveQueue::push_frame(ReceiveBuffers& buffers, const Frame& frame,
                              std::span<std::byte> payload, wire::SeqNum seq) {
  const std::uint32_t node = buffers.keep(frame, payload, seq);
  if (node == kNoIndex) return false;
  push_node(buffers, node);
  return true;
}

[[gnu::noinline]] bool ReceiveQueue::push_copy(ReceiveBuffers& buffers,
                                               std::span<const std::byte> payload,
                                               wire::SeqNum seq) {
  const std::size_t room = tail_ == kNoIndex ? 0 : buffers[tail_].room();
  const std::size_t rest = payload.size() - std::min(payload.size(), room);
  constexpr std::size_t kChunk = ReceiveBuffers::kChunkBytes;
  if ((rest + kChunk - 1) / kChunk > buffers.copies_available()) return false;
  if (room > 0) {
    const std::uint32_t taken = buffers.append(tail_, payload);
    bytes_ += taken;
    payload = payload.subspan(taken);
    seq += taken;
  }
  while (!payload.empty()) {  // more than once for jumbo frames only
    const std::size_t n = std::min(payload.size(), kChunk);
    push_node(buffers, buffers.copy(payload.first(n), seq));
    payload = payload.subspan(n);
    seq += static_cast<std::uint32_t>(n);
  }
  return true;
}

void ReceiveQueue::push_node(ReceiveBuffers& buffers, std::uint32_t node) {
  buffers[node].next = kNoIndex;
  (tail_ == kNoIndex ? head_ : buffers[tail_].next) = node;
  tail_ = node;
  bytes_ += buffers[node].length;
}

std::uint32_t ReceiveQueue::pop(ReceiveBuffers& buffers) {
  const std::uint32_t node = head_;
  if (node == kNoIndex) return kNoIndex;
  head_ = buffers[node].next;
  if (head_ == kNoIndex) tail_ = kNoIndex;
  bytes_ -= buffers[node].length;
  return node;
}

void ReceiveQueue::clear(ReceiveBuffers& buffers) {
  for (std::uint32_t node = pop(buffers); node != kNoIndex; node = pop(buffers)) {
    buffers.release(node);
  }
}

}  // namespace tern::tcp
