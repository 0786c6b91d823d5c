// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace tern::test {

/// How many seeds, bursts or rounds a property test tries: `count`, and a quarter of it under
/// AddressSanitizer, which makes each about six times as long. The optimised build tries them all.
constexpr std::uint64_t rounds(std::uint64_t count) {
#if defined(__SANITIZE_ADDRESS__)
  return (count + 3) / 4;
#else
  return count;
#endif
}

/// Whether case number n of a sweep over everything is tried: each, and about a quarter of them
/// under AddressSanitizer, spread without a pattern. Another `sweep` of the same cases tries other
/// ones.
constexpr bool is_tried(std::uint64_t n, std::uint64_t sweep = 0) {
  return ((n + sweep) * 0x9e3779b97f4a7c15 >> 32) % 4 < rounds(4);
}

}  // namespace tern::test
