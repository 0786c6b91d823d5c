// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <variant>

#include "common/command_line.h"

namespace client {

enum class TimeWait : std::uint8_t {
  kAuto,  ///< sit it out when a person is at the terminal
  kYes,
  kNo,
};

struct Options : app::CommonOptions {
  tern::IpAddress server;
  std::uint16_t port = 9999;
  std::uint16_t local_port = 0;  // 0: drawn
  TimeWait time_wait = TimeWait::kAuto;
};

/// Reads "[EAL arguments --] options"; answers an exit status instead if that is all.
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace client
