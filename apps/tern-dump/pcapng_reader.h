// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace dump {

/// One packet of a capture. The bytes are valid during the call only.
struct Packet {
  std::uint64_t time_ns = 0;  ///< since 1970
  bool sent = false;          ///< by the process that captures; else it received it
  std::span<const std::byte> frame;
  std::string comment;
};

/// Reads pcapng as Tern's captures write it (one section, nanoseconds, this machine's byte order),
/// in whatever pieces it arrives.
class PcapngReader {
 public:
  using Visit = std::function<void(const Packet&)>;
  explicit PcapngReader(Visit visit) : visit_(std::move(visit)) {}

  /// False: this is no such capture, and nothing more will be read of it.
  bool feed(std::span<const std::byte> bytes);

 private:
  void read_packet(std::span<const std::byte> body);

  Visit visit_;
  std::vector<std::byte> buffer_;  // an unfinished block
  bool begun_ = false;
};

/// The whole pcapng blocks at the beginning of some bytes.
struct Blocks {
  std::size_t bytes = 0;
  std::uint64_t packets = 0;
};

/// As many as there are, up to the one that holds packet number `limit`. All of the bytes if they
/// are no blocks.
Blocks whole_blocks(std::span<const std::byte> bytes, std::uint64_t limit);

}  // namespace dump
