// SPDX-License-Identifier: BSD-3-Clause
#include "base/index_list.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <list>
#include <vector>

#include "base/prng.h"

namespace tern {
namespace {

class IndexListTest : public testing::Test {
 protected:
  // Filled with a value that would show if a list relied on what links hold outside of it.
  IndexListTest() { links_.fill({0xdead, 0xbeef}); }

  std::vector<std::uint32_t> contents(const IndexList& list) {
    std::vector<std::uint32_t> forward, backward;
    for (std::uint32_t i = list.front(); i != kNoIndex; i = links_[i].next) forward.push_back(i);
    for (std::uint32_t i = list.back(); i != kNoIndex; i = links_[i].prev) {
      backward.push_back(i);
      if (i == list.front()) break;  // what is before the first means nothing
    }
    EXPECT_EQ(forward, std::vector<std::uint32_t>(backward.rbegin(), backward.rend()));
    return forward;
  }

  std::array<IndexLinks, 64> links_;
  const std::function<IndexLinks&(std::uint32_t)> links_of_ =
      [this](std::uint32_t i) -> IndexLinks& { return links_[i]; };
};

using Indices = std::vector<std::uint32_t>;

TEST_F(IndexListTest, IsEmptyAtFirst) {
  IndexList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), kNoIndex);
  EXPECT_EQ(list.back(), kNoIndex);
  EXPECT_EQ(list.pop_front(links_of_), kNoIndex);
}

TEST_F(IndexListTest, PushesAtBothEndsAndRemovesAnywhere) {
  IndexList list;
  for (std::uint32_t i : {3U, 1U, 2U}) list.push_back(links_of_, i);
  list.push_front(links_of_, 0);
  EXPECT_EQ(contents(list), (Indices{0, 3, 1, 2}));
  list.remove(links_of_, 1);  // inside
  EXPECT_EQ(contents(list), (Indices{0, 3, 2}));
  list.remove(links_of_, 0);  // front
  EXPECT_EQ(contents(list), (Indices{3, 2}));
  list.remove(links_of_, 2);  // back
  EXPECT_EQ(contents(list), (Indices{3}));
  EXPECT_EQ(list.pop_front(links_of_), 3U);  // the last
  EXPECT_TRUE(list.empty());
  list.push_front(links_of_, 5);
  EXPECT_EQ(contents(list), (Indices{5}));
}

TEST_F(IndexListTest, BehavesAsStdListOverRandomOperations) {
  constexpr std::uint64_t kSeed = 20240607;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng rng(kSeed);
  IndexList list;
  std::list<std::uint32_t> oracle;
  std::array<bool, 64> in{};
  for (int step = 0; step < 20000; ++step) {
    const std::uint32_t index = rng.below(64);
    if (in[index]) {
      list.remove(links_of_, index);
      oracle.remove(index);
    } else if (rng.chance(0.5)) {
      list.push_back(links_of_, index);
      oracle.push_back(index);
    } else {
      list.push_front(links_of_, index);
      oracle.push_front(index);
    }
    in[index] = !in[index];
    ASSERT_EQ(contents(list), Indices(oracle.begin(), oracle.end())) << "step " << step;
  }
}

}  // namespace
}  // namespace tern
