// SPDX-License-Identifier: BSD-3-Clause
#include "common/telemetry_client.h"

#include <absl/strings/str_cat.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace app {

namespace {

constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
constexpr std::size_t kLongestAnswer = 64 << 10;  // DPDK's are 16 KiB at most

}  // namespace

TelemetryClient::TelemetryClient(int socket, std::string file_prefix)
    : socket_(socket), file_prefix_(std::move(file_prefix)) {}

TelemetryClient::TelemetryClient(TelemetryClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      file_prefix_(std::move(other.file_prefix_)),
      program_(std::move(other.program_)),
      pid_(other.pid_) {}

TelemetryClient& TelemetryClient::operator=(TelemetryClient&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(file_prefix_, other.file_prefix_);
  std::swap(program_, other.program_);
  std::swap(pid_, other.pid_);
  return *this;
}

TelemetryClient::~TelemetryClient() {
  if (socket_ >= 0) ::close(socket_);
}

absl::StatusOr<TelemetryClient> TelemetryClient::connect(const std::string& directory) {
  const std::string path = directory + "/dpdk_telemetry.v2";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return absl::InvalidArgumentError(absl::StrCat(path, ": the name is too long for a socket"));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  TelemetryClient client(fd, std::filesystem::path(directory).filename());
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return absl::ErrnoToStatus(errno, path);
  if (absl::Status status = client.introduce(); !status.ok()) return status;
  return client;
}

// DPDK speaks first; then the process says who it is, if it is one of ours.
absl::Status TelemetryClient::introduce() {
  if (auto greeting = receive(); !greeting.ok()) return greeting.status();
  const auto config = ask("/tern/config");
  if (!config.ok()) return config.status();
  program_ = config->value("program", "?");
  pid_ = config->value("pid", 0);
  return absl::OkStatus();
}

absl::StatusOr<std::string> TelemetryClient::receive() {
  std::string text(kLongestAnswer, '\0');
  ssize_t size;
  do {
    size = ::recv(socket_, text.data(), text.size(), 0);
  } while (size < 0 && errno == EINTR);  // Ctrl-C ends a program after its last answer
  if (size < 0 && errno == EAGAIN)
    return absl::DeadlineExceededError(absl::StrCat(file_prefix_, " does not answer"));
  if (size <= 0) return absl::NotFoundError(absl::StrCat(file_prefix_, " has ended"));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

absl::StatusOr<nlohmann::json> TelemetryClient::ask(const std::string& command) {
  if (::send(socket_, command.data(), command.size(), MSG_NOSIGNAL) < 0)
    return absl::NotFoundError(absl::StrCat(file_prefix_, " has ended"));
  const auto text = receive();
  if (!text.ok()) return text.status();
  // {"/tern/x": ANSWER}; null stands for an error.
  nlohmann::json answer = nlohmann::json::parse(*text, nullptr, false);
  if (!answer.is_object() || answer.size() != 1 || !answer.front().is_object())
    return absl::NotFoundError(absl::StrCat(file_prefix_, " has no answer to ", command));
  return std::move(answer.front());
}

std::vector<std::string> telemetry_roots() {
  std::vector<std::string> roots = {"/var/run/dpdk"};
  if (const char* own = std::getenv("XDG_RUNTIME_DIR"))  // NOLINT(concurrency-mt-unsafe)
    roots.push_back(std::string(own) + "/dpdk");
  roots.push_back("/tmp/dpdk");
  return roots;
}

namespace {

// In the order of their names, so that output does not change from one look to the next.
std::vector<std::string> directories_in(const std::string& root) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error))
    found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

absl::Status none_found(const std::string& file_prefix, bool forbidden) {
  const std::string which =
      file_prefix.empty() ? "" : absl::StrCat(" with file prefix '", file_prefix, "'");
  if (forbidden)
    return absl::PermissionDeniedError(absl::StrCat(
        "a DPDK process", which, " runs as another user: run this as that user, or as root"));
  return absl::NotFoundError(absl::StrCat("no Tern process", which, " is running (looked under ",
                                          telemetry_roots().front(),
                                          "); start one, e.g. scripts/run"));
}

}  // namespace

absl::StatusOr<std::vector<TelemetryClient>> find_processes(const std::string& file_prefix) {
  std::vector<TelemetryClient> found;
  bool forbidden = false;
  for (const std::string& root : telemetry_roots()) {
    std::error_code error;
    std::filesystem::directory_iterator(root, error);
    forbidden |= error == std::errc::permission_denied;
    for (const std::string& directory : directories_in(root)) {
      if (!file_prefix.empty() && std::filesystem::path(directory).filename() != file_prefix)
        continue;
      auto client = TelemetryClient::connect(directory);
      forbidden |= client.status().code() == absl::StatusCode::kPermissionDenied;
      if (client.ok()) found.push_back(*std::move(client));
    }
  }
  if (found.empty()) return none_found(file_prefix, forbidden);
  return found;
}

}  // namespace app
