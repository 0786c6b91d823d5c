// SPDX-License-Identifier: BSD-3-Clause
#include "common/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "tern/stats.h"

namespace app {

namespace {

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
  say(count_line(name, value, unit, sentence));
}

void print_counters(const tern::Counters& counters) {
  for (const tern::CounterInfo& info : tern::counter_infos())
    if (const std::uint64_t value = counters.*info.member; value > 0)
      print_count(info.name, value, info.unit, info.sentence);
}

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

// How the work was spread: what tells whether connections stay on their cores.
void print_share(unsigned worker, const tern::Counters& counters) {
  for (const tern::CounterInfo& info : tern::counter_infos())
    for (const std::string_view name : {"established", "segs_in", "handed_over", "asked_around"})
      if (info.name == name)
        print_count(fmt::format("worker_{}_{}", worker, info.name), counters.*info.member,
                    info.unit, info.sentence);
}

}  // namespace

void prepare_streams() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
  std::signal(SIGPIPE, SIG_IGN);
}

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

std::string count_line(std::string_view name, std::uint64_t value, std::string_view unit,
                       std::string_view sentence) {
  constexpr std::size_t kWidth = 100;
  std::string line = fmt::format("{:<26} {:>12} {:<12} ", name, value, unit);
  const std::size_t indent = line.size();
  const std::size_t room = kWidth - indent;
  while (sentence.size() > room) {
    const std::size_t blank = sentence.rfind(' ', room);
    if (blank == std::string_view::npos) break;  // one long word
    line += fmt::format("{}\n{:{}}", sentence.substr(0, blank), "", indent);
    sentence.remove_prefix(blank + 1);
  }
  return line.append(sentence);
}

int fail(const std::string& program, const absl::Status& status) {
  const std::string line = fmt::format("{}: {}\n", program, std::string(status.message()));
  std::fputs(line.c_str(), stderr);
  return status.code() == absl::StatusCode::kInvalidArgument ? kUsageError : 1;
}

std::function<void(tern::LogLevel, std::string_view)> make_log(const CommonOptions& options) {
  auto logger = std::make_shared<spdlog::logger>(options.runtime.program,
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%n: %l: %v");
  logger->set_level(options.quiet     ? spdlog::level::err
                    : options.verbose ? spdlog::level::debug
                                      : spdlog::level::info);
  return [logger](tern::LogLevel level, std::string_view line) {
    logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  };
}

void print_statistics(tern::Runtime& runtime) {
  print_counters(runtime.counters());
  print_usage(runtime.usage());
  if (runtime.workers() == 1) return;
  for (unsigned i = 0; i < runtime.workers(); ++i) print_share(i, runtime.stack(i).counters());
}

}  // namespace app
