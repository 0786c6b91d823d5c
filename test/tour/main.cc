// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <cstdio>
#include <string_view>

#include "steps.h"

namespace {

// The fixtures check that nothing is left and that nothing broke a rule on the wire.
int play(const tern::tour::Step& step) {
  step.play();
  return testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed() ? 1 : 0;
}

void list(std::FILE* out) {
  for (const tern::tour::Step& step : tern::tour::steps())
    std::fprintf(out, "  %-20.*s %.*s\n", static_cast<int>(step.name.size()), step.name.data(),
                 static_cast<int>(step.title.size()), step.title.data());
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::string_view wanted = argc == 2 ? argv[1] : "";
  if (wanted == "--list") {
    list(stdout);
    return 0;
  }
  for (const tern::tour::Step& step : tern::tour::steps())
    if (step.name == wanted) return play(step);
  std::fprintf(stderr, "tour: there is no step '%.*s'; the steps are:\n",
               static_cast<int>(wanted.size()), wanted.data());
  list(stderr);
  return 2;
}
