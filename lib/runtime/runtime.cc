// SPDX-License-Identifier: BSD-3-Clause
#include "tern/runtime.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <net/if.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "io/dpdk/device.h"
#include "io/dpdk/dpdk_port.h"
#include "io/dpdk/eal.h"
#include "io/tap/watch_port.h"
#include "runtime/captures.h"
#include "runtime/dpdk_log.h"
#include "runtime/memory_plan.h"
#include "runtime/stop_requests.h"
#include "runtime/telemetry.h"
#include "runtime/watchman.h"
#include "runtime/worker.h"
#include "stack/config_check.h"
#include "steering/exchange.h"
#include "steering/steering_port.h"
#include "wire/ipv6_scope.h"

namespace tern {

namespace {

using runtime::DrainResult;
using runtime::MemoryPlan;
using runtime::TscClock;
using runtime::Worker;
using steering::Exchange;
using steering::SteeringPort;

// How late stop() and ask() may be heard by a worker that sleeps until a frame arrives.
constexpr Duration kLongestSleep = std::chrono::milliseconds(10);

// Keys of their own, so that no hash tells of another (tcp::Keys has 1 to 5).
enum Purpose : std::uint64_t { kHomes = 100, kRss };

absl::Status fill_in_secret(std::array<std::uint64_t, 2>& secret) {
  if (secret[0] != 0 || secret[1] != 0) return absl::OkStatus();
  if (::getrandom(secret.data(), sizeof secret, 0) == sizeof secret) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("no random bits for the secret: ", std::strerror(errno)));
}

SipKey key_for(const StackConfig& stack, Purpose purpose) {
  return derive_key(SipKey{stack.secret[0], stack.secret[1]}, purpose);
}

// 0 = open: as many workers as cores are named, else one.
unsigned count_workers(const RuntimeConfig& config) {
  const unsigned named = io::count_lcores(config.eal_arguments);
  return config.workers != 0 ? config.workers : std::max(named, 1u);
}

io::DeviceConfig device_config(const RuntimeConfig& config) {
  const bool tso = config.tso && io::may_cut_segments(config.eal_arguments);
  const auto exchanged = static_cast<std::uint32_t>(config.workers > 1 ? Exchange::kRingFrames : 0);
  return {
      .queues = static_cast<std::uint16_t>(config.workers),
      .held_frames = runtime::held_frames(config.stack),
      .mtu = config.mtu,
      .mac = config.mac,
      .tso_bytes = tso ? io::DeviceConfig::kMostTsoBytes : 0,
      .trust_missing_checksum = config.trust_missing_checksum,
      .rx_interrupts = config.idle == IdleStrategy::kSleep || config.idle == IdleStrategy::kAuto,
      .rss_secret = key_for(config.stack, kRss),
      .exchanged_frames = exchanged};
}

// What EAL was told decides which devices it finds, and the mistake is likely there.
absl::Status with_eal_arguments(const absl::Status& status, const RuntimeConfig& config) {
  if (config.eal_arguments.empty()) return status;
  return absl::Status(
      status.code(),
      absl::StrCat("with '", absl::StrJoin(config.eal_arguments, " "), "': ", status.message()));
}

// What others ask an IPv6 host by: all nodes' group, and those of its addresses (RFC 4861 7.2.1).
std::vector<MacAddress> groups6(const Ipv6Prefix& ip6, const MacAddress& mac) {
  return {wire::multicast_mac(wire::ipv6_group::kAllNodes),
          wire::multicast_mac(wire::solicited_node(ip6.address)),
          wire::multicast_mac(wire::solicited_node(wire::link_local_of(mac)))};
}

bool may_nap(IdleStrategy strategy, const io::Device& device) {
  return strategy == IdleStrategy::kSleep ||
         (strategy == IdleStrategy::kAuto && device.is_kernel_backed());
}

// An interrupt tells of frames only: not of those that another worker hands over, nor of what the
// application does by the clock.
Duration longest_nap(const RuntimeConfig& config, const Exchange* exchange) {
  const bool frames_only =
      !config.between_polls && (exchange == nullptr || exchange->homes().device_steers());
  return frames_only ? kLongestSleep : runtime::IdleWatch::kLongestNap;
}

// A capture's times are those of the wall clock, so that they compare with other captures: DPDK
// knows the TSC's rate to 10 MHz only, which is seconds in an hour.
Instant wall_clock() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

// A worker with all that it alone uses. In the order in which they are made; destroyed from the
// last to the first.
struct Station {
  std::unique_ptr<io::DpdkPort> dpdk_port;
  std::unique_ptr<SteeringPort> steering;
  std::unique_ptr<io::WatchPort> watch;  // next to the stack: its captures hear of drops
  std::unique_ptr<Worker> worker;
  std::vector<std::unique_ptr<ConnectionHandler>> handlers;  // their chunks are the stack's
  runtime::SharedByWorkers* shared = nullptr;
  DrainResult result;

  Port& below_watch() { return steering ? static_cast<Port&>(*steering) : *dpdk_port; }
};

std::vector<Worker*> workers_of(const std::vector<std::unique_ptr<Station>>& stations) {
  std::vector<Worker*> workers;
  for (const auto& station : stations) workers.push_back(station->worker.get());
  return workers;
}

int run_station(void* argument) {
  Station& station = *static_cast<Station*>(argument);
  station.result = station.worker->run(*station.shared);
  return 0;
}

// The cores that workers run on: the one that has started EAL first.
std::vector<unsigned> lcores() {
  std::vector<unsigned> all{rte_get_main_lcore()};
  unsigned lcore = 0;
  RTE_LCORE_FOREACH_WORKER(lcore) all.push_back(lcore);
  return all;
}

}  // namespace

// In the order in which they are made; destroyed from the last to the first.
class Runtime::Impl {
 public:
  explicit Impl(RuntimeConfig config)
      : config_(std::move(config)), shared_(count_workers(config_)) {
    config_.workers = count_workers(config_);
  }

  ~Impl();
  absl::Status bring_up();
  unsigned workers() const { return config_.workers; }
  Stack& stack(unsigned worker) { return stations_.at(worker)->worker->stack(); }
  Errc listen(const ListenOptions& options, const HandlerFactory& factory);
  absl::Status run();
  void stop() { shared_.stop.add(); }
  AskResult ask(unsigned worker, const std::function<void(Stack&)>& function,
                std::chrono::milliseconds patience);
  WorkerUsage worker_usage(unsigned worker);
  Counters counters() const;
  StackUsage usage() const;
  Instant now() const { return stations_[0]->worker->now(); }
  std::string describe() const;
  const std::vector<MemoryRow>& memory() const { return plan_.rows; }

 private:
  absl::Status check();
  absl::Status start_eal();
  absl::Status open_device();
  absl::Status make_exchange();
  absl::Status make_stations();
  absl::Status make_captures();
  absl::Status make_telemetry();
  absl::Status make_worker(Station& station);
  DrainResult run_workers();
  absl::Status finish_captures();
  void log_flood(const SynFlood& flood);
  runtime::EventLog event_log() const;
  void log_drain(std::uint32_t connections);
  void log_drained(const DrainResult& result) const;
  void log(LogLevel level, const std::string& line) const {
    if (config_.log) config_.log(level, line);
  }

  RuntimeConfig config_;
  MemoryPlan plan_;
  runtime::SharedByWorkers shared_;
  std::unique_ptr<runtime::SignalScope> signals_;
  std::unique_ptr<io::Eal> eal_;
  std::unique_ptr<io::Device> device_;
  std::unique_ptr<Exchange> exchange_;  // of several workers
  std::vector<std::unique_ptr<Station>> stations_;
  std::uint64_t start_cycles_ = 0;
  std::atomic<unsigned> workers_flooded_{0};
  std::atomic<bool> drain_told_{false};
  std::unique_ptr<runtime::Captures> captures_;
  std::unique_ptr<runtime::Telemetry> telemetry_;
};

// Whoever still asks a worker, from a thread of telemetry's, is refused from now on.
Runtime::Impl::~Impl() {
  for (const auto& station : stations_)
    if (station->worker) station->worker->mailbox().close();
}

absl::Status Runtime::Impl::bring_up() {
  for (const auto step : {&Impl::check, &Impl::start_eal, &Impl::open_device, &Impl::make_exchange,
                          &Impl::make_stations, &Impl::make_captures, &Impl::make_telemetry})
    if (absl::Status status = (this->*step)(); !status.ok()) return status;
  return absl::OkStatus();
}

// All that can be refused before the machine is touched.
absl::Status Runtime::Impl::check() {
  if (workers() > RTE_MAX_LCORE)
    return absl::InvalidArgumentError(
        absl::StrCat("workers: ", workers(), " are more than DPDK's ", RTE_MAX_LCORE, " cores"));
  config_.stack = with_derived_sizes(config_.stack);
  PortInfo planned;
  planned.mtu = config_.mtu;
  planned.frame_capacity = config_.mtu + 18u;  // with a VLAN's tag, as the device's are
  if (absl::Status status = check_config(config_.stack, planned); !status.ok()) return status;
  if (absl::Status status = fill_in_secret(config_.stack.secret); !status.ok()) return status;
  plan_ = runtime::plan_memory(config_.stack, device_config(config_));
  log(LogLevel::kDebug, plan_.to_string());
  return runtime::check_memory(plan_, runtime::available_memory());
}

absl::Status Runtime::Impl::start_eal() {
  if (config_.handle_signals) signals_ = std::make_unique<runtime::SignalScope>(shared_.stop);
  auto eal =
      io::Eal::start({.program = config_.program,
                      .arguments = config_.eal_arguments,
                      .vdev = "net_tap0,iface=" + config_.tap_name,
                      .memory_bytes = plan_.mbuf_bytes,
                      .ordinary_memory_bytes = io::ordinary_mbuf_bytes(device_config(config_)),
                      .cores = workers()},
                     runtime::dpdk_log_sink(config_));
  if (!eal.ok()) return eal.status();
  eal_ = *std::move(eal);
  if (rte_lcore_count() >= workers()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(workers(), " workers need as many cores, but there are ", rte_lcore_count(),
                   ": name more with -l, or use fewer workers"));
}

absl::Status Runtime::Impl::open_device() {
  const auto id = io::find_device(config_.device);
  if (!id.ok()) return with_eal_arguments(id.status(), config_);
  auto device = io::Device::open(*id, device_config(config_));
  if (!device.ok()) return device.status();
  device_ = *std::move(device);
  if (absl::Status status = device_->start(); !status.ok()) return status;
  if (!config_.stack.ip6) return absl::OkStatus();
  return device_->listen_to(groups6(*config_.stack.ip6, device_->info().mac));
}

// What the device says about its queues decides where flows are at home.
absl::Status Runtime::Impl::make_exchange() {
  if (workers() == 1) return absl::OkStatus();
  const SipKey key = key_for(config_.stack, kHomes);
  const auto count = static_cast<std::uint16_t>(workers());
  const auto& rss = device_->rss();
  exchange_ = std::make_unique<Exchange>(
      rss ? steering::HomeMap(key, count, {rss->key, rss->reta, rss->hashes_ipv6})
          : steering::HomeMap(key, count),
      std::uint64_t{config_.stack.max_connections} * workers());
  return absl::OkStatus();
}

absl::Status Runtime::Impl::make_stations() {
  start_cycles_ = rte_rdtsc();
  for (unsigned i = 0; i < workers(); ++i) {
    Station& station = *stations_.emplace_back(std::make_unique<Station>());
    const auto queue = static_cast<std::uint16_t>(i);
    station.shared = &shared_;
    station.dpdk_port = std::make_unique<io::DpdkPort>(*device_, queue);
    if (exchange_)
      station.steering = std::make_unique<SteeringPort>(*station.dpdk_port, *exchange_, queue);
    station.watch = std::make_unique<io::WatchPort>(station.below_watch(), wall_clock);
    if (absl::Status status = make_worker(station); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Runtime::Impl::make_telemetry() {
  telemetry_ =
      std::make_unique<runtime::Telemetry>(runtime::TelemetryFacts{.program = config_.program,
                                                                   .device = device_->name(),
                                                                   .driver = device_->driver(),
                                                                   .mac = device_->info().mac,
                                                                   .mtu = config_.mtu},
                                           workers_of(stations_), *captures_);
  return absl::OkStatus();
}

absl::Status Runtime::Impl::make_captures() {
  captures_ =
      std::make_unique<runtime::Captures>(config_.program, device_->name(), config_.capture_buffer);
  for (const auto& station : stations_)
    captures_->add_source({station->watch.get(), &station->worker->mailbox()});
  if (config_.capture_path.empty()) return absl::OkStatus();
  return captures_->open_file(config_.capture_path, config_.capture_filter);
}

// One line when a SYN flood begins, one when it is over, however many workers it comes to.
void Runtime::Impl::log_flood(const SynFlood& flood) {
  if (flood.active) {
    if (workers_flooded_.fetch_add(1) > 0) return;
    const bool cookies = config_.stack.tcp.syn_cookies != SynCookieMode::kOff;
    log(LogLevel::kWarning,
        absl::StrCat("SYN flood: ", flood.half_open, " half-open connections, no room for more; ",
                     cookies ? "answering with SYN cookies" : "dropping SYNs"));
    return;
  }
  if (workers_flooded_.fetch_sub(1) > 1) return;
  log(LogLevel::kInfo, absl::StrCat("SYN flood over: ", flood.cookies_sent, " SYN cookies sent, ",
                                    flood.cookies_accepted, " came back so far"));
}

absl::Status Runtime::Impl::make_worker(Station& station) {
  auto clock = std::make_unique<TscClock>(start_cycles_);
  auto stack = Stack::create(config_.stack, *station.watch, clock->now(), station.steering.get());
  if (!stack.ok()) return stack.status();
  (*stack)->on_syn_flood([this](const SynFlood& flood) { log_flood(flood); });
  runtime::WorkerConfig worker{.pauses = config_.idle == IdleStrategy::kPause,
                               .may_nap = may_nap(config_.idle, *device_),
                               .longest_nap = longest_nap(config_, exchange_.get()),
                               .linger = config_.linger,
                               .on_drain = [this](std::uint32_t n) { log_drain(n); },
                               .between_polls = config_.between_polls};
  if (worker.may_nap) worker.interrupt.emplace(device_->port_id(), station.dpdk_port->queue());
  station.worker = std::make_unique<Worker>(*std::move(stack), std::move(clock), std::move(worker));
  return absl::OkStatus();
}

Errc Runtime::Impl::listen(const ListenOptions& options, const HandlerFactory& factory) {
  std::vector<ListenerId> made;
  for (unsigned i = 0; i < workers(); ++i) {
    auto& handler = stations_[i]->handlers.emplace_back(factory(i));
    const auto listener = stack(i).listen(options, *handler);
    if (listener.ok()) {
      made.push_back(*listener);
      continue;
    }
    for (unsigned j = 0; j < i; ++j) stack(j).stop_listening(made[j]);
    for (unsigned j = 0; j <= i; ++j) stations_[j]->handlers.pop_back();
    return listener.error();
  }
  return Errc::kOk;
}

runtime::EventLog Runtime::Impl::event_log() const {
  return {device_->name(), config_.stack, workers(),
          [log = config_.log](LogLevel level, const std::string& line) { log(level, line); }};
}

std::string connections_in_words(std::uint64_t count) {
  return absl::StrCat(count, count == 1 ? " connection" : " connections");
}

// One line when there is something to wait for.
void Runtime::Impl::log_drain(std::uint32_t connections) {
  if (connections == 0 || drain_told_.exchange(true)) return;
  log(LogLevel::kInfo, absl::StrCat("draining: up to ", runtime::in_seconds(config_.linger),
                                    "; a second signal ends at once"));
}

void Runtime::Impl::log_drained(const DrainResult& result) const {
  const std::uint32_t in_time =
      result.connections - std::min(result.connections, result.reset + result.abandoned);
  if (result.connections > 0)
    log(LogLevel::kInfo,
        absl::StrCat("drained in ", runtime::in_seconds(result.took), ": ", in_time, " of ",
                     connections_in_words(result.connections), " ended in order"));
  if (result.reset > 0)
    log(LogLevel::kWarning,
        absl::StrCat(connections_in_words(result.reset), " did not end in time: reset"));
  if (result.abandoned > 0)
    log(LogLevel::kWarning,
        absl::StrCat(connections_in_words(result.abandoned), " left without a word"));
}

// The thread that has started EAL is its main core's, and so the first worker's.
DrainResult Runtime::Impl::run_workers() {
  const std::vector<unsigned> cores = lcores();
  for (unsigned i = 1; i < workers(); ++i)
    rte_eal_remote_launch(run_station, stations_[i].get(), cores[i]);
  run_station(stations_[0].get());
  DrainResult sum = stations_[0]->result;
  for (unsigned i = 1; i < workers(); ++i) {
    rte_eal_wait_lcore(cores[i]);
    const DrainResult& more = stations_[i]->result;
    sum.connections += more.connections;
    sum.reset += more.reset;
    sum.abandoned += more.abandoned;
    sum.took = std::max(sum.took, more.took);
  }
  return sum;
}

absl::Status Runtime::Impl::run() {
  std::optional<runtime::Watchman> watchman;
  if (config_.log) watchman.emplace(*device_, workers_of(stations_), event_log());
  const DrainResult result = run_workers();
  watchman.reset();
  log_drained(result);
  return finish_captures();
}

absl::Status Runtime::Impl::finish_captures() {
  const absl::Status status = captures_->finish();
  for (const runtime::CaptureCount& capture : captures_->counts())
    if (capture.lost > 0)
      log(LogLevel::kWarning,
          absl::StrCat(capture.lost, " frames are not in the capture ", capture.target));
  return status;
}

AskResult Runtime::Impl::ask(unsigned worker, const std::function<void(Stack&)>& function,
                             std::chrono::milliseconds patience) {
  TERN_ASSERT(worker < workers());
  return stations_[worker]->worker->mailbox().ask([&] { function(stack(worker)); }, patience);
}

WorkerUsage Runtime::Impl::worker_usage(unsigned worker) {
  WorkerUsage usage;
  const auto copy = [&](Stack&) { usage = stations_[worker]->worker->usage(); };
  ask(worker, copy, std::chrono::seconds(1));
  return usage;
}

Counters Runtime::Impl::counters() const {
  Counters sum;
  for (const auto& station : stations_) sum += station->worker->stack().counters();
  return sum;
}

StackUsage Runtime::Impl::usage() const {
  StackUsage sum;
  for (const auto& station : stations_) sum += station->worker->stack().usage();
  return sum;
}

std::string Runtime::Impl::describe() const {
  std::string text = device_->describe();
  if (workers() > 1)
    absl::StrAppend(&text, "workers: ", workers(), ", ",
                    exchange_->homes().device_steers()
                        ? "the device steers by RSS; key and table read back"
                        : "the device spreads flows its own way; strays are handed over",
                    "\n");
  return absl::StrCat(text, "memory: at most ", plan_.total() >> 20, " MiB\n");
}

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::create(RuntimeConfig config) {
  auto impl = std::make_unique<Impl>(std::move(config));
  if (absl::Status status = impl->bring_up(); !status.ok()) return status;
  return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

Stack& Runtime::stack(unsigned worker) { return impl_->stack(worker); }
Errc Runtime::listen(const ListenOptions& options, const HandlerFactory& factory) {
  return impl_->listen(options, factory);
}
absl::Status Runtime::run() { return impl_->run(); }
void Runtime::stop() { impl_->stop(); }
unsigned Runtime::workers() const { return impl_->workers(); }
AskResult Runtime::ask(unsigned worker, const std::function<void(Stack&)>& function,
                       std::chrono::milliseconds patience) {
  return impl_->ask(worker, function, patience);
}
WorkerUsage Runtime::worker_usage(unsigned worker) { return impl_->worker_usage(worker); }
Counters Runtime::counters() const { return impl_->counters(); }
StackUsage Runtime::usage() const { return impl_->usage(); }
Instant Runtime::now() const { return impl_->now(); }
std::uint64_t Runtime::cycles_per_second() { return rte_get_tsc_hz(); }
std::string Runtime::describe() const { return impl_->describe(); }
const std::vector<MemoryRow>& Runtime::memory() const { return impl_->memory(); }

}  // namespace tern
