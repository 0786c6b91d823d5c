// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/frame_blocks.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/siphash.h"

namespace tern::io {
namespace {

std::uint64_t id_of(const Frame& frame) { return reinterpret_cast<std::uintptr_t>(frame.handle); }

std::uint64_t content_hash(std::span<const std::byte> bytes) { return siphash13({1, 2}, bytes); }

}  // namespace

Frame FrameBlocks::make_block(std::size_t size, bool received, Owner owner) {
  const std::uint64_t id = next_id_++;
  Block& block = blocks_[id];
  block.bytes = std::make_unique_for_overwrite<std::byte[]>(size);
  block.size = static_cast<std::uint32_t>(size);
  block.received = received;
  block.owner = owner;
  ++(received ? rx_in_use_ : tx_in_use_);
  Frame frame;
  frame.data = block.bytes.get();
  frame.handle = reinterpret_cast<void*>(static_cast<std::uintptr_t>(id));
  return frame;
}

std::optional<Frame> FrameBlocks::store_received(std::span<const std::byte> bytes,
                                                 std::uint64_t flags) {
  if (limits_.rx_frames != 0 && rx_in_use_ >= limits_.rx_frames) return std::nullopt;
  Frame frame = make_block(bytes.size(), true, Owner::kQueue);
  std::copy(bytes.begin(), bytes.end(), frame.data);
  frame.length = static_cast<std::uint32_t>(bytes.size());
  frame.flags = flags;
  return frame;
}

void FrameBlocks::hand_over(const Frame& frame) {
  Block& block = blocks_.at(id_of(frame));
  TERN_ASSERT(block.owner == Owner::kQueue);
  block.owner = Owner::kStack;
  ++outstanding_;
}

std::optional<Frame> FrameBlocks::allocate() { return allocate(limits_.frame_capacity); }

std::optional<Frame> FrameBlocks::allocate(std::uint32_t bytes) {
  if (limits_.tx_frames != 0 && tx_in_use_ >= limits_.tx_frames) return std::nullopt;
  Frame frame = make_block(bytes, false, Owner::kStack);
  // A pool's frame holds what its last user left; a pattern makes reliance on zeros fail.
  std::memset(frame.data, 0xa5, bytes);
  ++outstanding_;
  return frame;
}

FrameBlocks::Block& FrameBlocks::owned_by_stack(const Frame& frame) {
  const auto found = blocks_.find(id_of(frame));
  const bool frame_is_known = found != blocks_.end();
  TERN_ASSERT(frame_is_known);
  const bool frame_is_the_stacks = found->second.owner == Owner::kStack;
  TERN_ASSERT(frame_is_the_stacks);
  return found->second;
}

void FrameBlocks::release(const Frame& frame) {
  owned_by_stack(frame);
  --outstanding_;
  free_block(id_of(frame));
}

void FrameBlocks::send(const Frame& frame) {
  Block& block = owned_by_stack(frame);
  const bool frame_lies_in_its_block = frame.data >= block.bytes.get() &&
                                       frame.data + frame.length <= block.bytes.get() + block.size;
  TERN_ASSERT(frame_lies_in_its_block);
  --outstanding_;
  block.owner = Owner::kDevice;
  const std::uint64_t hash = content_hash({block.bytes.get(), block.size});
  in_flight_.push_back({id_of(frame), hash, ticks_ + limits_.dma_polls});
}

void FrameBlocks::tick() {
  ++ticks_;
  std::size_t done = 0;
  for (; done < in_flight_.size() && in_flight_[done].done_at <= ticks_; ++done) {
    const InFlight& sent = in_flight_[done];
    const Block& block = blocks_.at(sent.id);
    if (content_hash({block.bytes.get(), block.size}) != sent.hash)
      violations_.push_back("sent frame " + std::to_string(sent.id) +
                            " changed while the device was reading it");
    free_block(sent.id);
  }
  in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<std::ptrdiff_t>(done));
}

void FrameBlocks::free_block(std::uint64_t id) {
  const auto found = blocks_.find(id);
  --(found->second.received ? rx_in_use_ : tx_in_use_);
  blocks_.erase(found);
}

}  // namespace tern::io
