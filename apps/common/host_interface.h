// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>

#include "common/command_line.h"
#include "tern/runtime.h"

namespace app {

/// Makes the program's runtime and, if --host-ip or --host-ip6 are given, this host's end of the
/// tap: the kernel gets its addresses there, brings it up, and forwards what comes out of it, so
/// that two programs on two taps reach each other through this host as through a router. Without
/// --host-ip6, IPv6 is turned off there: its solicitations would only clutter the wire. All of it
/// goes away with the device.
absl::StatusOr<std::unique_ptr<tern::Runtime>> create_runtime(const CommonOptions& options);

}  // namespace app
