// SPDX-License-Identifier: BSD-3-Clause
#include "base/siphash.h"

#include <gtest/gtest.h>

#include <array>

namespace tern {
namespace {

// The paper's key, bytes 00 to 0f, and its messages, bytes 00 to n-1.
constexpr SipKey kPaperKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::array<std::byte, 64> counting_bytes() {
  std::array<std::byte, 64> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

struct Vector {
  std::size_t length;
  std::uint64_t hash;
};

TEST(SipHashTest, TwoFourGivesTheReferenceVectors) {
  const auto message = counting_bytes();
  for (const Vector v : {Vector{0, 0x726fdb47dd0e0e31},
                         {1, 0x74f839c593dc67fd},
                         {2, 0x0d6c8009d9a94f5a},
                         {3, 0x85676696d7fb7e2d},
                         {8, 0x93f5f5799a932462},
                         {15, 0xa129ca6149be45e5},  // the paper's own
                         {63, 0x958a324ceb064572}}) {
    EXPECT_EQ(siphash24(kPaperKey, {message.data(), v.length}), v.hash) << v.length;
  }
}

TEST(SipHashTest, OneThreeGivesKnownVectors) {
  const auto message = counting_bytes();
  for (const Vector v : {Vector{0, 0xabac0158050fc4dc},
                         {1, 0xc9f49bf37d57ca93},
                         {7, 0xd3927d989bb11140},
                         {8, 0x369095118d299a8e},
                         {15, 0xd320d86d2a519956},
                         {63, 0x9d199062b7bbb3a8}}) {
    EXPECT_EQ(siphash13(kPaperKey, {message.data(), v.length}), v.hash) << v.length;
  }
}

TEST(SipHashTest, OneThreeUnderTheZeroKeyIsRustsDefaultHasher) {
  const auto message = counting_bytes();
  for (const Vector v : {Vector{0, 0xd1fba762150c532c},
                         {1, 0x68a914128e01e473},
                         {12, 0xa6baf4fb0f9fe1c2},
                         {63, 0x385d3e39e5f37359}}) {
    EXPECT_EQ(siphash13(SipKey{}, {message.data(), v.length}), v.hash) << v.length;
  }
}

TEST(SipHashTest, WordsAndBytesAgree) {
  const auto message = counting_bytes();
  SipHasher<2, 4> hasher(kPaperKey);
  hasher.add(0x0706050403020100);
  hasher.add(std::uint64_t{12} << 56 |
             0x0b0a0908);  // the length in the top byte, as padding has it
  EXPECT_EQ(hasher.finish(), siphash24(kPaperKey, {message.data(), 12}));
}

TEST(DeriveKeyTest, PurposesAndSecretsGiveDifferentKeys) {
  const SipKey one = derive_key(kPaperKey, 1);
  EXPECT_EQ(one, derive_key(kPaperKey, 1));
  EXPECT_NE(one, derive_key(kPaperKey, 2));
  EXPECT_NE(one, derive_key(SipKey{1, 2}, 1));
  EXPECT_NE(one.k0, one.k1);
}

}  // namespace
}  // namespace tern
