// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "tern/port.h"

namespace tern::steering {

using Bytes = std::vector<std::byte>;

/// Frames that are out, of all queues of a device: any queue takes back any frame.
using FrameCount = std::atomic<std::int64_t>;

/// One queue of a simulated device with several: each frame is a heap block of its own, which any
/// queue may release. deliver() may be called by another thread than the stack's.
class QueuePort final : public Port {
 public:
  /// Takes what is sent.
  using Wire = std::function<void(std::span<const std::byte>)>;

  QueuePort(const MacAddress& mac, FrameCount& out, Wire wire) : out_(out), wire_(std::move(wire)) {
    info_.mac = mac;
  }
  ~QueuePort() override {
    for (const Frame& frame : arrived_) free_block(frame);
  }

  const PortInfo& info() const override { return info_; }

  std::size_t receive(std::span<Frame> frames) override {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (; count < frames.size() && !arrived_.empty(); ++count) {
      frames[count] = arrived_.front();
      arrived_.pop_front();
    }
    return count;
  }
  std::size_t transmit(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) wire_(frame.bytes());
    release(frames);
    return frames.size();
  }
  std::size_t allocate(std::span<Frame> frames) override {
    for (Frame& frame : frames) frame = new_block(info_.frame_capacity);
    return frames.size();
  }
  void release(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) free_block(frame);
  }

  /// A frame arrives at this queue.
  void deliver(std::span<const std::byte> bytes) {
    Frame frame = new_block(bytes.size());
    std::memcpy(frame.data, bytes.data(), bytes.size());
    frame.length = static_cast<std::uint32_t>(bytes.size());
    const std::lock_guard lock(mutex_);
    arrived_.push_back(frame);
  }

 private:
  Frame new_block(std::size_t bytes) {
    ++out_;
    auto* block = new std::byte[bytes];
    return {.data = block, .handle = block};
  }
  void free_block(const Frame& frame) {
    --out_;
    delete[] static_cast<std::byte*>(frame.handle);
  }

  PortInfo info_;
  FrameCount& out_;
  Wire wire_;
  std::mutex mutex_;
  std::deque<Frame> arrived_;
};

}  // namespace tern::steering
