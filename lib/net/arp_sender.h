// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "net/egress.h"
#include "net/neighbour_asker.h"
#include "tern/address.h"
#include "tern/stats.h"
#include "wire/arp.h"

namespace tern::net {

/// Builds the ARP packets (RFC 826) that go out of one interface and stages them. When no frame can
/// be had the packet is not sent, which Egress counts; each kind is repeated or asked for again.
class ArpSender final : public NeighbourAsker {
 public:
  /// `address`: the interface's own, host byte order.
  ArpSender(std::uint32_t address, Egress& egress, Counters& counters);

  /// Asks for `target`: everyone, or the host that is thought to have it (RFC 1122 2.3.2.1).
  Asked request(std::uint32_t target) override { return request(target, MacAddress::broadcast()); }
  Asked request(std::uint32_t target, const MacAddress& to) override;

  IpAddress address_of(std::uint32_t address) const override { return Ipv4Address(address); }
  void keep(std::uint32_t) override {}  // an IPv4 address is its own number
  void forget(std::uint32_t) override {}

  /// Tells `to` our address. `target` may be 0: the answer to a probe (RFC 5227 2.1.1).
  void reply(std::uint32_t target, const MacAddress& to);

  /// Tells everyone our address (RFC 5227 2.3).
  void announce();

  const MacAddress& own_mac() const { return egress_.port_info().mac; }
  std::uint32_t own_address() const { return address_; }

 private:
  bool send(const wire::ArpPacket& packet, const MacAddress& to);

  std::uint32_t address_;
  Egress& egress_;
  Counters& counters_;
};

}  // namespace tern::net
