// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/sack_scoreboard.h"

#include <gtest/gtest.h>

#include <bitset>

#include "base/prng.h"
#include "support/rounds.h"

namespace tern::tcp {
namespace {

using wire::SackBlock;
using wire::SeqNum;

constexpr SeqNum kUna(0xfffffe00);  // the numbers wrap in the middle of every test

SackBlock block(std::uint32_t begin, std::uint32_t end) { return {kUna + begin, kUna + end}; }

std::string picture(const SackScoreboard& board) {
  std::string text;
  for (const SackBlock& r : board.ranges())
    text += "[" + std::to_string(r.begin - kUna) + "," + std::to_string(r.end - kUna) + ")";
  return text;
}

TEST(SackScoreboard, MergesWhatTouches) {
  SackScoreboard board;
  EXPECT_EQ(board.add(block(100, 200)), 100u);
  EXPECT_EQ(board.add(block(300, 400)), 100u);
  EXPECT_EQ(board.add(block(500, 600)), 100u);
  EXPECT_EQ(picture(board), "[100,200)[300,400)[500,600)");
  EXPECT_EQ(board.add(block(200, 300)), 100u);
  EXPECT_EQ(picture(board), "[100,400)[500,600)");
  EXPECT_EQ(board.add(block(150, 350)), 0u);
  EXPECT_EQ(board.add(block(50, 700)), 250u);
  EXPECT_EQ(picture(board), "[50,700)");
  EXPECT_EQ(board.bytes(), 650u);
}

TEST(SackScoreboard, Advances) {
  SackScoreboard board;
  board.add(block(100, 200));
  board.add(block(300, 400));
  board.advance(kUna + 100);
  EXPECT_EQ(picture(board), "[100,200)[300,400)");
  EXPECT_TRUE(board.contains(kUna + 100)) << "what a peer that reneges looks like";
  board.advance(kUna + 350);
  EXPECT_EQ(picture(board), "[350,400)");
  EXPECT_EQ(board.bytes(), 50u);
  board.advance(kUna + 400);
  EXPECT_TRUE(board.empty());
  EXPECT_EQ(board.bytes(), 0u);
}

TEST(SackScoreboard, ForgetsWhatDoesNotFit) {
  SackScoreboard board;
  for (std::uint32_t i = 0; i < SackScoreboard::kMaxRanges; ++i)
    EXPECT_EQ(board.add(block(10 + 4 * i, 12 + 4 * i)), 2u);
  EXPECT_FALSE(board.add(block(1, 2)));
  EXPECT_FALSE(board.add(block(1000, 1001)));
  EXPECT_EQ(board.add(block(12, 14)), 2u) << "joins two";
  EXPECT_EQ(board.add(block(1000, 1001)), 1u);
}

// Everything against a bit for each byte.
TEST(SackScoreboard, AgreesWithABitmap) {
  constexpr std::uint32_t kSize = 512;
  for (std::uint64_t seed = 1; seed <= test::rounds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    SackScoreboard board;
    std::bitset<kSize> bits;
    std::uint32_t una = 0;
    for (int step = 0; step < 60; ++step) {
      const std::uint32_t begin = una + prng.below(kSize - una);
      const std::uint32_t end = std::min(kSize, begin + 1 + prng.below(prng.chance(0.5) ? 8 : 80));
      if (const auto added = board.add(block(begin, end))) {
        const std::size_t before = bits.count();
        for (std::uint32_t i = begin; i < end; ++i) bits.set(i);
        ASSERT_EQ(*added, bits.count() - before);
      }
      if (prng.chance(0.1)) {
        una += prng.below(std::min(kSize - 1 - una, 40u) + 1);
        board.advance(kUna + una);
        for (std::uint32_t i = 0; i < una; ++i) bits.reset(i);
      }
      ASSERT_EQ(board.bytes(), bits.count());
      std::uint32_t below = 0;
      for (std::uint32_t i = 0; i < kSize; ++i) {
        ASSERT_EQ(board.contains(kUna + i), bits.test(i)) << i;
        ASSERT_EQ(board.bytes_below(kUna + i), below);
        below += bits.test(i);
      }
      for (std::size_t i = 1; i < board.ranges().size(); ++i)
        ASSERT_TRUE(board.ranges()[i].begin.after(board.ranges()[i - 1].end));
    }
  }
}

}  // namespace
}  // namespace tern::tcp
