// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

namespace tern::test {

/// What a shell command prints (standard output), or nothing if it fails or does not exist. For
/// tools that check our output, such as tcpdump.
std::optional<std::string> output_of(const std::string& command);

/// Whether a program is on the path.
bool have_program(const std::string& name);

}  // namespace tern::test
