// SPDX-License-Identifier: BSD-3-Clause
#include "net/arp_responder.h"

namespace tern::net {

std::optional<NeighbourNews> ArpResponder::receive(const wire::ParsedFrame& frame, Instant now) {
  const auto packet = wire::parse_arp(frame.payload);
  if (!packet || !is_acceptable(*packet)) {
    ++counters_.drop_arp;
    return std::nullopt;
  }
  ++counters_.arp_in;
  const std::uint32_t sender = packet->sender_address;
  if (sender == route_.own_address()) {
    defend(now);
    return std::nullopt;
  }
  const bool wants_us = packet->target_address == route_.own_address() &&
                        packet->operation == wire::ArpOperation::kRequest;
  const NeighbourNews news{Ipv4Address(sender), packet->sender_mac, wants_us};
  // RFC 826, "packet reception": merge first, then look at the target, the operation last.
  if (sender != 0) hear(news, now);
  if (wants_us) arp_.reply(sender, packet->sender_mac);
  return sender != 0 ? std::optional(news) : std::nullopt;
}

void ArpResponder::hear(const NeighbourNews& news, Instant now) {
  const std::uint32_t address = news.address.v4().value();
  const bool merged = neighbours_.merge(address, news.mac, now);
  if (!merged && news.wants_us) neighbours_.learn(address, news.mac, now);
}

// A sender of 0 is a probe (RFC 5227 2.1.1): only requests are. Our own MAC as the sender is our
// own packet, come back.
bool ArpResponder::is_acceptable(const wire::ArpPacket& packet) const {
  const MacAddress& mac = packet.sender_mac;
  if (mac.is_multicast() || mac.is_zero() || mac == arp_.own_mac()) return false;
  const bool is_request = packet.operation == wire::ArpOperation::kRequest;
  const std::uint32_t sender = packet.sender_address;
  return sender == route_.own_address() || (sender == 0 && is_request) ||
         route_.is_neighbour(sender);
}

// RFC 5227 2.4 (c): keep the address, and say so once per interval. Two hosts that both do so must
// not fill the link with it.
void ArpResponder::defend(Instant now) {
  ++counters_.arp_conflicts;
  if (now < next_defence_) return;
  next_defence_ = now + kDefendInterval;
  arp_.announce();
}

void ArpResponder::announce(Instant now) {
  if (second_announcement_ != kNever) return;
  arp_.announce();
  second_announcement_ = now + kAnnounceInterval;
}

std::size_t ArpResponder::announce_again() {
  second_announcement_ = kNever;
  arp_.announce();
  return 1;
}

}  // namespace tern::net
