// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "flow/address_book.h"
#include "net/egress.h"
#include "net/fragment_sender.h"
#include "net/neighbour_table.h"
#include "net/own_addresses6.h"
#include "net/route6.h"
#include "net/token_bucket.h"
#include "tern/stats.h"
#include "tern/time.h"
#include "wire/icmpv6.h"
#include "wire/parse.h"

namespace tern::net {

/// The ICMPv6 messages that a host sends about packets it has received (RFC 4443): echo replies,
/// in fragments where they do not fit into a packet, and errors. Both are limited, and go only to
/// one host.
class Icmp6Responder {
 public:
  static constexpr std::uint32_t kRepliesPerSecond = 1000;
  static constexpr std::uint32_t kReplyBurst = 100;
  static constexpr std::uint32_t kErrorsPerSecond = 10;  // RFC 4443 2.4 (f)'s example for a host
  static constexpr std::uint32_t kErrorBurst = 10;

  Icmp6Responder(const OwnAddresses6& own, const Route6& route, NeighbourTable& neighbours,
                 flow::AddressBook& book, Egress& egress, Counters& counters,
                 const FragmentIds& ids)
      : own_(own),
        route_(route),
        neighbours_(neighbours),
        book_(book),
        egress_(egress),
        counters_(counters),
        fragments_(egress, counters, ids) {}

  /// Answers an echo request; every other message counts under drop_icmp. To a group of ours, too
  /// (RFC 4443 4.2).
  void receive(const wire::Icmpv6Packet& packet, Instant now);

  /// A frame of kind kProblem6, which the caller counts as dropped: says what was wrong with it. No
  /// answer to an error message, to a group or to nobody (RFC 4443 2.4 (e)).
  void report_problem(const wire::ParsedFrame& frame, const Frame& buffer, Instant now);

  /// A datagram was not whole in time, whose first fragment is `packet` (RFC 8200 4.5).
  void report_timeout(std::span<const std::byte> packet, Instant now);

 private:
  bool answer(const wire::Icmpv6Packet& request, Instant now);
  bool answer_in_fragments(const wire::Icmpv6Packet& request, const Ipv6Address& source,
                           std::uint32_t rest, Instant now);
  std::size_t packet_bytes() const;
  std::size_t fragment_bytes(const Ipv6Address& destination) const;
  bool send_error(std::span<const std::byte> packet, const wire::IcmpHeader& header,
                  bool to_multicast_too, Instant now);
  void pass_on(const Frame& frame, const Ipv6Address& destination, Instant now);
  void send(const Ipv6Address& source, const Ipv6Address& destination, std::size_t message_bytes,
            Frame& frame, Instant now);

  const OwnAddresses6& own_;
  const Route6& route_;
  NeighbourTable& neighbours_;
  flow::AddressBook& book_;
  Egress& egress_;
  Counters& counters_;
  FragmentSender fragments_;
  TokenBucket limit_{kRepliesPerSecond, kReplyBurst};
  TokenBucket error_limit_{kErrorsPerSecond, kErrorBurst};
};

}  // namespace tern::net
