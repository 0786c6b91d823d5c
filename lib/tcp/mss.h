// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>

#include "tcp/engine.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

namespace tern::tcp {

/// IP's and TCP's headers without options, on the way to an address of either family.
constexpr std::uint16_t header_bytes_to(std::uint32_t address) {
  constexpr std::uint16_t kTcp = wire::kTcpHeaderBytes;
  return kTcp +
         (flow::AddressBook::is_v6(address) ? wire::kIpv6HeaderBytes : wire::kIpv4HeaderBytes);
}

/// The link's MTU: the port's, or for IPv6 less if a router says so (RFC 4861 6.3.4).
inline std::uint16_t link_mtu_to(const Engine& e, std::uint32_t address) {
  const auto port_mtu = static_cast<std::uint16_t>(e.mss + header_bytes_to(0));
  return flow::AddressBook::is_v6(address) ? std::min(port_mtu, e.net.link_mtu6()) : port_mtu;
}

/// What our SYN says (MUST-67): that without headers.
inline std::uint16_t own_mss(const Engine& e, const flow::FourTuple4& tuple) {
  return static_cast<std::uint16_t>(link_mtu_to(e, tuple.remote_address) -
                                    header_bytes_to(tuple.remote_address));
}

/// The peer's, if its SYN does not say (MUST-15).
constexpr std::uint16_t default_mss(const flow::FourTuple4& tuple) {
  return flow::AddressBook::is_v6(tuple.remote_address) ? 1220 : 536;
}

/// Least MTU that is believed of a path: a host that is told less by a forged message would drown
/// in headers (RFC 5927 7.2); every IPv6 link has 1280 (RFC 8200 5).
constexpr std::uint16_t least_mtu_to(std::uint32_t address) {
  return flow::AddressBook::is_v6(address) ? 1280 : net::PathMtuCache::kFloor;
}

}  // namespace tern::tcp
