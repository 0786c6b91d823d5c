// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tern/port.h"

namespace tern::io {

/// How many frames a simulated device has, and how long it reads a sent one.
struct FrameBlockLimits {
  std::uint32_t frame_capacity = 2048;  ///< bytes of an allocated frame
  std::uint32_t rx_frames = 1024;       ///< received frames in existence at once; 0 = no limit
  std::uint32_t tx_frames = 1024;       ///< allocated frames in existence at once; 0 = no limit
  std::uint32_t dma_polls = 4;          ///< K: tick()s for which a sent frame is still read
};

/// The buffers of a simulated device. Each frame lies in a heap block of its own and of its exact
/// size, so that AddressSanitizer sees a one-byte over-read; the pools exist by count only. Handles
/// are never reused: releasing an unknown frame, or one twice, always asserts.
///
/// A block is the queue's (received, not handed over), the stack's, or the device's (sent: held for
/// K ticks, as a real device's DMA would). A block that changes while the device has it is a
/// violation. Thread: one.
class FrameBlocks {
 public:
  explicit FrameBlocks(const FrameBlockLimits& limits) : limits_(limits) {}

  /// Puts a copy of `bytes` in a block of the receive pool; nothing if the pool is dry. The frame
  /// is the queue's until hand_over().
  std::optional<Frame> store_received(std::span<const std::byte> bytes, std::uint64_t flags);
  /// The stack takes a stored frame.
  void hand_over(const Frame& frame);
  /// An empty frame for the stack; nothing if the pool is dry.
  std::optional<Frame> allocate();
  /// The same of another size, out of the same pool.
  std::optional<Frame> allocate(std::uint32_t bytes);
  /// The stack gives a frame back.
  void release(const Frame& frame);
  /// The stack gives a frame to the device, which reads it until K ticks have passed.
  void send(const Frame& frame);
  /// One poll passes: sent frames whose time is up are checked and freed.
  void tick();

  /// Frames that the stack holds: allocated or received, not given back.
  std::size_t outstanding() const { return outstanding_; }
  /// Sent frames that the device still reads.
  std::size_t in_flight() const { return in_flight_.size(); }
  /// Blocks in existence, by pool.
  std::size_t rx_in_use() const { return rx_in_use_; }
  std::size_t tx_in_use() const { return tx_in_use_; }
  /// Sent frames that changed under the device's hands, one sentence each.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  enum class Owner : std::uint8_t { kQueue, kStack, kDevice };
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::uint32_t size = 0;
    bool received = false;
    Owner owner = Owner::kStack;
  };
  struct InFlight {
    std::uint64_t id;
    std::uint64_t hash;
    std::uint64_t done_at;  // tick
  };

  Frame make_block(std::size_t size, bool received, Owner owner);
  Block& owned_by_stack(const Frame& frame);
  void free_block(std::uint64_t id);

  FrameBlockLimits limits_;
  std::unordered_map<std::uint64_t, Block> blocks_;  // by handle
  std::vector<InFlight> in_flight_;                  // oldest first
  std::vector<std::string> violations_;
  std::uint64_t next_id_ = 1;
  std::uint64_t ticks_ = 0;
  std::size_t outstanding_ = 0;
  std::size_t rx_in_use_ = 0;
  std::size_t tx_in_use_ = 0;
};

}  // namespace tern::io
