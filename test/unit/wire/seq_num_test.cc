// SPDX-License-Identifier: BSD-3-Clause
#include "wire/seq_num.h"

#include <gtest/gtest.h>

#include <bitset>

namespace tern::wire {
namespace {

using Seq8 = BasicSeqNum<std::uint8_t, std::int8_t>;

template <typename T>
concept Ordered = requires(T a, T b) {
  a < b;
};
static_assert(!Ordered<SeqNum>, "the circle has no order");

Seq8 seq8(unsigned value) { return Seq8(static_cast<std::uint8_t>(value)); }

/// Steps forward from a until b is met: the definition, without a subtraction.
unsigned steps(Seq8 a, Seq8 b) {
  unsigned count = 0;
  for (auto v = a.value(); v != b.value(); ++v) ++count;
  return count;
}

TEST(SeqNum, EveryPairOfTheSmallCircle) {
  for (unsigned i = 0; i < 256; ++i) {
    for (unsigned j = 0; j < 256; ++j) {
      const Seq8 a = seq8(i), b = seq8(j);
      const unsigned distance = steps(a, b);
      ASSERT_EQ(b - a, distance);
      ASSERT_EQ(a + static_cast<std::uint8_t>(distance), b);
      ASSERT_EQ(b - static_cast<std::uint8_t>(distance), a);
      ASSERT_EQ(a == b, distance == 0);
      Seq8 moved = a;
      moved += static_cast<std::uint8_t>(distance);
      ASSERT_EQ(moved, b);
      if (distance == 128) continue;  // see OppositePointsAreBeforeEachOther
      const bool before = distance >= 1 && distance <= 127;
      ASSERT_EQ(a.before(b), before) << i << " " << j;
      ASSERT_EQ(b.after(a), before);
      ASSERT_EQ(a.at_or_before(b), before || distance == 0);
      ASSERT_EQ(b.at_or_after(a), before || distance == 0);
    }
  }
}

// Beyond the promise of the comparisons; stated so that nobody comes to rely on anything else.
TEST(SeqNum, OppositePointsAreBeforeEachOther) {
  for (unsigned i = 0; i < 256; ++i) {
    EXPECT_TRUE(seq8(i).before(seq8(i + 128)));
    EXPECT_TRUE(seq8(i + 128).before(seq8(i)));
  }
}

TEST(SeqNum, EveryWindowOfTheSmallCircle) {
  for (unsigned low = 0; low < 256; ++low) {
    std::bitset<256> inside;  // grows by one member a size
    for (unsigned size = 0; size < 256; ++size) {
      for (unsigned v = 0; v < 256; ++v) {
        if (seq8(v).in_window(seq8(low), static_cast<std::uint8_t>(size)) != inside[v]) {
          FAIL() << v << " in " << low << " + " << size;
        }
      }
      inside.set((low + size) % 256);
    }
  }
}

TEST(SeqNum, ThirtyTwoBitsWrap) {
  const SeqNum last(0xffffffff), first(0);
  EXPECT_TRUE(last.before(first));
  EXPECT_FALSE(first.before(last));
  EXPECT_EQ(last + 1, first);
  EXPECT_EQ(first - last, 1u);
  EXPECT_EQ(first - 1, last);
  EXPECT_TRUE(SeqNum(0).before(SeqNum(0x7fffffff)));
  EXPECT_FALSE(SeqNum(0).before(SeqNum(0x80000001)));
  EXPECT_TRUE(SeqNum(5).in_window(SeqNum(0xfffffff0), 0x20));
  EXPECT_FALSE(SeqNum(0x10).in_window(SeqNum(0xfffffff0), 0x20));
  EXPECT_FALSE(SeqNum(7).in_window(SeqNum(7), 0));
}

TEST(SeqNum, LaterAndEarlierAcrossTheWrap) {
  const SeqNum a(0xfffffff0), b(0x10);
  EXPECT_EQ(later_of(a, b), b);
  EXPECT_EQ(later_of(b, a), b);
  EXPECT_EQ(earlier_of(a, b), a);
  EXPECT_EQ(earlier_of(b, a), a);
  EXPECT_EQ(later_of(a, a), a);
}

TEST(SeqNum, BeforeIsNotTransitive) {
  const SeqNum a(0), b(0x60000000), c(0xc0000000);
  EXPECT_TRUE(a.before(b));
  EXPECT_TRUE(b.before(c));
  EXPECT_FALSE(a.before(c));
  EXPECT_TRUE(c.before(a));
}

}  // namespace
}  // namespace tern::wire
