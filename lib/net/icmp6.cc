// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp6.h"

#include <algorithm>
#include <cstring>

#include "wire/ethernet.h"
#include "wire/ipv6.h"
#include "wire/ipv6_extension.h"
#include "wire/ipv6_scope.h"

namespace tern::net {
namespace {

constexpr std::size_t kMessageOffset = wire::kEthernetHeaderBytes + wire::kIpv6HeaderBytes;
// An error message with all that it quotes fits everywhere (RFC 4443 2.4 (c)).
constexpr std::size_t kMaxQuoteBytes =
    Route6::kMinMtu - wire::kIpv6HeaderBytes - wire::kIcmpHeaderBytes;

bool is_extension(std::uint8_t next) {
  using namespace wire::next_header;
  return next == kHopByHop || next == kRouting || next == kDestinationOptions || next == kFragment;
}

// Whether the packet, behind headers with options that were to be skipped, is an ICMPv6 error, or a
// later fragment of what may be one.
bool is_icmp_error(std::span<const std::byte> packet) {
  using namespace wire::next_header;
  constexpr std::uint16_t kOffsetMask = 0xfff8;
  std::uint8_t next = load_u8(&packet[6]);
  std::size_t at = wire::kIpv6HeaderBytes;
  for (unsigned headers = 0; headers < wire::kMaxExtensionHeaders; ++headers) {
    if (packet.size() < at + 8) return false;
    if (next == kIcmpv6) return (load_u8(&packet[at]) & 0x80) == 0;
    if (!is_extension(next)) return false;
    const bool is_fragment = next == kFragment;
    const std::size_t more = is_fragment ? 0 : load_u8(&packet[at + 1]);
    next = load_u8(&packet[at]);
    if (is_fragment && (load_be16(&packet[at + 2]) & kOffsetMask) != 0)
      return next == kIcmpv6 || is_extension(next);
    at += 8 * (more + 1);
  }
  return false;
}

SplitMessage split_reply(const wire::Icmpv6Packet& request, const Ipv6Address& source,
                         std::uint32_t rest) {
  SplitMessage reply{.head = {}, .body = request.message.subspan(wire::kIcmpHeaderBytes)};
  wire::write_icmp(reply.head, {.type = wire::icmpv6_type::kEchoReply, .rest = rest});
  wire::store_checksum(reply.head.data() + wire::kIcmpChecksumOffset, 0);
  const std::uint32_t pseudo = wire::checksum_pseudo_ipv6(
      source.octets(), request.source.octets(), wire::ip_protocol::kIcmpv6,
      static_cast<std::uint32_t>(request.message.size()));
  const std::uint32_t sum =
      wire::checksum_partial(reply.body, wire::checksum_partial(reply.head, pseudo));
  wire::store_checksum(reply.head.data() + wire::kIcmpChecksumOffset, wire::checksum_finish(sum));
  return reply;
}

}  // namespace

void Icmp6Responder::receive(const wire::Icmpv6Packet& packet, Instant now) {
  if (answer(packet, now)) {
    ++counters_.icmp_echo_replies;
  } else {
    ++counters_.drop_icmp;
  }
}

// RFC 4443 4.2: the data, identifier and sequence number go back as they came, from the address
// that was asked, or, where that was a group, from one of ours.
bool Icmp6Responder::answer(const wire::Icmpv6Packet& request, Instant now) {
  const auto header = wire::parse_icmpv6(request.message, request.source, request.destination);
  if (!header || header->type != wire::icmpv6_type::kEchoRequest || header->code != 0) return false;
  const Ipv6Address* source = own_.is_usable(request.destination)  ? &request.destination
                              : request.destination.is_multicast() ? own_.source_for(request.source)
                                                                   : nullptr;
  if (source == nullptr || !route_.is_unicast(request.source)) return false;
  if (wire::kIpv6HeaderBytes + request.message.size() > packet_bytes())
    return answer_in_fragments(request, *source, header->rest, now);
  Frame reply;
  if (!limit_.take(now) || !egress_.allocate(reply)) return false;
  const std::span<std::byte> message(reply.data + kMessageOffset, request.message.size());
  std::memcpy(message.data(), request.message.data(), message.size());
  wire::write_icmpv6(message, *source, request.source,
                     {.type = wire::icmpv6_type::kEchoReply, .rest = header->rest});
  send(*source, request.source, message.size(), reply, now);
  return true;
}

bool Icmp6Responder::answer_in_fragments(const wire::Icmpv6Packet& request,
                                         const Ipv6Address& source, std::uint32_t rest,
                                         Instant now) {
  constexpr std::size_t kHeaderBytes = wire::kIpv6HeaderBytes + wire::kFragmentHeaderBytes;
  const auto emit = [&](const Frame& frame, const wire::FragmentCut& cut) {
    const std::size_t bytes = frame.length - wire::kEthernetHeaderBytes - kHeaderBytes;
    wire::write_fragment6(frame.data + wire::kEthernetHeaderBytes,
                          {.source = source,
                           .destination = request.source,
                           .payload_bytes = static_cast<std::uint16_t>(bytes),
                           .next_header = wire::ip_protocol::kIcmpv6,
                           .hop_limit = route_.hop_limit()},
                          cut);
    pass_on(frame, request.source, now);
  };
  const Ipv6Address& to = request.source;
  return fragments_.send(split_reply(request, source, rest), std::as_bytes(std::span(to.octets())),
                         fragment_bytes(to), kHeaderBytes, limit_, now, emit);
}

std::size_t Icmp6Responder::packet_bytes() const {
  const PortInfo& port = egress_.port_info();
  return std::min<std::size_t>(route_.link_mtu(),
                               port.frame_capacity - std::uint32_t{wire::kEthernetHeaderBytes});
}

// Nobody on the way may cut them again, and no path MTU is known here: beyond the link, what fits
// everywhere (RFC 8200 5).
std::size_t Icmp6Responder::fragment_bytes(const Ipv6Address& destination) const {
  return route_.is_on_link(destination) ? packet_bytes()
                                        : std::min<std::size_t>(packet_bytes(), Route6::kMinMtu);
}

void Icmp6Responder::report_problem(const wire::ParsedFrame& frame, const Frame& buffer,
                                    Instant now) {
  const std::size_t ip_offset = static_cast<std::size_t>(frame.ipv6 - buffer.data);
  if (send_error(buffer.bytes().subspan(ip_offset),
                 {.type = wire::icmpv6_type::kParameterProblem,
                  .code = frame.problem.code,
                  .rest = frame.problem.pointer},
                 frame.problem.to_multicast_too, now))
    ++counters_.icmp_problems_out;
}

void Icmp6Responder::report_timeout(std::span<const std::byte> packet, Instant now) {
  constexpr std::uint8_t kReassembly = 1;  // RFC 4443 3.3
  if (send_error(packet, {.type = wire::icmpv6_type::kTimeExceeded, .code = kReassembly}, false,
                 now))
    ++counters_.icmp_time_exceeded_out;
}

// `packet` begins with a valid IPv6 header, and may be longer than that says.
bool Icmp6Responder::send_error(std::span<const std::byte> packet, const wire::IcmpHeader& header,
                                bool to_multicast_too, Instant now) {
  const wire::Ipv6View ip(packet.first<wire::kIpv6HeaderBytes>());
  const Ipv6Address source = ip.source(), destination = ip.destination();
  const bool to_group = destination.is_multicast();
  const Ipv6Address* from = to_group ? own_.source_for(source) : &destination;
  Frame error;
  if (from == nullptr || (to_group && !to_multicast_too) || !route_.is_unicast(source) ||
      is_icmp_error(packet) || !error_limit_.take(now) || !egress_.allocate(error))
    return false;
  const std::size_t whole =
      std::min(packet.size(), wire::kIpv6HeaderBytes + std::size_t{ip.payload_bytes()});
  const std::size_t quoted = std::min(whole, kMaxQuoteBytes);
  const std::span<std::byte> message(error.data + kMessageOffset, wire::kIcmpHeaderBytes + quoted);
  std::memcpy(message.data() + wire::kIcmpHeaderBytes, packet.data(), quoted);
  wire::write_icmpv6(message, *from, source, header);
  send(*from, source, message.size(), error, now);
  return true;
}

void Icmp6Responder::send(const Ipv6Address& source, const Ipv6Address& destination,
                          std::size_t message_bytes, Frame& frame, Instant now) {
  wire::write_ipv6(frame.data + wire::kEthernetHeaderBytes,
                   {.source = source,
                    .destination = destination,
                    .payload_bytes = static_cast<std::uint16_t>(message_bytes),
                    .next_header = wire::ip_protocol::kIcmpv6,
                    .hop_limit = route_.hop_limit()});
  frame.length = static_cast<std::uint32_t>(kMessageOffset + message_bytes);
  pass_on(frame, destination, now);
}

void Icmp6Responder::pass_on(const Frame& frame, const Ipv6Address& destination, Instant now) {
  const std::uint32_t handle = book_.acquire(destination);
  const std::uint32_t next_hop = handle == flow::AddressBook::kNone ? 0 : route_.next_hop(handle);
  if (next_hop != 0) {
    neighbours_.answer(frame, next_hop, now);
  } else {
    ++counters_.drop_neighbour_unresolved;
    egress_.discard(frame);
  }
  if (handle != flow::AddressBook::kNone) book_.release(handle);
}

}  // namespace tern::net
