// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "common/command_line.h"
#include "tern/runtime.h"

namespace app {

/// Listens on a port of every address that the program has, of both families: `factory` is called
/// for each worker and family. What refuses, if anything does.
tern::Errc listen(tern::Runtime& runtime, const CommonOptions& options, std::uint16_t port,
                  const tern::Runtime::HandlerFactory& factory);

/// Where that is: "0.0.0.0:80", "0.0.0.0:80 and [::]:80".
std::string listening_at(const CommonOptions& options, std::uint16_t port);

}  // namespace app
