// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/tap_port.h"

namespace tern::io {

std::size_t TapPort::receive(std::span<Frame> frames) {
  const std::size_t count = inner().receive(frames);
  if (count == 0) return 0;
  const Instant now = clock_();
  for (const Frame& frame : frames.first(count))
    frame_passed(now, FrameDirection::kReceived, frame.bytes());
  return count;
}

std::size_t TapPort::transmit(std::span<const Frame> frames) {
  copies_.clear();
  for (const Frame& frame : frames)
    copies_.insert(copies_.end(), frame.data, frame.data + frame.length);
  const std::size_t count = inner().transmit(frames);
  if (count == 0) return 0;
  const Instant now = clock_();
  std::span<const std::byte> rest = copies_;
  for (const Frame& frame : frames.first(count)) {
    frame_passed(now, FrameDirection::kSent, rest.first(frame.length));
    rest = rest.subspan(frame.length);
  }
  return count;
}

}  // namespace tern::io
