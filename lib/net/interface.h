// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/siphash.h"
#include "flow/address_book.h"
#include "net/arp_responder.h"
#include "net/arp_sender.h"
#include "net/egress.h"
#include "net/icmp.h"
#include "net/icmp_error_sender.h"
#include "net/link_state.h"
#include "net/neighbour_table.h"
#include "net/reassembler.h"
#include "net/route.h"
#include "tern/config.h"
#include "tern/port.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "tern/time.h"
#include "wire/parse.h"

namespace tern::net {

class Interface6;

/// What TCP needs of the link and IP layers of one interface: the way to a destination, the link
/// header for it, ARP, neighbour discovery and ICMP echo. Frames go out through Egress, which must
/// outlive it. An address is an IPv4 one in host byte order, or a handle of the stack's
/// AddressBook. No clock: every call is told the time, which must not go backwards. Thread: the
/// stack's.
class Interface {
 public:
  using LinkState = net::LinkState;

  /// `key` (the neighbour table's) is derived from the stack's secret by the caller. `stack`: which
  /// one of the interface's this is for. The gateway,
  /// if one is set, must be an on-link unicast address. IPv6 is there if config.ip6 is set; `book`
  /// outlives the interface and has room for max_neighbours + kMaxPinned addresses of its own.
  Interface(const StackConfig& config, Egress& egress, Counters& counters, const SipKey& key,
            flow::AddressBook& book, StackNumber stack = {});
  ~Interface();

  /// Whether a packet can be sent to `destination`: a unicast address, not our own, that is on-link
  /// or has a gateway.
  bool has_route(std::uint32_t destination) const;

  /// Writes the 14 bytes of Ethernet header for packets to `destination` to `out14` if kReady, and
  /// else leaves them alone. kUnresolved: the next hop is being asked for (three broadcasts, a
  /// second apart), or the table has no room for it. kFailed: it did not answer; after a second a
  /// new use asks anew. Without a route: kFailed.
  LinkState link_header(std::uint32_t destination, std::byte* out14, Instant now);

  /// Changes whenever an answer that link_header gave earlier may no longer be right, and when an
  /// entry in use has been verified, so that those who remember its header come and use it again;
  /// an entry that nobody came for is stale after 60 s. Never 0.
  std::uint32_t generation() const { return generation_.value(); }

  /// TCP gets no answer from `destination` (RFC 9293 MUST-20, R1): whether the next hop is there is
  /// looked at, so that a dead one is found, and another router taken if there is one.
  void note_no_progress(std::uint32_t destination, Instant now);

  /// Takes a frame from Egress::allocate: 14 bytes for the Ethernet header, which is filled in
  /// here, and a complete IPv4 packet. Sends it; or lets it wait for the next hop's address (at
  /// most 3 frames for each next hop, the oldest is dropped); or drops it. Without a route:
  /// drop_neighbour_unresolved.
  void send_ip(const Frame& frame, std::uint32_t destination, Instant now);

  /// The same for an answer to a packet that no connection has sent for: see
  /// NeighbourTable::answer().
  void answer_ip(const Frame& frame, std::uint32_t destination, Instant now);

  /// A frame of kind kArp. It stays the caller's. What it says of a neighbour, if anything.
  std::optional<NeighbourNews> receive_arp(const wire::ParsedFrame& frame, Instant now) {
    return arp_.receive(frame, now);
  }

  /// Another stack of this address has received such a frame.
  void hear(const NeighbourNews& news, Instant now);

  /// A frame of kind kIcmp4 that is no error message. It stays the caller's.
  void receive_icmp(const wire::ParsedFrame& frame, Instant now) { echo_.receive(frame, now); }

  /// A frame of kind kFragment: see Reassembler::take().
  std::span<std::byte> receive_fragment(const wire::ParsedFrame& parsed, const Frame& frame,
                                        Instant now) {
    return reassembler_.take(frame, parsed.payload, now);
  }
  /// Datagrams of which not all fragments have come yet.
  std::uint32_t reassembling() const { return reassembler_.in_use(); }

  /// Makes the address known: two ARP announcements, 2 s apart (RFC 5227 2.3); and begins to look
  /// whether the IPv6 addresses may be used. Once.
  void announce(Instant now);

  /// Whether a packet may bear this address of ours: not while others are asked whether they have
  /// it, nor if they do (RFC 4862 5.4).
  bool may_send_from(std::uint32_t own) const {
    return !flow::AddressBook::is_v6(own) || may_send_from_v6(own);
  }

  /// Of IPv6 packets, as configured or as a router says (RFC 4861 6.3.4).
  std::uint8_t hop_limit6() const;
  std::uint16_t link_mtu6() const;

  /// The IPv6 side; nullptr without config.ip6.
  Interface6* six() { return six_.get(); }
  const Interface6* six() const { return six_.get(); }

  /// Does what is due: retries, verifications, the second announcement. Bounded; returns how much
  /// there was. What is left over is due at once (next_deadline() in the past).
  std::size_t expire(Instant now);
  Instant next_deadline() const;

  std::uint32_t waiting_frames() const;

  /// Appends a snapshot of the neighbour table, in no particular order.
  void list_neighbours(Instant now, std::vector<NeighbourInfo>& out) const;

 private:
  bool may_send_from_v6(std::uint32_t own) const;
  void report_timeout(std::span<const std::byte> packet, Instant now);

  Egress& egress_;
  Counters& counters_;
  Generation generation_;
  Route route_;
  ArpSender sender_;
  NeighbourTable neighbours_;
  ArpResponder arp_;
  EchoResponder echo_;
  IcmpErrorSender errors_;
  Reassembler reassembler_;
  std::unique_ptr<Interface6> six_;
};

}  // namespace tern::net
