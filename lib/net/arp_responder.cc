// SPDX-License-Identifier: BSD-3-Clause
#include "net/arp_responder.h"

namespace tern::net {

void ArpResponder::receive(const wire::ParsedFrame& frame, Instant now) {
  const auto packet = wire::parse_arp(frame.payload);
  if (!packet || !is_acceptable(*packet)) {
    ++counters_.drop_arp;
    return;
  }
  ++counters_.arp_in;
  const std::uint32_t sender = packet->sender_address;
  if (sender == route_.own_address()) return defend(now);
  // RFC 826, "packet reception": merge first, then look at the target, the operation last.
  const bool merged = sender != 0 && neighbours_.merge(sender, packet->sender_mac, now);
  if (packet->target_address != route_.own_address()) return;
  if (packet->operation != wire::ArpOperation::kRequest) return;
  if (sender != 0 && !merged) neighbours_.learn(sender, packet->sender_mac, now);
  arp_.reply(sender, packet->sender_mac);
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

std::size_t ArpResponder::expire(Instant now) {
  if (now < second_announcement_) return 0;
  second_announcement_ = kNever;
  arp_.announce();
  return 1;
}

}  // namespace tern::net
