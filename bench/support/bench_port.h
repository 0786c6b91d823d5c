// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <vector>

#include "tern/port.h"

namespace tern::bench {

/// A port without a device: frames are 2 KB slots of one block, last in, first out. What the
/// benchmark feeds is received, what the stack sends is shown to the benchmark and recycled. It
/// does what a NIC with all checksum offloads would leave to software, which is next to nothing; or
/// it is one without any.
class BenchPort final : public Port {
 public:
  static constexpr std::uint32_t kFrameBytes = 2048;
  static constexpr std::uint64_t kVerified =
      frame_flag::kRxIpChecksumGood | frame_flag::kRxL4ChecksumGood;

  explicit BenchPort(std::uint32_t frames, bool offloads = true)
      : memory_(std::size_t{frames} * kFrameBytes) {
    info_.mac = {{2, 0, 0, 0, 0, 1}};
    info_.frame_capacity = kFrameBytes;
    info_.tx_ip_checksum = info_.tx_tcp_checksum = offloads;
    for (std::uint32_t i = 0; i < frames; ++i)
      free_.push_back(&memory_[std::size_t{i} * kFrameBytes]);
    sent_.reserve(frames);
  }

  /// A frame to be filled in by the benchmark and received with verified checksums, if it offloads.
  std::byte* feed(std::uint32_t length) {
    std::byte* data = free_.back();
    free_.pop_back();
    arrived_.push_back({.data = data,
                        .handle = data,
                        .flags = info_.tx_tcp_checksum ? kVerified : 0,
                        .length = length});
    return data;
  }

  /// What the stack has sent since the last clear_sent().
  const std::vector<Frame>& sent() const { return sent_; }
  void clear_sent() {
    for (const Frame& frame : sent_) give_back(frame);
    sent_.clear();
  }

  /// Frames fed and not received yet.
  std::size_t waiting() const { return arrived_.size() - next_; }

  const PortInfo& info() const override { return info_; }

  std::size_t receive(std::span<Frame> frames) override {
    const std::size_t count = std::min(frames.size(), arrived_.size() - next_);
    std::copy_n(arrived_.begin() + static_cast<std::ptrdiff_t>(next_), count, frames.begin());
    next_ += count;
    if (next_ == arrived_.size()) {
      arrived_.clear();
      next_ = 0;
    }
    return count;
  }

  std::size_t transmit(std::span<const Frame> frames) override {
    sent_.insert(sent_.end(), frames.begin(), frames.end());
    return frames.size();
  }

  std::size_t allocate(std::span<Frame> frames) override {
    const std::size_t count = std::min(frames.size(), free_.size());
    for (std::size_t i = 0; i < count; ++i) {
      frames[i] = {.data = free_.back(), .handle = free_.back()};
      free_.pop_back();
    }
    return count;
  }

  void release(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) give_back(frame);
  }

  std::size_t recycle(std::span<Frame> frames) override {
    for (Frame& frame : frames)
      frame = {.data = static_cast<std::byte*>(frame.handle), .handle = frame.handle};
    return frames.size();
  }

 private:
  void give_back(const Frame& frame) { free_.push_back(static_cast<std::byte*>(frame.handle)); }

  PortInfo info_;
  std::vector<std::byte> memory_;
  std::vector<std::byte*> free_;
  std::vector<Frame> arrived_, sent_;
  std::size_t next_ = 0;
};

}  // namespace tern::bench
