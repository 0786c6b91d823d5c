// SPDX-License-Identifier: BSD-3-Clause
#include "support/external_tool.h"

#include <array>
#include <cstdio>

namespace tern::test {

std::optional<std::string> output_of(const std::string& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string output;
  std::array<char, 4096> piece;
  for (std::size_t n; (n = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
    output.append(piece.data(), n);
  if (::pclose(pipe) != 0) return std::nullopt;
  return output;
}

bool have_program(const std::string& name) {
  return output_of("command -v " + name + " 2>/dev/null").has_value();
}

}  // namespace tern::test
