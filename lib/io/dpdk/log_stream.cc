// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/log_stream.h"

#include <rte_log.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tern::io {

namespace {
constexpr std::size_t kKeepBytes = 8192;
}

LogStream::LogStream(LogSink sink) : sink_(std::move(sink)) {
  const cookie_io_functions_t functions = {nullptr, &LogStream::write, nullptr, nullptr};
  file_ = ::fopencookie(this, "w", functions);
  if (file_ == nullptr) return;
  std::setvbuf(file_, nullptr, _IONBF, 0);
  rte_openlog_stream(file_);
}

LogStream::~LogStream() {
  if (file_ == nullptr) return;
  rte_openlog_stream(nullptr);
  std::fclose(file_);
}

void LogStream::release(unsigned at_least) {
  if (file_ == nullptr) return;
  ::flockfile(file_);
  released_ = true;
  if (sink_)
    for (const auto& [level, line] : held_) sink_(std::max(level, at_least), line);
  held_.clear();
  ::funlockfile(file_);
}

std::string LogStream::recent() const {
  if (file_ == nullptr) return {};
  ::flockfile(file_);
  std::string copy = recent_;
  ::funlockfile(file_);
  return copy;
}

ssize_t LogStream::write(void* self, const char* text, std::size_t bytes) {
  static_cast<LogStream*>(self)->take({text, bytes});
  return static_cast<ssize_t>(bytes);
}

// Called with file_'s lock held. An unbuffered stream may hand a line over in several pieces.
void LogStream::take(std::string_view text) {
  partial_.append(text);
  std::size_t end;
  while ((end = partial_.find('\n')) != std::string::npos) {
    const std::string line = partial_.substr(0, end);
    partial_.erase(0, end + 1);
    if (!line.empty())
      take_line(static_cast<unsigned>(std::max(0, rte_log_cur_msg_loglevel())), line);
  }
}

void LogStream::take_line(unsigned level, std::string_view line) {
  recent_.append(line).push_back('\n');
  if (recent_.size() > kKeepBytes)
    recent_.erase(0, recent_.find('\n', recent_.size() - kKeepBytes) + 1);
  if (!released_)
    held_.emplace_back(level, line);
  else if (sink_)
    sink_(level, line);
}

}  // namespace tern::io
