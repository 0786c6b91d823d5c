// SPDX-License-Identifier: BSD-3-Clause
#include "flow/connection_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tern::flow {
namespace {

auto is(std::uint32_t wanted) {
  return [wanted](std::uint32_t index) { return index == wanted; };
}

TEST(ConnectionTableTest, FindsWhatWasInserted) {
  ConnectionTable table(4);
  EXPECT_EQ(table.find(0x1234, is(7)), kNoIndex);
  EXPECT_TRUE(table.insert(0x1234, 7));
  table.prefetch(0x1234);
  EXPECT_EQ(table.find(0x1234, is(7)), 7U);
  EXPECT_EQ(table.candidate(0x1234), 7U);
  EXPECT_EQ(table.find(0x1234, is(8)), kNoIndex);  // the tag matches, the record does not
  EXPECT_EQ(table.find(0x1235, is(7)), kNoIndex);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_TRUE(table.erase(0x1234, 7));
  EXPECT_EQ(table.find(0x1234, is(7)), kNoIndex);
  EXPECT_EQ(table.candidate(0x1234), kNoIndex);
  EXPECT_EQ(table.size(), 0U);
}

TEST(ConnectionTableTest, HashZeroAndIndexZeroAreOrdinary) {
  ConnectionTable table(4);
  EXPECT_EQ(table.candidate(0), kNoIndex);
  EXPECT_TRUE(table.insert(0, 0));
  EXPECT_EQ(table.find(0, is(0)), 0U);
  EXPECT_TRUE(table.insert(0xffffffff, 0xfffffffe));
  EXPECT_EQ(table.find(0xffffffff, is(0xfffffffe)), 0xfffffffeU);
  EXPECT_TRUE(table.erase(0, 0));
  EXPECT_EQ(table.candidate(0), kNoIndex);
}

TEST(ConnectionTableTest, AsksOnlyAboutEqualHashes) {
  ConnectionTable table(4);                                      // 8 slots
  for (std::uint32_t i = 0; i < 4; ++i) table.insert(i * 8, i);  // one home, four tags
  std::vector<std::uint32_t> asked;
  const auto note = [&asked](std::uint32_t index) {
    asked.push_back(index);
    return false;
  };
  EXPECT_EQ(table.find(2 * 8, note), kNoIndex);
  EXPECT_EQ(asked, (std::vector<std::uint32_t>{2}));
}

TEST(ConnectionTableTest, IsHalfFullAtMost) {
  EXPECT_EQ(ConnectionTable(0).memory_bytes(), 8U * 8);
  EXPECT_EQ(ConnectionTable(4).memory_bytes(), 8U * 8);
  EXPECT_EQ(ConnectionTable(5).memory_bytes(), 16U * 8);
  EXPECT_EQ(ConnectionTable(1 << 20).memory_bytes(), (2U << 20) * 8);
}

TEST(ConnectionTableTest, RefusesMoreThanItsCapacity) {
  ConnectionTable table(3);
  EXPECT_EQ(table.capacity(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_TRUE(table.insert(i, i));
  EXPECT_FALSE(table.insert(3, 3));
  EXPECT_EQ(table.size(), 3U);
  EXPECT_TRUE(table.erase(1, 1));
  EXPECT_TRUE(table.insert(3, 3));
  EXPECT_FALSE(ConnectionTable(0).insert(0, 0));
}

TEST(ConnectionTableTest, RefusesAnInsertBeyondTheProbeBound) {
  constexpr std::uint32_t kBound = ConnectionTable::kMaxProbe;
  ConnectionTable table(1024);
  for (std::uint32_t i = 0; i < kBound; ++i) EXPECT_TRUE(table.insert(5, i));
  EXPECT_FALSE(table.insert(5, kBound));
  EXPECT_EQ(table.size(), kBound);
  EXPECT_TRUE(table.insert(6, kBound));  // one slot further on there is still one
  for (std::uint32_t i = 0; i < kBound; ++i) EXPECT_EQ(table.find(5, is(i)), i);
  EXPECT_EQ(table.find(5, is(kBound)), kNoIndex);
  EXPECT_EQ(table.find(6, is(kBound)), kBound);
  EXPECT_TRUE(table.erase(5, 0));
  EXPECT_EQ(table.find(6, is(kBound)), kBound);
  EXPECT_FALSE(table.insert(5, 0));  // that one has moved into the gap
  EXPECT_TRUE(table.erase(6, kBound));
  EXPECT_TRUE(table.insert(5, 0));
}

TEST(ConnectionTableTest, EraseClosesTheGapAcrossTheEnd) {
  ConnectionTable table(4);  // 8 slots; homes are hash % 8
  table.insert(6, 0);        // lies in slot 6
  table.insert(7, 1);        // 7
  table.insert(14, 2);       // home 6, lies in 0
  table.insert(8, 3);        // home 0, lies in 1
  EXPECT_TRUE(table.erase(6, 0));
  EXPECT_EQ(table.find(7, is(1)), 1U);
  EXPECT_EQ(table.find(14, is(2)), 2U);
  EXPECT_EQ(table.find(8, is(3)), 3U);
  EXPECT_TRUE(table.erase(7, 1));
  EXPECT_TRUE(table.erase(14, 2));
  EXPECT_EQ(table.find(8, is(3)), 3U);
  EXPECT_EQ(table.size(), 1U);
}

TEST(ConnectionTableTest, EraseWantsTheExactPair) {
  ConnectionTable table(4);
  table.insert(1, 1);
  EXPECT_FALSE(table.erase(1, 2));
  EXPECT_FALSE(table.erase(2, 1));
  EXPECT_EQ(table.size(), 1U);
}

TEST(ConnectionTableTest, ReplaceKeepsTheHashAndTheCount) {
  ConnectionTable table(1);
  EXPECT_FALSE(table.replace(9, 1, 2));
  table.insert(9, 1);
  EXPECT_TRUE(table.replace(9, 1, 2));  // even when full
  EXPECT_EQ(table.find(9, is(1)), kNoIndex);
  EXPECT_EQ(table.find(9, is(2)), 2U);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_FALSE(table.replace(9, 1, 3));
}

TEST(ConnectionTableDeathTest, ADuplicateIsABug) {
  ConnectionTable table(4);
  table.insert(1, 1);
  table.insert(1, 2);
  EXPECT_DEATH(table.insert(1, 2), "assertion failed");
  EXPECT_DEATH(table.insert(1, kNoIndex), "assertion failed");
}

}  // namespace
}  // namespace tern::flow
