// SPDX-License-Identifier: BSD-3-Clause
#include "wire/parse.h"

#include <cstring>

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

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
  const Ipv4Address address(source);
  return !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast() &&
         !address.is_loopback() && source != context.subnet_broadcast && source != context.address;
}

bool tcp_checksum_is_good(const Frame& frame, const ParseContext& context, const Ipv4Header& ip,
                          std::span<const std::byte> segment) {
  const Verdict verdict =
      verdict_of(frame.flags, frame_flag::kRxL4ChecksumGood, frame_flag::kRxL4ChecksumBad);
  if (verdict == Verdict::kGood) return true;
  if (verdict == Verdict::kMissing && context.trust_missing_checksum) return true;
  const auto length = static_cast<std::uint16_t>(segment.size());
  return checksum_is_valid(checksum_partial(
      segment, checksum_pseudo_ipv4(ip.source, ip.destination, ip_protocol::kTcp, length)));
}

DropReason parse_tcp(const Frame& frame, const ParseContext& context, const Ipv4Header& ip,
                     std::span<std::byte> bytes, TcpSegment& segment) {
  if (bytes.size() < kTcpHeaderBytes) [[unlikely]]
    return DropReason::drop_tcp_header;
  const TcpView view(bytes.first<kTcpHeaderBytes>());
  const std::size_t header_bytes = view.header_bytes();
  if (header_bytes < kTcpHeaderBytes || header_bytes > bytes.size() || view.source_port() == 0 ||
      view.destination_port() == 0) [[unlikely]] {
    return DropReason::drop_tcp_header;
  }
  if (!tcp_checksum_is_good(frame, context, ip, bytes)) [[unlikely]] {
    return DropReason::drop_tcp_checksum;
  }
  if (!flags_are_sane(view.flags())) [[unlikely]]
    return DropReason::drop_tcp_flags;
  segment.source_address = ip.source;
  segment.destination_address = ip.destination;
  segment.source_port = view.source_port();
  segment.destination_port = view.destination_port();
  segment.seq = view.seq();
  segment.ack = view.ack();
  segment.window = view.window();
  segment.urgent = view.urgent();
  segment.flags = view.flags();
  segment.payload = bytes.data() + header_bytes;
  segment.payload_length = static_cast<std::uint32_t>(bytes.size() - header_bytes);
  segment.options_ok = parse_tcp_options(
      bytes.subspan(kTcpHeaderBytes, header_bytes - kTcpHeaderBytes), segment.options);
  if (!segment.options_ok && segment.has(tcp_flag::kSyn)) [[unlikely]] {
    return DropReason::drop_tcp_options;
  }
  return DropReason::kNone;
}

DropReason parse_icmp4(const Ipv4Header& ip, std::span<std::byte> message, ParsedFrame& out) {
  if (!parse_icmp(message)) return DropReason::drop_icmp;
  out.source_address = ip.source;
  out.destination_address = ip.destination;
  out.payload = message;
  return DropReason::kNone;
}

DropReason parse_ip(const Frame& frame, const ParseContext& context, std::span<std::byte> packet,
                    ParsedFrame& out) {
  const bool checksum_is_good = verdict_of(frame.flags, frame_flag::kRxIpChecksumGood,
                                           frame_flag::kRxIpChecksumBad) == Verdict::kGood;
  Ipv4Header ip;
  const DropReason drop = parse_ipv4(packet, checksum_is_good, ip);
  if (drop != DropReason::kNone) [[unlikely]]
    return drop;
  if (!source_is_valid(ip.source, context)) [[unlikely]]
    return DropReason::drop_ip_source;
  if (ip.destination != context.address) [[unlikely]]
    return DropReason::drop_not_for_us;
  const auto payload = packet.subspan(ip.header_bytes, ip.total_bytes - ip.header_bytes);
  if (ip.protocol == ip_protocol::kTcp) [[likely]] {
    out.kind = FrameKind::kTcp4;
    return parse_tcp(frame, context, ip, payload, out.segment);
  }
  if (ip.protocol != ip_protocol::kIcmp) return DropReason::drop_ip_protocol;
  out.kind = FrameKind::kIcmp4;
  return parse_icmp4(ip, payload, out);
}

DropReason parse_arp_bytes(std::span<std::byte> bytes, ParsedFrame& out) {
  if (bytes.size() < kArpBytes) return DropReason::drop_arp;
  out.kind = FrameKind::kArp;
  out.payload = bytes;
  return DropReason::kNone;
}

DropReason parse_link(const Frame& frame, const ParseContext& context, ParsedFrame& out) {
  const std::span<std::byte> bytes = frame.bytes();
  if (bytes.size() < kEthernetHeaderBytes) [[unlikely]]
    return DropReason::drop_truncated;
  const EthernetView link(bytes.first<kEthernetHeaderBytes>());
  // In memory: a MacAddress by value takes the compiler a dozen moves of odd sizes.
  const bool for_us_alone =
      std::memcmp(bytes.data(), context.mac.octets.data(), context.mac.octets.size()) == 0;
  if (!for_us_alone && link.destination() != MacAddress::broadcast()) [[unlikely]] {
    return DropReason::drop_not_for_us;
  }
  std::memcpy(out.source_mac.octets.data(), bytes.data() + 6, out.source_mac.octets.size());
  const std::span<std::byte> rest = bytes.subspan(kEthernetHeaderBytes);
  if (link.ether_type() == ether_type::kIpv4) [[likely]] {
    // An IP packet to us in a link broadcast is no unicast (RFC 1122 3.3.6, RFC 9293 MUST-57).
    if (!for_us_alone) [[unlikely]]
      return DropReason::drop_not_for_us;
    return parse_ip(frame, context, rest, out);
  }
  if (link.ether_type() == ether_type::kArp) return parse_arp_bytes(rest, out);
  return DropReason::drop_ethertype;
}

}  // namespace

void parse_frame(const Frame& frame, const ParseContext& context, ParsedFrame& out) {
  out.drop = parse_link(frame, context, out);
  if (out.drop != DropReason::kNone) [[unlikely]]
    out.kind = FrameKind::kDrop;
}

}  // namespace tern::wire
