// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tern {

// Unaligned big-endian loads and stores: each compiles to a move and a byte swap.

inline std::uint8_t load_u8(const std::byte* p) { return static_cast<std::uint8_t>(*p); }

inline std::uint16_t load_be16(const std::byte* p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}

inline std::uint32_t load_be32(const std::byte* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}

inline std::uint64_t load_be64(const std::byte* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}

inline void store_u8(std::byte* p, std::uint8_t v) { *p = static_cast<std::byte>(v); }

inline void store_be16(std::byte* p, std::uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof v);
}

inline void store_be32(std::byte* p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof v);
}

/// memcpy for text of any length, as the C library does it. Where g++ 12 knows that a length is at
/// most some KB it writes `rep movsq` in place of the call, and a bulk sender gets 9 % less: so it
/// must not know.
inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) {
  asm("" : "+r"(bytes));
  std::memcpy(to, from, bytes);
}

}  // namespace tern
