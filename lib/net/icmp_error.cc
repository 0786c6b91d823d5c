// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp_error.h"

#include <array>

#include "base/bytes.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

namespace tern::net {
namespace {

using Kind = IcmpError::Kind;

constexpr std::size_t kQuotedTcpBytes = 8;  // ports and sequence number: all that RFC 792 promises

// RFC 1191 7.1: what to assume when a router from before 1990 does not tell: the next MTU below the
// length of the packet that did not fit.
std::uint16_t plateau_below(std::uint16_t packet_bytes) {
  constexpr std::array<std::uint16_t, 10> kPlateaus = {65535, 32000, 17914, 8166, 4352,
                                                       2002,  1492,  1006,  508,  296};
  for (const std::uint16_t plateau : kPlateaus)
    if (plateau < packet_bytes) return plateau;
  return 68;
}

std::optional<Kind> kind_of(const wire::IcmpHeader& header) {
  namespace type = wire::icmp_type;
  namespace code = wire::icmp_code;
  if (header.type == type::kTimeExceeded || header.type == type::kParameterProblem)
    return Kind::kSoft;
  if (header.type != type::kDestinationUnreachable) return std::nullopt;
  if (header.code == code::kFragmentationNeeded) return Kind::kTooBig;
  return header.code == code::kProtocol || header.code == code::kPort ? Kind::kHard : Kind::kSoft;
}

}  // namespace

std::optional<IcmpError> parse_icmp_error(const wire::ParsedFrame& frame) {
  const auto header = wire::parse_icmp(frame.payload);
  if (!header) return std::nullopt;
  const auto kind = kind_of(*header);
  const auto quote = frame.payload.subspan(wire::kIcmpHeaderBytes);
  if (!kind || quote.size() < wire::kIpv4HeaderBytes + kQuotedTcpBytes) return std::nullopt;
  // The quoted header's checksum is not looked at: routers are known to have changed the TTL.
  const std::byte* ip = quote.data();
  const std::size_t header_bytes = std::size_t{load_u8(ip) & 0x0fu} * 4;
  const bool first_fragment = (load_be16(ip + 6) & 0x1fff) == 0;
  if (load_u8(ip) >> 4 != 4 || header_bytes < wire::kIpv4HeaderBytes ||
      load_u8(ip + 9) != wire::ip_protocol::kTcp || !first_fragment ||
      quote.size() < header_bytes + kQuotedTcpBytes)
    return std::nullopt;
  const std::byte* tcp = ip + header_bytes;
  IcmpError error{.kind = *kind,
                  .type = header->type,
                  .code = header->code,
                  .source = load_be32(ip + 12),
                  .destination = load_be32(ip + 16),
                  .source_port = load_be16(tcp),
                  .destination_port = load_be16(tcp + 2),
                  .seq = load_be32(tcp + 4)};
  if (Ipv4Address(error.destination).is_reserved()) return std::nullopt;  // a handle of IPv6's
  if (*kind == Kind::kTooBig)
    error.mtu =
        header->next_hop_mtu() != 0 ? header->next_hop_mtu() : plateau_below(load_be16(ip + 2));
  return error;
}

}  // namespace tern::net
