// SPDX-License-Identifier: BSD-3-Clause
#include "flow/listener_table.h"

#include <gtest/gtest.h>

namespace tern::flow {
namespace {

constexpr std::uint32_t kAny = 0;
constexpr std::uint32_t kHere = 0x0a000202;
constexpr std::uint32_t kThere = 0x0a000203;

TEST(ListenerTableTest, ExactAddressWinsOverTheWildcard) {
  ListenerTable table(8);
  EXPECT_EQ(table.find(kHere, 80), kNoIndex);
  EXPECT_TRUE(table.insert(kAny, 80, 1));
  EXPECT_EQ(table.find(kHere, 80), 1U);
  EXPECT_TRUE(table.insert(kHere, 80, 2));
  EXPECT_EQ(table.find(kHere, 80), 2U);
  EXPECT_EQ(table.find(kThere, 80), 1U);
  EXPECT_EQ(table.find(kHere, 81), kNoIndex);
  EXPECT_EQ(table.size(), 2U);
}

TEST(ListenerTableTest, AnExactListenerAloneTakesNothingElse) {
  ListenerTable table(8);
  EXPECT_TRUE(table.insert(kHere, 80, 1));
  EXPECT_EQ(table.find(kHere, 80), 1U);
  EXPECT_EQ(table.find(kThere, 80), kNoIndex);
}

TEST(ListenerTableTest, AWildcardIsItsFamilys) {
  constexpr std::uint32_t kHere6 = AddressBook::kFirstOwn;
  ListenerTable table(8);
  EXPECT_TRUE(table.insert(kAny, 80, 1));
  EXPECT_EQ(table.find(kHere6, 80), kNoIndex);
  EXPECT_TRUE(table.insert(AddressBook::kAny, 80, 2));
  EXPECT_EQ(table.find(kHere6, 80), 2U);
  EXPECT_EQ(table.find(kHere, 80), 1U);
  EXPECT_TRUE(table.insert(kHere6, 80, 3));
  EXPECT_EQ(table.find(kHere6, 80), 3U);
  EXPECT_EQ(table.find(kHere6 + 1, 80), 2U);
  EXPECT_TRUE(table.erase(kHere6, 80));
  EXPECT_EQ(table.find(kHere6, 80), 2U);
  EXPECT_TRUE(table.erase(AddressBook::kAny, 80));
  EXPECT_EQ(table.find(kHere6, 80), kNoIndex);
}

TEST(ListenerTableTest, RefusesDuplicatesAndKeepsTheFirst) {
  ListenerTable table(8);
  EXPECT_TRUE(table.insert(kAny, 80, 1));
  EXPECT_FALSE(table.insert(kAny, 80, 2));
  EXPECT_TRUE(table.insert(kHere, 80, 3));
  EXPECT_FALSE(table.insert(kHere, 80, 4));
  EXPECT_EQ(table.find(kThere, 80), 1U);
  EXPECT_EQ(table.find(kHere, 80), 3U);
}

TEST(ListenerTableTest, RefusesMoreThanItsCapacity) {
  ListenerTable table(1);
  EXPECT_TRUE(table.insert(kAny, 80, 1));
  EXPECT_FALSE(table.insert(kAny, 81, 2));
  EXPECT_TRUE(table.erase(kAny, 80));
  EXPECT_TRUE(table.insert(kAny, 81, 2));
}

TEST(ListenerTableTest, EraseUncoversWhatIsBelow) {
  ListenerTable table(8);
  table.insert(kAny, 80, 1);
  table.insert(kHere, 80, 2);
  EXPECT_FALSE(table.erase(kThere, 80));  // the wildcard is not its
  EXPECT_TRUE(table.erase(kHere, 80));
  EXPECT_EQ(table.find(kHere, 80), 1U);
  EXPECT_TRUE(table.erase(kAny, 80));
  EXPECT_EQ(table.find(kHere, 80), kNoIndex);
  EXPECT_FALSE(table.erase(kAny, 80));
  EXPECT_EQ(table.size(), 0U);
}

TEST(ListenerTableTest, EraseOfTheWildcardLeavesExactListeners) {
  ListenerTable table(8);
  table.insert(kAny, 80, 1);
  table.insert(kHere, 80, 2);
  EXPECT_TRUE(table.erase(kAny, 80));
  EXPECT_EQ(table.find(kHere, 80), 2U);
  EXPECT_EQ(table.find(kThere, 80), kNoIndex);
}

TEST(ListenerTableTest, TheHighestPortIsOrdinary) {
  ListenerTable table(8);
  EXPECT_TRUE(table.insert(kAny, 65535, 0));
  EXPECT_EQ(table.find(kHere, 65535), 0U);
}

}  // namespace
}  // namespace tern::flow
