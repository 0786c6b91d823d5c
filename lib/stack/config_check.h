// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>

#include "tern/config.h"
#include "tern/port.h"

namespace tern {

/// The configuration with every size that was left at 0 derived from max_connections.
StackConfig with_derived_sizes(StackConfig config);

/// Refuses what contradicts itself or cannot work on this port, naming the field and the remedy.
absl::Status check_config(const StackConfig& config, const PortInfo& port);

}  // namespace tern
