// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "base/assert.h"
#include "base/frame_bin.h"
#include "tern/port.h"
#include "tern/stats.h"

namespace tern::net {

/// The way out: hands out empty frames, allocated in bulk, stages finished ones, and gives them to
/// the port in one burst per poll. What the port does not take stays staged, in order; nothing is
/// dropped because a ring is full. Staged, spare and handed-out frames together never exceed
/// kCapacity: allocate() refuses first, so send() always has room. Thread: the stack's.
class Egress {
 public:
  /// Frames that may wait for the port before allocate() refuses.
  static constexpr std::size_t kStageLimit = 1024;
  /// Frames in all. What exceeds kStageLimit is room for frames that their holders send late: those
  /// that wait for a neighbour's address (NeighbourTable::kMaxWaiting).
  static constexpr std::size_t kCapacity = 2048;
  static constexpr std::size_t kSpares = 32;  ///< frames allocated at a time

  /// `bin`: where discarded frames go, and where frames to be sent are looked for first. All three
  /// must outlive it.
  Egress(Port& port, FrameBin& bin, Counters& counters);
  ~Egress();  // gives every frame back; those handed out must have been sent or discarded before
  Egress(const Egress&) = delete;
  Egress& operator=(const Egress&) = delete;

  /// An empty frame, now the caller's: to be sent or discarded. False when the pool is dry or the
  /// stage is full (counted): try again at a later poll.
  bool allocate(Frame& frame) {
    const Frame* place = allocate();
    if (place == nullptr) return false;
    frame = *place;
    return true;
  }

  /// The same in place: what it returns is only there until the next allocate() or
  /// restock(). nullptr: none.
  Frame* allocate() {
    if (spare_count_ == 0 && !refill()) return nullptr;
    ++handed_out_;
    return &spare_[--spare_count_];
  }

  /// The same for a large segment, out of the port's own few frames for them; not counted.
  bool allocate_large(Frame& frame) {
    if (!has_room() || !port_.allocate_large(frame)) return false;
    ++handed_out_;
    return true;
  }

  /// Stages a finished frame from allocate(); its bytes must not change any more.
  void send(const Frame& frame) {
    TERN_ASSERT(handed_out_ > 0);  // with the invariant above: there is room
    --handed_out_;
    stage_[tail_++ % kCapacity] = frame;
  }

  /// Gives up a frame from allocate(), unsent.
  void discard(const Frame& frame) {
    TERN_ASSERT(handed_out_ > 0);
    --handed_out_;
    bin_.add(frame);
  }

  /// Makes spare frames of what is in the bin, up to kSpares, if there is room for them. At the end
  /// of a poll, so that the next answer need not look for its frame.
  void restock() {
    if (has_room()) spare_count_ += bin_.recycle(std::span(spare_).subspan(spare_count_));
  }

  /// Offers everything staged to the port. Returns frames taken.
  std::size_t flush() { return staged() > 0 ? flush_staged() : 0; }

  std::size_t staged() const { return tail_ - head_; }
  std::size_t spare() const { return spare_count_; }
  std::size_t handed_out() const { return handed_out_; }  ///< allocated, not yet sent or discarded
  const PortInfo& port_info() const { return info_; }

 private:
  // For kSpares more frames.
  bool has_room() const {
    return staged() < kStageLimit && staged() + spare_count_ + handed_out_ + kSpares <= kCapacity;
  }
  bool refill();
  std::size_t flush_staged();
  std::size_t transmit_run(std::size_t count);
  void count_deferred(std::size_t taken);

  Port& port_;
  const PortInfo info_;
  Counters& counters_;
  FrameBin& bin_;
  std::size_t handed_out_ = 0;
  std::size_t spare_count_ = 0;
  std::array<Frame, kSpares> spare_;
  std::size_t head_ = 0;      // stage_[head_ % kCapacity] is the next to go; 0 again when empty,
  std::size_t tail_ = 0;      //   so that a burst seldom wraps around
  std::size_t deferred_ = 0;  // of the staged frames, those that tx_deferred has counted
  std::unique_ptr<Frame[]> stage_;
};

}  // namespace tern::net
