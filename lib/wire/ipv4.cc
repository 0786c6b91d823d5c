// SPDX-License-Identifier: BSD-3-Clause
#include "wire/ipv4.h"

namespace tern::wire {

bool has_source_route(std::span<const std::byte> options) {
  std::size_t i = 0;
  while (i < options.size()) {
    const std::uint8_t type = load_u8(&options[i]);
    if (type == ipv4_option::kEnd) return false;
    if (type == ipv4_option::kNop) {
      ++i;
      continue;
    }
    if (type == ipv4_option::kLooseSourceRoute || type == ipv4_option::kStrictSourceRoute) {
      return true;  // whatever its length says
    }
    if (options.size() - i < 2) return false;
    const std::size_t length = load_u8(&options[i + 1]);
    if (length < 2 || length > options.size() - i) return false;
    i += length;
  }
  return false;
}

// Whole words, which are summed up on their way: to load what was just stored in smaller pieces
// stalls.
void write_ipv4(std::byte* out, const Ipv4Header& header) {
  const std::uint32_t words[] = {
      0x45000000u | std::uint32_t{header.traffic_class} << 16 | header.total_bytes,
      std::uint32_t{header.id} << 16 | (header.dont_fragment ? 0x4000u : 0u),
      std::uint32_t{header.ttl} << 24 | std::uint32_t{header.protocol} << 16,
      header.source,
      header.destination,
  };
  std::uint64_t sum = 0;
  for (const std::uint32_t word : words) {
    store_be32(out, word);
    sum += __builtin_bswap32(word);
    out += sizeof word;
  }
  store_checksum(out - kIpv4HeaderBytes + kIpv4ChecksumOffset,
                 checksum_finish(checksum_internal::fold_to_32(sum)));
}

}  // namespace tern::wire
