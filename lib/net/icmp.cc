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

// Turns an empty frame into the reply. RFC 1122 3.2.2.6: the data, identifier and sequence number
// go back as they came, from the address that was asked.
void write_reply(const wire::ParsedFrame& request, const wire::IcmpHeader& header, Frame& frame) {
  const std::size_t message_bytes = request.payload.size();
  wire::write_ipv4(
      frame.data + wire::kEthernetHeaderBytes,
      {.source = request.destination_address,
       .destination = request.source_address,
       .total_bytes = static_cast<std::uint16_t>(wire::kIpv4HeaderBytes + message_bytes),
       .protocol = wire::ip_protocol::kIcmp});
  const std::span<std::byte> message(frame.data + kHeaderBytes, message_bytes);
  std::memcpy(message.data(), request.payload.data(), message_bytes);
  wire::write_icmp(message, {.type = wire::icmp_type::kEchoReply, .rest = header.rest});
  frame.length = static_cast<std::uint32_t>(kHeaderBytes + message_bytes);
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
  if (next_hop == 0 || !fits(request.payload.size()) || !limit_.take(now)) return false;
  Frame reply;
  if (!egress_.allocate(reply)) return false;
  write_reply(request, *header, reply);
  neighbours_.answer(reply, next_hop, now);
  return true;
}

bool EchoResponder::fits(std::size_t message_bytes) const {
  const PortInfo& port = egress_.port_info();
  const std::size_t most = std::min<std::size_t>(
      port.mtu, port.frame_capacity - std::uint32_t{wire::kEthernetHeaderBytes});
  return wire::kIpv4HeaderBytes + message_bytes <= most;
}

}  // namespace tern::net
