// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "io/tap/tap_port.h"

namespace tern::io {

/// Where captured frames go. Never blocks traffic and never fails: what it cannot keep it counts.
class CaptureSink {
 public:
  virtual ~CaptureSink() = default;
  /// `interface` numbers the sink's interfaces from 0; `comment` may be empty.
  virtual void write_frame(std::uint32_t interface, Instant time, FrameDirection direction,
                           std::span<const std::byte> frame, std::string_view comment) = 0;
};

/// Records every frame that passes. `sink` must outlive it, and is used by the port's thread only.
class CapturePort final : public TapPort {
 public:
  CapturePort(Port& inner, CaptureSink& sink, TapClock clock, std::uint32_t interface = 0)
      : TapPort(inner, std::move(clock)), sink_(sink), interface_(interface) {}

 private:
  void frame_passed(Instant now, FrameDirection direction,
                    std::span<const std::byte> frame) override {
    sink_.write_frame(interface_, now, direction, frame, {});
  }
  CaptureSink& sink_;
  std::uint32_t interface_;
};

}  // namespace tern::io
