// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <variant>

#include "common/command_line.h"

namespace upper {

/// What the command line and the configuration file ask for.
struct Options : app::CommonOptions {
  std::uint16_t port = 9999;
};

/// Reads "[EAL arguments --] options"; answers an exit status instead if that is all.
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace upper
