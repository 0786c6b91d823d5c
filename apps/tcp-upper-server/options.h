// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <variant>

#include "tern/runtime.h"

namespace upper {

/// What the command line and the configuration file ask for.
struct Options {
  tern::RuntimeConfig runtime;
  std::uint16_t port = 9999;
  bool quiet = false;    // no line for each connection, errors only
  bool verbose = false;  // DPDK's log as well
  bool stats = false;    // counters at exit
};

inline constexpr int kUsageError = 2;

/// Reads "[EAL arguments --] options". Answers an exit status instead if that is all: --help and
/// --version (0, printed on stdout), or a mistake (2, one line on stderr).
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace upper
