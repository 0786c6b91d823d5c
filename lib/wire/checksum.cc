// SPDX-License-Identifier: BSD-3-Clause
#include "wire/checksum.h"

namespace tern::wire {
namespace {

inline std::uint64_t load_64(const std::byte* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Eight bytes as two 32-bit words: their sum needs no carry handling, since a 64-bit accumulator
// holds 2^32 of them. Compilers turn the loop below into vector adds; a chain of add-with-carry is
// slower where the compiler does not see it (g++ 12: 106 ns against 62 ns for 1460 bytes).
inline std::uint64_t halves(std::uint64_t word) { return (word & 0xffffffff) + (word >> 32); }

inline std::uint64_t sum_tail(const std::byte* p, std::size_t length) {  // length < 8
  std::uint64_t sum = 0;
  if (length & 4) {
    sum += checksum_internal::load_32(p);
    p += 4;
  }
  if (length & 2) {
    sum += load_checksum(p);
    p += 2;
  }
  if (length & 1) sum += static_cast<std::uint8_t>(*p);  // the low byte of a zero-padded word
  return sum;
}

}  // namespace

std::uint32_t checksum_partial(std::span<const std::byte> bytes, std::uint32_t initial) {
  const std::byte* p = bytes.data();
  std::size_t length = bytes.size();
  std::uint64_t a = initial, b = 0, c = 0, d = 0;
  for (; length >= 32; length -= 32, p += 32) {
    a += halves(load_64(p));
    b += halves(load_64(p + 8));
    c += halves(load_64(p + 16));
    d += halves(load_64(p + 24));
  }
  a += b + c + d;
  for (; length >= 8; length -= 8, p += 8) a += halves(load_64(p));
  return checksum_internal::fold_to_32(a + sum_tail(p, length));
}

std::uint32_t checksum_pseudo_ipv6(std::span<const std::byte, 32> addresses,
                                   std::uint8_t next_header, std::uint32_t length) {
  const std::uint64_t rest =
      std::uint64_t{__builtin_bswap32(length)} + (std::uint64_t{next_header} << 24);
  return checksum_partial(addresses, checksum_internal::fold_to_32(rest));
}

std::uint32_t checksum_pseudo_ipv6(const std::array<std::uint8_t, 16>& source,
                                   const std::array<std::uint8_t, 16>& destination,
                                   std::uint8_t next_header, std::uint32_t length) {
  std::array<std::byte, 32> addresses;
  std::memcpy(addresses.data(), source.data(), source.size());
  std::memcpy(addresses.data() + source.size(), destination.data(), destination.size());
  return checksum_pseudo_ipv6(addresses, next_header, length);
}

}  // namespace tern::wire
