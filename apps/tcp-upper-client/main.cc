// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <variant>

#include "common/console.h"
#include "common/host_interface.h"
#include "conversation.h"
#include "options.h"
#include "terminal.h"
#include "tern/runtime.h"
#include "upper_client.h"

namespace {

using client::Conversation;
using client::Options;
using client::TimeWait;
using client::UpperClient;
using tern::CloseReason;

constexpr int kInterrupted = 130;  // as a shell says it of SIGINT

int fail(const std::string& words) {
  return app::fail("tcp-upper-client", absl::UnavailableError(words));
}

void note(const std::string& words) { std::fputs((words + "\n").c_str(), stderr); }

std::string server_name(const Options& options) {
  return to_string(tern::Endpoint{options.server, options.port});
}

std::string why_unreachable(const Options& options) {
  const tern::StackConfig& stack = options.runtime.stack;
  if (!options.server.is_v4())
    return "nobody answers for it on the link, or the router knows no way; see --ip6, --gateway6";
  return stack.address.contains(options.server.v4())
             ? "nobody answers ARP for it; see --ip, --gateway"
             : "the gateway does not answer ARP, or knows no way; see --ip, --gateway";
}

// What went wrong, for a person, with what to look at.
std::string describe(CloseReason reason, bool established, const Options& options) {
  const std::string server = server_name(options);
  switch (reason) {
    case CloseReason::kRefused:
      return server + " refused the connection: no server listens there";
    case CloseReason::kUnreachable:
      return fmt::format("{} is unreachable: {}", server, why_unreachable(options));
    case CloseReason::kReset:
      return server + " reset the connection";
    case CloseReason::kTimedOut:
      return established ? server + " does not answer any more: timed out"
                         : server +
                               " did not answer: timed out; is it up, and do the hosts on the "
                               "way forward packets?";
    case CloseReason::kAborted:
      return "the connection was aborted";
    case CloseReason::kFinished:
      break;
  }
  return server + " closed the connection before it had answered everything";
}

// The active closer stays until no old segment can come any more (RFC 9293 3.6); here a person may
// watch it.
void sit_out_time_wait(tern::Runtime& runtime, const UpperClient& client, const Options& options) {
  using namespace std::chrono_literals;
  const auto in_time_wait = [&runtime] {
    std::uint32_t records = 0;
    const tern::AskResult result =
        runtime.ask(0, [&](tern::Stack& stack) { records = stack.usage().time_wait; });
    return result == tern::AskResult::kDone && records > 0;
  };
  if (!in_time_wait()) return;
  note(fmt::format("{} is in TIME-WAIT for 2 MSL = {:g} s; Ctrl-C leaves at once",
                   to_string(client.local()),
                   std::chrono::duration<double>(2 * options.runtime.stack.tcp.msl).count()));
  while (in_time_wait()) std::this_thread::sleep_for(100ms);
}

class Session {
 public:
  explicit Session(const Options& options)
      : options_(options),
        interactive_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {}

  int run(tern::Runtime& runtime);

 private:
  void converse(tern::Runtime& runtime);
  int outcome() const;
  bool stays() const {
    return options_.time_wait == TimeWait::kYes ||
           (options_.time_wait == TimeWait::kAuto && interactive_);
  }

  const Options& options_;
  const bool interactive_;
  Conversation conversation_;
  UpperClient client_{conversation_};
  std::string stream_error_;
};

int Session::run(tern::Runtime& runtime) {
  const tern::Errc error = client_.connect(
      runtime.stack(),
      {.remote = {options_.server, options_.port}, .local_port = options_.local_port});
  if (error != tern::Errc::kOk)
    return fail(fmt::format(
        "{}: {}; see {}", server_name(options_), tern::to_string(error),
        options_.server.is_v4() ? "--ip and --gateway" : "--ip6, --gateway6 and --host-ip6"));
  conversation_.on_change([&] { runtime.ask(0, [&](tern::Stack&) { client_.pump(); }); });
  std::thread terminal([&] { converse(runtime); });
  const absl::Status status = runtime.run();
  conversation_.set_over(std::nullopt);  // after a signal the terminal still waits
  terminal.join();
  if (options_.stats) app::print_statistics(runtime);
  return status.ok() ? outcome() : app::fail("tcp-upper-client", status);
}

// The terminal's thread, from the handshake to the end.
void Session::converse(tern::Runtime& runtime) {
  using namespace std::chrono_literals;
  if (!conversation_.wait_until_established(1s)) {
    if (!options_.quiet) note("connecting to " + server_name(options_) + " ...");
    while (!conversation_.wait_until_established(1s)) continue;
  }
  if (interactive_)
    client::run_prompt(conversation_);
  else
    stream_error_ = client::run_filter(conversation_);
  conversation_.wait_until_over();
  if (stays() && conversation_.reason() == CloseReason::kFinished)
    sit_out_time_wait(runtime, client_, options_);
  runtime.stop();
}

int Session::outcome() const {
  if (!stream_error_.empty()) return fail(stream_error_);
  const auto reason = conversation_.reason();
  if (!reason) return kInterrupted;
  if (*reason == CloseReason::kFinished &&
      conversation_.bytes_received() == conversation_.bytes_sent())
    return 0;
  return fail(describe(*reason, conversation_.established(), options_));
}

int run(Options options) {
  options.runtime.log = app::make_log(options);
  auto runtime = app::create_runtime(options);
  if (!runtime.ok()) return app::fail("tcp-upper-client", runtime.status());
  if (options.verbose) note((*runtime)->describe());
  return Session(options).run(**runtime);
}

}  // namespace

int main(int argc, char** argv) {
  app::prepare_streams();
  const auto parsed = client::parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  return run(std::get<Options>(parsed));
}
