// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tern/address.h"

namespace tern::net {

/// The IPv6 addresses of an interface, and whether they may be used (RFC 4862 5.4): the configured
/// one and the link-local one, which may be the same.
class OwnAddresses6 {
 public:
  enum class State : std::uint8_t {
    kTentative,  ///< others are being asked whether they have it
    kUsable,
    kDuplicate,  ///< somebody has it: not used
  };
  struct Address {
    Ipv6Address address{};
    State state = State::kTentative;
  };

  OwnAddresses6(const Ipv6Address& global, const Ipv6Address& link_local)
      : addresses_{Address{global}, Address{link_local}}, count_(global == link_local ? 1 : 2) {}

  std::span<Address> all() { return {addresses_.data(), count_}; }
  std::span<const Address> all() const { return {addresses_.data(), count_}; }

  const Ipv6Address& global() const { return addresses_[0].address; }
  const Ipv6Address& link_local() const { return addresses_[count_ - 1].address; }

  bool is_own(const Ipv6Address& address) const { return find(address) != nullptr; }
  bool is_usable(const Ipv6Address& address) const {
    const Address* own = find(address);
    return own != nullptr && own->state == State::kUsable;
  }
  bool is_tentative(const Ipv6Address& address) const {
    const Address* own = find(address);
    return own != nullptr && own->state == State::kTentative;
  }
  bool is_duplicate(const Ipv6Address& address) const {
    const Address* own = find(address);
    return own != nullptr && own->state == State::kDuplicate;
  }

  /// Whether none may be used, ever.
  bool is_lost() const {
    for (const Address& own : all())
      if (own.state != State::kDuplicate) return false;
    return true;
  }

  /// Bit i: the i-th of all() may be used.
  std::uint8_t usable_mask() const { return mask_of(State::kUsable); }
  /// Bit i: the i-th is another's.
  std::uint8_t duplicate_mask() const { return mask_of(State::kDuplicate); }

  /// The address to speak to `destination` from: one of its scope if there is one that may be used,
  /// else any; nullptr if there is none (RFC 6724 5, rule 2).
  const Ipv6Address* source_for(const Ipv6Address& destination) const;

  /// Another host has it. The link-local address is made of the MAC, so that one which is taken
  /// means that the MAC is: then none may be used (RFC 4862 5.4.5). False: that is known, or it is
  /// no address of ours.
  bool set_duplicate(const Ipv6Address& address);

 private:
  std::uint8_t mask_of(State state) const {
    std::uint8_t mask = 0;
    for (std::size_t i = 0; i < count_; ++i)
      if (addresses_[i].state == state) mask |= static_cast<std::uint8_t>(1u << i);
    return mask;
  }
  const Address* find(const Ipv6Address& address) const {
    for (const Address& own : all())
      if (own.address == address) return &own;
    return nullptr;
  }

  std::array<Address, 2> addresses_;
  std::size_t count_;
};

}  // namespace tern::net
