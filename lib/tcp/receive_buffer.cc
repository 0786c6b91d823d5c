// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/receive_buffer.h"

#include <algorithm>

#include "base/assert.h"
#include "base/bytes.h"

namespace tern::tcp {

ReceiveBuffers::ReceiveBuffers(std::uint32_t max_nodes, std::uint32_t max_held_frames,
                               std::uint64_t chunk_bytes, FrameBin& bin, Counters& counters)
    : shareable_nodes_(max_nodes - max_nodes / 8),
      max_held_frames_(max_held_frames),
      nodes_(max_nodes),
      chunks_(static_cast<std::uint32_t>(
          std::min<std::uint64_t>(chunk_bytes / kChunkBytes, kNoIndex - 1))),
      bin_(bin),
      counters_(counters) {}

std::uint32_t ReceiveBuffers::hold(const Frame& frame, std::span<std::byte> payload,
                                   wire::SeqNum seq) {
  const std::uint32_t kept = keep(frame, payload, seq);
  if (kept != kNoIndex) return kept;
  const std::uint32_t index = copy(payload, seq);
  give_back(frame, index != kNoIndex);
  return index;
}

std::uint32_t ReceiveBuffers::keep(const Frame& frame, std::span<std::byte> payload,
                                   wire::SeqNum seq) {
  if (held_frames_ >= keepable_frames_) return kNoIndex;
  const std::uint32_t index = nodes_.acquire();
  if (index == kNoIndex) return kNoIndex;
  ++held_frames_;
  const auto length = static_cast<std::uint32_t>(payload.size());
  RxNode& n = nodes_[index];  // member by member: no temporary is built and copied
  n.frame = frame;
  n.data = payload.data();
  n.length = length;
  n.seq = seq;
  n.next = kNoIndex;
  n.chunk = kNoIndex;
  n.capacity = length;
  return index;
}

std::uint32_t ReceiveBuffers::copy(std::span<const std::byte> payload, wire::SeqNum seq) {
  if (payload.size() > kChunkBytes || nodes_.available() == 0) return kNoIndex;
  const std::uint32_t chunk = chunks_.acquire();
  if (chunk == kNoIndex) return kNoIndex;
  const std::uint32_t index = nodes_.acquire();
  std::byte* data = chunks_[chunk].bytes;
  if (!payload.empty()) copy_bytes(data, payload.data(), payload.size());
  nodes_[index] = {.frame = {},
                   .data = data,
                   .length = static_cast<std::uint32_t>(payload.size()),
                   .seq = seq,
                   .next = kNoIndex,
                   .chunk = chunk,
                   .capacity = kChunkBytes};
  return index;
}

void ReceiveBuffers::give_back(const Frame& frame, bool copied) {
  counters_.rx_held_copied += copied ? 1 : 0;
  bin_.add(frame);
}

std::uint32_t ReceiveBuffers::append(std::uint32_t node, std::span<const std::byte> payload) {
  RxNode& n = nodes_[node];
  const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(payload.size(), n.room()));
  if (taken == 0) return 0;
  copy_bytes(n.data + n.length, payload.data(), taken);
  n.length += taken;
  return taken;
}

bool ReceiveBuffers::move_to_chunk(std::uint32_t node) {
  RxNode& n = nodes_[node];
  if (n.chunk != kNoIndex) return true;
  if (n.length > kChunkBytes) return false;
  const std::uint32_t chunk = chunks_.acquire();
  if (chunk == kNoIndex) return false;
  copy_bytes(chunks_[chunk].bytes, n.data, n.length);
  give_back(n.frame, true);
  --held_frames_;
  n.frame = {};
  n.data = chunks_[chunk].bytes;
  n.chunk = chunk;
  n.capacity = kChunkBytes;
  return true;
}

void ReceiveBuffers::trim_front(std::uint32_t node, std::uint32_t bytes) {
  RxNode& n = nodes_[node];
  TERN_DASSERT(bytes < n.length);
  n.data += bytes;
  n.length -= bytes;
  n.capacity -= bytes;
  n.seq += bytes;
}

void ReceiveBuffers::release(std::uint32_t node) {
  RxNode& n = nodes_[node];
  if (n.chunk == kNoIndex) {
    bin_.add(n.frame);
    --held_frames_;
  } else {
    chunks_.release(n.chunk);
  }
  nodes_.release(node);
}

std::uint32_t ReceiveBuffers::copies_available() const {
  return std::min(nodes_.available(), chunks_.available());
}

bool ReceiveBuffers::is_scarce() const {
  const std::uint64_t buffers = std::uint64_t{max_held_frames_} + chunks_.capacity();
  const std::uint64_t buffers_used = std::uint64_t{held_frames_} + chunks_.in_use();
  return nodes_.available() < nodes_.capacity() / 8 || buffers - buffers_used < buffers / 8;
}

}  // namespace tern::tcp
