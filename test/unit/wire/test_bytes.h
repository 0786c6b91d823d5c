// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/prng.h"

namespace tern::wire {

using Bytes = std::vector<std::byte>;

/// A copy in a heap block of exactly its size, where ASan sees a read of one byte too many.
class ExactBlock {
 public:
  explicit ExactBlock(std::span<const std::byte> bytes)
      : block_(new std::byte[bytes.size()]), size_(bytes.size()) {
    if (size_ != 0) std::memcpy(block_.get(), bytes.data(), size_);
  }
  std::span<std::byte> bytes() const { return {block_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> block_;
  std::size_t size_;
};

/// "4500 003c" -> {45, 00, 00, 3c}; spaces are skipped.
inline Bytes from_hex(std::string_view text) {
  Bytes bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

inline Bytes random_bytes(Prng& prng, std::size_t count) {
  Bytes bytes(count);
  for (std::byte& b : bytes) b = static_cast<std::byte>(prng.next());
  return bytes;
}

/// RFC 1071 4.1's loop, in host byte order and as slow as it reads: the sum, folded, not
/// complemented.
inline std::uint16_t textbook_sum(std::span<const std::byte> bytes, std::uint64_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  }
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// The checksum to store, in host order.
inline std::uint16_t textbook_checksum(std::span<const std::byte> bytes, std::uint64_t sum = 0) {
  return static_cast<std::uint16_t>(~textbook_sum(bytes, sum));
}

inline void put_be16(Bytes& bytes, std::size_t at, std::uint32_t value) {
  bytes.at(at) = static_cast<std::byte>(value >> 8);
  bytes.at(at + 1) = static_cast<std::byte>(value);
}

inline std::uint16_t swapped(std::uint16_t v) {
  return static_cast<std::uint16_t>(v >> 8 | v << 8);
}

}  // namespace tern::wire
