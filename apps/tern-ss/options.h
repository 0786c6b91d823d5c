// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <variant>

#include "common/watch_tool.h"
#include "filter.h"
#include "format.h"

namespace ss {

/// What the command line asks for.
struct Options {
  Filter filter;
  RowOptions rows;
  std::string file_prefix;  ///< empty: every process
  bool header = true;
  bool summary = false;
  bool json = false;
  bool kill = false;
  bool watch = false;
  double interval_s = 1;
};

/// What --help prints.
extern const char* const kHelp;

/// Reads the command line. Answers an exit status instead if that is all: --help and --version (0),
/// or a mistake (2, one line on stderr).
std::variant<Options, int> parse_options(app::WatchTool& tool, int argc, const char* const* argv);

}  // namespace ss
