// SPDX-License-Identifier: BSD-3-Clause
#include "common/watch_tool.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <utility>
#include <vector>

namespace app {

namespace {

constexpr int kUsageError = 2;

std::atomic<bool> interrupted = false;

}  // namespace

WatchTool::WatchTool(std::string name, const char* help)
    : name_(std::move(name)), app_(std::make_unique<CLI::App>()) {
  // By hand, since a generated one fills two screens.
  app_->formatter_fn([help](const CLI::App*, std::string, CLI::AppFormatMode) { return help; });
  app_->set_version_flag("-V,--version", name_ + " (Tern) " TERN_VERSION);
  app_->add_option("--file-prefix", file_prefix_);
}

WatchTool::~WatchTool() = default;

std::optional<int> WatchTool::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_->exit(error);
    return fail(fmt::format("{} (see --help)", error.what()), true);
  }
  return std::nullopt;
}

int WatchTool::fail(const std::string& why, bool mistake) const {
  fmt::print(stderr, "{}: {}\n", name_, why);
  return mistake ? kUsageError : 1;
}

int WatchTool::fail(const absl::Status& status) const {
  return fail(std::string(status.message()), absl::IsInvalidArgument(status));
}

absl::StatusOr<TelemetryClient> WatchTool::find_process() const {
  auto processes = find_processes(file_prefix_);
  if (!processes.ok()) return processes.status();
  if (processes->size() == 1) return std::move(processes->front());
  std::string text = "several Tern processes run; choose one:";
  for (const TelemetryClient& process : *processes)
    text += fmt::format("\n  --file-prefix {}   {}", process.file_prefix(), process.program());
  return absl::InvalidArgumentError(text);
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool is_interrupted() { return interrupted; }

}  // namespace app
