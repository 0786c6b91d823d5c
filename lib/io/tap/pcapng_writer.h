// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/tap/capture_port.h"

namespace tern::io {

/// What goes into a capture file besides frames, and how much memory it takes.
struct PcapngOptions {
  /// Added to every Instant: the wall-clock time (since 1970) of the engine's time zero.
  Duration epoch_offset{0};
  /// Bytes of a frame that are kept; 0 = all.
  std::uint32_t snap_length = 0;
  /// Bytes that wait for the file; more frames are counted as lost, never waited for.
  std::size_t buffer_bytes = 1 << 20;
  std::string application = "tern";
};

/// Writes a pcapng file (draft-ietf-opsawg-pcapng): one section, Ethernet interfaces with
/// nanosecond times, Enhanced Packet Blocks that say inbound or outbound. Only whole blocks enter
/// the buffer, so the file stays readable whatever the disk does. Thread: one at a time.
class PcapngWriter final : public CaptureSink {
 public:
  /// Creates or truncates the file. Errors: those of open(2), with the path.
  static absl::StatusOr<std::unique_ptr<PcapngWriter>> open(const std::string& path,
                                                            const PcapngOptions& options);
  /// Writes to an open descriptor, which the writer then owns. It should not block: traffic waits
  /// as long as its write(2) does. `name` is for messages.
  static std::unique_ptr<PcapngWriter> adopt(int descriptor, std::string name,
                                             const PcapngOptions& options);
  /// Writes what it can; call close() to hear how that went.
  ~PcapngWriter() override;

  /// Describes one more interface and returns its number, from 0. Before its first frame. Its few
  /// bytes are kept even when the buffer is full: frames mean nothing without them.
  std::uint32_t add_interface(std::string_view name);

  void write_frame(std::uint32_t interface, Instant time, FrameDirection direction,
                   std::span<const std::byte> frame, std::string_view comment) override;

  /// Gives the buffer to the operating system. On an error (that of write(2), with the name) what
  /// was not written stays in the buffer, for the next try.
  absl::Status flush();
  /// flush(), and closes the file. No frame can be written afterwards; more calls answer OK.
  absl::Status close();

  std::size_t pending_bytes() const { return buffer_.size(); }      ///< wait for the file
  std::uint64_t frames_written() const { return frames_written_; }  ///< into the buffer or further
  std::uint64_t frames_lost() const { return frames_lost_; }        ///< the buffer was full
  std::uint64_t write_failures() const { return write_failures_; }  ///< failed calls of write(2)

 private:
  PcapngWriter(int descriptor, std::string name, const PcapngOptions& options);
  void append_section_header();
  bool make_room(std::size_t bytes);

  int descriptor_;  // -1 = closed
  std::string name_;
  PcapngOptions options_;
  std::vector<std::byte> buffer_;  // buffer_bytes long at most, and the interfaces
  std::uint32_t interfaces_ = 0;
  std::uint64_t frames_written_ = 0;
  std::uint64_t frames_lost_ = 0;
  std::uint64_t write_failures_ = 0;
};

}  // namespace tern::io
