// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::io {

/// Takes one line of DPDK's log, without its line feed. `level` is an RTE_LOG_* value: 4 and below
/// are errors, 5 warnings, 6 notices, 7 and above chatter. May be called from EAL's own threads.
using LogSink = std::function<void(unsigned level, std::string_view line)>;

/// DPDK's log, taken off the terminal and the syslog: lines go to a sink, and the latest are kept,
/// since a driver says why it failed nowhere else. One at a time in a process, as DPDK's log is.
class LogStream {
 public:
  /// Holds the lines back until release(): at bring-up nobody listens yet.
  explicit LogStream(LogSink sink);
  ~LogStream();  // DPDK logs to its default stream again
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;

  /// Hands the lines held back to the sink, and from now on each at once. `at_least` makes them
  /// less urgent, for one who has been told in other words.
  void release(unsigned at_least = 0);

  /// The latest lines, at most 8 KiB, oldest first.
  std::string recent() const;

 private:
  static ssize_t write(void* self, const char* text, std::size_t bytes);
  void take(std::string_view text);
  void take_line(unsigned level, std::string_view line);

  LogSink sink_;
  std::FILE* file_;  // its lock guards what follows
  std::string recent_;
  std::string partial_;  // a line whose end has not come yet
  std::vector<std::pair<unsigned, std::string>> held_;
  bool released_ = false;
};

}  // namespace tern::io
