// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "net/egress.h"
#include "net/neighbour_table.h"
#include "net/route.h"
#include "net/token_bucket.h"
#include "tern/time.h"

namespace tern::net {

/// Sends the ICMP errors that an IPv4 host sends about packets it has received (RFC 1122 3.2.2),
/// within a limit. ICMPv6's are Icmp6Responder's.
class IcmpErrorSender {
 public:
  static constexpr std::uint32_t kErrorsPerSecond = 10, kErrorBurst = 10;  // as ICMPv6's

  IcmpErrorSender(const Route& route, NeighbourTable& neighbours, Egress& egress)
      : route_(route), neighbours_(neighbours), egress_(egress) {}

  /// `packet`: an IPv4 packet to us from a host's address, of at least the length of its valid
  /// header, of which as much is quoted as fits into 576 bytes. False: none is sent; never about an
  /// ICMP error, or a fragment that is not the first.
  bool send(std::uint8_t type, std::uint8_t code, std::span<const std::byte> packet, Instant now);

 private:
  const Route& route_;
  NeighbourTable& neighbours_;
  Egress& egress_;
  TokenBucket limit_{kErrorsPerSecond, kErrorBurst};
};

}  // namespace tern::net
