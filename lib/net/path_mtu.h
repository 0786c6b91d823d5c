// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>

#include "tern/time.h"

namespace tern::net {

/// The MTU of the paths on which less than the interface's was found (RFC 1191): a cache, so that a
/// new connection does not have to learn it again. Fixed size; a destination that falls into the
/// place of another one replaces it. Addresses in host byte order,
/// or handles of the AddressBook. Thread: the stack's.
class PathMtuCache {
 public:
  /// RFC 1191 says 68; a host that is told so by a forged message would drown in headers (RFC 5927
  /// 7.2). Linux's floor, too.
  static constexpr std::uint16_t kFloor = 552;
  /// Then the path is tried anew with the interface's MTU (RFC 1191 6.3).
  static constexpr Duration kLifetime = std::chrono::minutes(10);

  /// `key`: secret bits, so that nobody can choose addresses that displace each other.
  explicit PathMtuCache(std::uint64_t key) : multiplier_(key | 1) {}

  /// The known MTU towards `destination`, or `interface_mtu`.
  std::uint16_t mtu(std::uint32_t destination, std::uint16_t interface_mtu, Instant now) const {
    const Entry& entry = entries_[slot(destination)];
    const bool known = entry.destination == destination && now < entry.expires;
    return known && entry.mtu < interface_mtu ? entry.mtu : interface_mtu;
  }

  /// Remembers a smaller MTU; never a larger one than is known. Returns the destination of which
  /// there is one entry less than if a new one had been made: `destination` itself if it had one,
  /// or the one that was displaced; 0 = none. Who counts references gives that one up.
  std::uint32_t learn(std::uint32_t destination, std::uint16_t mtu, Instant now) {
    Entry& entry = entries_[slot(destination)];
    const std::uint32_t former = entry.destination;
    if (former == destination && now < entry.expires && entry.mtu <= mtu) return former;
    entry = {destination, mtu, now + kLifetime};
    return former;
  }

  static constexpr std::size_t kEntries = 256;

 private:
  struct Entry {
    std::uint32_t destination = 0;  // 0 is nobody's address
    std::uint16_t mtu = 0;
    Instant expires{};
  };
  std::size_t slot(std::uint32_t destination) const { return destination * multiplier_ >> 56; }

  std::uint64_t multiplier_;
  std::array<Entry, kEntries> entries_{};
};

}  // namespace tern::net
