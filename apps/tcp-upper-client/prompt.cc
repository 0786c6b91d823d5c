// SPDX-License-Identifier: BSD-3-Clause
#include <editline/readline.h>
#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "terminal.h"

namespace client {

namespace {

// libedit's callback has no argument of its own.
struct Line {
  std::string text;
  bool complete = false;
  bool end = false;  // Ctrl-D
};
Line line;

void take_line(char* text) {
  rl_callback_handler_remove();
  line.complete = true;
  line.end = text == nullptr;
  line.text = text == nullptr ? "" : text;
  std::free(text);
}

// libedit drops the bytes that the locale does not know: without one that is all but ASCII.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(::nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

// Waits for the person, but no longer than the connection lasts. False: that is over.
bool wait_for_key(int end_fd) {
  std::array<pollfd, 2> fds{{{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                             {.fd = end_fd, .events = POLLIN, .revents = 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0) continue;  // a signal: the runtime's to answer
  return fds[1].revents == 0;
}

// One line without its end; nothing: Ctrl-D, or the connection is over.
std::optional<std::string> read_line(int end_fd) {
  line = {};
  rl_callback_handler_install("> ", take_line);
  while (!line.complete) {
    if (!wait_for_key(end_fd)) {
      rl_callback_handler_remove();
      break;
    }
    rl_callback_read_char();
  }
  if (!line.complete || line.end) {
    std::fputc('\n', stdout);  // the shell's prompt begins a line of its own
    std::fflush(stdout);
    return std::nullopt;
  }
  return line.text;
}

// The answer is as long as the question.
bool print_answer(Conversation& conversation, std::size_t bytes) {
  while (bytes > 0) {
    const std::string part = conversation.receive(bytes);
    if (part.empty()) return false;
    std::fwrite(part.data(), 1, part.size(), stdout);
    std::fflush(stdout);
    bytes -= part.size();
  }
  return true;
}

bool converse(Conversation& conversation, std::string text) {
  if (!text.empty()) add_history(text.c_str());
  text += '\n';
  return conversation.send(std::as_bytes(std::span(text))) &&
         print_answer(conversation, text.size());
}

}  // namespace

void run_prompt(Conversation& conversation) {
  use_utf8();
  using_history();
  while (auto text = read_line(conversation.end_fd()))
    if (!converse(conversation, *std::move(text))) break;
  conversation.finish_sending();
}

}  // namespace client
