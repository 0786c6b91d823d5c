// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "client.h"
#include "common/console.h"
#include "common/host_interface.h"
#include "options.h"
#include "raw_client.h"
#include "report.h"
#include "server.h"
#include "session.h"
#include "tern/bare_device.h"
#include "tern/runtime.h"

namespace {

using bench::Options;
using bench::Report;
using bench::Snapshot;
using tern::Duration;
using tern::Instant;

int fail(const absl::Status& status) { return app::fail("tern-bench", status); }
int fail(std::string_view why) {
  return fail(absl::FailedPreconditionError(absl::string_view(why.data(), why.size())));
}

// The runtime's own errors, and the kernel's end of a tap.
absl::Status set_up_host(const Options& options) {
  if (!options.host_ip) return absl::OkStatus();
  return app::configure_host_interface(options.runtime.tap_name, *options.host_ip);
}

void say(const Options& options, const std::string& text) {
  if (options.quiet) return;
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// --- the server ---

/// Prints what the server does, a line a second, and remembers its memory. Thread: the worker's.
class ServerWatch {
 public:
  ServerWatch(const Options& options, tern::Runtime& runtime, bench::Server& server)
      : options_(options),
        runtime_(runtime),
        server_(server),
        report_(options, tern::Runtime::cycles_per_second()),
        resident_at_start_(bench::resident_bytes()) {}

  const std::string& error() const { return report_.error(); }

  void turn(tern::Stack& stack, Instant now) {
    if (now < next_line_) return;
    const Snapshot current{.at = now,
                           .totals = server_.totals(),
                           .counters = stack.counters(),
                           .busy = runtime_.worker_usage(0).busy};
    if (has_last_)
      observe(stack, current);
    else
      result_.begin = current;
    last_ = current;
    next_line_ = now + std::chrono::seconds(1);
    if (options_.length > Duration::zero() && now - result_.begin.at >= options_.length)
      runtime_.stop();
    has_last_ = true;
  }

  void finish() {
    result_.end = last_;
    result_.facts = {{"most_connections", most_connections_},
                     {"resident_bytes_per_connection", bytes_per_connection_}};
    report_.result(result_);
  }

 private:
  void observe(tern::Stack& stack, const Snapshot& current) {
    report_.line(last_, current, "");
    const auto connections = static_cast<double>(stack.usage().connections);
    if (connections <= most_connections_) return;
    most_connections_ = connections;
    bytes_per_connection_ =
        static_cast<double>(bench::resident_bytes() - resident_at_start_) / connections;
  }

  const Options& options_;
  tern::Runtime& runtime_;
  bench::Server& server_;
  Report report_;
  std::uint64_t resident_at_start_;
  Instant next_line_{};
  Snapshot last_;
  bench::Result result_;
  double most_connections_ = 0, bytes_per_connection_ = 0;
  bool has_last_ = false;
};

int serve(Options options) {
  std::unique_ptr<ServerWatch> watch;
  options.runtime.between_polls = [&watch](tern::Stack& stack, Instant now) {
    watch->turn(stack, now);
  };
  auto runtime = tern::Runtime::create(options.runtime);
  if (!runtime.ok()) return fail(runtime.status());
  if (absl::Status status = set_up_host(options); !status.ok()) return fail(status);
  bench::Server server(options);
  watch = std::make_unique<ServerWatch>(options, **runtime, server);
  if (!watch->error().empty()) return fail(watch->error());
  if (const std::uint16_t port = server.listen((*runtime)->stack()))
    return fail(fmt::format("port {} cannot be had; choose another --port", port));
  say(options, (*runtime)->describe());
  say(options, fmt::format("listening at {}: echo {}, discard {}, source {}, http {}\n",
                           to_string(options.runtime.stack.address.address), options.port,
                           options.port + bench::kDiscardPort, options.port + bench::kSourcePort,
                           options.port + bench::kHttpPort));
  const absl::Status status = (*runtime)->run();
  watch->finish();
  if (options.stats) app::print_statistics((*runtime)->stack());
  return status.ok() ? 0 : fail(status);
}

// --- the clients ---

int measure(Options options) {
  std::unique_ptr<bench::Client> client;
  std::unique_ptr<bench::Session> session;
  tern::Runtime* runtime = nullptr;
  Instant leaves = tern::kNever;
  options.runtime.between_polls = [&](tern::Stack&, Instant now) {
    if (now >= leaves) return runtime->stop();
    if (leaves != tern::kNever || session->turn(now)) return;
    leaves = now + (session->failure().empty() ? options.stay : Duration::zero());
    client->stop();
  };
  auto created = tern::Runtime::create(options.runtime);
  if (!created.ok()) return fail(created.status());
  if (absl::Status status = set_up_host(options); !status.ok()) return fail(status);
  runtime = created->get();
  Report report(options, tern::Runtime::cycles_per_second());
  if (!report.error().empty()) return fail(report.error());
  client = std::make_unique<bench::Client>(options, runtime->stack(),
                                           [runtime] { return runtime->now(); });
  session = std::make_unique<bench::Session>(options, report, *client, [runtime](Instant) {
    return Snapshot{.counters = runtime->stack().counters(), .busy = runtime->worker_usage(0).busy};
  });
  say(options, runtime->describe());
  const absl::Status status = runtime->run();
  if (options.stats) app::print_statistics(runtime->stack());
  if (!session->failure().empty()) return fail(session->failure());
  if (leaves == tern::kNever) return fail("stopped before the measurement was complete");
  return status.ok() ? 0 : fail(status);
}

// The last frames are on their way for so long, before the link goes.
constexpr Duration kParting = std::chrono::milliseconds(20);

int measure_raw(const Options& options) {
  auto device = tern::BareDevice::create(options.runtime);
  if (!device.ok()) return fail(device.status());
  Report report(options, tern::Runtime::cycles_per_second());
  if (!report.error().empty()) return fail(report.error());
  bench::raw::RawClient client(options, (*device)->port());
  Duration busy{};
  bench::Session session(options, report, client,
                         [&busy](Instant) { return Snapshot{.busy = busy}; });
  say(options, (*device)->describe());
  Instant now = (*device)->now(), leaves = tern::kNever;
  while (!(*device)->is_stopping()) {
    const bool is_up = (*device)->port().link_up();
    const std::size_t frames = is_up ? client.receive() : 0;
    const Instant received = (*device)->now();
    if (frames > 0) busy += received - now;
    client.process(received);
    if (received >= leaves) break;
    if (is_up && leaves == tern::kNever && !session.turn(received)) {
      leaves = received +
               std::max(session.failure().empty() ? options.stay : Duration::zero(), kParting);
      client.stop();
    } else if (leaves != tern::kNever) {
      client.turn(received);
    }
    now = (*device)->now();
    if (frames > 0) busy += now - received;
  }
  if (!session.failure().empty()) return fail(session.failure());
  if (leaves == tern::kNever) return fail("stopped before the measurement was complete");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  app::prepare_streams();
  auto parsed = bench::parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  Options& options = std::get<Options>(parsed);
  options.runtime.log = app::make_log(options);
  if (options.is_server) return serve(options);
  return options.is_raw ? measure_raw(options) : measure(options);
}
