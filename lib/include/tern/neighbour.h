// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string_view>

#include "tern/address.h"
#include "tern/time.h"

namespace tern {

/// What an entry of the neighbour table is doing.
enum class NeighbourState : std::uint8_t {
  kIdle,       ///< the gateway's, while nobody has asked for it
  kResolving,  ///< asked for by broadcast, or in its solicited-node group
  kReachable,
  kVerifying,  ///< still good, and asked by unicast whether it is there
  kFailed,     ///< did not answer; not asked again until the hold-down is over
  kStale,      ///< IPv6: not heard of for a while; good enough to be used
  kDelay,      ///< IPv6: used while stale, and soon to be verified
};
std::string_view to_string(NeighbourState state);

/// A snapshot of one entry, for lists.
struct NeighbourInfo {
  IpAddress address;
  MacAddress mac;  ///< zero until it has answered
  NeighbourState state = NeighbourState::kIdle;
  Duration age{};  ///< since it was last confirmed, or since it was asked for
  bool is_gateway = false;
  std::uint32_t waiting_frames = 0;
};

}  // namespace tern
