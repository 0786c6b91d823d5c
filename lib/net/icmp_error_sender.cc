// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp_error_sender.h"

#include <algorithm>
#include <cstring>

#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

namespace tern::net {
namespace {

constexpr std::size_t kMessageOffset = wire::kEthernetHeaderBytes + wire::kIpv4HeaderBytes;
// What every host takes (RFC 1812 4.3.2.3; RFC 1122 3.2.2 asks for 8 bytes of data at least).
constexpr std::size_t kMaxQuoteBytes = 576 - wire::kIpv4HeaderBytes - wire::kIcmpHeaderBytes;

// RFC 1122 3.2.2: what an error must not be sent about.
bool is_error(std::span<const std::byte> packet) {
  namespace type = wire::icmp_type;
  const wire::Ipv4View ip(packet.first<wire::kIpv4HeaderBytes>());
  if (ip.protocol() != wire::ip_protocol::kIcmp) return false;
  if (packet.size() <= ip.header_bytes()) return true;
  const std::uint8_t kind = load_u8(&packet[ip.header_bytes()]);
  return kind == type::kDestinationUnreachable || kind == type::kSourceQuench ||
         kind == type::kRedirect || kind == type::kTimeExceeded || kind == type::kParameterProblem;
}

}  // namespace

bool IcmpErrorSender::send(std::uint8_t type, std::uint8_t code, std::span<const std::byte> packet,
                           Instant now) {
  constexpr std::uint16_t kOffsetMask = 0x1fff;
  const wire::Ipv4View ip(packet.first<wire::kIpv4HeaderBytes>());
  const std::uint32_t next_hop = route_.next_hop(ip.source());
  const bool first = (load_be16(&packet[6]) & kOffsetMask) == 0;
  Frame error;
  if (next_hop == 0 || !first || is_error(packet) || !limit_.take(now) || !egress_.allocate(error))
    return false;
  const std::size_t quoted = std::min(packet.size(), kMaxQuoteBytes);
  const std::span<std::byte> message(error.data + kMessageOffset, wire::kIcmpHeaderBytes + quoted);
  std::memcpy(message.data() + wire::kIcmpHeaderBytes, packet.data(), quoted);
  wire::write_icmp(message, {.type = type, .code = code});
  wire::write_ipv4(
      error.data + wire::kEthernetHeaderBytes,
      {.source = route_.own_address(),
       .destination = ip.source(),
       .total_bytes = static_cast<std::uint16_t>(wire::kIpv4HeaderBytes + message.size()),
       .protocol = wire::ip_protocol::kIcmp});
  error.length = static_cast<std::uint32_t>(kMessageOffset + message.size());
  neighbours_.answer(error, next_hop, now);
  return true;
}

}  // namespace tern::net
