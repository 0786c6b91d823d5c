// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>

#include "tern/address.h"
#include "tern/port.h"
#include "tern/stats.h"
#include "wire/tcp.h"

namespace tern::wire {

/// What a received frame turned out to be.
enum class FrameKind : std::uint8_t {
  kTcp4,
  kTcp6,
  kDrop,
  kArp,
  kIcmp4,
  kIcmp6,
  kProblem6,
  kFragment
};
/// A segment of either family.
constexpr bool is_tcp(FrameKind kind) { return kind <= FrameKind::kTcp6; }

/// What parse_frame checks against.
struct ParseContext {
  MacAddress mac{};           // frames to other unicast or to multicast addresses are dropped
  std::uint32_t address = 0;  // the interface's IPv4 address, host order
  std::uint32_t subnet_broadcast = 0;   // a source of this address is invalid
  bool trust_missing_checksum = false;  // PortInfo's
  std::uint16_t vlan = 0;  // frames without this tag are dropped; 0 = those with one are, unless it
                           // is of VLAN 0
  // The interface's IPv6 addresses; none = IPv6 is off.
  static constexpr std::size_t kMaxOwn6 = 2;
  std::array<Ipv6Address, kMaxOwn6> own6{};
  std::uint8_t own6_count = 0;
  std::uint8_t own6_usable = 0xff;  // bit i: own6[i] may be used; else it is not ours yet, or not
                                    // at all (RFC 4862 5.4)
};

/// Why an IPv6 packet is dropped of which its sender is to be told (RFC 4443 3.4).
struct Problem6 {
  DropReason reason = DropReason::kNone;
  std::uint8_t code = 0;          // parameter_problem
  bool to_multicast_too = false;  // even if the packet was sent to a group
  std::uint32_t pointer = 0;      // bytes from the start of the IPv6 header
};

/// The outcome: for kDrop the reason; for kTcp4 and kTcp6 `segment`; for kArp and kIcmp4 the bytes
/// that follow the Ethernet (ARP, >= 28, padding included) or IPv4 header (ICMP, a valid message),
/// and the addresses that a reply needs. kIcmp6 has the whole message, whose checksum is still to
/// be judged; its source may be `::` or an address of ours (RFC 4862 5.4), and it may have been
/// sent to a group of ours (RFC 4291 2.8). kFragment is a part of a packet of either family to us,
/// to be put together: see read_fragment(). Everything points into the frame.
struct ParsedFrame {
  FrameKind kind = FrameKind::kDrop;
  DropReason drop = DropReason::kNone;
  MacAddress source_mac;                  // kIcmp6
  std::uint32_t source_address = 0;       // kIcmp4
  std::uint32_t destination_address = 0;  // kIcmp4
  std::span<std::byte> payload;           // kArp, kIcmp4, kIcmp6; kFragment: the IP packet
  TcpSegment segment;                     // kTcp4; kTcp6, of which it has no addresses
  std::byte* ipv6 = nullptr;              // the fixed IPv6 header: kTcp6, kIcmp6, kProblem6
  bool fragment_header6 = false;          // kIcmp6: it came behind one, of a whole packet
  std::uint8_t own6 = 0;                  // kTcp6: which of ParseContext::own6 it is for
  Problem6 problem;                       // kProblem6
};

/// Walks Ethernet, an 802.1Q tag, then ARP | IPv4 | IPv6, then TCP | ICMP; checks every length
/// against the least of buffer, L2, L3 and L4, subtracting only after comparing; verifies IPv4 and
/// TCP checksums where the device's verdict is not "good". Reads nothing outside `frame`. Ethernet
/// padding beyond the IP total length is ignored. TCP data offset < 5 or beyond the segment: drop
/// (Linux and RFC 9293 both stay silent). A "bad" TCP verdict is not trusted alone either: software
/// decides (tap, virtio and af_packet have been seen to be wrong).
///
/// Sets `kind` and `drop`, and of the rest only the fields that the kind uses: those of an earlier
/// frame may shine through, and for kDrop all of them mean nothing. Stateless; any thread.
void parse_frame(const Frame& frame, const ParseContext& context, ParsedFrame& out);

}  // namespace tern::wire
