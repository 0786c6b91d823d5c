// SPDX-License-Identifier: BSD-3-Clause
#include "wire/parse.h"

#include <cstring>

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/fragment.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/ipv6_extension.h"
#include "wire/ipv6_scope.h"

namespace tern::wire {
namespace {

/// What the device said of a checksum: frame_flag's pair of bits.
enum class Verdict : std::uint8_t { kUnknown, kGood, kBad, kMissing };

constexpr Verdict verdict_of(std::uint64_t flags, std::uint64_t good, std::uint64_t bad) {
  if ((flags & good) == 0) return (flags & bad) == 0 ? Verdict::kUnknown : Verdict::kBad;
  return (flags & bad) == 0 ? Verdict::kGood : Verdict::kMissing;
}

/// One bit for each set of {FIN, SYN, RST, PSH, ACK}: whether a TCP sends it at all. FIN+RST
/// passes, for the RST decides what becomes of it.
constexpr std::uint32_t make_sane_flag_sets() {
  using namespace tcp_flag;
  std::uint32_t sets = 0;
  for (std::uint32_t flags = 0; flags < 32; ++flags) {
    const bool syn = (flags & kSyn) != 0;
    const bool says_something = (flags & (kSyn | kAck | kRst | kFin)) != 0;
    if (says_something && !(syn && (flags & (kFin | kRst)) != 0)) sets |= 1u << flags;
  }
  return sets;
}
constexpr std::uint32_t kSaneFlagSets = make_sane_flag_sets();

constexpr bool flags_are_sane(std::uint8_t flags) {
  return (kSaneFlagSets >> (flags & 0x1f) & 1) != 0;
}

/// Sources that no host may use (RFC 1122 3.2.1.3), and our own address, which would make us
/// answer ourselves (LAND).
bool source_is_valid(std::uint32_t source, const ParseContext& context) {
  constexpr std::uint32_t kFirstMulticast = 0xe0000000;   // no host's, nor are those above
  const bool is_host = source - 1 < kFirstMulticast - 1;  // 0 is not either
  return is_host && !Ipv4Address(source).is_loopback() && source != context.subnet_broadcast &&
         source != context.address;
}

// `pseudo_sum()`: the pseudo-header's, which is seldom asked for.
template <class PseudoSum>
bool tcp_checksum_is_good(const Frame& frame, const ParseContext& context, PseudoSum&& pseudo_sum,
                          std::span<const std::byte> segment) {
  const Verdict verdict =
      verdict_of(frame.flags, frame_flag::kRxL4ChecksumGood, frame_flag::kRxL4ChecksumBad);
  if (verdict == Verdict::kGood) return true;
  if (verdict == Verdict::kMissing && context.trust_missing_checksum) return true;
  return checksum_is_valid(checksum_partial(segment, pseudo_sum()));
}

// All but the addresses, of a segment whose `checksum_is_good()`.
template <class ChecksumIsGood>
[[gnu::always_inline]] inline DropReason parse_tcp(std::span<std::byte> bytes,
                                                   ChecksumIsGood&& checksum_is_good, bool marked,
                                                   TcpSegment& segment) {
  if (bytes.size() < kTcpHeaderBytes) [[unlikely]]
    return DropReason::drop_tcp_header;
  const TcpView view(bytes.first<kTcpHeaderBytes>());
  const TcpView::Ports ports = view.ports();
  const auto rest = bytes.subspan(kTcpHeaderBytes);                        // options and payload
  const std::size_t option_bytes = view.header_bytes() - kTcpHeaderBytes;  // huge if negative
  if (option_bytes > rest.size() || ports.source() == 0 || ports.destination() == 0) [[unlikely]] {
    return DropReason::drop_tcp_header;
  }
  if (!checksum_is_good()) [[unlikely]]
    return DropReason::drop_tcp_checksum;
  std::uint16_t flags = view.flags();
  if (!flags_are_sane(static_cast<std::uint8_t>(flags))) [[unlikely]]
    return DropReason::drop_tcp_flags;
  if ((flags & tcp_flag::kUrg) != 0) [[unlikely]]
    segment.urgent = view.urgent();
  if (marked) [[unlikely]]
    flags |= kCongestionExperienced;
  const TcpView::Numbers numbers = view.numbers();
  segment.destination_port = ports.destination();
  segment.source_port = ports.source();
  segment.ack = numbers.ack();
  segment.seq = numbers.seq();
  segment.window = view.window();
  segment.flags = flags;
  segment.payload = rest.data() + option_bytes;
  segment.payload_length = static_cast<std::uint32_t>(rest.size() - option_bytes);
  segment.options_ok = parse_tcp_options(rest.first(option_bytes), segment.options);
  return segment.options_ok || !segment.has(tcp_flag::kSyn) ? DropReason::kNone
                                                            : DropReason::drop_tcp_options;
}

// RFC 3168 5: by IPv4's type of service, or IPv6's traffic class.
constexpr bool is_marked(std::uint8_t traffic_class) { return (~traffic_class & 3) == 0; }

DropReason parse_icmp4(const Ipv4Header& ip, std::span<std::byte> message, ParsedFrame& out) {
  if (!parse_icmp(message)) return DropReason::drop_icmp;
  out.source_address = ip.source;
  out.destination_address = ip.destination;
  out.payload = message;
  return DropReason::kNone;
}

// A part of a packet that a whole one would not be refused for; its header's lengths and checksum
// are known to be right.
[[gnu::noinline]] DropReason parse_fragment4(const ParseContext& context,
                                             std::span<std::byte> packet, ParsedFrame& out) {
  const Ipv4View ip(packet.first<kIpv4HeaderBytes>());
  packet = packet.first(ip.total_bytes());
  if (has_source_route(packet.first(ip.header_bytes()).subspan(kIpv4HeaderBytes)))
    return DropReason::drop_ip_option;
  if (!source_is_valid(ip.source(), context)) return DropReason::drop_ip_source;
  if (ip.destination() != context.address) return DropReason::drop_not_for_us;
  if (ip.protocol() != ip_protocol::kTcp && ip.protocol() != ip_protocol::kIcmp)
    return DropReason::drop_ip_protocol;
  if (!fragment4_is_sane(packet)) return DropReason::drop_ip_fragment;
  out.kind = FrameKind::kFragment;
  out.payload = packet;
  return DropReason::kNone;
}

bool ip_verdict_is_good(const Frame& frame) {
  return verdict_of(frame.flags, frame_flag::kRxIpChecksumGood, frame_flag::kRxIpChecksumBad) ==
         Verdict::kGood;
}

// `header` begins a valid IPv4 packet, `bytes` are behind its headers.
[[gnu::always_inline]] inline DropReason parse_tcp4(const Frame& frame, const ParseContext& context,
                                                    std::span<std::byte, kIpv4HeaderBytes> header,
                                                    std::span<std::byte> bytes, ParsedFrame& out) {
  const Ipv4View ip(header);
  const Ipv4View::Addresses addresses = ip.addresses();
  out.kind = FrameKind::kTcp4;
  out.segment.destination_address = addresses.destination();
  out.segment.source_address = addresses.source();
  const auto pseudo_sum = [&] {
    return checksum_pseudo_ipv4(addresses.source(), addresses.destination(), ip_protocol::kTcp,
                                static_cast<std::uint16_t>(bytes.size()));
  };
  return parse_tcp(
      bytes, [&] { return tcp_checksum_is_good(frame, context, pseudo_sum, bytes); },
      is_marked(ip.traffic_class()), out.segment);
}

DropReason parse_ip(const Frame& frame, const ParseContext& context, std::span<std::byte> packet,
                    ParsedFrame& out) {
  Ipv4Header ip;
  const DropReason drop = parse_ipv4(packet, ip_verdict_is_good(frame), ip);
  if (drop != DropReason::kNone)
    return drop == DropReason::drop_ip_fragment ? parse_fragment4(context, packet, out) : drop;
  if (!source_is_valid(ip.source, context)) return DropReason::drop_ip_source;
  if (ip.destination != context.address) return DropReason::drop_not_for_us;
  const auto payload = packet.subspan(ip.header_bytes, ip.total_bytes - ip.header_bytes);
  if (ip.protocol == ip_protocol::kTcp)
    return parse_tcp4(frame, context, packet.first<kIpv4HeaderBytes>(), payload, out);
  if (ip.protocol != ip_protocol::kIcmp) return DropReason::drop_ip_protocol;
  out.kind = FrameKind::kIcmp4;
  return parse_icmp4(ip, payload, out);
}

// Which of the interface's addresses this is, or own6_count.
std::uint8_t own6_index(const ParseContext& context, const Ipv6Address& address) {
  std::uint8_t index = 0;
  while (index < context.own6_count &&
         ((context.own6_usable >> index & 1) == 0 || context.own6[index] != address))
    ++index;
  return index;
}

bool is_own6(const ParseContext& context, const Ipv6Address& address) {
  return own6_index(context, address) < context.own6_count;
}

// RFC 4291 2.5.2, 2.5.3, 2.7. Neighbour discovery has its reasons to send from `::`, or from what
// we take for our own.
bool source6_is_valid(const Ipv6Address& source, bool is_strict, const ParseContext& context) {
  if (source.is_multicast() || source.is_loopback() || source.is_v4_mapped()) return false;
  return !is_strict || (!source.is_unspecified() && !is_own6(context, source));
}

// RFC 4291 2.8: a host's groups are all nodes', and of each address, which may be in doubt still,
// the solicited-node one.
bool is_own_group(const ParseContext& context, const Ipv6Address& address) {
  if (!address.is_multicast()) return false;
  for (std::uint8_t i = 0; i < context.own6_count; ++i)
    if (address == solicited_node(context.own6[i])) return true;
  return address == ipv6_group::kAllNodes;
}

DropReason parse_tcp6(const Frame& frame, const ParseContext& context, std::span<std::byte> segment,
                      ParsedFrame& out) {
  constexpr std::size_t kBothAddresses = 32;
  out.kind = FrameKind::kTcp6;
  const auto pseudo_sum = [&] {
    return checksum_pseudo_ipv6(
        std::span<const std::byte, kBothAddresses>(out.ipv6 + 8, kBothAddresses), ip_protocol::kTcp,
        static_cast<std::uint32_t>(segment.size()));
  };
  const Ipv6View ip(std::span<const std::byte, kIpv6HeaderBytes>(out.ipv6, kIpv6HeaderBytes));
  return parse_tcp(
      segment, [&] { return tcp_checksum_is_good(frame, context, pseudo_sum, segment); },
      is_marked(ip.traffic_class()), out.segment);
}

DropReason report_problem(const Ipv6Extensions& extensions, ParsedFrame& out) {
  if (!extensions.is_problem) return extensions.drop;
  out.kind = FrameKind::kProblem6;
  out.problem = {.reason = extensions.drop,
                 .code = extensions.problem_code,
                 .to_multicast_too = extensions.to_multicast_too,
                 .pointer = extensions.problem_pointer};
  return DropReason::kNone;
}

[[gnu::noinline]] DropReason parse_ip6(const Frame& frame, const ParseContext& context,
                                       std::span<std::byte> packet, bool for_us_alone,
                                       ParsedFrame& out) {
  if (packet.size() < kIpv6HeaderBytes) return DropReason::drop_truncated;
  const Ipv6View view(packet.first<kIpv6HeaderBytes>());
  if (view.version() != 6) return DropReason::drop_ip_header;
  if (view.payload_bytes() > packet.size() - kIpv6HeaderBytes) return DropReason::drop_truncated;
  out.ipv6 = packet.data();
  const Ipv6Address destination = view.destination();
  out.own6 = own6_index(context, destination);
  const bool to_group = out.own6 == context.own6_count;
  // A packet to us alone in a link multicast is no unicast.
  if (to_group ? !is_own_group(context, destination) : !for_us_alone)
    return DropReason::drop_not_for_us;
  const auto payload = packet.subspan(kIpv6HeaderBytes, view.payload_bytes());
  const Ipv6Extensions extensions = walk_extensions(view.next_header(), payload);
  const bool is_tcp = extensions.upper_layer == next_header::kTcp;
  if (!source6_is_valid(view.source(), is_tcp || extensions.is_fragment, context))
    return DropReason::drop_ip_source;
  if (extensions.is_fragment) {
    out.kind = FrameKind::kFragment;
    out.payload = packet.first(kIpv6HeaderBytes + view.payload_bytes());
    return DropReason::kNone;
  }
  if (extensions.drop != DropReason::kNone) return report_problem(extensions, out);
  const auto upper = payload.subspan(extensions.offset);
  if (is_tcp)
    return to_group ? DropReason::drop_not_for_us : parse_tcp6(frame, context, upper, out);
  out.kind = FrameKind::kIcmp6;
  out.payload = upper;
  out.fragment_header6 = extensions.has_fragment_header;
  return DropReason::kNone;
}

// In memory: a MacAddress by value takes the compiler a dozen moves of odd sizes.
bool is_sent_to(const std::byte* destination, const MacAddress& mac) {
  return std::memcmp(destination, mac.octets.data(), mac.octets.size()) == 0;
}

// The MAC addresses of IPv6 groups (RFC 2464 7).
bool is_group6_mac(const std::byte* mac) {
  return mac[0] == std::byte{0x33} && mac[1] == std::byte{0x33};
}

DropReason parse_arp_bytes(std::span<std::byte> bytes, ParsedFrame& out) {
  if (bytes.size() < kArpBytes) return DropReason::drop_arp;
  out.kind = FrameKind::kArp;
  out.payload = bytes;
  return DropReason::kNone;
}

// One tag, and only the one that is asked for. A tag of VLAN 0 is a priority and no VLAN (IEEE
// 802.1Q 9.6). `type` and `rest` are then what is behind it.
[[gnu::noinline]] DropReason take_tag(const ParseContext& context, std::uint16_t& type,
                                      std::span<std::byte>& rest) {
  if (type != ether_type::kVlan) return DropReason::drop_vlan;
  if (rest.size() < kVlanTagBytes) return DropReason::drop_truncated;
  const std::uint16_t vlan = load_be16(rest.data()) & kVlanMask;
  type = load_be16(rest.data() + 2);
  rest = rest.subspan(kVlanTagBytes);
  return vlan != context.vlan || type == ether_type::kVlan ? DropReason::drop_vlan
                                                           : DropReason::kNone;
}

DropReason parse_link(const Frame& frame, const ParseContext& context, ParsedFrame& out) {
  const std::span<std::byte> bytes = frame.bytes();
  if (bytes.size() < kEthernetHeaderBytes) return DropReason::drop_truncated;
  const EthernetView link(bytes.first<kEthernetHeaderBytes>());
  std::span<std::byte> rest = bytes.subspan(kEthernetHeaderBytes);
  std::uint16_t type = link.ether_type();
  if (type == ether_type::kVlan || context.vlan != 0) {
    const DropReason drop = take_tag(context, type, rest);
    if (drop != DropReason::kNone) return drop;
  }
  const bool for_us_alone = is_sent_to(bytes.data(), context.mac);
  if (!for_us_alone && link.destination() != MacAddress::broadcast()) {
    if (context.own6_count == 0 || type != ether_type::kIpv6 || !is_group6_mac(bytes.data()))
      return DropReason::drop_not_for_us;
  }
  // An IP packet to us in a link broadcast is no unicast (RFC 1122 3.3.6, RFC 9293 MUST-57).
  if (type == ether_type::kIpv4)
    return for_us_alone ? parse_ip(frame, context, rest, out) : DropReason::drop_not_for_us;
  if (type == ether_type::kArp) return parse_arp_bytes(rest, out);
  if (type == ether_type::kIpv6 && context.own6_count > 0) {
    out.source_mac = link.source();
    return parse_ip6(frame, context, rest, for_us_alone, out);
  }
  return DropReason::drop_ethertype;
}

[[gnu::noinline]] void parse_any_frame(const Frame& frame, const ParseContext& context,
                                       ParsedFrame& out) {
  out.drop = parse_link(frame, context, out);
  if (out.drop != DropReason::kNone) out.kind = FrameKind::kDrop;
}

bool ip_checksum_is_good(const Frame& frame, std::span<const std::byte, kIpv4HeaderBytes> header) {
  return ip_verdict_is_good(frame) || checksum_is_valid(checksum_partial_20(header));
}

// What nearly every frame is, in as few comparisons as can say it: IPv4 to us without a tag or
// options, a whole packet, of TCP, from a host. parse_link() would find nothing wrong with it
// either, before the TCP header.
[[gnu::always_inline]] inline bool is_plain_segment(const Frame& frame,
                                                    const ParseContext& context) {
  constexpr std::size_t kLeastPacket = kIpv4HeaderBytes + kTcpHeaderBytes;
  const std::span<std::byte> bytes = frame.bytes();
  if (context.vlan != 0 || bytes.size() < kEthernetHeaderBytes + kLeastPacket) return false;
  const EthernetView link(bytes.first<kEthernetHeaderBytes>());
  const auto header = bytes.subspan<kEthernetHeaderBytes, kIpv4HeaderBytes>();
  const Ipv4View ip(header);
  const Ipv4View::Addresses addresses = ip.addresses();
  return is_sent_to(bytes.data(), context.mac) && link.ether_type() == ether_type::kIpv4 &&
         ip.has_no_options() && ip.is_whole(ip_protocol::kTcp) &&
         ip.total_bytes() >= kLeastPacket &&
         ip.total_bytes() <= bytes.size() - kEthernetHeaderBytes &&
         addresses.destination() == context.address &&
         source_is_valid(addresses.source(), context) && ip_checksum_is_good(frame, header);
}

}  // namespace

void parse_frame(const Frame& frame, const ParseContext& context, ParsedFrame& out) {
  if (!is_plain_segment(frame, context)) [[unlikely]]
    return parse_any_frame(frame, context, out);
  const std::span<std::byte> packet = frame.bytes().subspan(kEthernetHeaderBytes);
  const auto header = packet.first<kIpv4HeaderBytes>();
  const std::size_t tcp_bytes = Ipv4View(header).total_bytes() - kIpv4HeaderBytes;
  out.drop = parse_tcp4(frame, context, header, packet.subspan(kIpv4HeaderBytes, tcp_bytes), out);
  if (out.drop != DropReason::kNone) [[unlikely]]
    out.kind = FrameKind::kDrop;
}

}  // namespace tern::wire
