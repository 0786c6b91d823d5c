// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tern/time.h"

namespace tern::tcp {

/// New data was acknowledged, outside recovery.
struct AckEvent {
  std::uint32_t bytes_acked = 0;
  std::uint32_t flight_bytes = 0;  // outstanding before this ACK
  Instant now{};
  Duration rtt{};             // zero: this ACK gave no sample
  Duration srtt{};            // smoothed; zero before the first sample
  bool cwnd_limited = false;  // the window had held back data since it last changed
};

/// A loss was found by duplicate ACKs.
struct LossEvent {
  std::uint32_t flight_bytes = 0;  // outstanding; without what limited transmit sent (RFC 5681 3.2)
  Instant now{};
  bool congestion = true;  // false: only a probe of the path's MTU is lost, and the window stays
};

}  // namespace tern::tcp
