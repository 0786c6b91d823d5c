// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "common/watch_tool.h"
#include "exporter.h"
#include "view.h"

namespace {

using app::WatchTool;

constexpr std::size_t kSocketsLookedAt = 560;
constexpr const char* kHelp =
    R"(usage: tern-top [OPTION...]
Shows what a running Tern process does, by the second: rates, cores, what is
dropped and why, the busiest connections. Ctrl-C ends it.

  -d S               seconds between two looks (1)
  -n N               ends after N looks
  --once             one look at one second, and nothing but lines
  --prometheus [A:]P serves the counters to Prometheus on port P instead (of
                     127.0.0.1, or the IPv4 address A), of all processes
  --file-prefix P    the process with this DPDK file prefix, if several run
  --version  --help
exit status: 0; 1 no Tern process is running, or it ended; 2 a mistake in the
command line
)";

struct Options {
  double interval_s = 1;
  std::uint64_t looks = 0;  // 0: without end
  bool once = false;
  std::string prometheus;
};

std::size_t rows_of_terminal() {
  winsize size{};
  constexpr std::size_t kUsual = 24;
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kUsual;
}

void wait(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!app::is_interrupted() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

// The screen is written over, and not cleared first: it does not flicker.
void show(std::string text, bool on_terminal) {
  if (!on_terminal) {
    std::fputs(text.c_str(), stdout);
    return;
  }
  std::string screen = "\x1b[H";
  std::size_t rows = rows_of_terminal() - 1;
  for (std::size_t end; rows > 0 && (end = text.find('\n')) != std::string::npos; --rows) {
    screen += text.substr(0, end) + "\x1b[K\n";
    text.erase(0, end + 1);
  }
  std::fputs((screen + "\x1b[J").c_str(), stdout);
}

int watch(const WatchTool& tool, app::TelemetryClient& process, const Options& options) {
  const bool on_terminal = !options.once && ::isatty(STDOUT_FILENO) == 1;
  const std::uint64_t looks = options.once ? 1 : options.looks;
  auto before = top::take_sample(process, kSocketsLookedAt);
  if (on_terminal) std::fputs("\x1b[2J", stdout);
  for (std::uint64_t look = 0;
       before.ok() && !app::is_interrupted() && (looks == 0 || look < looks); ++look) {
    wait(options.interval_s);
    if (app::is_interrupted()) break;
    auto now = top::take_sample(process, kSocketsLookedAt);
    if (now.ok())
      show(top::view_text(*before, *now, on_terminal ? rows_of_terminal() : 10), on_terminal);
    if (std::fflush(stdout) != 0) return 0;
    before = std::move(now);
  }
  return before.ok() ? 0 : tool.fail(before.status());
}

// Processes come and go: each scrape looks for them anew.
std::string scrape(const WatchTool& tool) {
  std::vector<top::Sample> samples;
  auto processes = app::find_processes(tool.file_prefix());
  if (!processes.ok()) return "";
  for (app::TelemetryClient& process : *processes)
    if (auto sample = top::take_sample(process, 0); sample.ok())
      samples.push_back(*std::move(sample));
  return top::prometheus_text(samples);
}

int serve(const WatchTool& tool, const Options& options) {
  const bool only_port = options.prometheus.find(':') == std::string::npos;
  const auto endpoint = app::parse_endpoint((only_port ? "127.0.0.1:" : "") + options.prometheus);
  if (!endpoint || endpoint->port == 0 || !endpoint->address.is_v4())
    return tool.fail("'" + options.prometheus + "' is not a port, as in 9464 or 0.0.0.0:9464",
                     true);
  auto exporter = top::Exporter::listen(*endpoint);
  if (!exporter.ok()) return tool.fail(exporter.status());
  fmt::print("serving http://{}/metrics\n", to_string(*endpoint));
  std::fflush(stdout);
  exporter->serve([&] { return scrape(tool); }, app::is_interrupted);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  WatchTool tool("tern-top", kHelp);
  Options options;
  CLI::App& line = tool.options();
  line.add_option("-d", options.interval_s)->check(CLI::Range(0.1, 3600.0));
  line.add_option("-n", options.looks);
  line.add_flag("--once", options.once);
  line.add_option("--prometheus", options.prometheus);
  if (const auto status = tool.parse(argc, argv)) return *status;
  app::catch_interrupts();
  if (!options.prometheus.empty()) return serve(tool, options);
  auto process = tool.find_process();
  return process.ok() ? watch(tool, *process, options) : tool.fail(process.status());
}
