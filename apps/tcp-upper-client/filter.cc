// SPDX-License-Identifier: BSD-3-Clause
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "terminal.h"

namespace client {

namespace {

constexpr std::size_t kBlock = 64 * 1024;

// False: the connection is over first.
bool wait_for_input(int end_fd) {
  std::array<pollfd, 2> fds{{{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                             {.fd = end_fd, .events = POLLIN, .revents = 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0) continue;  // a signal: the runtime's to answer
  return fds[1].revents == 0;
}

ssize_t read_block(std::vector<std::byte>& block) {
  ssize_t got = 0;
  do got = ::read(STDIN_FILENO, block.data(), block.size());
  while (got < 0 && errno == EINTR);
  return got;
}

// Answers what went wrong, or "".
std::string copy_input(Conversation& conversation) {
  std::vector<std::byte> block(kBlock);
  while (wait_for_input(conversation.end_fd())) {
    const ssize_t got = read_block(block);
    if (got < 0) return std::string("cannot read standard input: ") + std::strerror(errno);
    if (got == 0) break;
    if (!conversation.send(std::span(block).first(static_cast<std::size_t>(got)))) break;
  }
  return "";
}

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

std::string copy_output(Conversation& conversation) {
  for (std::string part; !(part = conversation.receive(kBlock)).empty();) {
    if (write_all(part)) continue;
    const int error = errno;
    conversation.give_up();
    return std::string("cannot write to standard output: ") + std::strerror(error);
  }
  return "";
}

}  // namespace

std::string run_filter(Conversation& conversation) {
  std::string output_error;
  std::thread output([&] { output_error = copy_output(conversation); });
  const std::string input_error = copy_input(conversation);
  conversation.finish_sending();
  output.join();
  return input_error.empty() ? output_error : input_error;
}

}  // namespace client
