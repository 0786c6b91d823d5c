// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "support/segment.h"

namespace tern::test {

inline constexpr std::uint8_t kUnreachable = 3;        // types
inline constexpr std::uint8_t kHost = 1, kTooBig = 4;  // codes of that

/// An ICMP error about a segment of the stack's.
struct Message {
  std::uint8_t type = kUnreachable, code = kHost;
  std::uint16_t mtu = 0;
  std::uint32_t seq = 0;        ///< quoted, relative: the stack's ISN is 0
  std::size_t quoted = 28;      ///< bytes of the quoted packet
  std::uint16_t length = 1500;  ///< of the quoted packet, as its header says
  std::uint8_t protocol = 6;
  std::uint16_t fragment = 0x4000;
};

/// From a router on the way, about a segment that the stack is said to have sent.
inline Datagram message(std::uint32_t isn, const Message& m) {
  Segment sent;
  sent.path = Path{}.reversed();
  sent.seq = isn + m.seq;
  sent.flags = ".";
  Bytes quote = build(sent);
  quote.erase(quote.begin(), quote.begin() + 14);
  quote[2] = std::byte(m.length >> 8), quote[3] = std::byte(m.length);
  quote[6] = std::byte(m.fragment >> 8), quote[7] = std::byte(m.fragment);
  quote[9] = std::byte(m.protocol);
  quote.resize(m.quoted);
  Bytes icmp(8);
  icmp[0] = std::byte(m.type), icmp[1] = std::byte(m.code);
  icmp[6] = std::byte(m.mtu >> 8), icmp[7] = std::byte(m.mtu);
  icmp.insert(icmp.end(), quote.begin(), quote.end());
  const std::uint16_t sum = textbook_checksum(icmp);
  icmp[2] = std::byte(sum >> 8), icmp[3] = std::byte(sum);
  Datagram datagram;
  datagram.path.source = Ipv4Address(10, 0, 0, 254);
  datagram.payload = std::move(icmp);
  return datagram;
}

}  // namespace tern::test
