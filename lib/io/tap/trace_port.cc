// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/trace_port.h"

#include <array>
#include <cstdio>

namespace tern::io {

void TracePort::frame_passed(Instant now, FrameDirection direction,
                             std::span<const std::byte> frame) {
  std::string line;
  if (options_.show_time) {
    constexpr long long kPerSecond = 1'000'000'000;
    const long long nanoseconds = now.time_since_epoch().count();
    std::array<char, 40> prefix{};
    std::snprintf(prefix.data(), prefix.size(), "%lld.%09lld %s ", nanoseconds / kPerSecond,
                  nanoseconds % kPerSecond, direction == FrameDirection::kSent ? "Out" : "In");
    line = prefix.data();
  }
  line += options_.relative_seq ? relative_(frame) : format_frame(frame);
  sink_(line);
}

}  // namespace tern::io
