// SPDX-License-Identifier: BSD-3-Clause
#include "flow/toeplitz.h"

#include <algorithm>

#include "base/assert.h"
#include "base/bytes.h"

namespace tern::flow {
namespace {

std::uint8_t* append_be16(std::uint8_t* out, std::uint16_t value) {
  store_be16(reinterpret_cast<std::byte*>(out), value);
  return out + sizeof value;
}

std::uint8_t* append_be32(std::uint8_t* out, std::uint32_t value) {
  store_be32(reinterpret_cast<std::byte*>(out), value);
  return out + sizeof value;
}

}  // namespace

std::uint32_t toeplitz_hash(std::span<const std::uint8_t> key,
                            std::span<const std::uint8_t> input) {
  TERN_ASSERT(key.size() >= input.size() + 4);
  std::uint32_t window =
      load_be32(std::as_bytes(key).data());  // 32 bits of the key, sliding by one
  std::uint32_t hash = 0;
  for (std::size_t i = 0; i < input.size(); ++i) {
    for (int bit = 7; bit >= 0; --bit) {
      if (input[i] >> bit & 1) hash ^= window;
      window = window << 1 | (key[i + 4] >> bit & 1U);
    }
  }
  return hash;
}

std::uint32_t rss_hash(std::span<const std::uint8_t> key, const FourTuple4& tuple) {
  std::array<std::uint8_t, 12> input;
  std::uint8_t* out = append_be32(input.data(), tuple.remote_address);
  out = append_be32(out, tuple.local_address);
  out = append_be16(out, tuple.remote_port);
  append_be16(out, tuple.local_port);
  return toeplitz_hash(key, input);
}

std::uint32_t rss_hash(std::span<const std::uint8_t> key, const FourTuple6& tuple) {
  std::array<std::uint8_t, 36> input;
  std::uint8_t* out = std::ranges::copy(tuple.remote_address, input.data()).out;
  out = std::ranges::copy(tuple.local_address, out).out;
  out = append_be16(out, tuple.remote_port);
  append_be16(out, tuple.local_port);
  return toeplitz_hash(key, input);
}

}  // namespace tern::flow
