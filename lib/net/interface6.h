// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/siphash.h"
#include "flow/address_book.h"
#include "net/duplicate_detection.h"
#include "net/egress.h"
#include "net/icmp6.h"
#include "net/link_state.h"
#include "net/listener_reports.h"
#include "net/nd_sender.h"
#include "net/neighbour_discovery.h"
#include "net/neighbour_table.h"
#include "net/own_addresses6.h"
#include "net/route6.h"
#include "net/router_solicitor.h"
#include "tern/config.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "tern/time.h"
#include "wire/icmpv6.h"
#include "wire/parse.h"

namespace tern::net {

/// The IPv6 side of an Interface: the way to a destination, neighbour discovery, the interface's
/// own addresses, multicast listener reports and ICMPv6. Addresses are handles of the stack's
/// AddressBook, which must outlive it. Everything else is as with Interface.
class Interface6 {
 public:
  static constexpr Duration kReachableTime = std::chrono::seconds(30);  // RFC 4861 10
  static constexpr std::size_t kMaxNews = NeighbourDiscovery::kMaxNews;

  /// config.ip6 is set. `key` serves nothing else; `stack`: see Interface.
  Interface6(const StackConfig& config, Egress& egress, Counters& counters, const SipKey& key,
             flow::AddressBook& book, Generation& generation, StackNumber stack);

  bool has_route(std::uint32_t destination) const;
  bool may_send_from(std::uint32_t own) const { return own_.is_usable(book_.address(own)); }
  LinkState link_header(std::uint32_t destination, std::byte* out14, Instant now);
  void send_ip(const Frame& frame, std::uint32_t destination, Instant now);
  void answer_ip(const Frame& frame, std::uint32_t destination, Instant now);

  /// Joins the groups, looks for duplicates of the own addresses, and then asks for routers.
  void start(Instant now);

  /// An ICMPv6 message that is no error about a segment. Returns how many news it has written.
  std::size_t receive(const wire::Icmpv6Packet& packet, const MacAddress& link_source, Instant now,
                      std::span<NeighbourNews, kMaxNews> news);
  void hear(const NeighbourNews& news, Instant now) { discovery_.hear(news, now); }
  void report_problem(const wire::ParsedFrame& frame, const Frame& buffer, Instant now) {
    responder_.report_problem(frame, buffer, now);
  }
  void report_timeout(std::span<const std::byte> packet, Instant now) {
    responder_.report_timeout(packet, now);
  }

  void note_no_progress(std::uint32_t destination, Instant now) {
    if (const std::uint32_t hop = route_.next_hop(destination); hop != 0)
      neighbours_.doubt(hop, now);
  }
  std::size_t expire(Instant now);
  Instant next_deadline() const;

  const OwnAddresses6& own() const { return own_; }
  std::uint16_t link_mtu() const { return route_.link_mtu(); }
  std::uint8_t hop_limit() const { return route_.hop_limit(); }
  std::uint32_t waiting_frames() const { return neighbours_.waiting_frames(); }
  void list_neighbours(Instant now, std::vector<NeighbourInfo>& out) const {
    neighbours_.list(now, out);
  }

 private:
  void after_detection(Instant now);
  std::uint32_t hold_next_hop(const Frame& frame, std::uint32_t destination);

  Egress& egress_;
  Counters& counters_;
  flow::AddressBook& book_;
  OwnAddresses6 own_;
  NdSender sender_;
  NeighbourTable neighbours_;
  Route6 route_;
  DuplicateDetection detection_;
  ListenerReports reports_;
  RouterSolicitor solicitor_;
  NeighbourDiscovery discovery_;
  Icmp6Responder responder_;
};

}  // namespace tern::net
