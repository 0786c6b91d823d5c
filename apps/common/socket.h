// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/telemetry_client.h"
#include "tern/connection.h"

namespace app {

/// One socket of another process, as its telemetry tells it.
struct Socket {
  tern::TcpState state = tern::TcpState::kClosed;
  std::uint64_t receive_queue = 0, send_queue = 0;
  tern::Endpoint local, peer;
  nlohmann::json details;  ///< the whole answer: with "cwnd" and the like if they were asked for
};

/// "10.0.2.2:9999", "[fd00::2]:9999"; nothing if it is neither.
std::optional<tern::Endpoint> parse_endpoint(std::string_view text);
std::optional<tern::TcpState> parse_state(std::string_view rfc_name);

/// Some sockets, and the cursor of the next page: 0 after the last.
struct SocketPage {
  std::vector<Socket> sockets;
  std::uint64_t next = 0;
};
absl::StatusOr<SocketPage> next_page(TelemetryClient& process, bool full, std::uint64_t cursor);

/// Calls `visit` for each socket, page by page: a list of a million is never in memory here, nor
/// does the process notice. `full`: with details. A socket that opens or closes meanwhile may be
/// missing.
absl::Status for_each_socket(TelemetryClient& process, bool full,
                             const std::function<void(const Socket&)>& visit);

}  // namespace app
