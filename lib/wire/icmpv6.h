// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <span>

#include "tern/address.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

namespace tern::wire {

/// RFC 4443, RFC 2710 and 3810 for multicast listeners, RFC 4861 for neighbour discovery.
namespace icmpv6_type {
inline constexpr std::uint8_t kDestinationUnreachable = 1, kPacketTooBig = 2, kTimeExceeded = 3,
                              kParameterProblem = 4, kEchoRequest = 128, kEchoReply = 129,
                              kListenerQuery = 130, kListenerReport1 = 131,
                              kRouterSolicitation = 133, kRouterAdvertisement = 134,
                              kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136,
                              kRedirect = 137, kListenerReport2 = 143;
}

/// Codes of kDestinationUnreachable (RFC 4443 3.1). Those of kParameterProblem are in
/// ipv6_extension.h.
namespace icmpv6_code {
inline constexpr std::uint8_t kNoRoute = 0, kProhibited = 1, kBeyondScope = 2, kAddress = 3,
                              kPort = 4, kPolicy = 5, kRouteRejected = 6;
}

/// An ICMPv6 message, its checksum not yet looked at, with what its rules need of the IPv6 header.
struct Icmpv6Packet {
  Ipv6Address source{};
  Ipv6Address destination{};
  std::uint8_t hop_limit = 0;
  std::span<const std::byte> message{};  // the whole upper-layer packet
  bool fragment_header = false;          // it came behind one, of a whole packet (RFC 6946)
};

/// The partial checksum of an ICMPv6 message and its pseudo-header (RFC 4443 2.3).
inline std::uint32_t checksum_partial_icmpv6(std::span<const std::byte> message,
                                             const Ipv6Address& source,
                                             const Ipv6Address& destination) {
  return checksum_partial(
      message, checksum_pseudo_ipv6(source.octets(), destination.octets(), ip_protocol::kIcmpv6,
                                    static_cast<std::uint32_t>(message.size())));
}

/// ICMPv6 has ICMP's header form; only types and the checksum's cover differ. Nothing if `message`
/// (the whole upper-layer packet) is under 8 bytes or its checksum is wrong.
inline std::optional<IcmpHeader> parse_icmpv6(std::span<const std::byte> message,
                                              const Ipv6Address& source,
                                              const Ipv6Address& destination) {
  if (message.size() < kIcmpHeaderBytes) return std::nullopt;
  if (!checksum_is_valid(checksum_partial_icmpv6(message, source, destination))) {
    return std::nullopt;
  }
  const IcmpView view(message.first<kIcmpHeaderBytes>());
  return IcmpHeader{view.type(), view.code(), view.rest()};
}

/// Writes the header over the first 8 bytes of `message` (size >= 8), whose body is in place, and
/// the checksum of the whole between these addresses.
inline void write_icmpv6(std::span<std::byte> message, const Ipv6Address& source,
                         const Ipv6Address& destination, const IcmpHeader& header) {
  store_u8(message.data(), header.type);
  store_u8(message.data() + 1, header.code);
  store_checksum(message.data() + kIcmpChecksumOffset, 0);
  store_be32(message.data() + 4, header.rest);
  store_checksum(message.data() + kIcmpChecksumOffset,
                 checksum_finish(checksum_partial_icmpv6(message, source, destination)));
}

}  // namespace tern::wire
