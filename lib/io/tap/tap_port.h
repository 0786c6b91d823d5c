// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <vector>

#include "io/frame_observer.h"
#include "tern/port.h"

namespace tern::io {

/// Tells the time that goes with a frame. The engine's `now` of the poll, or a clock's.
using TapClock = std::function<Instant()>;

/// A port in front of another one that passes everything through. `inner` must outlive it. Thread:
/// the stack's.
class PortDecorator : public Port {
 public:
  explicit PortDecorator(Port& inner) : inner_(inner) {}

  const PortInfo& info() const override { return inner_.info(); }
  std::size_t receive(std::span<Frame> frames) override { return inner_.receive(frames); }
  std::size_t transmit(std::span<const Frame> frames) override { return inner_.transmit(frames); }
  std::size_t allocate(std::span<Frame> frames) override { return inner_.allocate(frames); }
  bool allocate_large(Frame& frame) override { return inner_.allocate_large(frame); }
  void release(std::span<const Frame> frames) override { inner_.release(frames); }
  std::size_t recycle(std::span<Frame> frames) override { return inner_.recycle(frames); }
  PortCounters counters() const override { return inner_.counters(); }
  bool link_up() const override { return inner_.link_up(); }

 protected:
  Port& inner() const { return inner_; }

 private:
  Port& inner_;
};

/// A decorator that sees every frame: received ones as the stack takes them, and sent ones when the
/// inner port has taken them. A sent frame is seen as the stack wrote it: with checksum offload its
/// checksums are the device's to complete, as in any capture on the sending host.
class TapPort : public PortDecorator {
 public:
  TapPort(Port& inner, TapClock clock) : PortDecorator(inner), clock_(std::move(clock)) {}

  std::size_t receive(std::span<Frame> frames) override;
  std::size_t transmit(std::span<const Frame> frames) override;

 protected:
  virtual void frame_passed(Instant now, FrameDirection direction,
                            std::span<const std::byte> frame) = 0;

 private:
  TapClock clock_;
  std::vector<std::byte> copies_;  // of the offered frames: once taken they are the device's
};

}  // namespace tern::io
