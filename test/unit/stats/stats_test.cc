// SPDX-License-Identifier: BSD-3-Clause
#include "tern/stats.h"

#include <gtest/gtest.h>

#include <set>

namespace tern {
namespace {

TEST(CounterInfosTest, FollowTheDeclarations) {
  const auto infos = counter_infos();
  ASSERT_EQ(infos.size(), sizeof(Counters) / sizeof(std::uint64_t));
  EXPECT_EQ(infos[0].name, "rx_frames");
  EXPECT_EQ(infos[0].unit, "frames");
  EXPECT_EQ(infos[0].sentence, "frames taken from the port");
  EXPECT_FALSE(infos[0].is_drop);
  EXPECT_EQ(infos[0].member, &Counters::rx_frames);
  EXPECT_EQ(infos.back().name, "drop_neighbour_table");
  EXPECT_EQ(infos.back().unit, "frames");
  EXPECT_TRUE(infos.back().is_drop);
}

TEST(CounterInfosTest, EachNamesACounterOfItsOwn) {
  Counters counters;
  std::set<std::string_view> names;
  for (const CounterInfo& info : counter_infos()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.sentence.empty()) << info.name;
    EXPECT_EQ(info.is_drop, info.name.starts_with("drop_")) << info.name;
    EXPECT_EQ(counters.*info.member, 0U) << info.name;
    counters.*info.member = 1;  // a second visit would find it
  }
}

TEST(DropInfoTest, EveryReasonFindsItsOwnCounter) {
#define TERN_COUNTER(counter, unit, text)
#define TERN_DROP(counter, text)                            \
  EXPECT_EQ(drop_info(DropReason::counter).name, #counter); \
  EXPECT_EQ(drop_info(DropReason::counter).sentence, text); \
  EXPECT_EQ(drop_counter(DropReason::counter), &Counters::counter);
#include "tern/counters.def"
#undef TERN_COUNTER
#undef TERN_DROP
}

TEST(DropInfoDeathTest, NoDropHasNoInfo) {
  EXPECT_DEATH(drop_info(DropReason::kNone), "assertion failed");
  EXPECT_DEATH(drop_info(static_cast<DropReason>(200)), "assertion failed");
}

}  // namespace
}  // namespace tern
