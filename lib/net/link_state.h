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

/// The version of everything that link headers are made from. Never 0.
class Generation {
 public:
  std::uint32_t value() const { return value_; }
  void advance() {
    if (++value_ == 0) value_ = 1;
  }

 private:
  std::uint32_t value_ = 1;
};

using tern::NeighbourInfo;
using tern::NeighbourState;

}  // namespace tern::net
