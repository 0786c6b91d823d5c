// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "flow/address_book.h"
#include "net/duplicate_detection.h"
#include "net/nd_sender.h"
#include "net/neighbour_table.h"
#include "net/own_addresses6.h"
#include "net/route6.h"
#include "net/router_solicitor.h"
#include "net/token_bucket.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "tern/time.h"
#include "wire/neighbour_discovery.h"

namespace tern::net {

/// What a host does with the messages of neighbour discovery (RFC 4861): answers those that ask for
/// its addresses, and has neighbour table and routing table hear what the others say of themselves.
/// Redirects are ignored, and router solicitations are a router's business.
class NeighbourDiscovery {
 public:
  /// News that one message can give: a router, and its prefixes.
  static constexpr std::size_t kMaxNews = 1 + wire::RouterAdvertisement::kMaxPrefixes;
  /// Solicitations that are answered.
  static constexpr std::uint32_t kAnswersPerSecond = 1000;
  static constexpr std::uint32_t kAnswerBurst = 100;

  /// What the messages speak of; all of it outlives this.
  struct Parts {
    OwnAddresses6& own;
    Route6& route;
    NeighbourTable& neighbours;
    NdSender& sender;
    DuplicateDetection& detection;
    RouterSolicitor& solicitor;
    flow::AddressBook& book;
    Egress& egress;
    Counters& counters;
  };
  explicit NeighbourDiscovery(const Parts& parts) : p_(parts) {}

  /// A message of type 133 to 137, from a frame of `link_source`. Returns how many news for the
  /// other stacks of this interface it has written; here they are heard already.
  std::size_t receive(const wire::Icmpv6Packet& packet, const MacAddress& link_source, Instant now,
                      std::span<NeighbourNews, kMaxNews> news);

  /// Such news, of this stack's or of another's.
  void hear(const NeighbourNews& news, Instant now);

 private:
  using News = std::optional<NeighbourNews>;
  std::size_t take(const wire::Icmpv6Packet& packet, const MacAddress& link_source, Instant now,
                   std::span<NeighbourNews, kMaxNews> news);
  News take_solicitation(const wire::Icmpv6Packet& packet, const wire::NeighbourSolicitation& said,
                         const MacAddress& link_source, Instant now);
  News take_advertisement(const wire::NeighbourAdvertisement& said) const;
  std::size_t take_router(const wire::Icmpv6Packet& packet, const wire::RouterAdvertisement& said,
                          std::span<NeighbourNews, kMaxNews> news);
  void answer(const Ipv6Address& target, const Ipv6Address& asker, const MacAddress& to,
              Instant now);
  void note(const NeighbourNews& news, Instant now);
  void hear_advertisement(const NeighbourNews& news, Instant now);
  void hear_router(const NeighbourNews& news, Instant now);
  void look_for_router(Instant now);

  Parts p_;
  bool had_router_ = false;
  TokenBucket limit_{kAnswersPerSecond, kAnswerBurst};
};

}  // namespace tern::net
