// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tern {

/// A 128-bit secret. Each purpose has its own, derived from the stack's secret with derive_key.
struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
  friend bool operator==(const SipKey&, const SipKey&) = default;
};

/// SipHash-c-d (Aumasson, Bernstein 2012) over whole 64-bit words, of which the last carries the
/// byte count in its top byte as the specification's padding does. Use the wrappers below.
template <int kCompress, int kFinalize>
class SipHasher {
 public:
  explicit constexpr SipHasher(const SipKey& key)
      : v0_(key.k0 ^ 0x736f6d6570736575ULL),
        v1_(key.k1 ^ 0x646f72616e646f6dULL),
        v2_(key.k0 ^ 0x6c7967656e657261ULL),
        v3_(key.k1 ^ 0x7465646279746573ULL) {}

  constexpr void add(std::uint64_t word) {
    v3_ ^= word;
    for (int i = 0; i < kCompress; ++i) round();
    v0_ ^= word;
  }

  constexpr std::uint64_t finish() {
    v2_ ^= 0xff;
    for (int i = 0; i < kFinalize; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  // std::rotl, and this whole round, become calls where the compiler finds the caller large enough.
  [[gnu::always_inline]] static constexpr std::uint64_t rotate(std::uint64_t word, int bits) {
    return word << bits | word >> (64 - bits);
  }
  [[gnu::always_inline]] constexpr void round() {
    v0_ += v1_;
    v1_ = rotate(v1_, 13);
    v1_ ^= v0_;
    v0_ = rotate(v0_, 32);
    v2_ += v3_;
    v3_ = rotate(v3_, 16);
    v3_ ^= v2_;
    v0_ += v3_;
    v3_ = rotate(v3_, 21);
    v3_ ^= v0_;
    v2_ += v1_;
    v1_ = rotate(v1_, 17);
    v1_ ^= v2_;
    v2_ = rotate(v2_, 32);
  }
  std::uint64_t v0_, v1_, v2_, v3_;
};

/// SipHash over any bytes.
template <int kCompress, int kFinalize>
std::uint64_t siphash(const SipKey& key, std::span<const std::byte> bytes) {
  SipHasher<kCompress, kFinalize> hasher(key);
  std::size_t offset = 0;
  for (; offset + 8 <= bytes.size(); offset += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + offset, 8);
    hasher.add(word);
  }
  std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
  for (int shift = 0; offset < bytes.size(); ++offset, shift += 8)
    last |= static_cast<std::uint64_t>(bytes[offset]) << shift;
  hasher.add(last);
  return hasher.finish();
}

/// SipHash-2-4: for what an attacker may see or guess at (ISN, ports, cookies).
inline std::uint64_t siphash24(const SipKey& key, std::span<const std::byte> bytes) {
  return siphash<2, 4>(key, bytes);
}
/// SipHash-1-3: for the connection table, where only collisions count.
inline std::uint64_t siphash13(const SipKey& key, std::span<const std::byte> bytes) {
  return siphash<1, 3>(key, bytes);
}

/// An independent key for one purpose.
inline SipKey derive_key(const SipKey& secret, std::uint64_t purpose) {
  SipHasher<2, 4> low(secret), high(secret);
  low.add(purpose << 1);
  high.add(purpose << 1 | 1);
  return {low.finish(), high.finish()};
}

}  // namespace tern
