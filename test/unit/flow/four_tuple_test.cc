// SPDX-License-Identifier: BSD-3-Clause
#include "flow/four_tuple.h"

#include <gtest/gtest.h>

#include <array>

namespace tern::flow {
namespace {

constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

TEST(TableHashTest, IsSipHashOfTheTuplesWords) {
  const FourTuple4 tuple{0x0a000202, 0x0a000102, 9999, 47762};
  SipHasher<1, 3> hasher(kKey);
  hasher.add(0x0a0002020a000102);
  hasher.add(0x0c000000270fba92);
  EXPECT_EQ(table_hash(kKey, tuple), static_cast<std::uint32_t>(hasher.finish()));
}

TEST(TableHashTest, EveryFieldAndTheKeyCount) {
  const FourTuple4 tuple{0x0a000202, 0x0a000102, 9999, 47762};
  const std::uint32_t hash = table_hash(kKey, tuple);
  EXPECT_NE(table_hash(SipKey{1, 2}, tuple), hash);
  EXPECT_NE(table_hash(kKey, FourTuple4{0x0a000203, 0x0a000102, 9999, 47762}), hash);
  EXPECT_NE(table_hash(kKey, FourTuple4{0x0a000202, 0x0a000103, 9999, 47762}), hash);
  EXPECT_NE(table_hash(kKey, FourTuple4{0x0a000202, 0x0a000102, 9998, 47762}), hash);
  EXPECT_NE(table_hash(kKey, FourTuple4{0x0a000202, 0x0a000102, 9999, 47763}), hash);
  EXPECT_NE(table_hash(kKey, FourTuple4{0x0a000102, 0x0a000202, 47762, 9999}), hash);
}

// The low bits choose the home slot: one client's successive ports must spread over them.
TEST(TableHashTest, SuccessivePortsSpreadOverTheLowBits) {
  std::array<int, 256> seen{};
  for (std::uint32_t port = 0; port < 65536; ++port)
    ++seen[table_hash(kKey,
                      FourTuple4{0x0a000202, 0x0a000102, 9999, static_cast<std::uint16_t>(port)}) %
           256];
  double chi_square = 0;
  for (int count : seen) chi_square += (count - 256.0) * (count - 256.0) / 256.0;
  EXPECT_LT(chi_square, 330.5);  // 255 degrees of freedom, p = 0.001
}

TEST(TableHashTest, Ipv6FieldsCount) {
  FourTuple6 tuple{{0xfd, 1}, {0xfd, 2}, 9999, 47762};
  const std::uint32_t hash = table_hash(kKey, tuple);
  tuple.remote_address[15] = 1;
  EXPECT_NE(table_hash(kKey, tuple), hash);
}

}  // namespace
}  // namespace tern::flow
