// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "wire/icmpv6.h"

namespace tern::wire {

/// Hop limit of every message of neighbour discovery: what has crossed a router has a smaller one,
/// so nobody outside of the link can send it (RFC 4861 3.1).
inline constexpr std::uint8_t kNdHopLimit = 255;
/// The longest message that the functions below write.
inline constexpr std::size_t kNdMaxBytes = 32;

/// "Who has `target`?" (RFC 4861 4.3). From :: it is asked by a host that wants to have it itself.
struct NeighbourSolicitation {
  Ipv6Address target{};
  std::optional<MacAddress> source_mac{};  // the asker's
  friend bool operator==(const NeighbourSolicitation&, const NeighbourSolicitation&) = default;
};

/// "I have `target`" (RFC 4861 4.4).
struct NeighbourAdvertisement {
  Ipv6Address target{};
  std::optional<MacAddress> target_mac{};
  bool is_router = false;
  bool solicited = false;
  bool overrides = false;  // an address known before is out of date
  friend bool operator==(const NeighbourAdvertisement&, const NeighbourAdvertisement&) = default;
};

/// RFC 4861 4.6.2. Lifetimes in seconds; 0xffffffff is for ever.
struct PrefixInformation {
  Ipv6Address prefix{};  // bits beyond `length` are of no meaning
  std::uint8_t length = 0;
  bool on_link = false;
  bool autonomous = false;  // addresses may be made of it
  std::uint32_t valid_s = 0;
  std::uint32_t preferred_s = 0;
  friend bool operator==(const PrefixInformation&, const PrefixInformation&) = default;
};

/// What a router says of itself and of the link (RFC 4861 4.2). A 0 is "not said", but for the
/// lifetime, where it is "no default router".
struct RouterAdvertisement {
  static constexpr std::size_t kMaxPrefixes = 8;  // what comes behind them is not looked at

  std::uint8_t hop_limit = 0;
  std::uint16_t lifetime_s = 0;
  std::uint32_t reachable_ms = 0;
  std::uint32_t retransmit_ms = 0;
  std::optional<MacAddress> source_mac{};
  std::optional<std::uint32_t> mtu{};
  std::size_t prefix_count = 0;
  std::array<PrefixInformation, kMaxPrefixes> prefixes{};
  std::span<const PrefixInformation> prefix_list() const { return {prefixes.data(), prefix_count}; }
  friend bool operator==(const RouterAdvertisement&, const RouterAdvertisement&) = default;
};

/// Nothing unless `packet` is such a message and keeps every rule of RFC 4861 7.1.1, 7.1.2 or
/// 6.1.2: hop limit 255, checksum, code 0, length, no option of length 0, no group as the target,
/// and what each says of source and destination. Options of no interest, or of a length that is not
/// Ethernet's, are skipped; of several of a kind the first counts. Whether to believe what it says
/// is not for these to judge.
std::optional<NeighbourSolicitation> parse_neighbour_solicitation(const Icmpv6Packet& packet);
std::optional<NeighbourAdvertisement> parse_neighbour_advertisement(const Icmpv6Packet& packet);
std::optional<RouterAdvertisement> parse_router_advertisement(const Icmpv6Packet& packet);

/// Each writes the message with its checksum between these addresses, and returns its length, at
/// most kNdMaxBytes.
std::size_t write_neighbour_solicitation(std::byte* out, const Ipv6Address& source,
                                         const Ipv6Address& destination,
                                         const NeighbourSolicitation& solicitation);
std::size_t write_neighbour_advertisement(std::byte* out, const Ipv6Address& source,
                                          const Ipv6Address& destination,
                                          const NeighbourAdvertisement& advertisement);
std::size_t write_router_solicitation(std::byte* out, const Ipv6Address& source,
                                      const Ipv6Address& destination,
                                      const std::optional<MacAddress>& source_mac);

}  // namespace tern::wire
