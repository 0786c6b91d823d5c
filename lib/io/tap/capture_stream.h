// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/record_ring.h"
#include "io/frame_observer.h"
#include "io/tap/packet_filter.h"
#include "tern/stats.h"

namespace tern::io {

/// What a capture knows of a frame besides its bytes.
struct CapturedFrame {
  Instant time{};
  std::uint32_t length = 0;
  FrameDirection direction = FrameDirection::kReceived;
  DropReason drop = DropReason::kNone;
};

/// The way of captured frames from a worker to whoever writes them down. Never waits: what finds no
/// room in the ring is counted as lost.
/// Thread rule: offer() is the worker's, take() the writer's; the counters anyone's.
class CaptureStream {
 public:
  CaptureStream(PacketFilter filter, std::size_t buffer_bytes)
      : filter_(std::move(filter)), ring_(buffer_bytes) {}

  void offer(const CapturedFrame& about, std::span<const std::byte> frame);

  /// Hands the oldest frame to `use(const CapturedFrame&, span)`. False: there is none.
  template <class F>
  bool take(F&& use) {
    const std::span<const std::byte> record = ring_.front();
    if (record.empty()) return false;
    CapturedFrame about;
    std::memcpy(&about, record.data(), sizeof about);
    use(about, record.subspan(sizeof about));
    ring_.pop();
    return true;
  }

  std::uint64_t frames_lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  const PacketFilter filter_;
  RecordRing ring_;
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace tern::io
