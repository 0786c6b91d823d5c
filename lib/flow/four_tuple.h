// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "base/siphash.h"

namespace tern::flow {

/// What names a connection, seen from here. Host byte order, 12 bytes, no padding. The addresses
/// are IPv4's, or stand for IPv6's: see AddressBook.
struct FourTuple4 {
  std::uint32_t local_address = 0;
  std::uint32_t remote_address = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;

  // As they lie in memory: one load each. g++ compares member by member.
  constexpr std::uint64_t addresses() const {
    return std::uint64_t{remote_address} << 32 | local_address;
  }
  constexpr std::uint32_t ports() const { return std::uint32_t{remote_port} << 16 | local_port; }

  friend constexpr bool operator==(const FourTuple4& a, const FourTuple4& b) {
    return ((a.addresses() ^ b.addresses()) | (a.ports() ^ b.ports())) == 0;
  }
};
static_assert(sizeof(FourTuple4) == 12);

/// What names an IPv6 connection by its true addresses, as a device's hash wants it. Addresses in
/// network byte order.
struct FourTuple6 {
  std::array<std::uint8_t, 16> local_address{};
  std::array<std::uint8_t, 16> remote_address{};
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  friend constexpr bool operator==(const FourTuple6&, const FourTuple6&) = default;
};
static_assert(sizeof(FourTuple6) == 36);

/// What a keyed hash of a connection is taken of: ports, and 64 bits that stand for both addresses,
/// IPv4's themselves or a keyed hash of IPv6's (AddressBook::name).
struct FlowName {
  constexpr FlowName(const FourTuple4& t)  // NOLINT: implicit by design
      : FlowName(std::uint64_t{t.local_address} << 32 | t.remote_address, t.local_port,
                 t.remote_port) {}
  constexpr FlowName(std::uint64_t both, std::uint16_t local, std::uint16_t remote)
      : addresses(both), local_port(local), remote_port(remote) {}

  std::uint64_t addresses;
  std::uint16_t local_port;
  std::uint16_t remote_port;
};

/// A secret key, taken in.
using TableKey = SipHasher<1, 3>;

/// The connection table's hash: SipHash-1-3 under a secret key. A seeded CRC is not keyed (CRC is
/// affine, collisions survive every seed) and Toeplitz is linear: neither may index the table.
inline std::uint32_t table_hash(const TableKey& key, const FourTuple4& tuple) {
  TableKey hasher = key;
  hasher.add(std::rotl(tuple.addresses(), 32));  // the local one first, in the high half
  hasher.add(std::uint64_t{12} << 56 | std::rotl(tuple.ports(), 16));
  return static_cast<std::uint32_t>(hasher.finish());
}

inline std::uint32_t table_hash(const SipKey& key, const FourTuple4& tuple) {
  return table_hash(TableKey(key), tuple);
}

inline std::uint32_t table_hash(const SipKey& key, const FourTuple6& tuple) {
  return static_cast<std::uint32_t>(
      siphash13(key, std::as_bytes(std::span<const FourTuple6, 1>(&tuple, 1))));
}

}  // namespace tern::flow
