// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tern/stats.h"

namespace tern::wire {

/// The next-header values with a meaning of their own (RFC 8200 4).
namespace next_header {
inline constexpr std::uint8_t kHopByHop = 0, kTcp = 6, kRouting = 43, kFragment = 44, kIcmpv6 = 58,
                              kNone = 59, kDestinationOptions = 60;
}

/// RFC 4443 3.4: the codes of a Parameter Problem.
namespace parameter_problem {
inline constexpr std::uint8_t kField = 0, kNextHeader = 1, kOption = 2,
                              kHeaderChain = 3;  // RFC 7112 5: not all in the first fragment
}

/// What there is between an IPv6 header and the upper layer.
struct Ipv6Extensions {
  DropReason drop = DropReason::kNone;
  /// If dropped: whether the sender is to be told (RFC 4443 3.4), and what of. `to_multicast_too`:
  /// even if the packet was sent to a group (RFC 8200 4.2).
  bool is_problem = false;
  bool to_multicast_too = false;
  std::uint8_t problem_code = 0;
  std::uint32_t problem_pointer = 0;  // bytes from the start of the IPv6 header
  bool has_fragment_header = false;   // of a whole packet (RFC 6946)
  /// A part of a packet, to be put together: `offset` is where its fragment header begins, and
  /// next_header_at where the number of that stands, from the start of the IPv6 header. `drop` is
  /// then drop_ip_fragment for those who put nothing together.
  bool is_fragment = false;
  std::uint32_t next_header_at = 0;
  std::uint8_t upper_layer = 0;  // next_header value, and where it begins
  std::uint32_t offset = 0;      // from the end of the fixed IPv6 header
};

/// At most so many extension headers, and bytes of them, are walked.
inline constexpr unsigned kMaxExtensionHeaders = 8;
inline constexpr std::size_t kMaxExtensionBytes = 256;

/// Walks the extension headers at the start of `payload` (of exactly the length that the IPv6
/// header says): hop-by-hop options (the first only), destination options, a routing header whose
/// route is at its end (any type: with segments left none is followed, RFC 5095), a fragment header
/// of a whole packet (RFC 6946). `first`: the IPv6 header's next header. What is dropped:
///
/// - drop_ip_fragment: a part of a packet (is_fragment), or of none: empty, too long, of a length
///   that no part but the last has, or a first one that does not hold all headers (RFC 8200 4.5);
/// - drop_ip_protocol: an upper layer, or an extension, that is not known here, and "no next";
/// - drop_ip_extension: malformed, too much, a route, an option that says so of itself.
Ipv6Extensions walk_extensions(std::uint8_t first, std::span<const std::byte> payload);

}  // namespace tern::wire
