// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <vector>

#include "io/dpdk/device.h"
#include "tern/config.h"
#include "tern/runtime.h"

namespace tern::runtime {

/// What a configuration takes when everything in it is in use. Memory that has never been used is
/// not resident, so a plan that fits does not cost its total.
struct MemoryPlan {
  std::vector<MemoryRow> rows;
  std::uint64_t mbuf_bytes = 0;  ///< the part that lies in hugepages if there are any

  std::uint64_t total() const;
  /// One line: "memory: 4096 connections x 424 B = 2 MiB, ..., together at most 90 MiB".
  std::string to_string() const;
};

/// What the machine, or the control group, has left.
struct AvailableMemory {
  std::uint64_t ordinary_bytes = 0;
  std::uint64_t hugepage_bytes = 0;
};

/// Received frames that may be held outside the ring: one a connection within limits, since what is
/// not read soon is copied out of its frame.
std::uint32_t held_frames(const StackConfig& config);

/// What one stack of this configuration on each queue of such a device will take at most; `stack`
/// with all sizes filled in.
MemoryPlan plan_memory(const StackConfig& stack, const io::DeviceConfig& device);

/// Reads /proc/meminfo, the process's control group (v2), and the free hugepages.
AvailableMemory available_memory();

/// Refuses a plan that does not fit, with the arithmetic and the remedy.
absl::Status check_memory(const MemoryPlan& plan, const AvailableMemory& available);

}  // namespace tern::runtime
