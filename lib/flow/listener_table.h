// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/container/flat_hash_map.h>

#include <bitset>
#include <cstdint>

#include "base/index_pool.h"
#include "flow/address_book.h"

namespace tern::flow {

/// From a local address and port to the index of who listens there. Addresses are IPv4's in host
/// order or handles of the AddressBook. A listener on its family's wildcard (0, AddressBook::kAny)
/// takes what no listener on the exact address and port takes; nothing of the other family, as
/// IPV6_V6ONLY has it.
///
/// Every SYN asks here, so a flood does: most of a port scan ends at one bit of an 8 KB map, and no
/// look-up allocates or depends on more than two hash probes. The keys in the map are ours, so a
/// peer cannot make them collide. Thread rule: one thread.
class ListenerTable {
 public:
  explicit ListenerTable(std::uint32_t max_listeners);

  /// False when the very same address and port has a listener already, or the table is full.
  bool insert(std::uint32_t address, std::uint16_t port, std::uint32_t listener);

  /// False when nobody listens there. The address is the listener's own: a wildcard is a wildcard
  /// listener, and no other is touched.
  bool erase(std::uint32_t address, std::uint16_t port);

  /// Who takes a SYN to this address and port; kNoIndex = nobody.
  std::uint32_t find(std::uint32_t address, std::uint16_t port) const {
    if (!ports_.test(port)) return kNoIndex;
    if (exact_count_ > 0) {
      if (const auto it = listeners_.find(key(address, port)); it != listeners_.end())
        return it->second;
    }
    const auto it = listeners_.find(key(wildcard_of(address), port));
    return it == listeners_.end() ? kNoIndex : it->second;
  }

  std::uint32_t size() const { return static_cast<std::uint32_t>(listeners_.size()); }

 private:
  static std::uint64_t key(std::uint32_t address, std::uint16_t port) {
    return std::uint64_t{address} << 16 | port;
  }
  static constexpr std::uint32_t wildcard_of(std::uint32_t address) {
    return AddressBook::is_v6(address) ? AddressBook::kAny : 0;
  }
  static constexpr bool is_wildcard(std::uint32_t address) {
    return address == wildcard_of(address);
  }

  std::bitset<65536> ports_;  // those on which anybody listens
  std::uint32_t max_listeners_;
  std::uint32_t exact_count_ = 0;  // listeners on an address of their own
  absl::flat_hash_map<std::uint64_t, std::uint32_t> listeners_;
};

}  // namespace tern::flow
