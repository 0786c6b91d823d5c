// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "tern/address.h"

namespace bench::raw {

/// RFC 9293's control bits.
inline constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;
inline constexpr std::uint32_t kHeaderBytes = 14 + 20 + 20;  // Ethernet, IPv4, TCP
inline constexpr std::uint32_t kSynOptionBytes = 8;          // MSS, window scale
inline constexpr std::uint8_t kWindowScale = 7;              // ours: 65535 << 7 = 8 MiB

/// A segment of ours: what differs from one to the next.
struct Outgoing {
  std::uint32_t address = 0;  ///< source
  std::uint16_t port = 0;     ///< source
  std::uint8_t flags = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint16_t payload_bytes = 0;
};

/// A segment of the server's, as far as a client without recovery reads it.
struct Incoming {
  std::uint32_t address = 0;  ///< destination: one of ours
  std::uint16_t port = 0;     ///< destination
  std::uint8_t flags = 0;
  std::uint8_t window_scale = 0;  ///< of a SYN; 0 = none
  std::uint16_t window = 0;       ///< as it stands there
  std::uint32_t seq = 0, ack = 0;
  std::uint32_t payload_bytes = 0;
};

/// Writes segments to one server from a template whose checksums are summed up beforehand: a
/// segment costs one copy of its headers and a few additions.
class SegmentTemplate {
 public:
  SegmentTemplate(const tern::MacAddress& source, const tern::MacAddress& destination,
                  tern::Ipv4Address server, std::uint16_t port, std::uint16_t mss);

  /// Writes a frame of kHeaderBytes, options on a SYN, and payload (zeros, which add
  /// nothing to the checksum); answers its length.
  std::uint32_t write(std::byte* frame, const Outgoing& segment) const;

 private:
  std::byte headers_[kHeaderBytes]{};
  std::byte syn_options_[kSynOptionBytes]{};
  std::uint32_t ip_sum_ = 0, tcp_sum_ = 0, syn_sum_ = 0;
};

/// Reads an IPv4 TCP frame; nothing if it is another, or cut. Verifies no checksum.
std::optional<Incoming> read_segment(const std::byte* frame, std::uint32_t length);

/// An ARP packet, of Ethernet and IPv4.
struct Arp {
  bool is_request = false;
  tern::MacAddress sender_mac;
  std::uint32_t sender = 0, target = 0;  ///< addresses
};
std::optional<Arp> read_arp(const std::byte* frame, std::uint32_t length);
/// Writes a frame of 42 bytes; a request is broadcast, a reply goes to `to`.
std::uint32_t write_arp(std::byte* frame, const Arp& arp, const tern::MacAddress& to);

/// A frame without a protocol, for a link that returns what it is sent.
std::uint32_t write_plain(std::byte* frame, const tern::MacAddress& source, std::uint32_t length);
bool is_plain(const std::byte* frame, std::uint32_t length);

}  // namespace bench::raw
