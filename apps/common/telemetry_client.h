// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace app {

/// A conversation with one running Tern process over DPDK's telemetry socket. Blocks; a process
/// that does not answer within some seconds is an error. Thread: one at a time.
class TelemetryClient {
 public:
  /// `directory` is the process's DPDK runtime directory, e.g. /var/run/dpdk/tern-1234. Errors:
  /// kPermissionDenied, kNotFound when nobody listens there or it is no Tern process.
  static absl::StatusOr<TelemetryClient> connect(const std::string& directory);
  TelemetryClient(TelemetryClient&& other) noexcept;
  TelemetryClient& operator=(TelemetryClient&& other) noexcept;
  ~TelemetryClient();

  /// Asks e.g. "/tern/sockets,0" and returns what it answers: an object.
  absl::StatusOr<nlohmann::json> ask(const std::string& command);

  const std::string& file_prefix() const { return file_prefix_; }  ///< "tern-1234"
  const std::string& program() const { return program_; }          ///< "tcp-upper-server"
  int pid() const { return pid_; }

 private:
  TelemetryClient(int socket, std::string file_prefix);
  absl::StatusOr<std::string> receive();
  absl::Status introduce();

  int socket_;
  std::string file_prefix_;
  std::string program_;
  int pid_ = 0;
};

/// Where DPDK keeps the runtime directories of processes: of root, of this user.
std::vector<std::string> telemetry_roots();

/// Every running Tern process that this user may ask, or the one of a file prefix. An error if
/// there is none: a sentence that says where was looked, and what to do.
absl::StatusOr<std::vector<TelemetryClient>> find_processes(const std::string& file_prefix = "");

}  // namespace app
