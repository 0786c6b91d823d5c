// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp.h"

#include <algorithm>
#include <cstring>

#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

namespace tern::net {
namespace {

constexpr std::size_t kHeaderBytes = wire::kEthernetHeaderBytes + wire::kIpv4HeaderBytes;

wire::Ipv4Header ip_header(const wire::ParsedFrame& request, std::size_t message_bytes) {
  return {.source = request.destination_address,
          .destination = request.source_address,
          .total_bytes = static_cast<std::uint16_t>(wire::kIpv4HeaderBytes + message_bytes),
          .protocol = wire::ip_protocol::kIcmp};
}

// Turns an empty frame into the reply. RFC 1122 3.2.2.6: the data, identifier and sequence number
// go back as they came, from the address that was asked.
void write_reply(const wire::ParsedFrame& request, std::uint32_t rest, Frame& frame) {
  const std::size_t message_bytes = request.payload.size();
  wire::write_ipv4(frame.data + wire::kEthernetHeaderBytes, ip_header(request, message_bytes));
  const std::span<std::byte> message(frame.data + kHeaderBytes, message_bytes);
  std::memcpy(message.data(), request.payload.data(), message_bytes);
  wire::write_icmp(message, {.type = wire::icmp_type::kEchoReply, .rest = rest});
  frame.length = static_cast<std::uint32_t>(kHeaderBytes + message_bytes);
}

SplitMessage split_reply(std::span<const std::byte> request, std::uint32_t rest) {
  SplitMessage reply{.head = {}, .body = request.subspan(wire::kIcmpHeaderBytes)};
  wire::write_icmp(reply.head, {.type = wire::icmp_type::kEchoReply, .rest = rest});
  wire::store_checksum(reply.head.data() + wire::kIcmpChecksumOffset, 0);
  const std::uint32_t sum = wire::checksum_partial(reply.body, wire::checksum_partial(reply.head));
  wire::store_checksum(reply.head.data() + wire::kIcmpChecksumOffset, wire::checksum_finish(sum));
  return reply;
}

}  // namespace

void EchoResponder::receive(const wire::ParsedFrame& frame, Instant now) {
  if (answer(frame, now)) {
    ++counters_.icmp_echo_replies;
  } else {
    ++counters_.drop_icmp;
  }
}

bool EchoResponder::answer(const wire::ParsedFrame& request, Instant now) {
  const auto header = wire::parse_icmp(request.payload);
  if (!header || header->type != wire::icmp_type::kEchoRequest || header->code != 0) return false;
  // Only what was sent to us alone is answered: a broadcast would make every host here answer.
  if (request.destination_address != route_.own_address()) return false;
  const std::uint32_t next_hop = route_.next_hop(request.source_address);
  if (next_hop == 0) return false;
  return wire::kIpv4HeaderBytes + request.payload.size() <= packet_bytes()
             ? answer_whole(request, header->rest, next_hop, now)
             : answer_in_fragments(request, header->rest, next_hop, now);
}

bool EchoResponder::answer_whole(const wire::ParsedFrame& request, std::uint32_t rest,
                                 std::uint32_t next_hop, Instant now) {
  Frame reply;
  if (!limit_.take(now) || !egress_.allocate(reply)) return false;
  write_reply(request, rest, reply);
  neighbours_.answer(reply, next_hop, now);
  return true;
}

bool EchoResponder::answer_in_fragments(const wire::ParsedFrame& request, std::uint32_t rest,
                                        std::uint32_t next_hop, Instant now) {
  std::array<std::byte, 4> destination;
  store_be32(destination.data(), request.source_address);
  return fragments_.send(
      split_reply(request.payload, rest), destination, packet_bytes(), wire::kIpv4HeaderBytes,
      limit_, now, [&](const Frame& frame, const wire::FragmentCut& cut) {
        wire::write_fragment4(frame.data + wire::kEthernetHeaderBytes,
                              ip_header(request, frame.length - kHeaderBytes), cut);
        neighbours_.answer(frame, next_hop, now);
      });
}

std::size_t EchoResponder::packet_bytes() const {
  const PortInfo& port = egress_.port_info();
  return std::min<std::size_t>(port.mtu,
                               port.frame_capacity - std::uint32_t{wire::kEthernetHeaderBytes});
}

}  // namespace tern::net
