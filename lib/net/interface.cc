// SPDX-License-Identifier: BSD-3-Clause
#include "net/interface.h"

#include <algorithm>

#include "net/interface6.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"

namespace tern::net {
namespace {

constexpr NeighbourPolicy kArpPolicy{.ether_type = wire::ether_type::kIpv4,
                                     .reachable_time = NeighbourTable::kReachableTime,
                                     .uses_delay = false,
                                     .max_waiting = NeighbourTable::kMaxWaiting};

// One purpose each of the key that the interface is given.
enum Purpose : std::uint64_t { kInterface6 = 6, kFragments, kReassembly };

}  // namespace

Interface::Interface(const StackConfig& config, Egress& egress, Counters& counters,
                     const SipKey& key, flow::AddressBook& book, StackNumber stack)
    : egress_(egress),
      counters_(counters),
      route_(config),
      sender_(route_.own_address(), egress, counters),
      neighbours_(config.max_neighbours, kArpPolicy, sender_, egress, counters, key, generation_),
      arp_(route_, neighbours_, sender_, counters),
      echo_(route_, neighbours_, egress, counters, FragmentIds(derive_key(key, kFragments), stack)),
      errors_(route_, neighbours_, egress),
      reassembler_(config.max_reassembly, derive_key(key, kReassembly), counters) {
  if (route_.gateway() != 0) neighbours_.pin(route_.gateway());
  if (config.ip6)
    six_ = std::make_unique<Interface6>(config, egress, counters, derive_key(key, kInterface6),
                                        book, generation_, stack);
}

Interface::~Interface() = default;

bool Interface::has_route(std::uint32_t destination) const {
  if (flow::AddressBook::is_v6(destination)) return six_ && six_->has_route(destination);
  return route_.next_hop(destination) != 0;
}

bool Interface::may_send_from_v6(std::uint32_t own) const {
  return six_ && six_->may_send_from(own);
}

void Interface::hear(const NeighbourNews& news, Instant now) {
  if (news.address.is_v4()) return arp_.hear(news, now);
  if (six_) six_->hear(news, now);
}

void Interface::announce(Instant now) {
  arp_.announce(now);
  if (six_) six_->start(now);
}

std::uint16_t Interface::link_mtu6() const {
  return six_ ? six_->link_mtu() : egress_.port_info().mtu;
}

std::uint8_t Interface::hop_limit6() const {
  return six_ ? six_->hop_limit() : Route6::kDefaultHopLimit;
}

std::uint32_t Interface::waiting_frames() const {
  return neighbours_.waiting_frames() + (six_ ? six_->waiting_frames() : 0);
}

void Interface::list_neighbours(Instant now, std::vector<NeighbourInfo>& out) const {
  neighbours_.list(now, out);
  if (six_) six_->list_neighbours(now, out);
}

LinkState Interface::link_header(std::uint32_t destination, std::byte* out14, Instant now) {
  if (flow::AddressBook::is_v6(destination))
    return six_ ? six_->link_header(destination, out14, now) : LinkState::kFailed;
  const std::uint32_t next_hop = route_.next_hop(destination);
  if (next_hop == 0) return LinkState::kFailed;
  MacAddress mac;
  const LinkState state = neighbours_.look_up(next_hop, mac, now);
  if (state == LinkState::kReady)
    wire::write_ethernet(out14, {mac, sender_.own_mac(), wire::ether_type::kIpv4});
  return state;
}

void Interface::note_no_progress(std::uint32_t destination, Instant now) {
  if (flow::AddressBook::is_v6(destination)) {
    if (six_) six_->note_no_progress(destination, now);
  } else if (const std::uint32_t next_hop = route_.next_hop(destination); next_hop != 0) {
    neighbours_.doubt(next_hop, now);
  }
}

[[gnu::noinline]] void Interface::send_ip(const Frame& frame, std::uint32_t destination,
                                          Instant now) {
  if (flow::AddressBook::is_v6(destination) && six_) return six_->send_ip(frame, destination, now);
  const std::uint32_t next_hop = route_.next_hop(destination);
  if (next_hop != 0) return neighbours_.send(frame, next_hop, now);
  ++counters_.drop_neighbour_unresolved;
  egress_.discard(frame);
}

[[gnu::noinline]] void Interface::answer_ip(const Frame& frame, std::uint32_t destination,
                                            Instant now) {
  if (flow::AddressBook::is_v6(destination) && six_)
    return six_->answer_ip(frame, destination, now);
  const std::uint32_t next_hop = route_.next_hop(destination);
  if (next_hop != 0) return neighbours_.answer(frame, next_hop, now);
  ++counters_.drop_neighbour_unresolved;
  egress_.discard(frame);
}

std::size_t Interface::expire(Instant now) {
  const std::size_t timed_out = reassembler_.expire(
      now, [&](std::span<const std::byte> packet) { report_timeout(packet, now); });
  return timed_out + arp_.expire(now) + neighbours_.expire(now) + (six_ ? six_->expire(now) : 0);
}

void Interface::report_timeout(std::span<const std::byte> packet, Instant now) {
  constexpr std::uint8_t kReassembly = 1;  // RFC 792: fragment reassembly time exceeded
  if (load_u8(packet.data()) >> 4 != 4) return six_->report_timeout(packet, now);
  if (errors_.send(wire::icmp_type::kTimeExceeded, kReassembly, packet, now))
    ++counters_.icmp_time_exceeded_out;
}

Instant Interface::next_deadline() const {
  return std::min({arp_.next_deadline(), neighbours_.next_deadline(), reassembler_.next_deadline(),
                   six_ ? six_->next_deadline() : kNever});
}

}  // namespace tern::net
