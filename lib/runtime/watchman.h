// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "io/dpdk/device.h"
#include "runtime/control_thread.h"
#include "runtime/event_log.h"
#include "runtime/worker.h"

namespace tern::runtime {

/// A thread that looks after the workers ten times a second, and logs what an operator acts on:
/// see EventLog. Apart from the workers, since one that hangs cannot say so. It asks them for their
/// counters once a second, as telemetry does. Thread rule: made and destroyed by the main thread;
/// the device and the workers must outlive it.
class Watchman {
 public:
  Watchman(const io::Device& device, std::vector<Worker*> workers, EventLog log);
  ~Watchman();
  Watchman(const Watchman&) = delete;
  Watchman& operator=(const Watchman&) = delete;

 private:
  void walk();
  Observation observe(bool with_counters) const;

  const io::Device& device_;
  const std::vector<Worker*> workers_;
  EventLog log_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  ControlThread thread_;  // last: it uses all of the above
};

}  // namespace tern::runtime
