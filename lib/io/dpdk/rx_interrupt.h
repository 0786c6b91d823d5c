// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tern/time.h"

namespace tern::io {

/// A device queue's receive interrupt, to sleep until a frame arrives: arm(), look once more for
/// frames that had arrived by then, sleep(), disarm(). Thread: the one that polls the queue, which
/// must be EAL's. The device must have been opened with rx_interrupts, and outlives it.
class RxInterrupt {
 public:
  RxInterrupt(std::uint16_t port_id, std::uint16_t queue) : port_id_(port_id), queue_(queue) {}

  /// False if the driver has none for this queue: then nothing would end a sleep early.
  bool arm();
  /// Until a frame arrives, a signal is handled, or `limit` has passed. Rounded up to milliseconds.
  void sleep(Duration limit);
  void disarm();

 private:
  enum class State : std::uint8_t { kUnknown, kWorks, kMissing };
  bool attach();

  std::uint16_t port_id_;
  std::uint16_t queue_;
  State state_ = State::kUnknown;  // before the first use: the epoll set is the thread's own
};

}  // namespace tern::io
