// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "client_team.h"
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

void say(const Options& options, const std::string& text) {
  if (options.quiet) return;
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// --- the server ---

/// One worker's services, and what it last said of them.
struct ServerWorker {
  explicit ServerWorker(const Options& options) : server(options) {}
  bench::Server server;
  std::mutex mutex;  // guards what follows: taken once a second
  Snapshot last;
  double connections = 0;
};

/// Prints what all workers do, a line a second, and remembers their memory. Each worker leaves a
/// snapshot here; the first one's thread adds them up.
class ServerWatch {
 public:
  ServerWatch(const Options& options, tern::Runtime& runtime)
      : options_(options),
        runtime_(runtime),
        report_(options, tern::Runtime::cycles_per_second()),
        resident_at_start_(bench::resident_bytes()) {
    for (unsigned i = 0; i < runtime.workers(); ++i) {
      workers_.push_back(std::make_unique<ServerWorker>(options));
      looks_.push_back({&runtime.stack(i)});
    }
  }

  const std::string& error() const { return report_.error(); }

  /// The port that could not be had, or 0.
  std::uint16_t listen() {
    for (unsigned i = 0; i < workers_.size(); ++i)
      if (const std::uint16_t port = workers_[i]->server.listen(runtime_.stack(i))) return port;
    return 0;
  }

  /// Once a turn of any worker. Thread: that worker's.
  void turn(tern::Stack& stack, Instant now) {
    unsigned index = 0;
    while (looks_[index].stack != &stack) ++index;
    if (now < looks_[index].next) return;
    looks_[index].next = now + std::chrono::seconds(1);
    look(index, stack, now);
  }

  void finish() {
    result_.end = last_;
    result_.workers = static_cast<unsigned>(workers_.size());
    result_.memory = runtime_.memory();
    result_.facts = {{"most_connections", most_connections_},
                     {"resident_bytes_at_start", static_cast<double>(resident_at_start_)},
                     {"resident_bytes_per_connection", bytes_per_connection_}};
    report_.result(result_);
  }

 private:
  /// When a worker is looked at: apart from ServerWorker, since every turn asks.
  struct Look {
    const tern::Stack* stack;
    Instant next{};
  };

  [[gnu::noinline]] void look(unsigned index, tern::Stack& stack, Instant now) {
    ServerWorker& worker = *workers_[index];
    {
      const std::lock_guard lock(worker.mutex);
      worker.last = {.at = now,
                     .totals = worker.server.totals(),
                     .counters = stack.counters(),
                     .busy = runtime_.worker_usage(index).busy};
      worker.connections = stack.usage().connections;
    }
    if (index == 0) report(now);
  }

  void report(Instant now) {
    Snapshot sum;
    double connections = 0;
    for (const auto& worker : workers_) {
      const std::lock_guard lock(worker->mutex);
      sum += worker->last;
      connections += worker->connections;
    }
    sum.at = now;
    if (has_last_)
      report_.line(last_, sum, "");
    else
      result_.begin = sum;
    has_last_ = true;
    last_ = sum;
    if (connections > most_connections_) {
      most_connections_ = connections;
      bytes_per_connection_ =
          static_cast<double>(bench::resident_bytes() - resident_at_start_) / connections;
    }
    if (options_.length > Duration::zero() && now - result_.begin.at >= options_.length) stop();
  }

  // Asked a second time, a runtime leaves its connections without a word.
  void stop() {
    if (!std::exchange(is_stopping_, true)) runtime_.stop();
  }

  const Options& options_;
  tern::Runtime& runtime_;
  bool is_stopping_ = false;
  Report report_;
  std::uint64_t resident_at_start_;
  std::vector<Look> looks_;
  std::vector<std::unique_ptr<ServerWorker>> workers_;
  Snapshot last_;
  bench::Result result_;
  double most_connections_ = 0, bytes_per_connection_ = 0;
  bool has_last_ = false;
};

std::string more_ports(const Options& options) {
  if (!options.echo_ports) return "";
  return fmt::format(" and {} to {}", options.echo_ports->first, options.echo_ports->last);
}

int serve(Options options) {
  std::unique_ptr<ServerWatch> watch;
  options.runtime.between_polls = [&watch](tern::Stack& stack, Instant now) {
    watch->turn(stack, now);
  };
  auto runtime = app::create_runtime(options);
  if (!runtime.ok()) return fail(runtime.status());
  watch = std::make_unique<ServerWatch>(options, **runtime);
  if (!watch->error().empty()) return fail(watch->error());
  if (const std::uint16_t port = watch->listen())
    return fail(fmt::format("port {} cannot be had; choose another --port", port));
  say(options, (*runtime)->describe());
  say(options, fmt::format("listening at {}: echo {}{}, discard {}, source {}, http {}\n",
                           to_string(options.runtime.stack.address.address), options.port,
                           more_ports(options), options.port + bench::kDiscardPort,
                           options.port + bench::kSourcePort, options.port + bench::kHttpPort));
  const absl::Status status = (*runtime)->run();
  watch->finish();
  if (options.stats) app::print_statistics(**runtime);
  return status.ok() ? 0 : fail(status);
}

// --- the clients ---

// The workers' clients, and the session that the first of them drives.
class Measurement {
 public:
  Measurement(const Options& options, Report& report, tern::Runtime& runtime)
      : options_(options), runtime_(runtime), team_(options, [&runtime] { return runtime.now(); }) {
    for (unsigned i = 0; i < runtime.workers(); ++i)
      team_.add(runtime.stack(i), [&runtime, i] { return runtime.worker_usage(i).busy; });
    team_.share_out();
    // It notes how much memory is resident: with what the clients keep, without connections.
    session_.emplace(options, report, team_, [this](Instant now) { return team_.observe(now); });
    session_->set_memory(runtime.memory(), runtime.workers());
  }

  /// Once a turn of any worker. Thread: that worker's.
  void turn(const tern::Stack& stack, Instant now) {
    unsigned worker = 0;
    while (&runtime_.stack(worker) != &stack) ++worker;
    if (worker > 0) return team_.turn_of(worker, now);
    // Once: asked a second time, a runtime leaves its connections without a word.
    if (now >= leaves_ && !std::exchange(is_stopping_, true)) return runtime_.stop();
    if (leaves_ != tern::kNever) return team_.turn(now);
    if (session_->turn(now)) return;
    leaves_ = now + (failure().empty() ? options_.stay : Duration::zero());
    team_.stop();
  }

  bool is_complete() const { return leaves_ != tern::kNever; }
  const std::string& failure() const { return session_->failure(); }

 private:
  const Options& options_;
  tern::Runtime& runtime_;
  bench::ClientTeam team_;
  std::optional<bench::Session> session_;
  Instant leaves_ = tern::kNever;
  bool is_stopping_ = false;
};

int measure(Options options) {
  std::unique_ptr<Measurement> measurement;
  options.runtime.between_polls = [&measurement](tern::Stack& stack, Instant now) {
    measurement->turn(stack, now);
  };
  auto created = app::create_runtime(options);
  if (!created.ok()) return fail(created.status());
  tern::Runtime& runtime = **created;
  Report report(options, tern::Runtime::cycles_per_second());
  if (!report.error().empty()) return fail(report.error());
  measurement = std::make_unique<Measurement>(options, report, runtime);
  say(options, runtime.describe());
  const absl::Status status = runtime.run();
  if (options.stats) app::print_statistics(runtime);
  if (!measurement->failure().empty()) return fail(measurement->failure());
  if (!measurement->is_complete()) return fail("stopped before the measurement was complete");
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
    now = frames > 0 ? (*device)->now() : received;
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
