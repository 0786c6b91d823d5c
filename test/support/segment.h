// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tern/address.h"
#include "tern/time.h"

namespace tern::test {

using Bytes = std::vector<std::byte>;

/// The timestamp option (RFC 7323), or its absence: `.ts = {value, echo_reply}`.
struct Timestamps {
  constexpr Timestamps() = default;
  constexpr Timestamps(std::uint32_t ts_value, std::uint32_t ts_echo)
      : present(true), value(ts_value), echo(ts_echo) {}
  bool present = false;
  std::uint32_t value = 0;
  std::uint32_t echo = 0;
  friend bool operator==(const Timestamps&, const Timestamps&) = default;
};

/// A SACK block: [begin, end).
struct SackRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const SackRange&, const SackRange&) = default;
};

/// The family that tests speak where they do not say: IPv6 if TERN_TEST_FAMILY is 6, as meson sets
/// it for the second run of some of them, else IPv4.
bool speaks_v6();

/// Host number n of the tests' link in that family: 10.0.0.n or fd00::n.
IpAddress numbered_address(std::uint8_t n);

/// The unspecified address of that family: what listens on all of the interface's own.
IpAddress wildcard();

/// The addresses around a segment. By default from the test's peer to the stack under test.
struct Path {
  MacAddress source_mac{{0x02, 0, 0, 0, 0, 0x02}};
  MacAddress destination_mac{{0x02, 0, 0, 0, 0, 0x01}};
  IpAddress source = numbered_address(2);
  IpAddress destination = numbered_address(1);
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 7000;

  Path reversed() const {
    return {destination_mac, source_mac, destination, source, destination_port, source_port};
  }
  friend bool operator==(const Path&, const Path&) = default;
};

/// A TCP segment in an Ethernet frame, described: what build() makes of it parse_segment() finds
/// again. Both are written from the RFCs without any of lib/wire, as an oracle for it.
struct Segment {
  Path path{};
  std::string flags = ".";  ///< tcpdump's letters, in any order: F S R P . U E W; "" = none
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint16_t window = 65535;  ///< as on the wire, unscaled
  std::uint16_t urgent = 0;
  std::optional<std::uint16_t> mss{};
  bool sack_permitted = false;
  Timestamps ts{};
  std::optional<std::uint8_t> wscale{};
  std::vector<SackRange> sack{};
  std::optional<std::uint16_t> user_timeout{};  ///< RFC 5482's option, as on the wire
  Bytes raw_options{};  ///< if set, written instead of the above; a parsed segment has none
  std::string payload{};
  std::uint8_t ttl = 64;    ///< or hop limit
  std::uint8_t tos = 0;     ///< or traffic class
  std::uint16_t ip_id = 0;  ///< IPv4 only, this and the next two
  bool dont_fragment = true;
  bool ip_checksum_ok = true;  ///< build: false makes it wrong; parse: what was found
  bool tcp_checksum_ok = true;
  std::size_t pad_to = 0;  ///< build: Ethernet padding up to this many frame bytes; parse: 0
  Instant time{};          ///< when it was sent, if a port recorded it; not compared

  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
  /// Sequence space used: payload, SYN and FIN.
  std::uint32_t length() const {
    return static_cast<std::uint32_t>(payload.size()) + (has('S') ? 1u : 0u) + (has('F') ? 1u : 0u);
  }
  /// Bytes of the header's options.
  std::size_t option_bytes() const;

  friend bool operator==(const Segment& a, const Segment& b);
};

/// The frame's bytes, with right checksums unless told otherwise.
Bytes build(const Segment& segment);

/// Reads a frame back; nothing if it is not TCP over IPv4 or
/// IPv6 (without extension headers) with lengths that hold. `flags` comes in
/// tcpdump's order. Of an option that appears twice the first counts; reading stops at a bad one.
std::optional<Segment> parse_segment(std::span<const std::byte> frame);

/// tcpdump's letters in tcpdump's order, e.g. normal_flags(".S") = "S.".
std::string normal_flags(const std::string& flags);

/// An ARP packet for IPv4 over Ethernet.
struct Arp {
  std::uint16_t operation = 1;  ///< 1 request, 2 reply
  MacAddress sender_mac{{0x02, 0, 0, 0, 0, 0x02}};
  Ipv4Address sender{10, 0, 0, 2};
  MacAddress target_mac{};
  Ipv4Address target{10, 0, 0, 1};
  MacAddress ethernet_destination = MacAddress::broadcast();
  friend bool operator==(const Arp&, const Arp&) = default;
};
Bytes build(const Arp& arp);
std::optional<Arp> parse_arp(std::span<const std::byte> frame);

/// A neighbour solicitation (RFC 4861 4.3) that a stack has sent, and the advertisement (4.4) that
/// answers it.
struct Solicitation {
  MacAddress sender_mac;
  Ipv6Address sender, target;
};
std::optional<Solicitation> parse_solicitation(std::span<const std::byte> frame);
Bytes build_advertisement(const Solicitation& asked, const MacAddress& target_mac);

/// An IP datagram with any payload, in an Ethernet frame between the path's addresses.
struct Datagram {
  Path path{};                ///< the ports are not used
  std::uint8_t protocol = 1;  ///< or next header
  Bytes payload{};
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  std::uint16_t ip_id = 0;
  std::uint16_t fragment = 0x4000;  ///< flags and offset, as on the wire; 0x4000 = don't fragment
  Bytes ip_options{};               ///< a multiple of 4 bytes
  bool ip_checksum_ok = true;
};
Bytes build(const Datagram& datagram);

/// RFC 1071's checksum, by the book: 16-bit words added up, carries folded, inverted.
std::uint16_t textbook_checksum(std::span<const std::byte> bytes);

/// The bytes of a text.
Bytes to_bytes(std::string_view text);

// Readable failures: tcpdump's words, with the time in front and the addresses in between.
std::ostream& operator<<(std::ostream& out, const Segment& segment);
std::ostream& operator<<(std::ostream& out, const Arp& arp);

}  // namespace tern::test
