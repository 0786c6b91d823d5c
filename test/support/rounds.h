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

}  // namespace tern::test
