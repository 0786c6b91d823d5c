// SPDX-License-Identifier: BSD-3-Clause
#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>

namespace tern {
namespace {

TEST(BytesTest, LoadsBigEndianAtAnyAlignment) {
  const std::array<std::byte, 6> bytes{std::byte{0xff}, std::byte{0x12}, std::byte{0x34},
                                       std::byte{0x56}, std::byte{0x78}, std::byte{0x9a}};
  EXPECT_EQ(load_u8(&bytes[1]), 0x12);
  EXPECT_EQ(load_be16(&bytes[1]), 0x1234);
  EXPECT_EQ(load_be32(&bytes[1]), 0x12345678U);
}

TEST(BytesTest, StoresWhatItLoadsAndNoMore) {
  std::array<std::byte, 8> bytes{};
  store_be32(&bytes[1], 0x89abcdef);
  store_be16(&bytes[5], 0x0123);
  store_u8(&bytes[7], 0x45);
  EXPECT_EQ(load_be32(&bytes[0]), 0x0089abcdU);
  EXPECT_EQ(load_be32(&bytes[1]), 0x89abcdefU);
  EXPECT_EQ(load_be32(&bytes[4]), 0xef012345U);
}

}  // namespace
}  // namespace tern
