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

void write_ipv4(std::byte* out, const Ipv4Header& header) {
  store_u8(out, 0x45);
  store_u8(out + 1, header.traffic_class);
  store_be16(out + 2, header.total_bytes);
  store_be16(out + 4, header.id);
  store_be16(out + 6, header.dont_fragment ? 0x4000 : 0);
  store_u8(out + 8, header.ttl);
  store_u8(out + 9, header.protocol);
  store_checksum(out + kIpv4ChecksumOffset, 0);
  store_be32(out + 12, header.source);
  store_be32(out + 16, header.destination);
  const std::span<const std::byte, kIpv4HeaderBytes> written(out, kIpv4HeaderBytes);
  store_checksum(out + kIpv4ChecksumOffset, checksum_finish(checksum_partial_20(written)));
}

}  // namespace tern::wire
