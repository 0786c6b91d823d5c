// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <vector>

#include "io/tap/capture_stream.h"
#include "io/tap/tap_port.h"

namespace tern::io {

/// A port whose frames can be watched: captures are attached and detached while it runs, and while
/// there are none it costs a branch for each burst. A received frame is recorded when the stack has
/// judged it, with the reason if it was dropped; a sent one when the inner port has taken it, with
/// the checksums that its device fills in. Thread: the stack's, attach() and detach() too.
class WatchPort final : public PortDecorator {
 public:
  static constexpr std::size_t kMostStreams = 8;

  WatchPort(Port& inner, TapClock clock);

  /// False: there are too many. `stream` must live until it is detached.
  bool attach(CaptureStream& stream);
  void detach(CaptureStream& stream);

  std::size_t receive(std::span<Frame> frames) override;
  std::size_t transmit(std::span<const Frame> frames) override;
  bool wants_drops() const override { return !streams_.empty(); }
  void note_drop(std::size_t index, DropReason reason) override;

  /// Records what has been received and not yet recorded, for a capture that is about to end.
  void settle();

 private:
  struct Waiting {
    CapturedFrame about;
    std::size_t offset;  // in bytes_
  };

  void offer(const CapturedFrame& about, std::span<const std::byte> frame);
  std::size_t receive_watched(std::span<Frame> frames);
  std::size_t transmit_watched(std::span<const Frame> frames);

  TapClock clock_;
  std::vector<CaptureStream*> streams_;
  std::vector<Waiting> waiting_;   // received, not yet judged
  std::vector<std::byte> bytes_;   // theirs
  std::vector<std::byte> copies_;  // of offered frames: once taken they are the device's
};

/// Does to the copy of a frame what the device does that is asked for checksum offload. A large
/// segment stays whole, as in any capture on the sending host. `flags` and `metadata` are the
/// Frame's.
void fill_in_checksums(std::span<std::byte> frame, std::uint64_t flags, std::uint32_t metadata);

}  // namespace tern::io
