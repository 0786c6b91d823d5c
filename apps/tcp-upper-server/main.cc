// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "options.h"
#include "tern/runtime.h"
#include "tern/stats.h"
#include "upper_server.h"

namespace {

using upper::Options;

// A closed standard stream would be given to the next file that is opened, a device for instance.
void open_standard_streams() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
}

// The server goes on when nobody reads its words any more.
void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

int fail(const absl::Status& status) {
  const std::string line = fmt::format("tcp-upper-server: {}\n", std::string(status.message()));
  std::fputs(line.c_str(), stderr);
  return status.code() == absl::StatusCode::kInvalidArgument ? upper::kUsageError : 1;
}

std::shared_ptr<spdlog::logger> make_logger(const Options& options) {
  auto logger = std::make_shared<spdlog::logger>("tcp-upper-server",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%n: %l: %v");
  logger->set_level(options.quiet     ? spdlog::level::err
                    : options.verbose ? spdlog::level::debug
                                      : spdlog::level::info);
  return logger;
}

spdlog::level::level_enum spdlog_level(tern::LogLevel level) {
  switch (level) {
    case tern::LogLevel::kDebug:
      return spdlog::level::debug;
    case tern::LogLevel::kInfo:
      return spdlog::level::info;
    case tern::LogLevel::kWarning:
      return spdlog::level::warn;
    case tern::LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

void print_count(std::string_view name, std::uint64_t value, std::string_view unit,
                 std::string_view sentence) {
  say(fmt::format("{:<26} {:>12} {:<12} {}", name, value, unit, sentence));
}

void print_counters(const tern::Counters& counters) {
  for (const tern::CounterInfo& info : tern::counter_infos())
    if (const std::uint64_t value = counters.*info.member; value > 0)
      print_count(info.name, value, info.unit, info.sentence);
}

// Zeros as well: that nothing is left is what one wants to see.
void print_usage(const tern::StackUsage& left) {
  print_count("left_connections", left.connections, "connections", "still there");
  print_count("left_timers", left.timers, "timers", "of connections, still armed");
  print_count("left_time_wait", left.time_wait, "records", "in TIME-WAIT");
  print_count("left_held_frames", left.held_frames, "frames", "received, not yet given back");
  print_count("left_waiting_frames", left.waiting_frames, "frames", "waiting for a neighbour");
  print_count("left_staged_frames", left.staged_frames, "frames", "waiting for the device");
  print_count("left_send_chunks", left.send_chunks, "chunks", "of data to send");
  print_count("left_receive_chunks", left.receive_chunks, "chunks", "of received data");
}

void print_statistics(const tern::Stack& stack) {
  print_counters(stack.counters());
  print_usage(stack.usage());
}

int serve(const Options& options, tern::Runtime& runtime) {
  upper::UpperServer server(options.quiet ? upper::UpperServer::Announce() : say);
  const auto listener = runtime.stack().listen({.address = {}, .port = options.port}, server);
  if (!listener.ok())
    return fail(absl::AlreadyExistsError(fmt::format(
        "port {}: {}; choose another --port", options.port, tern::to_string(listener.error()))));
  say(fmt::format("listening at port: 0.0.0.0:{}, waiting for connections...", options.port));
  const absl::Status status = runtime.run();
  if (options.stats) print_statistics(runtime.stack());
  return status.ok() ? 0 : fail(status);
}

int run(Options options) {
  const auto logger = make_logger(options);
  options.runtime.log = [logger](tern::LogLevel level, std::string_view line) {
    logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  };
  auto runtime = tern::Runtime::create(options.runtime);
  if (!runtime.ok()) return fail(runtime.status());
  if (!options.quiet) std::fputs((*runtime)->describe().c_str(), stderr);
  return serve(options, **runtime);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);
  const auto parsed = upper::parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  return run(std::get<Options>(parsed));
}
