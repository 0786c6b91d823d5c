// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "tern/address.h"

// The addresses that IPv6 itself uses on a link (RFC 4291 2.5.6, 2.7), and their Ethernet ones.

namespace tern::wire {

/// The groups of one link that a host speaks to or listens to.
namespace ipv6_group {
inline constexpr Ipv6Address kAllNodes{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
inline constexpr Ipv6Address kAllRouters{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
inline constexpr Ipv6Address kAllListenerRouters{
    {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16}};  // RFC 3810 5.2.14
}  // namespace ipv6_group

/// ff02::1:ffXX:XXXX, the group in which an address's owner is asked for (RFC 4291 2.7.1).
constexpr Ipv6Address solicited_node(const Ipv6Address& address) {
  std::array<std::uint8_t, 16> octets{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::copy_n(address.octets().begin() + 13, 3, octets.begin() + 13);
  return Ipv6Address(octets);
}

constexpr bool is_solicited_node(const Ipv6Address& group) {
  return solicited_node(group) == group;
}

/// 33:33 and the last four octets (RFC 2464 7).
constexpr MacAddress multicast_mac(const Ipv6Address& group) {
  const auto& octets = group.octets();
  return {{0x33, 0x33, octets[12], octets[13], octets[14], octets[15]}};
}

/// The link-local address that an interface makes of its MAC (RFC 4291 appendix A, RFC 2464 5).
constexpr Ipv6Address link_local_of(const MacAddress& mac) {
  const auto& m = mac.octets;
  return Ipv6Address({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2],
                      0xff, 0xfe, m[3], m[4], m[5]});
}

}  // namespace tern::wire
