// SPDX-License-Identifier: BSD-3-Clause
// The kernel's TCP on loopback, for comparison: an epoll echo server on one core, a client with so
// many connections on another, both as lean as sockets allow. One line of JSON.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tern/histogram.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kRequest = 64;
constexpr std::size_t kBlock = 256 * 1024;

std::atomic<bool> stopping = false;
std::atomic<std::uint64_t> discarded = 0;  // bytes that the server threw away

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

int new_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int one = 1;
  if (fd < 0) die("socket");
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  return fd;
}

int listen_on_any(sockaddr_in& address) {
  const int fd = new_socket();
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 4096) != 0)
    die("listen");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return fd;
}

int connect_to(const sockaddr_in& address) {
  const int fd = new_socket();
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    die("connect");
  return fd;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

// Echoes; or throws away what comes in large pieces.
void serve(int listener, bool discards) {
  pin(0);
  const int epoll = ::epoll_create1(0);
  watch(epoll, listener);
  std::vector<char> buffer(kBlock);
  std::vector<epoll_event> events(256);
  while (!stopping) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        watch(epoll, ::accept(listener, nullptr, nullptr));
        continue;
      }
      const ssize_t got = ::read(fd, buffer.data(), buffer.size());
      if (got <= 0)
        ::close(fd);
      else if (discards)
        discarded += static_cast<std::uint64_t>(got);
      else if (::write(fd, buffer.data(), static_cast<std::size_t>(got)) != got)
        die("write");
    }
  }
  ::close(epoll);
}

struct Result {
  std::uint64_t done = 0;  // requests, connections or bytes
  double seconds = 0;
  tern::Histogram latency;
};

// One request under way on each connection, always.
void request_response(const sockaddr_in& address, std::size_t connections, double seconds,
                      Result& result) {
  const int epoll = ::epoll_create1(0);
  char request[kRequest] = {}, answer[kRequest];
  std::vector<Clock::time_point> sent(65536);
  std::vector<int> sockets;
  for (std::size_t i = 0; i < connections; ++i) {
    sockets.push_back(connect_to(address));
    watch(epoll, sockets.back());
  }
  const auto start = Clock::now();
  for (const int fd : sockets) {
    sent[static_cast<std::size_t>(fd)] = Clock::now();
    if (::write(fd, request, kRequest) != kRequest) die("write");
  }
  std::vector<epoll_event> events(256);
  while (Clock::now() - start < std::chrono::duration<double>(seconds)) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (::read(fd, answer, kRequest) != kRequest) die("read");
      const auto now = Clock::now();
      auto& at = sent[static_cast<std::size_t>(fd)];
      result.latency.record(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(now - at).count()));
      ++result.done;
      at = now;
      if (::write(fd, request, kRequest) != kRequest) die("write");
    }
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  for (const int fd : sockets) ::close(fd);
}

// Connect, ask, close with a reset: TIME-WAIT would use up the ports.
void connect_request_close(const sockaddr_in& address, double seconds, Result& result) {
  char request[kRequest] = {}, answer[kRequest];
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  const auto start = Clock::now();
  while (Clock::now() - start < std::chrono::duration<double>(seconds)) {
    const int fd = connect_to(address);
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (::write(fd, request, kRequest) != kRequest || ::read(fd, answer, kRequest) != kRequest)
      die("request");
    ::close(fd);
    ++result.done;
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
}

void stream(const sockaddr_in& address, double seconds, Result& result) {
  const std::vector<char> block(kBlock);
  const int fd = connect_to(address);
  const auto start = Clock::now();
  while (Clock::now() - start < std::chrono::duration<double>(seconds))
    if (::write(fd, block.data(), block.size()) < 0) die("write");
  result.done = discarded;
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: kernel_echo rr|crr|stream CONNECTIONS SECONDS\n");
    return 2;
  }
  const std::string mode = argv[1];
  const auto connections = static_cast<std::size_t>(std::atoi(argv[2]));
  const double seconds = std::atof(argv[3]);
  const rlimit files{65536, 65536};
  ::setrlimit(RLIMIT_NOFILE, &files);
  sockaddr_in address;
  const int listener = listen_on_any(address);
  std::thread server(serve, listener, mode == "stream");
  pin(1);
  Result result;
  if (mode == "rr") request_response(address, connections, seconds, result);
  if (mode == "crr") connect_request_close(address, seconds, result);
  if (mode == "stream") stream(address, seconds, result);
  stopping = true;
  server.join();
  std::printf("{\"mode\": \"%s\", \"per_s\": %.1f, \"p50_us\": %.3f, \"p99_us\": %.3f}\n",
              mode.c_str(), static_cast<double>(result.done) / result.seconds,
              static_cast<double>(result.latency.percentile(50)) / 1e3,
              static_cast<double>(result.latency.percentile(99)) / 1e3);
  return 0;
}
