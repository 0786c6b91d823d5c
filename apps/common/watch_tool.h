// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>

#include "common/telemetry_client.h"

namespace CLI {
class App;  // as in command_line.h
}  // namespace CLI

namespace app {

/// What the programs that watch others share: tern-ss, tern-dump, tern-top.
class WatchTool {
 public:
  /// `help` is the whole of --help.
  WatchTool(std::string name, const char* help);
  ~WatchTool();

  CLI::App& options() { return *app_; }
  /// Where --file-prefix goes, which all of them have.
  const std::string& file_prefix() const { return file_prefix_; }

  /// Answers an exit status if that is all: --help and --version (0), or a mistake (2, one line on
  /// stderr).
  std::optional<int> parse(int argc, const char* const* argv);

  /// One line on stderr; answers the exit status, 2 for a mistake and 1 for anything else.
  int fail(const std::string& why, bool mistake = false) const;
  int fail(const absl::Status& status) const;

  /// The process to watch: the only one there is, or that of --file-prefix. Several are a mistake,
  /// and the error's text says how to choose.
  absl::StatusOr<TelemetryClient> find_process() const;

 private:
  std::string name_;
  std::unique_ptr<CLI::App> app_;
  std::string file_prefix_;
};

/// From now on SIGINT and SIGTERM only make is_interrupted() true, and SIGPIPE does nothing.
void catch_interrupts();
bool is_interrupted();

}  // namespace app
