// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <string>

#include "io/dpdk/device.h"
#include "io/dpdk/dpdk_port.h"

namespace tern::io {

/// A virtual device of one test: plugged in by its constructor, gone after its destructor.
class TestDevice {
 public:
  /// `driver` is "net_ring", "net_null" or "net_tap"; the name is made unique.
  explicit TestDevice(const std::string& driver, const std::string& arguments = "",
                      const DeviceConfig& config = small_config());
  ~TestDevice();

  /// Few descriptors and buffers: every test process has 128 MiB.
  static DeviceConfig small_config();

  Device& device() { return *device_; }
  DpdkPort& port() { return *port_; }
  /// Buffers of the device's pool that lie in it.
  unsigned available() const;
  /// Buffers of the device's pool.
  unsigned size() const;

 private:
  std::string name_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<DpdkPort> port_;
};

/// What this executable prints when run with "--try-eal ARGUMENTS": EAL's status, in a process of
/// its own since EAL starts once per process.
std::string try_eal(const std::string& arguments);

/// The same, but EAL stays up until the answer is given to pclose(); nullptr: it did not start.
std::FILE* start_eal(const std::string& arguments);

/// The id of a process that has ended.
pid_t pid_of_nobody();

/// Empty, or why no tap device can be made here.
std::string why_no_tap();

}  // namespace tern::io
