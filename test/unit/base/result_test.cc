// SPDX-License-Identifier: BSD-3-Clause
#include "tern/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace tern {
namespace {

TEST(ResultTest, HoldsAValueOrAnError) {
  Result<std::unique_ptr<int>> good(std::make_unique<int>(7));
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good.error(), Errc::kOk);
  EXPECT_EQ(**good, 7);
  const std::unique_ptr<int> taken = *std::move(good);
  EXPECT_EQ(*taken, 7);

  const Result<std::unique_ptr<int>> bad(Errc::kQueueFull);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error(), Errc::kQueueFull);
}

TEST(ErrcTest, EveryErrorHasItsOwnName) {
  std::set<std::string_view> names;
  const int count = static_cast<int>(Errc::kUnreachable) + 1;
  for (int i = 0; i < count; ++i) names.insert(to_string(static_cast<Errc>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(to_string(Errc::kQueueFull), "queue full");
  EXPECT_EQ(names.count(to_string(static_cast<Errc>(count))), 0U);
}

}  // namespace
}  // namespace tern
