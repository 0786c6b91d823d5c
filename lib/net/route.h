// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "tern/config.h"

namespace tern::net {

/// The routing table of a host with one interface: the on-link prefix and perhaps a gateway.
/// Addresses in host byte order; 0 stands for "none".
class Route {
 public:
  /// The gateway, if there is one, must be an on-link unicast address other than our own.
  explicit Route(const StackConfig& config)
      : prefix_(config.address), gateway_(config.gateway.value_or(Ipv4Address()).value()) {
    TERN_ASSERT(!config.gateway || is_neighbour(gateway_));
  }

  /// Who takes a packet to `destination`: itself if on-link, else the gateway; 0 = there is no way,
  /// or the address is not one to send to.
  std::uint32_t next_hop(std::uint32_t destination) const {
    if (!is_unicast(destination) || destination == own_address()) return 0;
    return prefix_.contains(Ipv4Address(destination)) ? destination : gateway_;
  }

  /// Whether an address can belong to another host on the link.
  bool is_neighbour(std::uint32_t address) const {
    return is_unicast(address) && address != own_address() &&
           prefix_.contains(Ipv4Address(address));
  }

  std::uint32_t own_address() const { return prefix_.address.value(); }
  std::uint32_t gateway() const { return gateway_; }

 private:
  // RFC 1122 3.2.1.3: 0/8 and 127/8 never leave a host; broadcasts and groups are not TCP's.
  bool is_unicast(std::uint32_t address) const {
    const Ipv4Address a(address);
    return address >> 24 != 0 && !a.is_loopback() && !a.is_multicast() && !a.is_reserved() &&
           a != prefix_.broadcast();
  }

  Ipv4Prefix prefix_;
  std::uint32_t gateway_;
};

}  // namespace tern::net
