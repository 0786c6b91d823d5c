// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/runtime_directory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace tern::io {

namespace {

namespace fs = std::filesystem;

// Never destroyed, as it is read while the process exits.
fs::path& directory_of_exit() {
  static auto* const directory = new fs::path;
  return *directory;
}

// Whether another process, the primary one of this file prefix, holds EAL's lock on its
// configuration. `if_none` is the answer where there is no such file. A lock of this process is
// lost.
bool is_locked_by_another(const fs::path& directory, bool if_none) {
  const int fd = ::open((directory / "config").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return errno != ENOENT || if_none;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool locked = ::fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
  ::close(fd);
  return locked;
}

// The process that "tern-PID" names; 0 if the name is another one.
pid_t process_of(std::string_view name) {
  constexpr std::string_view kPrefix = "tern-";
  if (!name.starts_with(kPrefix)) return 0;
  const char* const end = name.data() + name.size();
  pid_t pid = 0;
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, pid);
  return error == std::errc() && rest == end && pid > 0 ? pid : 0;
}

bool is_running(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

// Whether nobody listens: a process of another PID namespace may, whose number says nothing here.
bool is_dead_socket(const fs::path& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string name = path.string();
  if (name.size() >= sizeof address.sun_path) return false;
  std::copy(name.begin(), name.end(), address.sun_path);
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::close(fd);
  return result != 0 && error == ECONNREFUSED;
}

bool has_live_socket(const fs::path& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (entry.is_socket(error) && !is_dead_socket(entry.path())) return true;
  return static_cast<bool>(error);
}

bool is_abandoned(const fs::path& directory) {
  const pid_t pid = process_of(directory.filename().string());
  return pid != 0 && !is_running(pid) && !is_locked_by_another(directory, false) &&
         !has_live_socket(directory);
}

}  // namespace

void remove_runtime_directory(const fs::path& directory, bool is_own) {
  std::error_code ignored;
  if (is_own || !is_locked_by_another(directory, true))  // without the file EAL shares nothing
    fs::remove_all(directory, ignored);
  else
    fs::remove(directory, ignored);  // if it is empty
}

void remove_empty_directory_at_exit() {
  static_cast<void>(directory_of_exit());
  static_cast<void>(std::atexit([] { ::rmdir(directory_of_exit().c_str()); }));
}

void name_directory_of_exit(const fs::path& directory) { directory_of_exit() = directory; }

void sweep_runtime_directories(const fs::path& own) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(own.parent_path(), ignored)) {
    // Not even to look: closing the configuration would give up our own lock on it.
    if (entry.path() == own || entry.is_symlink(ignored) || !entry.is_directory(ignored)) continue;
    if (is_abandoned(entry.path())) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace tern::io
