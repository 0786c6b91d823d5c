// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <string_view>

#include "io/tap/format_frame.h"
#include "io/tap/tap_port.h"

namespace tern::io {

/// How a traced line looks.
struct TraceOptions {
  bool relative_seq = true;  ///< as tcpdump without -S
  bool show_time = true;     ///< seconds of the engine's time, and the direction, before the frame
};

/// Prints every frame that passes: one line of text for each, without a newline, e.g.
/// "0.000001000 Out IP 10.0.1.2.47762 > 10.0.2.2.9999: Flags [S], seq 1, win 229, length 0". Slow:
/// for tests and debugging.
class TracePort final : public TapPort {
 public:
  using LineSink = std::function<void(std::string_view)>;

  TracePort(Port& inner, TapClock clock, LineSink sink, const TraceOptions& options = {})
      : TapPort(inner, std::move(clock)), sink_(std::move(sink)), options_(options) {}

 private:
  void frame_passed(Instant now, FrameDirection direction,
                    std::span<const std::byte> frame) override;

  LineSink sink_;
  TraceOptions options_;
  RelativeFormatter relative_;
};

}  // namespace tern::io
