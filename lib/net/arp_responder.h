// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <optional>

#include "net/arp_sender.h"
#include "net/neighbour_table.h"
#include "net/route.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "tern/time.h"
#include "wire/arp.h"
#include "wire/parse.h"

namespace tern::net {

/// What the interface does with ARP packets: answers those that ask for its address, tells the
/// neighbour table what the others say, and makes its own address known and holds on to it
/// (RFC 5227 2.3, 2.4 (c)).
class ArpResponder {
 public:
  static constexpr Duration kAnnounceInterval = std::chrono::seconds(2);  // RFC 5227 1.1
  static constexpr Duration kDefendInterval = std::chrono::seconds(10);

  ArpResponder(const Route& route, NeighbourTable& neighbours, ArpSender& arp, Counters& counters)
      : route_(route), neighbours_(neighbours), arp_(arp), counters_(counters) {}

  /// Returns what the packet says of a neighbour, for the other stacks of this address.
  std::optional<NeighbourNews> receive(const wire::ParsedFrame& frame, Instant now);

  /// Such news of another stack's: it has answered already, so here it is only remembered.
  void hear(const NeighbourNews& news, Instant now);

  /// Announces now and again kAnnounceInterval later; does nothing while the second is to come.
  void announce(Instant now);

  std::size_t expire(Instant now) { return now < second_announcement_ ? 0 : announce_again(); }
  Instant next_deadline() const { return second_announcement_; }

 private:
  bool is_acceptable(const wire::ArpPacket& packet) const;
  void defend(Instant now);
  std::size_t announce_again();

  const Route& route_;
  NeighbourTable& neighbours_;
  ArpSender& arp_;
  Counters& counters_;
  Instant second_announcement_ = kNever;
  Instant next_defence_ = Instant::min();
};

}  // namespace tern::net
