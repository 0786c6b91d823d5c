// SPDX-License-Identifier: BSD-3-Clause
#include "base/assert.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

TEST(AssertDeathTest, SaysWhatFailedAndWhere) {
  const int answer = 41;
  TERN_ASSERT(answer == 41);
  EXPECT_DEATH(TERN_ASSERT(answer == 42), "assert_test.cc:[0-9]+: assertion failed: answer == 42");
}

}  // namespace
}  // namespace tern
