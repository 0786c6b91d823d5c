// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp6_error.h"

#include <algorithm>

#include "base/bytes.h"
#include "net/route6.h"
#include "wire/ipv6.h"
#include "wire/ipv6_extension.h"

namespace tern::net {
namespace {

using Kind = IcmpError::Kind;

constexpr std::size_t kQuotedTcpBytes = 8;  // ports and sequence number

std::optional<Kind> kind_of(const wire::IcmpHeader& header) {
  namespace type = wire::icmpv6_type;
  namespace code = wire::icmpv6_code;
  switch (header.type) {
    case type::kDestinationUnreachable: {
      const bool hard = header.code == code::kProhibited || header.code >= code::kPort;
      return hard ? Kind::kHard : Kind::kSoft;
    }
    case type::kPacketTooBig:
      return Kind::kTooBig;
    case type::kTimeExceeded:
      return Kind::kSoft;
    case type::kParameterProblem:
      return header.code == wire::parameter_problem::kNextHeader ? Kind::kHard : Kind::kSoft;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<IcmpError> parse_icmp6_error(const wire::Icmpv6Packet& packet,
                                           flow::AddressBook& book) {
  constexpr std::size_t kLeast = wire::kIcmpHeaderBytes + wire::kIpv6HeaderBytes + kQuotedTcpBytes;
  if (packet.message.size() < kLeast || (load_u8(packet.message.data()) & 0x80) != 0)
    return std::nullopt;  // informational: the checksum is for others to look at
  const auto header = wire::parse_icmpv6(packet.message, packet.source, packet.destination);
  if (!header) return std::nullopt;
  const auto kind = kind_of(*header);
  if (!kind || (*kind == Kind::kTooBig && header->rest < Route6::kMinMtu)) return std::nullopt;
  const auto quote = packet.message.subspan(wire::kIcmpHeaderBytes);
  const wire::Ipv6View ip(quote.first<wire::kIpv6HeaderBytes>());
  // What this host sends has no extension headers.
  if (ip.version() != 6 || ip.next_header() != wire::ip_protocol::kTcp) return std::nullopt;
  const std::uint32_t source = book.find(ip.source());
  if (source == flow::AddressBook::kNone) return std::nullopt;
  std::uint32_t destination = book.find(ip.destination());
  if (destination == flow::AddressBook::kNone) {
    book.set_stranger(ip.destination());
    destination = flow::AddressBook::kStranger;
  }
  const std::byte* tcp = quote.data() + wire::kIpv6HeaderBytes;
  IcmpError error{.kind = *kind,
                  .type = header->type,
                  .code = header->code,
                  .source = source,
                  .destination = destination,
                  .source_port = load_be16(tcp),
                  .destination_port = load_be16(tcp + 2),
                  .seq = load_be32(tcp + 4)};
  if (*kind == Kind::kTooBig)
    error.mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(header->rest, 0xffff));
  return error;
}

}  // namespace tern::net
