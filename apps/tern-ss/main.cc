// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "common/watch_tool.h"
#include "options.h"
#include "summary.h"

namespace {

using app::Socket;
using app::TelemetryClient;
using nlohmann::json;
using ss::Options;

void print_line(const std::string& line) { fmt::print("{}\n", line); }

absl::StatusOr<ss::RowOwner> owner_of(TelemetryClient& process) {
  const auto config = process.ask("/tern/config");
  if (!config.ok()) return config.status();
  return ss::RowOwner{.program = process.program(),
                      .pid = process.pid(),
                      .receive_buffer = config->value("receive_buffer", std::uint64_t{0}),
                      .send_buffer = config->value("send_buffer", std::uint64_t{0})};
}

bool needs_details(const Options& options) {
  return options.json || options.rows.info || options.rows.extended || options.rows.timers;
}

// Visits what the filter admits, of one process.
absl::Status visit(TelemetryClient& process, const Options& options,
                   const std::function<void(const Socket&)>& visitor) {
  return app::for_each_socket(process, needs_details(options), [&](const Socket& socket) {
    if (options.filter.admits(socket)) visitor(socket);
  });
}

absl::Status print_json(std::vector<TelemetryClient>& processes, const Options& options) {
  bool first = true;
  fmt::print("[");
  for (TelemetryClient& process : processes) {
    const absl::Status status = visit(process, options, [&](const Socket& socket) {
      json object = socket.details;
      object["program"] = process.program();
      object["pid"] = process.pid();
      fmt::print("{}\n{}", first ? "" : ",", object.dump());
      first = false;
    });
    if (!status.ok()) return status;
  }
  fmt::print("{}]\n", first ? "" : "\n");
  return absl::OkStatus();
}

absl::Status print_table(std::vector<TelemetryClient>& processes, const Options& options) {
  ss::RowOptions rows = options.rows;
  rows.process |= processes.size() > 1;
  ss::Table table(rows, options.header, print_line);
  for (TelemetryClient& process : processes) {
    const auto owner = owner_of(process);
    if (!owner.ok()) return owner.status();
    const absl::Status status =
        visit(process, options, [&](const Socket& socket) { table.add(socket, *owner); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status print_summary(std::vector<TelemetryClient>& processes, const Options& options) {
  json all = json::array();
  for (TelemetryClient& process : processes) {
    const auto usage = process.ask("/tern/usage");
    const auto stats = process.ask("/tern/stats");
    const auto config = process.ask("/tern/config");
    for (const auto* answer : {&usage, &stats, &config})
      if (!answer->ok()) return answer->status();
    if (options.json)
      all.push_back({{"usage", *usage}, {"stats", *stats}, {"config", *config}});
    else
      fmt::print("{}{}", &process == &processes.front() ? "" : "\n",
                 ss::summary_text(*usage, *stats, *config));
  }
  if (options.json) print_line(all.dump());
  return absl::OkStatus();
}

// As many at once as DPDK takes: between two questions a worker may sleep for 10 ms.
void close_sockets(TelemetryClient& process, std::span<const Socket> sockets,
                   const std::function<void(const Socket&)>& on_closed) {
  constexpr std::size_t kLongestQuestion = 1023;
  while (!sockets.empty()) {
    std::string question = "/tern/close";
    std::size_t count = 0;
    for (; count < sockets.size(); ++count) {
      const std::string pair =
          fmt::format(",{},{}", to_string(sockets[count].local), to_string(sockets[count].peer));
      if (question.size() + pair.size() > kLongestQuestion) break;
      question += pair;
    }
    const auto answer = process.ask(question);
    for (std::size_t i = 0; answer.ok() && i < count; ++i)
      if (answer->value(std::to_string(i), 0) > 0) on_closed(sockets[i]);
    sockets = sockets.subspan(count);
  }
}

// The list first, as a whole: closing while it is taken would move what is listed.
absl::Status close_all(std::vector<TelemetryClient>& processes, const Options& options) {
  ss::Table table(options.rows, options.header, print_line);
  for (TelemetryClient& process : processes) {
    const auto owner = owner_of(process);
    if (!owner.ok()) return owner.status();
    std::vector<Socket> chosen;
    const absl::Status status =
        visit(process, options, [&](const Socket& socket) { chosen.push_back(socket); });
    if (!status.ok()) return status;
    close_sockets(process, chosen, [&](const Socket& socket) { table.add(socket, *owner); });
  }
  return absl::OkStatus();
}

absl::Status print_once(const Options& options) {
  auto processes = app::find_processes(options.file_prefix);
  if (!processes.ok()) return processes.status();
  if (options.kill) return close_all(*processes, options);
  if (options.summary) return print_summary(*processes, options);
  return options.json ? print_json(*processes, options) : print_table(*processes, options);
}

// On a terminal each list takes the place of the one before.
int watch(const app::WatchTool& tool, const Options& options) {
  const bool on_terminal = ::isatty(STDOUT_FILENO) == 1;
  for (;;) {
    if (on_terminal) fmt::print("\x1b[H\x1b[2J");
    if (const absl::Status status = print_once(options); !status.ok()) return tool.fail(status);
    if (!on_terminal) fmt::print("\n");
    if (std::fflush(stdout) != 0) return 0;  // nobody reads any more
    std::this_thread::sleep_for(std::chrono::duration<double>(options.interval_s));
  }
}

}  // namespace

int main(int argc, char** argv) {
  app::WatchTool tool("tern-ss", ss::kHelp);
  const auto parsed = ss::parse_options(tool, argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const Options& options = std::get<Options>(parsed);
  if (options.watch) return watch(tool, options);
  const absl::Status status = print_once(options);
  return status.ok() ? 0 : tool.fail(status);
}
