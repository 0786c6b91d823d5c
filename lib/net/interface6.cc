// SPDX-License-Identifier: BSD-3-Clause
#include "net/interface6.h"

#include <algorithm>

#include "wire/ethernet.h"
#include "wire/ipv6_scope.h"

namespace tern::net {
namespace {

// One purpose each of the key that the interface is given.
enum Purpose : std::uint64_t { kTable, kReports, kJitter, kFragments };

std::uint32_t jitter_of(const SipKey& key) {
  return static_cast<std::uint32_t>(derive_key(key, kJitter).k0);
}

NeighbourPolicy policy(const SipKey& key) {
  return {.ether_type = wire::ether_type::kIpv6,
          .reachable_time = jittered(Interface6::kReachableTime, jitter_of(key)),
          .uses_delay = true,
          .max_waiting = NeighbourTable::kMaxWaiting6};
}

}  // namespace

Interface6::Interface6(const StackConfig& config, Egress& egress, Counters& counters,
                       const SipKey& key, flow::AddressBook& book, Generation& generation,
                       StackNumber stack)
    : egress_(egress),
      counters_(counters),
      book_(book),
      own_(config.ip6->address, wire::link_local_of(egress.port_info().mac)),
      sender_(own_, book, egress, counters),
      neighbours_(config.max_neighbours, policy(key), sender_, egress, counters,
                  derive_key(key, kTable), generation),
      route_(config, own_, egress.port_info().mtu, book, neighbours_, generation, jitter_of(key)),
      detection_(own_, sender_, counters, config.dad_transmits6),
      reports_(own_, sender_, derive_key(key, kReports)),
      solicitor_(sender_),
      discovery_(
          {own_, route_, neighbours_, sender_, detection_, solicitor_, book, egress, counters}),
      responder_(own_, route_, neighbours_, book, egress, counters,
                 FragmentIds(derive_key(key, kFragments), stack)) {}

bool Interface6::has_route(std::uint32_t destination) const {
  const bool local = book_.address(destination).is_link_local();
  return !own_.is_duplicate(local ? own_.link_local() : own_.global()) &&
         route_.next_hop(destination) != 0;
}

// A stranger who is to be asked for needs a handle; the entry then has a reference to it.
LinkState Interface6::link_header(std::uint32_t destination, std::byte* out14, Instant now) {
  const std::uint32_t next_hop = route_.next_hop(destination);
  if (next_hop == 0) return LinkState::kFailed;
  const std::uint32_t handle = book_.keep(next_hop);
  if (handle == flow::AddressBook::kNone) return LinkState::kUnresolved;
  MacAddress mac;
  const LinkState state = neighbours_.look_up(handle, mac, now);
  book_.release(handle);
  if (state == LinkState::kReady)
    wire::write_ethernet(out14, {mac, sender_.own_mac(), wire::ether_type::kIpv6});
  return state;
}

// The next hop with a reference of the caller's; if there is none, the frame is dropped.
std::uint32_t Interface6::hold_next_hop(const Frame& frame, std::uint32_t destination) {
  const std::uint32_t next_hop = route_.next_hop(destination);
  const std::uint32_t handle = next_hop == 0 ? 0 : book_.keep(next_hop);
  if (handle != flow::AddressBook::kNone) return handle;
  ++(next_hop == 0 ? counters_.drop_neighbour_unresolved : counters_.drop_neighbour_table);
  egress_.discard(frame);
  return handle;
}

void Interface6::send_ip(const Frame& frame, std::uint32_t destination, Instant now) {
  const std::uint32_t handle = hold_next_hop(frame, destination);
  if (handle == flow::AddressBook::kNone) return;
  neighbours_.send(frame, handle, now);
  book_.release(handle);
}

void Interface6::answer_ip(const Frame& frame, std::uint32_t destination, Instant now) {
  const std::uint32_t handle = hold_next_hop(frame, destination);
  if (handle == flow::AddressBook::kNone) return;
  neighbours_.answer(frame, handle, now);
  book_.release(handle);
}

void Interface6::start(Instant now) {
  if (detection_.has_probes()) reports_.start(now);  // before the probes (RFC 4862 5.4.2)
  detection_.start(now);
  if (!detection_.has_probes()) after_detection(now);
}

// The first reports had no address to come from (RFC 3810 5.2.13).
void Interface6::after_detection(Instant now) {
  reports_.start(now);
  solicitor_.start(now);
}

std::size_t Interface6::receive(const wire::Icmpv6Packet& packet, const MacAddress& link_source,
                                Instant now, std::span<NeighbourNews, kMaxNews> news) {
  namespace type = wire::icmpv6_type;
  const std::uint8_t kind = packet.message.empty() ? 0 : load_u8(packet.message.data());
  if (kind > type::kRouterSolicitation && kind <= type::kRedirect)
    return discovery_.receive(packet, link_source, now, news);
  if (const auto query = wire::parse_listener_query(packet))
    reports_.receive(*query, now);
  else
    responder_.receive(packet, now);
  return 0;
}

std::size_t Interface6::expire(Instant now) {
  std::size_t work = 0;
  if (detection_.next_deadline() <= now) {
    ++work;
    if (detection_.expire(now)) after_detection(now);
  }
  work += reports_.expire(now) + route_.expire(now) + neighbours_.expire(now);
  return work + (solicitor_.expire(now) ? 1 : 0);
}

Instant Interface6::next_deadline() const {
  return std::min({reports_.next_deadline(), route_.next_deadline(), neighbours_.next_deadline(),
                   detection_.next_deadline(), solicitor_.next_deadline()});
}

}  // namespace tern::net
