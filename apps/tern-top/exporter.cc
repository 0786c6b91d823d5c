// SPDX-License-Identifier: BSD-3-Clause
#include "exporter.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace top {

namespace {

constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};
constexpr int kBacklog = 16;
constexpr std::size_t kLongestRequest = 8192;

// The request up to its empty line; what it asks for does not matter.
bool read_request(int client) {
  std::string request;
  char buffer[1024];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = ::recv(client, buffer, sizeof buffer, 0);
    if (n <= 0 || request.size() > kLongestRequest) return false;
    request.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

void answer(int client, const std::string& text) {
  const std::string response = absl::StrCat(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: ", text.size(),
      "\r\nConnection: close\r\n\r\n", text);
  std::size_t sent = 0;
  while (sent < response.size()) {
    const ssize_t n = ::send(client, response.data() + sent, response.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

}  // namespace

absl::StatusOr<Exporter> Exporter::listen(const tern::Endpoint& endpoint) {
  Exporter exporter(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int listener = exporter.listener_;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  address.sin_addr.s_addr = htonl(endpoint.address.v4().value());
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  if (listener < 0 ||
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, kBacklog) != 0)
    return absl::ErrnoToStatus(errno, to_string(endpoint));
  return exporter;
}

Exporter::Exporter(Exporter&& other) noexcept : listener_(std::exchange(other.listener_, -1)) {}

Exporter::~Exporter() {
  if (listener_ >= 0) ::close(listener_);
}

void Exporter::serve(const std::function<std::string()>& make_text,
                     const std::function<bool()>& stop) {
  while (!stop()) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;  // nobody came for a while
    ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    if (read_request(client)) answer(client, make_text());
    ::close(client);
  }
}

}  // namespace top
