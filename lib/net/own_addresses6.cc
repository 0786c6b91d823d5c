// SPDX-License-Identifier: BSD-3-Clause
#include "net/own_addresses6.h"

#include "wire/ipv6_scope.h"

namespace tern::net {

const Ipv6Address* OwnAddresses6::source_for(const Ipv6Address& destination) const {
  const bool local = destination.is_link_local() || destination.is_multicast();
  const Ipv6Address* found = nullptr;
  for (const Address& own : all()) {
    if (own.state != State::kUsable) continue;
    if (found == nullptr || own.address.is_link_local() == local) found = &own.address;
  }
  return found;
}

bool OwnAddresses6::set_duplicate(const Ipv6Address& address) {
  bool changed = false;
  const bool all_of_them = address == link_local();
  for (Address& own : all()) {
    if (own.state == State::kDuplicate || !(all_of_them || own.address == address)) continue;
    own.state = State::kDuplicate;
    changed = true;
  }
  return changed;
}

}  // namespace tern::net
