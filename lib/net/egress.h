// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <vector>

#include "base/frame_bin.h"
#include "tern/port.h"
#include "tern/stats.h"

namespace tern::net {

/// The way out: hands out empty frames, allocated in bulk, stages finished ones, and gives them to
/// the port in one burst per poll. What the port does not take stays staged, in order; nothing is
/// dropped because a ring is full.
class Egress {
 public:
  Egress(Port& port, Counters& counters);
  ~Egress();  // gives every frame back
  Egress(const Egress&) = delete;
  Egress& operator=(const Egress&) = delete;

  /// An empty frame, now the caller's: to be sent or discarded. False when the pool is dry or the
  /// stage is full (counted): try again at a later poll.
  bool allocate(Frame& frame) {
    if (spare_count_ == 0 && !refill()) return false;
    frame = spare_[--spare_count_];
    return true;
  }

  /// Stages a finished frame; its bytes must not change any more. There is always room for a frame
  /// that came from allocate().
  void send(const Frame& frame) { staged_.push_back(frame); }

  /// Gives up a frame from allocate(), unsent.
  void discard(const Frame& frame) { bin_.add(frame); }

  /// Offers everything staged to the port, and gives discarded frames back. Returns frames taken.
  std::size_t flush();

  std::size_t staged() const { return staged_.size() - first_; }
  std::size_t spare() const { return spare_count_; }
  const PortInfo& port_info() const { return info_; }

 private:
  bool refill();

  static constexpr std::size_t kSpares = 32;
  static constexpr std::size_t kStageLimit = 1024;  // frames; beyond it allocate() refuses

  Port& port_;
  const PortInfo info_;
  Counters& counters_;
  FrameBin bin_;
  std::size_t spare_count_ = 0;
  std::array<Frame, kSpares> spare_;
  std::size_t first_ = 0;      // staged_[first_..] wait for the port
  std::vector<Frame> staged_;  // reserved once: kStageLimit + kSpares
};

}  // namespace tern::net
