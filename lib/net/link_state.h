// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tern/neighbour.h"

namespace tern::net {

/// What is known of the way to a next hop.
enum class LinkState : std::uint8_t {
  kReady,       ///< its address is known
  kUnresolved,  ///< not yet; it is being asked for
  kFailed,      ///< it did not answer
};

using tern::NeighbourInfo;
using tern::NeighbourState;

}  // namespace tern::net
