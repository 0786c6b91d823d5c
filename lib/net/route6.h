// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "flow/address_book.h"
#include "net/link_state.h"
#include "net/neighbour_table.h"
#include "net/own_addresses6.h"
#include "tern/config.h"
#include "tern/steering.h"
#include "tern/time.h"

namespace tern::net {

/// RFC 4861 6.3.2: the reachable time is a random part of 0.5 to 1.5 of what is configured, lest
/// all hosts verify at once.
constexpr Duration jittered(Duration base, std::uint32_t jitter) {
  return base / 2 + base / 1000 * (jitter % 1000);
}

/// The routing table of an IPv6 host with one interface, as configured and as its routers say (RFC
/// 4861 5.2, 6.3): on-link prefixes, default routers, and what they say of the link. Bounded: what
/// a flood of advertisements announces beyond the bounds is not remembered, and displaces nothing.
class Route6 {
 public:
  static constexpr std::size_t kMaxRouters = NeighbourTable::kMaxPinned;
  static constexpr std::size_t kMaxPrefixes = 8;  // besides the configured one and fe80::/10
  static constexpr std::uint32_t kMinMtu = 1280;  // RFC 8200 5
  static constexpr std::uint8_t kDefaultHopLimit = 64, kLeastHopLimit = 32;

  /// With a configured gateway no default router is learnt. `jitter`: random bits, of this stack.
  Route6(const StackConfig& config, const OwnAddresses6& own, std::uint16_t port_mtu,
         flow::AddressBook& book, NeighbourTable& neighbours, Generation& generation,
         std::uint32_t jitter);
  ~Route6();
  Route6(const Route6&) = delete;
  Route6& operator=(const Route6&) = delete;

  /// Whether `address` can be another host's to whom packets can be sent, or who can send any.
  bool is_unicast(const Ipv6Address& address) const;

  /// Whether it is on this link, as far as is known (RFC 5942).
  bool is_on_link(const Ipv6Address& address) const;

  /// Who takes a packet to `destination`, a handle: itself if on-link, else a default router, of
  /// several one that is not known to be away; 0 = there is no way.
  std::uint32_t next_hop(std::uint32_t destination) const;

  void hear_router(const NeighbourNews& news, Instant now);
  void hear_prefix(const NeighbourNews& news, Instant now);

  /// A default router is none any more (RFC 4861 7.2.5: it says so as a neighbour).
  void forget_router(const Ipv6Address& address);

  std::size_t expire(Instant now);
  Instant next_deadline() const;

  /// Whether packets that leave the link have no way.
  bool needs_router() const;
  std::uint16_t link_mtu() const { return mtu_; }
  std::uint8_t hop_limit() const { return hop_limit_; }

 private:
  struct Router {
    std::uint32_t handle = 0;
    Instant expires = kNever;
  };
  struct Prefix {
    Ipv6Prefix prefix;
    Instant expires = kNever;
  };

  std::uint32_t default_router() const;
  void add_router(std::uint32_t handle, Instant expires);
  void remove_router(std::size_t at);
  std::size_t find_router(std::uint32_t handle) const;  // router_count_ if it is not there
  void take_link(const NeighbourNews& news);

  const Ipv6Prefix configured_;
  const OwnAddresses6& own_;
  const std::uint16_t port_mtu_;
  flow::AddressBook& book_;
  NeighbourTable& neighbours_;
  Generation& generation_;
  const bool static_gateway_;
  const std::uint32_t jitter_;
  std::array<Router, kMaxRouters> routers_{};
  std::size_t router_count_ = 0;
  std::array<Prefix, kMaxPrefixes> prefixes_{};
  std::size_t prefix_count_ = 0;
  std::uint16_t mtu_;
  std::uint8_t hop_limit_ = kDefaultHopLimit;
};

}  // namespace tern::net
