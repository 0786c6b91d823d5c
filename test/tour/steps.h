// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>
#include <vector>

namespace tern::tour {

struct Step {
  std::string_view name, title;
  void (*play)();  ///< prints what happens
};

/// In the order of docs/tour.md.
const std::vector<Step>& steps();

}  // namespace tern::tour
