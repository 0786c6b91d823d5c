// SPDX-License-Identifier: BSD-3-Clause
#include "base/spsc_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <thread>

#include "base/prng.h"

namespace tern {
namespace {

TEST(SpscRingTest, RoundsItsCapacityUpToAPowerOfTwo) {
  EXPECT_EQ(SpscRing<int>(0).capacity(), 1U);
  EXPECT_EQ(SpscRing<int>(5).capacity(), 8U);
  EXPECT_EQ(SpscRing<int>(8).capacity(), 8U);
}

TEST(SpscRingTest, FillsAndEmptiesInOrder) {
  SpscRing<int> ring(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
  EXPECT_FALSE(ring.push(4));
  EXPECT_EQ(ring.size(), 4U);
  int value = -1;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(ring.pop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(ring.pop(value));
  EXPECT_EQ(value, 3);
  EXPECT_EQ(ring.size(), 0U);
}

TEST(SpscRingTest, BurstsTakeAPrefixAcrossTheEnd) {
  SpscRing<int> ring(4);
  const std::array<int, 6> in{0, 1, 2, 3, 4, 5};
  std::array<int, 6> out{};
  EXPECT_EQ(ring.push({in.data(), 3}), 3U);
  EXPECT_EQ(ring.pop({out.data(), 2}), 2U);
  EXPECT_EQ(ring.push(std::span(in)), 3U);  // one is still in: room for three of six
  EXPECT_EQ(ring.pop(std::span(out)), 4U);
  EXPECT_EQ(out[0], 2);
  EXPECT_EQ(out[1], 0);
  EXPECT_EQ(out[2], 1);
  EXPECT_EQ(out[3], 2);
}

TEST(SpscRingTest, CarriesEveryElementBetweenTwoThreads) {
  constexpr std::uint32_t kCount = 300000;
  SpscRing<std::uint32_t> ring(64);
  std::thread producer([&ring] {
    Prng rng(1);
    std::array<std::uint32_t, 32> burst;
    for (std::uint32_t sent = 0; sent < kCount;) {
      const std::uint32_t size = std::min(1 + rng.below(32), kCount - sent);
      for (std::uint32_t i = 0; i < size; ++i) burst[i] = sent + i;
      const std::size_t pushed = ring.push({burst.data(), size});
      if (pushed == 0) std::this_thread::yield();
      sent += static_cast<std::uint32_t>(pushed);
    }
  });
  std::array<std::uint32_t, 24> burst;
  std::uint32_t received = 0, wrong = 0;
  while (received < kCount) {
    const std::size_t count = ring.pop(std::span(burst));
    if (count == 0) std::this_thread::yield();
    for (std::size_t i = 0; i < count; ++i) wrong += burst[i] != received++;
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(ring.size(), 0U);
}

}  // namespace
}  // namespace tern
