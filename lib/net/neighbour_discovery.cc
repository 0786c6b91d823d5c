// SPDX-License-Identifier: BSD-3-Clause
#include "net/neighbour_discovery.h"

#include "wire/ethernet.h"
#include "wire/ipv6_scope.h"

namespace tern::net {

using Kind = NeighbourNews::Kind;

std::size_t NeighbourDiscovery::receive(const wire::Icmpv6Packet& packet,
                                        const MacAddress& link_source, Instant now,
                                        std::span<NeighbourNews, kMaxNews> news) {
  const std::size_t count = take(packet, link_source, now, news);
  for (const NeighbourNews& one : news.first(count)) hear(one, now);
  return count;
}

// Our own MAC as the sender is our own packet, come back.
std::size_t NeighbourDiscovery::take(const wire::Icmpv6Packet& packet,
                                     const MacAddress& link_source, Instant now,
                                     std::span<NeighbourNews, kMaxNews> news) {
  const std::uint8_t type = packet.message.empty() ? 0 : load_u8(packet.message.data());
  News one;
  if (link_source == p_.sender.own_mac() || link_source.is_multicast()) {
    ++p_.counters.drop_nd;
    return 0;
  }
  if (const auto solicitation = wire::parse_neighbour_solicitation(packet)) {
    one = take_solicitation(packet, *solicitation, link_source, now);
  } else if (const auto advertisement = wire::parse_neighbour_advertisement(packet)) {
    one = take_advertisement(*advertisement);
  } else if (const auto router = wire::parse_router_advertisement(packet)) {
    return take_router(packet, *router, news);
  } else {
    ++(type == wire::icmpv6_type::kRedirect ? p_.counters.drop_redirect : p_.counters.drop_nd);
    return 0;
  }
  if (!one) return 0;
  news[0] = *one;
  return 1;
}

// RFC 4861 7.2.3, and RFC 4862 5.4.3 for what is asked from ::. An asker must be on this link, or
// it could be made a neighbour from afar (RFC 5942 4).
NeighbourDiscovery::News NeighbourDiscovery::take_solicitation(
    const wire::Icmpv6Packet& packet, const wire::NeighbourSolicitation& said,
    const MacAddress& link_source, Instant now) {
  const bool is_probe = packet.source.is_unspecified();
  if (!is_probe && !(p_.route.is_unicast(packet.source) && p_.route.is_on_link(packet.source))) {
    ++p_.counters.drop_nd;
    return std::nullopt;
  }
  ++p_.counters.nd_in;
  if (is_probe && p_.own.is_tentative(said.target))
    return NeighbourNews{.address = said.target, .kind = Kind::kDuplicate};
  if (!p_.own.is_usable(said.target)) return std::nullopt;
  answer(said.target, packet.source, said.source_mac.value_or(link_source), now);
  if (!said.source_mac) return std::nullopt;
  return NeighbourNews{.address = packet.source, .mac = *said.source_mac, .wants_us = true};
}

// To the MAC that the asker gave, or that it has asked from: no table has to have room for it.
void NeighbourDiscovery::answer(const Ipv6Address& target, const Ipv6Address& asker,
                                const MacAddress& to, Instant now) {
  const bool is_probe = asker.is_unspecified();
  const Ipv6Address& destination = is_probe ? wire::ipv6_group::kAllNodes : asker;
  Frame frame;
  if (!limit_.take(now) || !p_.sender.build_advertisement(target, destination, !is_probe, frame))
    return;
  const MacAddress mac = is_probe ? wire::multicast_mac(destination) : to;
  wire::write_ethernet(frame.data, {mac, p_.sender.own_mac(), wire::ether_type::kIpv6});
  p_.egress.send(frame);
}

NeighbourDiscovery::News NeighbourDiscovery::take_advertisement(
    const wire::NeighbourAdvertisement& said) const {
  ++p_.counters.nd_in;
  if (p_.own.is_own(said.target))
    return NeighbourNews{.address = said.target, .kind = Kind::kDuplicate};
  return NeighbourNews{.address = said.target,
                       .mac = said.target_mac.value_or(MacAddress{}),
                       .kind = Kind::kAdvertisement,
                       .solicited = said.solicited,
                       .overrides = said.overrides,
                       .is_router = said.is_router};
}

std::size_t NeighbourDiscovery::take_router(const wire::Icmpv6Packet& packet,
                                            const wire::RouterAdvertisement& said,
                                            std::span<NeighbourNews, kMaxNews> news) {
  if (!p_.route.is_unicast(packet.source)) {  // from us, they say
    ++p_.counters.drop_nd;
    return 0;
  }
  ++p_.counters.router_advertisements_in;
  std::size_t count = 0;
  news[count++] = NeighbourNews{.address = packet.source,
                                .mac = said.source_mac.value_or(MacAddress{}),
                                .kind = Kind::kRouter,
                                .hop_limit = said.hop_limit,
                                .lifetime_s = said.lifetime_s,
                                .mtu = said.mtu.value_or(0),
                                .reachable_ms = said.reachable_ms,
                                .retransmit_ms = said.retransmit_ms};
  for (const wire::PrefixInformation& prefix : said.prefix_list()) {
    if (!prefix.on_link) continue;
    news[count++] = NeighbourNews{.address = prefix.prefix,
                                  .kind = Kind::kPrefix,
                                  .prefix_length = prefix.length,
                                  .lifetime_s = prefix.valid_s};
  }
  return count;
}

// --- News ----------------------------------------------------------------------------------------

void NeighbourDiscovery::hear(const NeighbourNews& news, Instant now) {
  switch (news.kind) {
    case Kind::kClaim:
      return note(news, now);
    case Kind::kAdvertisement:
      return hear_advertisement(news, now);
    case Kind::kRouter:
      note(news, now);
      return hear_router(news, now);
    case Kind::kPrefix:
      return p_.route.hear_prefix(news, now);
    case Kind::kDuplicate:
      return p_.detection.on_conflict(news.address.v6());
  }
}

// Who says that it is no default router does not end the search for one (RFC 4861 6.3.7).
void NeighbourDiscovery::hear_router(const NeighbourNews& news, Instant now) {
  p_.route.hear_router(news, now);
  if (news.lifetime_s > 0) p_.solicitor.stop();
  look_for_router(now);
}

// When the last one has gone.
void NeighbourDiscovery::look_for_router(Instant now) {
  if (had_router_ && p_.route.needs_router()) p_.solicitor.start(now);
  had_router_ = !p_.route.needs_router();
}

// The entry, if one is made, holds a reference of its own.
void NeighbourDiscovery::note(const NeighbourNews& news, Instant now) {
  if (news.mac.is_zero() || news.mac == p_.sender.own_mac() || p_.own.is_own(news.address.v6()))
    return;
  const std::uint32_t handle = p_.book.acquire(news.address.v6());
  if (handle == flow::AddressBook::kNone) return;
  p_.neighbours.note(handle, news.mac, now);
  p_.book.release(handle);
}

void NeighbourDiscovery::hear_advertisement(const NeighbourNews& news, Instant now) {
  const std::uint32_t handle = p_.book.find(news.address.v6());
  if (handle == flow::AddressBook::kNone) return;
  NeighbourClaim claim{.solicited = news.solicited, .overrides = news.overrides};
  if (!news.mac.is_zero()) claim.mac = news.mac;
  if (!p_.neighbours.take_advertisement(handle, claim, now) || news.is_router) return;
  p_.route.forget_router(news.address.v6());
  look_for_router(now);
}

}  // namespace tern::net
