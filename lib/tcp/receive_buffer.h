// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/frame_bin.h"
#include "base/index_pool.h"
#include "tern/port.h"
#include "tern/stats.h"
#include "wire/seq_num.h"

namespace tern::tcp {

/// Payloads up to this many bytes are copied together rather than held in a whole frame each.
inline constexpr std::size_t kSmallSegmentBytes = 512;

/// A record of received bytes: where they are, and the frame or chunk that they lie in, which the
/// record owns. One cache line.
struct RxNode {
  Frame frame;  // owned, if chunk == kNoIndex
  std::byte* data = nullptr;
  std::uint32_t length = 0;       // bytes at data
  wire::SeqNum seq;               // of the first byte
  std::uint32_t next = kNoIndex;  // for whoever holds the node
  std::uint32_t chunk = kNoIndex;
  std::uint32_t capacity = 0;  // bytes at data that may ever be used; == length in a frame

  wire::SeqNum end() const { return seq + length; }
  std::uint32_t room() const { return capacity - length; }
};
static_assert(sizeof(RxNode) <= 64);

/// The memory behind receive queues and reassembly of all connections of a stack. Bytes stay in the
/// frame that they arrived in as long as frames may be held; else they are copied into 2 KB chunks,
/// so that a slow reader cannot starve the device of buffers. Thread: the stack's.
class ReceiveBuffers {
 public:
  static constexpr std::uint32_t kChunkBytes = 2048;

  /// `chunk_bytes` of memory for copies. `bin` takes frames that are done with; both references
  /// outlive this.
  ReceiveBuffers(std::uint32_t max_nodes, std::uint32_t max_held_frames, std::uint64_t chunk_bytes,
                 FrameBin& bin, Counters& counters);

  /// Makes a node for `payload`, which lies in `frame`, and takes the frame: kept in the node, or
  /// copied out and binned. kNoIndex when everything is exhausted; the frame is binned then too.
  std::uint32_t hold(const Frame& frame, std::span<std::byte> payload, wire::SeqNum seq);

  /// hold() in steps, for callers that spread one payload over several nodes. keep() takes the
  /// frame if can_keep_frame(), else it answers kNoIndex. copy() takes up to kChunkBytes and leaves
  /// the frame with the caller, who ends with give_back(): `copied` counts rx_held_copied.
  bool can_keep_frame() const { return held_frames_ < keepable_frames_ && nodes_.available() > 0; }
  std::uint32_t keep(const Frame& frame, std::span<std::byte> payload, wire::SeqNum seq);
  std::uint32_t copy(std::span<const std::byte> payload, wire::SeqNum seq);
  void give_back(const Frame& frame, bool copied);

  /// While set, no frame is kept: payloads lie somewhere else than in their frames, and are copied.
  void set_copy_only(bool copy_only) { keepable_frames_ = copy_only ? 0 : max_held_frames_; }

  /// Copies a prefix of `payload` behind the node's bytes and returns its length; 0 for a node in a
  /// frame.
  std::uint32_t append(std::uint32_t node, std::span<const std::byte> payload);

  /// Moves the node's bytes out of its frame into a chunk, if they fit one and one is left.
  bool move_to_chunk(std::uint32_t node);

  /// Takes `bytes` < length off the node's front.
  void trim_front(std::uint32_t node, std::uint32_t bytes);

  /// Gives the node and its frame or chunk back.
  void release(std::uint32_t node);

  RxNode& operator[](std::uint32_t node) { return nodes_[node]; }
  const RxNode& operator[](std::uint32_t node) const { return nodes_[node]; }

  /// How many times copy() will succeed.
  std::uint32_t copies_available() const;
  /// Bytes that one connection may hold: as much as is still free, a dynamic threshold (Choudhury
  /// and Hahne 1998), so that N applications that do not read leave about 1/(N + 1) of the memory.
  /// The last eighth is not for sharing: it is for connections that hold nothing.
  std::uint64_t share() const {
    const std::uint32_t used = nodes_.in_use();
    return used < shareable_nodes_ ? std::uint64_t{shareable_nodes_ - used} * kChunkBytes : 0;
  }
  /// The last eighth of each pool is kept from out-of-order data too: were it to take that, no hole
  /// could be filled any more, and nothing would ever be freed.
  bool is_scarce() const;

  std::uint32_t held_frames() const { return held_frames_; }
  std::uint32_t chunks_in_use() const { return chunks_.in_use(); }
  std::uint32_t nodes_in_use() const { return nodes_.in_use(); }

 private:
  struct alignas(64) Chunk {
    Chunk() {}  // leaves the memory untouched until it is used
    std::byte bytes[kChunkBytes];
  };

  const std::uint32_t shareable_nodes_;
  const std::uint32_t max_held_frames_;
  std::uint32_t keepable_frames_ = max_held_frames_;
  std::uint32_t held_frames_ = 0;
  IndexPool<RxNode> nodes_;
  IndexPool<Chunk> chunks_;
  FrameBin& bin_;
  Counters& counters_;
};

}  // namespace tern::tcp
