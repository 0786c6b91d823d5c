// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>

#include "tern/address.h"

namespace tern::net {

/// What became of a question.
enum class Asked : std::uint8_t {
  kSent,
  kNoFrame,    ///< there was none to send it in
  kNoAddress,  ///< there is no address of ours to ask from, yet
};

/// What a neighbour table needs of its address family, whose addresses are numbers to it: IPv4's
/// in host byte order, or handles of flow::AddressBook.
class NeighbourAsker {
 public:
  /// Asks who has `address`: everybody, or the host that is thought to have it.
  virtual Asked request(std::uint32_t address) = 0;
  virtual Asked request(std::uint32_t address, const MacAddress& to) = 0;

  virtual IpAddress address_of(std::uint32_t address) const = 0;

  /// The table has an entry for `address` from now on, or no longer.
  virtual void keep(std::uint32_t address) = 0;
  virtual void forget(std::uint32_t address) = 0;

 protected:
  ~NeighbourAsker() = default;
};

/// What a neighbour advertisement says (RFC 4861 4.4).
struct NeighbourClaim {
  std::optional<MacAddress> mac{};
  bool solicited = false;  // it answers a question of ours
  bool overrides = false;  // what is known is out of date
};

}  // namespace tern::net
