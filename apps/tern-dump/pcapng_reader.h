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

/// How many of the bytes are whole pcapng blocks, from the first on; all if they are no blocks.
std::size_t whole_blocks(std::span<const std::byte> bytes);

}  // namespace dump
