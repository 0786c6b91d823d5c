// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/isn.h"

namespace tern::tcp {
namespace {

enum class Purpose : std::uint8_t { kSequence = 1, kTimestamp = 2 };

/// SipHash-2-4 of the tuple's 12 bytes and the purpose.
std::uint32_t keyed(const SipKey& key, const flow::FourTuple4& tuple, Purpose purpose) {
  SipHasher<2, 4> hasher(key);
  hasher.add(std::uint64_t{tuple.local_address} << 32 | tuple.remote_address);
  hasher.add(std::uint64_t{13} << 56 | static_cast<std::uint64_t>(purpose) << 32 |
             std::uint64_t{tuple.local_port} << 16 | tuple.remote_port);
  return static_cast<std::uint32_t>(hasher.finish());
}

}  // namespace

wire::SeqNum initial_sequence(const SipKey& key, const flow::FourTuple4& tuple, Instant now) {
  const auto ticks = static_cast<std::uint64_t>(now.time_since_epoch().count()) >> 6;
  return wire::SeqNum(keyed(key, tuple, Purpose::kSequence) + static_cast<std::uint32_t>(ticks));
}

std::uint32_t timestamp_offset(const SipKey& key, const flow::FourTuple4& tuple) {
  return keyed(key, tuple, Purpose::kTimestamp);
}

}  // namespace tern::tcp
