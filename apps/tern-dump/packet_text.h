// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "pcapng_reader.h"
#include "tern/frame_text.h"

namespace dump {

struct TextOptions {
  bool hex = false;       ///< -X: the IP packet's bytes, in hex and ASCII
  bool absolute = false;  ///< -S: sequence numbers as they are on the wire
};

/// The lines that tcpdump -n prints about a packet, each ended: time of day, In or Out, what it is,
/// and "dropped: ..." if the stack did not want it.
class PacketText {
 public:
  explicit PacketText(const TextOptions& options) : options_(options) {}
  std::string operator()(const Packet& packet);

 private:
  TextOptions options_;
  tern::RelativeFormatter relative_;
};

/// tcpdump -X of the bytes behind the Ethernet header.
std::string hex_text(std::span<const std::byte> frame);

}  // namespace dump
