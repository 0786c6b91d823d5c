// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/socket.h"

namespace top {

/// What one process said at one time: its answers as they came.
struct Sample {
  std::chrono::steady_clock::time_point time;
  std::string program;
  int pid = 0;
  nlohmann::json stats, usage, workers, config;
  nlohmann::json sentences;          ///< "unit: sentence" by counter
  std::vector<app::Socket> sockets;  ///< the first ones only: see take_sample
  bool more_sockets = false;
};

/// Asks a process for everything. At most `sockets` connections are looked at (0: none), so that a
/// view by the second stays cheap beside a million of them.
absl::StatusOr<Sample> take_sample(app::TelemetryClient& process, std::size_t sockets);

/// A member of an answer, 0 if it is not there.
std::uint64_t number(const nlohmann::json& object, const std::string& name);

}  // namespace top
