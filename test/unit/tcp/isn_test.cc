// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/isn.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "base/prng.h"

namespace tern::tcp {
namespace {

using flow::FourTuple4;
using namespace std::chrono_literals;

constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};
constexpr FourTuple4 kTuple{0x0a000202, 0x0a000102, 9999, 47762};

std::uint32_t isn(const FourTuple4& tuple, Duration d = 0ns, const SipKey& key = kKey) {
  return initial_sequence(key, tuple, Instant(d)).value();
}

/// RFC 6528's F, written out over bytes.
std::uint32_t siphash_of(const FourTuple4& t, std::uint8_t purpose) {
  std::array<std::byte, 13> bytes;
  const std::uint64_t first = std::uint64_t{t.local_address} << 32 | t.remote_address;
  const std::uint32_t ports = std::uint32_t{t.local_port} << 16 | t.remote_port;
  std::memcpy(bytes.data(), &first, 8);
  std::memcpy(bytes.data() + 8, &ports, 4);
  bytes[12] = std::byte{purpose};
  return static_cast<std::uint32_t>(siphash24(kKey, bytes));
}

TEST(InitialSequence, IsTheClockPlusSipHashOfTheTuple) {
  EXPECT_EQ(isn(kTuple), siphash_of(kTuple, 1));
  EXPECT_EQ(isn(kTuple, 1s), siphash_of(kTuple, 1) + 15'625'000u);  // 1 s / 64 ns
  EXPECT_EQ(timestamp_offset(kKey, kTuple), siphash_of(kTuple, 2));
}

TEST(InitialSequence, TheClockTicksEvery64Nanoseconds) {
  const std::uint32_t base = isn(kTuple);
  EXPECT_EQ(isn(kTuple, 63ns), base);
  EXPECT_EQ(isn(kTuple, 64ns), base + 1);
  EXPECT_EQ(isn(kTuple, 274877906944ns), base);  // around once: 2^32 x 64 ns = 275 s
}

TEST(InitialSequence, RisesWithTheClockForOneTuple) {
  Prng prng(1);
  Duration now = 0ns;
  wire::SeqNum last(isn(kTuple));
  for (int i = 0; i < 100000; ++i) {
    now += std::chrono::nanoseconds(64 + prng.below(1'000'000'000));
    const wire::SeqNum next(isn(kTuple, now));
    ASSERT_TRUE(next.after(last)) << now.count();
    last = next;
  }
}

TEST(InitialSequence, EveryPartOfTheTupleAndTheKeyCounts) {
  std::set<std::uint32_t> all{isn(kTuple)};
  for (int bit = 0; bit < 96; ++bit) {
    FourTuple4 t = kTuple;
    if (bit < 32)
      t.local_address ^= 1u << bit;
    else if (bit < 64)
      t.remote_address ^= 1u << (bit - 32);
    else if (bit < 80)
      t.local_port = static_cast<std::uint16_t>(t.local_port ^ 1u << (bit - 64));
    else
      t.remote_port = static_cast<std::uint16_t>(t.remote_port ^ 1u << (bit - 80));
    all.insert(isn(t));
  }
  for (int bit = 0; bit < 64; ++bit) {
    all.insert(isn(kTuple, 0ns, {kKey.k0 ^ 1ULL << bit, kKey.k1}));
    all.insert(isn(kTuple, 0ns, {kKey.k0, kKey.k1 ^ 1ULL << bit}));
  }
  all.insert(
      isn({kTuple.remote_address, kTuple.local_address, kTuple.remote_port, kTuple.local_port}));
  EXPECT_EQ(all.size(), 1u + 96 + 128 + 1);
}

/// What an attacker sees: ISNs of neighbouring tuples at one instant. `draw(i)` is the i-th.
template <class F>
void expect_random(F&& draw) {
  constexpr int kDraws = 1 << 20;
  std::array<std::array<int, 256>, 4> bytes{};
  std::array<int, 32> bits{};
  std::array<int, 33> distances{};  // Hamming, from one draw to the next
  std::uint32_t last = draw(0);
  for (int i = 1; i <= kDraws; ++i) {
    const std::uint32_t value = draw(static_cast<std::uint32_t>(i));
    for (int b = 0; b < 4; ++b) ++bytes[b][value >> 8 * b & 0xff];
    for (int b = 0; b < 32; ++b) bits[b] += value >> b & 1;
    ++distances[std::popcount(value ^ last)];
    last = value;
  }
  for (const auto& histogram : bytes) {
    double chi_square = 0;
    const double expected = kDraws / 256.0;
    for (int n : histogram) chi_square += (n - expected) * (n - expected) / expected;
    EXPECT_LT(chi_square, 340) << "255 degrees of freedom: 1 in 3000 exceeds 340";
    EXPECT_GT(chi_square, 180);
  }
  for (int n : bits) EXPECT_NEAR(n, kDraws / 2, 4.5 * std::sqrt(kDraws / 4.0));
  double mean = 0;
  for (int d = 0; d <= 32; ++d) mean += d * (distances[d] / double{kDraws});
  EXPECT_NEAR(mean, 16, 4.5 * std::sqrt(8.0 / kDraws));
}

TEST(InitialSequence, NeighbouringTuplesAreUncorrelated) {
  expect_random([](std::uint32_t i) {
    FourTuple4 t = kTuple;
    t.remote_port = static_cast<std::uint16_t>(i);
    t.remote_address += i >> 16;
    return isn(t);
  });
}

TEST(InitialSequence, TheDifferenceOfTwoTuplesIsNoConstant) {
  // An attacker who connects himself, and wants his victim's ISN from his own.
  expect_random([](std::uint32_t i) {
    FourTuple4 mine = kTuple, victims = kTuple;
    mine.remote_port = victims.remote_port = static_cast<std::uint16_t>(i);
    victims.remote_address += 1 + (i >> 16);
    return isn(victims) - isn(mine);
  });
}

TEST(InitialSequence, KeysAreUncorrelated) {
  expect_random([](std::uint32_t i) { return isn(kTuple, 0ns, {kKey.k0 + i, kKey.k1}); });
}

TEST(TimestampOffset, IsUncorrelatedToTheIsnAndAmongTuples) {
  auto tuple = [](std::uint32_t i) {
    FourTuple4 t = kTuple;
    t.local_port = static_cast<std::uint16_t>(i);
    t.local_address += i >> 16;
    return t;
  };
  expect_random([&](std::uint32_t i) { return timestamp_offset(kKey, tuple(i)); });
  expect_random([&](std::uint32_t i) { return timestamp_offset(kKey, tuple(i)) - isn(tuple(i)); });
}

}  // namespace
}  // namespace tern::tcp
