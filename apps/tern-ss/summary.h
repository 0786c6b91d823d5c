// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ss {

/// `tern-ss -s`: sockets by state, half-open connections and how a SYN flood is met. The three are
/// the answers to /tern/usage, /tern/stats and /tern/config. Several lines, each ended.
std::string summary_text(const nlohmann::json& usage, const nlohmann::json& stats,
                         const nlohmann::json& config);

}  // namespace ss
