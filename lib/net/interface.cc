// SPDX-License-Identifier: BSD-3-Clause
#include "net/interface.h"

#include <algorithm>

#include "wire/ethernet.h"

namespace tern::net {

Interface::Interface(const StackConfig& config, Egress& egress, Counters& counters,
                     const SipKey& key)
    : egress_(egress),
      counters_(counters),
      route_(config),
      sender_(route_.own_address(), egress, counters),
      neighbours_(config.max_neighbours, route_.gateway(), sender_, egress, counters, key),
      arp_(route_, neighbours_, sender_, counters),
      echo_(route_, neighbours_, egress, counters) {}

LinkState Interface::link_header(std::uint32_t destination, std::byte* out14, Instant now) {
  const std::uint32_t next_hop = route_.next_hop(destination);
  if (next_hop == 0) return LinkState::kFailed;
  MacAddress mac;
  const LinkState state = neighbours_.look_up(next_hop, mac, now);
  if (state == LinkState::kReady)
    wire::write_ethernet(out14, {mac, sender_.own_mac(), wire::ether_type::kIpv4});
  return state;
}

[[gnu::noinline]] void Interface::send_ip(const Frame& frame, std::uint32_t destination,
                                          Instant now) {
  const std::uint32_t next_hop = route_.next_hop(destination);
  if (next_hop != 0) return neighbours_.send(frame, next_hop, now);
  ++counters_.drop_neighbour_unresolved;
  egress_.discard(frame);
}

std::size_t Interface::expire(Instant now) { return arp_.expire(now) + neighbours_.expire(now); }

Instant Interface::next_deadline() const {
  return std::min(arp_.next_deadline(), neighbours_.next_deadline());
}

}  // namespace tern::net
