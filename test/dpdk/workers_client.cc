// SPDX-License-Identifier: BSD-3-Clause
// A client on several cores, for test/interop/workers_test.py: each worker opens its share of
// connections and has every one answered some times, in upper case. Prints the counters; its exit
// status says whether all went well.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "common/command_line.h"
#include "common/console.h"
#include "common/host_interface.h"
#include "tern/runtime.h"

namespace {

struct Options : app::CommonOptions {
  std::string server = "10.0.2.1";
  std::uint16_t port = 9999;
  int connections = 500;  // of each worker
  int rounds = 3;
  bool hold = false;  // at the end keeps the device until its input ends
};

// One worker's connections. A quarter of them is opened at a time.
class Share final : public tern::ConnectionHandler {
 public:
  Share(const Options& options, tern::Stack& stack) : options_(options), stack_(stack) {
    connect_.remote = {*tern::IpAddress::parse(options.server), options.port};
  }

  void open_more() {
    const int window = std::max(options_.connections / 4, 1);
    while (opened_ < options_.connections && opened_ - finished_ - failed_ < window) {
      ++opened_;
      if (!stack_.connect(connect_, *this).ok()) ++failed_;
      if (opened_ == 1)
        return;  // until the neighbour's address is known, three packets wait for it
    }
  }
  bool is_done() const { return finished_ + failed_ == options_.connections; }
  int finished() const { return finished_; }

  void on_established(tern::Connection c) override {
    c.set_user_data(static_cast<std::uint64_t>(options_.rounds));
    say(c);
    open_more();
  }
  void on_readable(tern::Connection c) override {
    while (auto chunk = c.receive())
      if (!std::ranges::equal(chunk->bytes(), std::as_bytes(std::span(kAnswer)))) ++wrong_;
    c.set_user_data(c.user_data() - 1);
    if (c.user_data() > 0)
      say(c);
    else
      c.shutdown_send();
  }
  void on_closed(tern::Connection, tern::CloseReason reason) override {
    const bool well = reason == tern::CloseReason::kFinished && wrong_ == 0;
    ++(well ? finished_ : failed_);
    open_more();
  }

 private:
  static constexpr std::string_view kWord = "a word", kAnswer = "A WORD";
  static void say(tern::Connection c) {
    if (!c.write(std::as_bytes(std::span(kWord))).ok()) c.abort();
  }

  const Options& options_;
  tern::Stack& stack_;
  tern::ConnectOptions connect_;
  int opened_ = 0, finished_ = 0, failed_ = 0, wrong_ = 0;
};

int run(Options& options) {
  std::vector<std::unique_ptr<Share>> shares;
  std::unique_ptr<tern::Runtime> runtime;
  std::atomic<unsigned> done{0};
  options.runtime.log = app::make_log(options);
  options.runtime.between_polls = [&](tern::Stack& stack, tern::Instant) {
    for (unsigned i = 0; i < shares.size(); ++i) {
      if (&runtime->stack(i) != &stack || shares[i] == nullptr || !shares[i]->is_done()) continue;
      const unsigned before = done.fetch_or(1u << i);
      const unsigned all = (1u << runtime->workers()) - 1;
      if (before != all && (before | 1u << i) == all) runtime->stop();
    }
  };
  auto made = app::create_runtime(options);
  if (!made.ok()) return app::fail("workers_client", made.status());
  runtime = *std::move(made);
  for (unsigned i = 0; i < runtime->workers(); ++i) {
    shares.push_back(std::make_unique<Share>(options, runtime->stack(i)));
    shares[i]->open_more();
  }
  app::say("ready");
  const absl::Status status = runtime->run();
  app::print_statistics(*runtime);
  int finished = 0;
  for (const auto& share : shares) finished += share->finished();
  const int expected = options.connections * static_cast<int>(shares.size());
  app::say(fmt::format("finished {} of {}", finished, expected));
  while (options.hold && std::getchar() != EOF) continue;
  return status.ok() && finished == expected ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  app::prepare_streams();
  Options options;
  app::CommandLine line({.name = "workers_client",
                         .ip = "10.0.2.2/24",
                         .usage = "usage: workers_client [EAL-ARGUMENT... --] [OPTION...]\n",
                         .examples = ""},
                        options);
  line.app().add_option("--server", options.server);
  line.app().add_option("--port", options.port);
  line.app().add_option("--connections", options.connections);
  line.app().add_option("--rounds", options.rounds);
  line.app().add_flag("--hold", options.hold);
  if (const auto status = line.parse(argc, argv)) return *status;
  return run(options);
}
