// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>

#include "tern/config.h"
#include "tern/port.h"

namespace tern {

/// The configuration with every size that was left at 0 derived from max_connections.
StackConfig with_derived_sizes(StackConfig config);

/// IPv6 addresses that all state of such a stack together can have to do with; 0 without IPv6.
/// Derived sizes are filled in.
std::uint64_t address_book_room(const StackConfig& config);

/// Refuses what contradicts itself or cannot work on this port, naming the field and the remedy.
absl::Status check_config(const StackConfig& config, const PortInfo& port);

}  // namespace tern
