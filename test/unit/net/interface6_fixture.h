// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "interface_fixture.h"
#include "net/icmp6_error.h"
#include "net/interface6.h"
#include "wire/ipv6.h"
#include "wire/ipv6_scope.h"
#include "wire/mld.h"
#include "wire/neighbour_discovery.h"

namespace tern::net {

inline Ipv6Address ip6(const char* text) { return Ipv6Address::parse(text).value(); }

/// The frames that have gone out, a line each: where to by MAC, source > destination, hop limit if
/// not 255, and what it says: "NS target [mac]", "NA target RSO [mac]" with the flags that are set,
/// "RS [mac]", "report group...", or type/code and bytes.
using Lines = std::vector<std::string>;

/// One interface as InterfaceTest's with fd00::2/64 and fe80::ff:fe00:1, on which duplicate address
/// detection has found nothing.
class Interface6Test : public InterfaceTest {
 protected:
  Interface6Test() {
    config_.ip6 = Ipv6Prefix{ip6("fd00::2"), 64};
    restart();
  }
  /// Past duplicate address detection and all router solicitations.
  void settle() {
    net().announce(now_);
    advance(30s);
    sent();
  }

  Interface6& six() { return *net().six(); }

  std::uint32_t handle(const char* address) {
    book_->collect();
    const std::uint32_t found = book_->find(ip6(address));
    return found != 0 ? found : book_->acquire(ip6(address));
  }

  void receive(const wire::Icmpv6Packet& packet, const MacAddress& from) {
    news_count_ = six().receive(packet, from, now_, news_);
  }
  void receive_ns(const char* source, const char* target, std::optional<MacAddress> mac,
                  const MacAddress& from = kPeerMac) {
    std::byte out[wire::kNdMaxBytes];
    const Ipv6Address to = wire::solicited_node(ip6(target));
    const std::size_t bytes =
        wire::write_neighbour_solicitation(out, ip6(source), to, {ip6(target), mac});
    receive({ip6(source), to, 255, std::span(out, bytes)}, from);
  }
  void receive_na(const char* target, const MacAddress& mac, const char* flags = "SO") {
    const std::string set = flags;
    const auto has = [&](char c) { return set.find(c) != std::string::npos; };
    const Ipv6Address to = has('S') ? ip6("fd00::2") : wire::ipv6_group::kAllNodes;
    std::byte out[wire::kNdMaxBytes];
    wire::NeighbourAdvertisement said{.target = ip6(target),
                                      .target_mac = mac,
                                      .is_router = has('R'),
                                      .solicited = has('S'),
                                      .overrides = has('O')};
    if (mac.is_zero()) said.target_mac = {};
    const std::size_t bytes = wire::write_neighbour_advertisement(out, ip6(target), to, said);
    receive({ip6(target), to, 255, std::span(out, bytes)}, kPeerMac);
  }
  /// A router advertisement; `options` by hand.
  void receive_ra(const char* router, std::uint16_t lifetime_s, const Bytes& options = {},
                  std::uint8_t hop_limit = 0, std::uint32_t reachable_ms = 0) {
    std::vector<std::byte> out(16 + options.size());
    store_be32(&out[8], reachable_ms);
    for (std::size_t i = 0; i < options.size(); ++i) out[16 + i] = std::byte{options[i]};
    const Ipv6Address to = wire::ipv6_group::kAllNodes;
    wire::write_icmpv6(out, ip6(router), to,
                       {.type = wire::icmpv6_type::kRouterAdvertisement,
                        .rest = std::uint32_t{hop_limit} << 24 | lifetime_s});
    receive({ip6(router), to, 255, out}, kGatewayMac);
  }
  static Bytes mac_option(const MacAddress& mac) {
    Bytes out{1, 1};
    append(out, mac);
    return out;
  }
  static Bytes prefix_option(const char* prefix, std::uint8_t length, std::uint32_t valid_s) {
    Bytes out{3, 4, length, 0x80};
    append(out, valid_s);
    append(out, valid_s);
    append(out, std::uint32_t{0});
    const Ipv6Address address = ip6(prefix);
    out.insert(out.end(), address.octets().begin(), address.octets().end());
    return out;
  }
  static Bytes mtu_option(std::uint32_t mtu) {
    Bytes out{5, 1, 0, 0};
    append(out, mtu);
    return out;
  }

  LinkState state_of(const char* destination) { return link_state(handle(destination)); }
  /// To whose MAC packets for `destination` go; nothing if that is not known.
  std::optional<MacAddress> mac_of(const char* destination) {
    const auto header = link_header(handle(destination));
    if (!header) return {};
    MacAddress mac;
    std::copy_n(header->begin(), 6, mac.octets.begin());
    return mac;
  }
  std::optional<NeighbourState> nud_state(const char* address) {
    for (const NeighbourInfo& info : neighbours())
      if (info.address == IpAddress(ip6(address))) return info.state;
    return {};
  }

  /// IPv6 frames since the last call.
  Lines lines() {
    Lines out;
    for (const Bytes& frame : sent())
      if (frame[12] == 0x86 && frame[13] == 0xdd) out.push_back(describe(frame));
    return out;
  }

  static std::string describe(const Bytes& frame) {
    const auto bytes = std::as_bytes(std::span(frame));
    const auto ip = wire::parse_ipv6(bytes.subspan(14));
    EXPECT_TRUE(ip);
    MacAddress to;
    std::copy_n(frame.begin(), 6, to.octets.begin());
    std::string out =
        to_string(to) + " " + to_string(ip->source) + " > " + to_string(ip->destination);
    if (ip->hop_limit != 255) out += " hops " + std::to_string(ip->hop_limit);
    auto message = bytes.subspan(54);
    if (ip->next_header == 0) {
      EXPECT_EQ(load_be16(&message[2]), 0x0502) << "no router alert";
      message = message.subspan(8);
    } else if (ip->next_header != 58) {
      return out + " data " + std::to_string(frame[54]);
    }
    EXPECT_TRUE(wire::parse_icmpv6(message, ip->source, ip->destination)) << "checksum";
    return out + " " + describe({ip->source, ip->destination, ip->hop_limit, message});
  }

  static std::string describe(const wire::Icmpv6Packet& packet) {
    const auto with_mac = [](const std::optional<MacAddress>& mac) {
      return mac ? " " + to_string(*mac) : std::string();
    };
    if (const auto ns = wire::parse_neighbour_solicitation(packet))
      return "NS " + to_string(ns->target) + with_mac(ns->source_mac);
    if (const auto na = wire::parse_neighbour_advertisement(packet))
      return "NA " + to_string(na->target) +
             (na->is_router || na->solicited || na->overrides ? " " : "") +
             (na->is_router ? "R" : "") + (na->solicited ? "S" : "") + (na->overrides ? "O" : "") +
             with_mac(na->target_mac);
    const std::uint8_t type = load_u8(packet.message.data());
    if (type == 133) return "RS" + std::string(packet.message.size() == 16 ? " mac" : "");
    if (type == 143) {
      std::string out = "report";
      for (std::size_t at = 8; at < packet.message.size(); at += 20)
        out += " " + std::to_string(load_u8(&packet.message[at])) + ":" +
               to_string(wire::load_ipv6(&packet.message[at + 4]));
      return out;
    }
    return std::to_string(type) + "/" + std::to_string(load_u8(&packet.message[1])) + " " +
           std::to_string(packet.message.size()) + " bytes";
  }

  std::array<NeighbourNews, Interface6::kMaxNews> news_;
  std::size_t news_count_ = 0;
};

/// What goes out to ask for `target` from fd00::2, and to tell `to` of `target`.
inline std::string ns_line(const char* target, const char* source = "fd00::2") {
  const Ipv6Address group = wire::solicited_node(ip6(target));
  return to_string(wire::multicast_mac(group)) + " " + source + " > " + to_string(group) + " NS " +
         target + " 02:00:00:00:00:01";
}
inline std::string unicast_ns_line(const char* target, const MacAddress& mac,
                                   const char* source = "fd00::2") {
  return to_string(mac) + " " + source + " > " + target + " NS " + target + " 02:00:00:00:00:01";
}

}  // namespace tern::net
