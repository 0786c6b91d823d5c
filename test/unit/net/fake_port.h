// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "tern/port.h"

namespace tern::net {

using Bytes = std::vector<std::uint8_t>;

/// A port whose every frame is a heap block of exactly the capacity, so that ASan sees a write one
/// byte beyond it, and which knows who has each frame. Keeps what was transmitted, in order.
class FakePort final : public Port {
 public:
  FakePort() {
    info_.mac = {{0x02, 0, 0, 0, 0, 0x01}};
    info_.frame_capacity = 14 + 1500;
  }
  ~FakePort() override { EXPECT_EQ(out_.size(), 0U) << "frames were neither sent nor released"; }

  const PortInfo& info() const override { return info_; }
  PortInfo& settings() { return info_; }

  std::size_t receive(std::span<Frame>) override { return 0; }

  std::size_t transmit(std::span<const Frame> frames) override {
    const std::size_t taken = std::min(frames.size(), tx_room_);
    bursts_.push_back(taken);
    for (const Frame& frame : frames.first(taken)) {
      EXPECT_LE(frame.length, info_.frame_capacity);
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.data);
      sent_.emplace_back(bytes, bytes + frame.length);
      give_back(frame);
    }
    if (tx_room_ != SIZE_MAX) tx_room_ -= taken;
    return taken;
  }

  std::size_t allocate(std::span<Frame> frames) override {
    std::size_t count = 0;
    for (; count < frames.size() && out_.size() < pool_size_; ++count) {
      auto block = std::make_unique<std::byte[]>(info_.frame_capacity);
      std::memset(block.get(), 0xee, info_.frame_capacity);  // stale bytes of an earlier use
      frames[count] = Frame{.data = block.get(), .handle = block.get()};
      out_[block.get()] = std::move(block);
    }
    return count;
  }

  void release(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) give_back(frame);
    released_ += frames.size();
  }

  std::size_t recycle(std::span<Frame> frames) override {
    if (!recycles_) return Port::recycle(frames);
    for (Frame& frame : frames) {
      EXPECT_TRUE(out_.contains(frame.handle)) << "a frame that is not out is to be sent again";
      frame = Frame{.data = static_cast<std::byte*>(frame.handle), .handle = frame.handle};
      std::memset(frame.data, 0xee, info_.frame_capacity);
    }
    recycled_ += frames.size();
    return frames.size();
  }

  /// Whether frames that are done with may be sent again.
  void set_recycles(bool recycles) { recycles_ = recycles; }
  /// How many more frames transmit() will take.
  void set_tx_room(std::size_t frames) { tx_room_ = frames; }
  /// How many frames may be out at once.
  void set_pool_size(std::size_t frames) { pool_size_ = frames; }

  std::size_t out() const { return out_.size(); }  // allocated, not yet back
  std::size_t released() const { return released_; }
  std::size_t recycled() const { return recycled_; }
  const std::vector<std::size_t>& bursts() const { return bursts_; }

  /// What has been transmitted since the last call.
  std::vector<Bytes> take_sent() { return std::exchange(sent_, {}); }

 private:
  void give_back(const Frame& frame) {
    ASSERT_EQ(out_.erase(frame.handle), 1U) << "a frame that is not out was given back";
  }

  PortInfo info_;
  std::size_t tx_room_ = SIZE_MAX;
  std::size_t pool_size_ = SIZE_MAX;
  std::size_t released_ = 0, recycled_ = 0;
  bool recycles_ = true;
  std::map<void*, std::unique_ptr<std::byte[]>> out_;
  std::vector<Bytes> sent_;
  std::vector<std::size_t> bursts_;
};

}  // namespace tern::net
