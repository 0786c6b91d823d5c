// SPDX-License-Identifier: BSD-3-Clause
#include "steering/home_map.h"

#include <gtest/gtest.h>

#include <vector>

namespace tern::steering {
namespace {

constexpr SipKey kKey{0x0123456789abcdef, 0xfedcba9876543210};

// Microsoft's verification suite: the key, and the hash of packets from remote to local.
const std::vector<std::uint8_t> kMicrosoftKey = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

Flow flow(const char* local, std::uint16_t local_port, const char* remote,
          std::uint16_t remote_port) {
  return {{*IpAddress::parse(local), local_port}, {*IpAddress::parse(remote), remote_port}};
}

std::vector<std::uint16_t> numbered_reta(std::uint16_t entries) {
  std::vector<std::uint16_t> reta;
  for (std::uint16_t i = 0; i < entries; ++i) reta.push_back(i);
  return reta;
}

TEST(HomeMap, FollowsTheDevicesTableByMicrosoftsVectors) {
  const HomeMap homes(kKey, 128, {kMicrosoftKey, numbered_reta(128)});
  EXPECT_TRUE(homes.device_steers());
  EXPECT_EQ(homes.home_of(flow("161.142.100.80", 1766, "66.9.149.187", 2794)), 0x51ccc178 & 127);
  EXPECT_EQ(homes.home_of(flow("65.69.140.83", 4739, "199.92.111.2", 14230)), 0xc626b0ea & 127);
  EXPECT_EQ(homes.home_of(flow("3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794)),
            0x40207d3d & 127);
}

TEST(HomeMap, WhereTheDeviceDoesNotHashIpv6TheKeyDecides) {
  const HomeMap homes(kKey, 2, {kMicrosoftKey, numbered_reta(2), false});
  const Flow six = flow("3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794);
  const Flow four = flow("161.142.100.80", 1766, "66.9.149.187", 2794);
  EXPECT_EQ(homes.home_of(six), HomeMap(kKey, 2).home_of(six));
  EXPECT_EQ(homes.home_of(four), 0x51ccc178 & 1);
}

TEST(HomeMap, OneRetaEntryDecidesNothingElse) {
  const Flow one = flow("161.142.100.80", 1766, "66.9.149.187", 2794);
  std::vector<std::uint16_t> reta(128, 0);
  reta[0x51ccc178 & 127] = 1;
  EXPECT_EQ(HomeMap(kKey, 2, {kMicrosoftKey, reta}).home_of(one), 1);
}

TEST(HomeMap, WithoutADevicesWordTheHashSpreadsEvenly) {
  const HomeMap homes(kKey, 3);
  EXPECT_FALSE(homes.device_steers());
  std::vector<int> counts(3);
  for (std::uint16_t port = 1; port <= 30000; ++port)
    ++counts.at(homes.home_of(flow("10.0.2.2", 9999, "10.0.2.1", port)));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(HomeMap, TheKeyDecides) {
  const HomeMap a(kKey, 2), b(kKey, 2), c(SipKey{1, 2}, 2);
  int same = 0;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    const Flow f = flow("fd00::2", 9999, "fd00::1", port);
    EXPECT_EQ(a.home_of(f), b.home_of(f));
    same += a.home_of(f) == c.home_of(f);
  }
  EXPECT_NEAR(same, 500, 80);
}

}  // namespace
}  // namespace tern::steering
