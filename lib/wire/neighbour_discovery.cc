// SPDX-License-Identifier: BSD-3-Clause
#include "wire/neighbour_discovery.h"

#include <cstring>

#include "wire/ethernet.h"
#include "wire/ipv6.h"
#include "wire/ipv6_scope.h"

namespace tern::wire {
namespace {

// RFC 4861 4.6: kinds of options.
constexpr std::uint8_t kSourceMac = 1, kTargetMac = 2, kPrefix = 3, kMtu = 5;
constexpr std::size_t kOptionUnit = 8;  // what an option's length counts
constexpr std::size_t kPrefixBytes = 32;
constexpr std::size_t kNeighbourBytes = 24;  // a solicitation or advertisement without options
constexpr std::size_t kRouterAdvertisementBytes = 16;
constexpr std::uint32_t kRouterFlag = 1u << 31, kSolicitedFlag = 1u << 30, kOverrideFlag = 1u << 29;

// The first two rules of each kind of message, in the order of what they cost.
bool is_sound(const Icmpv6Packet& packet, std::uint8_t type, std::size_t least_bytes) {
  if (packet.hop_limit != kNdHopLimit || packet.message.size() < least_bytes) return false;
  if (packet.fragment_header) return false;  // RFC 6980 5
  const auto header = parse_icmpv6(packet.message, packet.source, packet.destination);
  return header && header->type == type && header->code == 0;
}

// Calls on_option(kind, bytes) with each whole option; false if one has the length 0 or does not
// fit, upon which the message is to be dropped (RFC 4861 4.6, 6.1.2, 7.1).
template <class F>
bool for_each_option(std::span<const std::byte> options, F&& on_option) {
  while (!options.empty()) {
    if (options.size() < kOptionUnit) return false;
    const std::size_t length = load_u8(&options[1]) * kOptionUnit;
    if (length == 0 || length > options.size()) return false;
    on_option(load_u8(options.data()), options.first(length));
    options = options.subspan(length);
  }
  return true;
}

// An Ethernet address takes one unit (RFC 2464 6); a longer option is another medium's. A group's
// address or none at all is nobody's.
void take_mac(std::span<const std::byte> option, std::optional<MacAddress>& mac) {
  if (mac || option.size() != kOptionUnit) return;
  const MacAddress said = load_mac(option.data() + 2);
  if (!said.is_multicast() && !said.is_zero()) mac = said;
}

void take_prefix(std::span<const std::byte> option, RouterAdvertisement& advertisement) {
  const std::byte* p = option.data();
  if (option.size() != kPrefixBytes || load_u8(p + 2) > 128 ||
      advertisement.prefix_count == RouterAdvertisement::kMaxPrefixes)
    return;
  advertisement.prefixes[advertisement.prefix_count++] = {
      .prefix = load_ipv6(p + 16),
      .length = load_u8(p + 2),
      .on_link = (load_u8(p + 3) & 0x80) != 0,
      .autonomous = (load_u8(p + 3) & 0x40) != 0,
      .valid_s = load_be32(p + 4),
      .preferred_s = load_be32(p + 8)};
}

void take_router_option(std::uint8_t kind, std::span<const std::byte> option,
                        RouterAdvertisement& advertisement) {
  if (kind == kSourceMac) take_mac(option, advertisement.source_mac);
  if (kind == kPrefix) take_prefix(option, advertisement);
  if (kind == kMtu && option.size() == kOptionUnit && !advertisement.mtu)
    advertisement.mtu = load_be32(option.data() + 4);
}

// Behind the message's fixed part; returns the length of what is there then.
std::size_t write_mac(std::byte* out, std::size_t at, std::uint8_t kind,
                      const std::optional<MacAddress>& mac) {
  if (!mac) return at;
  store_u8(out + at, kind);
  store_u8(out + at + 1, 1);
  store_mac(out + at + 2, *mac);
  return at + kOptionUnit;
}

}  // namespace

std::optional<NeighbourSolicitation> parse_neighbour_solicitation(const Icmpv6Packet& packet) {
  if (!is_sound(packet, icmpv6_type::kNeighbourSolicitation, kNeighbourBytes)) return std::nullopt;
  NeighbourSolicitation said{.target = load_ipv6(packet.message.data() + 8)};
  bool has_source_option = false;
  const bool whole = for_each_option(packet.message.subspan(kNeighbourBytes),
                                     [&](std::uint8_t kind, std::span<const std::byte> option) {
                                       if (kind != kSourceMac) return;
                                       has_source_option = true;
                                       take_mac(option, said.source_mac);
                                     });
  if (!whole || said.target.is_multicast()) return std::nullopt;
  // A host that has no address yet asks everyone who may have this one, and cannot be answered.
  if (packet.source.is_unspecified() &&
      (!is_solicited_node(packet.destination) || has_source_option))
    return std::nullopt;
  return said;
}

std::optional<NeighbourAdvertisement> parse_neighbour_advertisement(const Icmpv6Packet& packet) {
  if (!is_sound(packet, icmpv6_type::kNeighbourAdvertisement, kNeighbourBytes)) return std::nullopt;
  const std::uint32_t flags = load_be32(packet.message.data() + 4);
  NeighbourAdvertisement said{.target = load_ipv6(packet.message.data() + 8),
                              .is_router = (flags & kRouterFlag) != 0,
                              .solicited = (flags & kSolicitedFlag) != 0,
                              .overrides = (flags & kOverrideFlag) != 0};
  const bool whole = for_each_option(packet.message.subspan(kNeighbourBytes),
                                     [&](std::uint8_t kind, std::span<const std::byte> option) {
                                       if (kind == kTargetMac) take_mac(option, said.target_mac);
                                     });
  if (!whole || said.target.is_multicast()) return std::nullopt;
  if (packet.destination.is_multicast() && said.solicited) return std::nullopt;
  return said;
}

std::optional<RouterAdvertisement> parse_router_advertisement(const Icmpv6Packet& packet) {
  if (!packet.source.is_link_local() ||
      !is_sound(packet, icmpv6_type::kRouterAdvertisement, kRouterAdvertisementBytes))
    return std::nullopt;
  const std::byte* p = packet.message.data();
  RouterAdvertisement said;
  said.hop_limit = load_u8(p + 4);
  said.lifetime_s = load_be16(p + 6);
  said.reachable_ms = load_be32(p + 8);
  said.retransmit_ms = load_be32(p + 12);
  const bool whole = for_each_option(packet.message.subspan(kRouterAdvertisementBytes),
                                     [&](std::uint8_t kind, std::span<const std::byte> option) {
                                       take_router_option(kind, option, said);
                                     });
  return whole ? std::optional(said) : std::nullopt;
}

std::size_t write_neighbour_solicitation(std::byte* out, const Ipv6Address& source,
                                         const Ipv6Address& destination,
                                         const NeighbourSolicitation& solicitation) {
  store_ipv6(out + 8, solicitation.target);
  const std::size_t bytes = write_mac(out, kNeighbourBytes, kSourceMac, solicitation.source_mac);
  write_icmpv6({out, bytes}, source, destination, {.type = icmpv6_type::kNeighbourSolicitation});
  return bytes;
}

std::size_t write_neighbour_advertisement(std::byte* out, const Ipv6Address& source,
                                          const Ipv6Address& destination,
                                          const NeighbourAdvertisement& advertisement) {
  store_ipv6(out + 8, advertisement.target);
  const std::size_t bytes = write_mac(out, kNeighbourBytes, kTargetMac, advertisement.target_mac);
  const std::uint32_t flags = (advertisement.is_router ? kRouterFlag : 0) |
                              (advertisement.solicited ? kSolicitedFlag : 0) |
                              (advertisement.overrides ? kOverrideFlag : 0);
  write_icmpv6({out, bytes}, source, destination,
               {.type = icmpv6_type::kNeighbourAdvertisement, .rest = flags});
  return bytes;
}

std::size_t write_router_solicitation(std::byte* out, const Ipv6Address& source,
                                      const Ipv6Address& destination,
                                      const std::optional<MacAddress>& source_mac) {
  const std::size_t bytes = write_mac(out, kIcmpHeaderBytes, kSourceMac, source_mac);
  write_icmpv6({out, bytes}, source, destination, {.type = icmpv6_type::kRouterSolicitation});
  return bytes;
}

}  // namespace tern::wire
