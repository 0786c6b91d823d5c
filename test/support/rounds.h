// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace tern::test {

/// How many seeds, bursts or rounds a property test tries: `count`, and a quarter of it in builds
/// for another compiler or a sanitizer, where each takes up to six times as long. The release build
/// tries them all.
constexpr std::uint64_t rounds(std::uint64_t count) {
#if defined(TERN_TEST_EVERYTHING)
  return count;
#else
  return (count + 3) / 4;
#endif
}

/// Whether case number n of a sweep over everything is tried: each in the release build, and about
/// a quarter of them in the others, spread without a pattern. Another `sweep` of the same cases
/// tries other ones.
constexpr bool is_tried(std::uint64_t n, std::uint64_t sweep = 0) {
  return ((n + sweep) * 0x9e3779b97f4a7c15 >> 32) % 4 < rounds(4);
}

}  // namespace tern::test
