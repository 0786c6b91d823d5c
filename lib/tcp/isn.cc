// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/isn.h"

namespace tern::tcp {
namespace {

enum class Purpose : std::uint8_t { kSequence = 1, kTimestamp = 2 };

/// SipHash-2-4 of the name's 12 bytes and the purpose.
std::uint32_t keyed(const SipKey& key, const flow::FlowName& name, Purpose purpose) {
  SipHasher<2, 4> hasher(key);
  hasher.add(name.addresses);
  hasher.add(std::uint64_t{13} << 56 | static_cast<std::uint64_t>(purpose) << 32 |
             std::uint64_t{name.local_port} << 16 | name.remote_port);
  return static_cast<std::uint32_t>(hasher.finish());
}

}  // namespace

wire::SeqNum initial_sequence(const SipKey& key, const flow::FlowName& name, Instant now) {
  const auto ticks = static_cast<std::uint64_t>(now.time_since_epoch().count()) >> 6;
  return wire::SeqNum(keyed(key, name, Purpose::kSequence) + static_cast<std::uint32_t>(ticks));
}

std::uint32_t timestamp_offset(const SipKey& key, const flow::FlowName& name) {
  return keyed(key, name, Purpose::kTimestamp);
}

}  // namespace tern::tcp
