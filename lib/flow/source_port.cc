// SPDX-License-Identifier: BSD-3-Clause
#include "flow/source_port.h"

#include "base/assert.h"

namespace tern::flow {
namespace {

// [0, bound) from 32 uniform bits, without a division.
constexpr std::uint32_t scale(std::uint32_t bits, std::uint32_t bound) {
  return static_cast<std::uint32_t>(std::uint64_t{bits} * bound >> 32);
}

// Keys of their own, so that no input of one function is an input of another.
enum Purpose : std::uint64_t { kPlaces = 1, kCounterStarts = 2 };

constexpr std::size_t kStartsPerHash = 4;  // 16 bits of it for each: a stack starts sooner

}  // namespace

SourcePorts::SourcePorts(const SipKey& key, std::uint16_t first, std::uint16_t last)
    : key_(derive_key(key, kPlaces)), first_(first), port_count_(last - first + 1U) {
  TERN_ASSERT(first >= 1 && first <= last);
  const SipKey starts = derive_key(key, kCounterStarts);
  for (std::size_t i = 0; i < kCounters; i += kStartsPerHash) {
    SipHasher<2, 4> hasher(starts);
    hasher.add(i);
    const std::uint64_t hash = hasher.finish();
    for (std::size_t part = 0; part < kStartsPerHash; ++part)
      counters_[i + part] =
          static_cast<std::uint16_t>((hash >> 16 * part & 0xffff) * port_count_ >> 16);
  }
}

// F and G are the two halves of one keyed hash: SipHash's 64 bits are a pseudo-random function's,
// so neither half tells of the other.
SourcePorts::Place SourcePorts::place_of(const FlowName& destination) const {
  SipHasher<2, 4> hasher(key_);
  hasher.add(destination.addresses);
  hasher.add(destination.remote_port);
  const std::uint64_t hash = hasher.finish();
  return {scale(static_cast<std::uint32_t>(hash), port_count_), (hash >> 32) % kCounters};
}

}  // namespace tern::flow
