// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "tern/port.h"
#include "tern/runtime.h"
#include "tern/time.h"

namespace tern {

/// A DPDK device without a stack on it: for a program that makes and reads frames itself (a traffic
/// generator), or that puts Stacks and decorators on the port and owns the loop. Brings up EAL and
/// the device as Runtime does. Like it one at a time and once per process; one thread creates it,
/// uses its port and destroys it; only stop() may be called from others.
class BareDevice {
 public:
  /// Of the configuration it takes what concerns EAL and the device; `stack` says how many received
  /// frames may be held (one for each of its max_connections, within limits) and is otherwise not
  /// used, nor are idle, linger, capture_path and between_polls. Errors as Runtime::create.
  static absl::StatusOr<std::unique_ptr<BareDevice>> create(RuntimeConfig config);

  ~BareDevice();
  BareDevice(const BareDevice&) = delete;
  BareDevice& operator=(const BareDevice&) = delete;

  /// Queue pair 0. Frames that the caller still has when the device goes are lost with it.
  Port& port();

  /// The time-stamp counter's time since the start; never backwards.
  Instant now();

  /// True once stop() has been called or, with handle_signals, SIGINT or SIGTERM has come.
  bool is_stopping() const;
  void stop();

  /// As Runtime::describe.
  std::string describe() const;

 private:
  class Impl;
  explicit BareDevice(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
