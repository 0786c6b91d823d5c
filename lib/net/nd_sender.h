// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "flow/address_book.h"
#include "net/egress.h"
#include "net/neighbour_asker.h"
#include "net/own_addresses6.h"
#include "tern/stats.h"
#include "wire/mld.h"
#include "wire/neighbour_discovery.h"

namespace tern::net {

/// Builds the ICMPv6 messages that keep a host on its link (RFC 4861, 4862, 3810) and stages them.
/// When no frame can be had the message is not sent, which Egress counts; each kind is repeated or
/// asked for again.
class NdSender final : public NeighbourAsker {
 public:
  NdSender(const OwnAddresses6& own, flow::AddressBook& book, Egress& egress, Counters& counters)
      : own_(own), book_(book), egress_(egress), counters_(counters) {}

  // Neighbour solicitations, to the solicited-node group or to the host. While no address of ours
  // may be used none is sent: there is nothing to ask from.
  Asked request(std::uint32_t target) override;
  Asked request(std::uint32_t target, const MacAddress& to) override;
  IpAddress address_of(std::uint32_t handle) const override { return book_.address(handle); }
  void keep(std::uint32_t handle) override { book_.retain(handle); }
  void forget(std::uint32_t handle) override { book_.release(handle); }

  /// Asks whether anybody has `target`, an address of ours that may not be used yet.
  void probe(const Ipv6Address& target);

  /// The advertisement of an own address, in `frame` behind 14 bytes for the Ethernet header; false
  /// if there is no frame.
  bool build_advertisement(const Ipv6Address& target, const Ipv6Address& destination,
                           bool solicited, Frame& frame);

  /// Tells everyone on the link that `target` is here (RFC 4861 7.2.6).
  void announce(const Ipv6Address& target);

  /// Asks the routers to advertise themselves.
  void solicit_routers();

  /// Tells routers and switches what groups are listened to; in the form of MLD's first version,
  /// when one of those asks.
  void report(std::span<const Ipv6Address> groups, wire::ListenerRecord record, bool version1);

  const MacAddress& own_mac() const { return egress_.port_info().mac; }

 private:
  Asked solicit(const Ipv6Address& source, const Ipv6Address& target, const Ipv6Address& to,
                const MacAddress& to_mac);

  const OwnAddresses6& own_;
  flow::AddressBook& book_;
  Egress& egress_;
  Counters& counters_;
};

}  // namespace tern::net
