// SPDX-License-Identifier: BSD-3-Clause
#include "net/path_mtu.h"

#include <gtest/gtest.h>

namespace tern::net {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kThere = 0xc0000201, kElsewhere = 0xc0000202;
constexpr Instant kStart = Instant(1h);

TEST(PathMtu, IsTheInterfacesUntilLearnt) {
  PathMtuCache cache(1);
  EXPECT_EQ(cache.mtu(kThere, 1500, kStart), 1500);
  cache.learn(kThere, 1400, kStart);
  EXPECT_EQ(cache.mtu(kThere, 1500, kStart), 1400);
  EXPECT_EQ(cache.mtu(kElsewhere, 1500, kStart), 1500);
  EXPECT_EQ(cache.mtu(kThere, 1280, kStart), 1280) << "never more than the interface's";
}

TEST(PathMtu, OnlyShrinks) {
  PathMtuCache cache(1);
  cache.learn(kThere, 1000, kStart);
  cache.learn(kThere, 1400, kStart);
  EXPECT_EQ(cache.mtu(kThere, 1500, kStart), 1000);
  cache.learn(kThere, 600, kStart);
  EXPECT_EQ(cache.mtu(kThere, 1500, kStart), 600);
}

TEST(PathMtu, IsForgottenAfterTenMinutes) {
  PathMtuCache cache(1);
  cache.learn(kThere, 1000, kStart);
  EXPECT_EQ(cache.mtu(kThere, 1500, kStart + 10min - 1ns), 1000);
  EXPECT_EQ(cache.mtu(kThere, 1500, kStart + 10min), 1500);
}

TEST(PathMtu, ManyDestinationsDisplaceEachOtherAndNothingElse) {
  PathMtuCache cache(0x9e3779b97f4a7c15);
  for (std::uint32_t i = 1; i < 100'000; ++i) cache.learn(i, 700, kStart);
  cache.learn(kThere, 1000, kStart);
  EXPECT_EQ(cache.mtu(kThere, 1500, kStart), 1000);
  for (std::uint32_t i = 1; i < 100'000; ++i) {
    const std::uint16_t mtu = cache.mtu(i, 1500, kStart);
    EXPECT_TRUE(mtu == 700 || mtu == 1500);
  }
}

}  // namespace
}  // namespace tern::net
