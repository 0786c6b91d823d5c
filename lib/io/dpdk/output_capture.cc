// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/output_capture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

namespace tern::io {

namespace {

int duplicate(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, 3); }

// A stream that was closed before stays closed.
void put_back(int& saved, int fd) {
  if (saved >= 0) {
    ::dup2(saved, fd);
    ::close(saved);
  } else {
    ::close(fd);
  }
  saved = -1;
}

}  // namespace

OutputCapture::OutputCapture() {
  std::fflush(nullptr);
  file_ = ::memfd_create("tern-bring-up", MFD_CLOEXEC);
  if (file_ < 0) return;
  saved_stdout_ = duplicate(STDOUT_FILENO);
  saved_stderr_ = duplicate(STDERR_FILENO);
  ::dup2(file_, STDOUT_FILENO);
  ::dup2(file_, STDERR_FILENO);
}

OutputCapture::~OutputCapture() {
  if (file_ < 0) return;
  restore();
  ::close(file_);
}

std::string OutputCapture::finish() {
  if (file_ < 0) return {};
  restore();
  const off_t end = ::lseek(file_, 0, SEEK_END);
  std::string text(end > 0 ? static_cast<std::size_t>(end) : 0, '\0');
  const ssize_t got = ::pread(file_, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  ::close(file_);
  file_ = -1;
  return text;
}

void OutputCapture::restore() {
  std::fflush(nullptr);
  put_back(saved_stdout_, STDOUT_FILENO);
  put_back(saved_stderr_, STDERR_FILENO);
}

}  // namespace tern::io
