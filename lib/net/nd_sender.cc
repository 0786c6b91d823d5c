// SPDX-License-Identifier: BSD-3-Clause
#include "net/nd_sender.h"

#include "wire/ethernet.h"
#include "wire/ipv6.h"
#include "wire/ipv6_extension.h"
#include "wire/ipv6_scope.h"

namespace tern::net {
namespace {

constexpr std::size_t kIpOffset = wire::kEthernetHeaderBytes;
constexpr std::size_t kMessageOffset = kIpOffset + wire::kIpv6HeaderBytes;

/// The IPv6 header in front of `payload_bytes` that are in place.
void finish(Frame& frame, const Ipv6Address& source, const Ipv6Address& destination,
            std::size_t payload_bytes, std::uint8_t next_header, std::uint8_t hop_limit) {
  wire::write_ipv6(frame.data + kIpOffset,
                   {.source = source,
                    .destination = destination,
                    .payload_bytes = static_cast<std::uint16_t>(payload_bytes),
                    .next_header = next_header,
                    .hop_limit = hop_limit});
  frame.length = static_cast<std::uint32_t>(kMessageOffset + payload_bytes);
}

void finish_nd(Frame& frame, const Ipv6Address& source, const Ipv6Address& destination,
               std::size_t message_bytes) {
  finish(frame, source, destination, message_bytes, wire::ip_protocol::kIcmpv6, wire::kNdHopLimit);
}

}  // namespace

Asked NdSender::request(std::uint32_t target) {
  const Ipv6Address address = book_.address(target);
  const Ipv6Address group = wire::solicited_node(address);
  const Ipv6Address* source = own_.source_for(address);
  if (source == nullptr) return Asked::kNoAddress;
  return solicit(*source, address, group, wire::multicast_mac(group));
}

Asked NdSender::request(std::uint32_t target, const MacAddress& to) {
  const Ipv6Address address = book_.address(target);
  const Ipv6Address* source = own_.source_for(address);
  return source == nullptr ? Asked::kNoAddress : solicit(*source, address, address, to);
}

void NdSender::probe(const Ipv6Address& target) {
  const Ipv6Address group = wire::solicited_node(target);
  solicit(Ipv6Address(), target, group, wire::multicast_mac(group));
}

// From :: without the MAC: nobody shall remember us before the address is ours (RFC 4861 4.3).
Asked NdSender::solicit(const Ipv6Address& source, const Ipv6Address& target, const Ipv6Address& to,
                        const MacAddress& to_mac) {
  Frame frame;
  if (!egress_.allocate(frame)) return Asked::kNoFrame;
  wire::write_ethernet(frame.data, {to_mac, own_mac(), wire::ether_type::kIpv6});
  wire::NeighbourSolicitation solicitation{.target = target};
  if (!source.is_unspecified()) solicitation.source_mac = own_mac();
  finish_nd(
      frame, source, to,
      wire::write_neighbour_solicitation(frame.data + kMessageOffset, source, to, solicitation));
  egress_.send(frame);
  ++counters_.nd_solicitations_out;
  return Asked::kSent;
}

bool NdSender::build_advertisement(const Ipv6Address& target, const Ipv6Address& destination,
                                   bool solicited, Frame& frame) {
  if (!egress_.allocate(frame)) return false;
  const std::size_t bytes = wire::write_neighbour_advertisement(
      frame.data + kMessageOffset, target, destination,
      {.target = target, .target_mac = own_mac(), .solicited = solicited, .overrides = true});
  finish_nd(frame, target, destination, bytes);
  ++counters_.nd_advertisements_out;
  return true;
}

void NdSender::announce(const Ipv6Address& target) {
  Frame frame;
  const Ipv6Address& everyone = wire::ipv6_group::kAllNodes;
  if (!build_advertisement(target, everyone, false, frame)) return;
  wire::write_ethernet(frame.data,
                       {wire::multicast_mac(everyone), own_mac(), wire::ether_type::kIpv6});
  egress_.send(frame);
}

void NdSender::solicit_routers() {
  const Ipv6Address& routers = wire::ipv6_group::kAllRouters;
  const Ipv6Address* source = own_.source_for(routers);
  Frame frame;
  if (source == nullptr || !egress_.allocate(frame)) return;
  wire::write_ethernet(frame.data,
                       {wire::multicast_mac(routers), own_mac(), wire::ether_type::kIpv6});
  finish_nd(
      frame, *source, routers,
      wire::write_router_solicitation(frame.data + kMessageOffset, *source, routers, own_mac()));
  egress_.send(frame);
  ++counters_.router_solicitations_out;
}

// RFC 3810 5.2.13: from a link-local address, or while there is none from ::.
void NdSender::report(std::span<const Ipv6Address> groups, wire::ListenerRecord record,
                      bool version1) {
  const bool has_source = own_.is_usable(own_.link_local());
  const Ipv6Address source = has_source ? own_.link_local() : Ipv6Address();
  constexpr std::size_t kReportOffset = kMessageOffset + wire::kRouterAlertBytes;
  for (std::size_t i = 0; i < (version1 ? groups.size() : 1); ++i) {
    const Ipv6Address& to = version1 ? groups[i] : wire::ipv6_group::kAllListenerRouters;
    Frame frame;
    if (!egress_.allocate(frame)) return;
    wire::write_ethernet(frame.data, {wire::multicast_mac(to), own_mac(), wire::ether_type::kIpv6});
    wire::write_router_alert(frame.data + kMessageOffset, wire::ip_protocol::kIcmpv6);
    if (version1)
      wire::write_listener_report1(frame.data + kReportOffset, source, to);
    else
      wire::write_listener_report(frame.data + kReportOffset, source, groups, record);
    const std::size_t bytes =
        version1 ? wire::kListenerReport1Bytes : wire::listener_report_bytes(groups.size());
    finish(frame, source, to, wire::kRouterAlertBytes + bytes, wire::next_header::kHopByHop, 1);
    egress_.send(frame);
    ++counters_.listener_reports_out;
  }
}

}  // namespace tern::net
