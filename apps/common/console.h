// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/command_line.h"
#include "tern/runtime.h"

namespace app {

/// First thing in main(): a closed standard stream would be given to the next file that is opened,
/// a device for instance; and a reader who leaves must not end a program.
void prepare_streams();

/// One line on stdout, at once. The program goes on when nobody reads its words any more.
void say(const std::string& line);

/// A counter for people: in columns, its sentence wrapped at a width of 100. Public for its test.
std::string count_line(std::string_view name, std::uint64_t value, std::string_view unit,
                       std::string_view sentence);

/// One line on stderr, "PROGRAM: the words"; answers the exit status: 2 for a mistake in the
/// arguments, 1 for anything else.
int fail(const std::string& program, const absl::Status& status);

/// Where a Runtime's log lines go: stderr, through spdlog, at the level that the options ask for.
std::function<void(tern::LogLevel, std::string_view)> make_log(const CommonOptions& options);

/// Every counter that is not 0, summed over the workers, and then what their stacks still hold,
/// zeros as well: that nothing is left is what one wants to see. Of several workers the shares of
/// each.
void print_statistics(tern::Runtime& runtime);

}  // namespace app
