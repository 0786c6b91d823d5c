// SPDX-License-Identifier: BSD-3-Clause
#include "tern/runtime.h"

#include <absl/strings/str_cat.h>
#include <net/if.h>
#include <sys/random.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "io/dpdk/device.h"
#include "io/dpdk/dpdk_port.h"
#include "io/dpdk/eal.h"
#include "io/tap/capture_port.h"
#include "io/tap/pcapng_writer.h"
#include "runtime/dpdk_log.h"
#include "runtime/memory_plan.h"
#include "runtime/stop_requests.h"
#include "runtime/worker.h"
#include "stack/config_check.h"

namespace tern {

namespace {

using runtime::DrainResult;
using runtime::MemoryPlan;
using runtime::TscClock;
using runtime::Worker;

absl::Status fill_in_secret(std::array<std::uint64_t, 2>& secret) {
  if (secret[0] != 0 || secret[1] != 0) return absl::OkStatus();
  if (::getrandom(secret.data(), sizeof secret, 0) == sizeof secret) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("no random bits for the secret: ", std::strerror(errno)));
}

io::DeviceConfig device_config(const RuntimeConfig& config) {
  return {.held_frames = runtime::held_frames(config.stack),
          .mtu = config.mtu,
          .mac = config.mac,
          // A capture shows what is on the wire only if the checksums are in it already.
          .tx_checksum = config.capture_path.empty(),
          .trust_missing_checksum = config.trust_missing_checksum};
}

bool may_nap(IdleStrategy strategy, const io::Device& device) {
  return strategy == IdleStrategy::kSleep ||
         (strategy == IdleStrategy::kAuto && device.is_kernel_backed());
}

// A capture's times are those of the wall clock, so that they compare with other captures: DPDK
// knows the TSC's rate to 10 MHz only, which is seconds in an hour.
Instant wall_clock() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

}  // namespace

// In the order in which they are made; destroyed from the last to the first.
class Runtime::Impl {
 public:
  explicit Impl(RuntimeConfig config) : config_(std::move(config)) {}

  absl::Status bring_up();
  Stack& stack() { return worker_->stack(); }
  absl::Status run();
  void stop() { stop_.add(); }
  AskResult ask(unsigned worker, const std::function<void(Stack&)>& function,
                std::chrono::milliseconds patience);
  WorkerUsage worker_usage(unsigned worker);
  Instant now() const { return worker_->now(); }
  std::string describe() const {
    return absl::StrCat(device_->describe(), "memory: at most ", plan_.total() >> 20, " MiB\n");
  }

 private:
  absl::Status check();
  absl::Status start_eal();
  absl::Status open_device();
  absl::Status open_capture();
  absl::Status make_worker();
  void log(LogLevel level, const std::string& line) const {
    if (config_.log) config_.log(level, line);
  }
  Port& port() { return capture_port_ ? static_cast<Port&>(*capture_port_) : *dpdk_port_; }

  RuntimeConfig config_;
  MemoryPlan plan_;
  runtime::StopRequests stop_;
  std::unique_ptr<runtime::SignalScope> signals_;
  std::unique_ptr<io::Eal> eal_;
  std::unique_ptr<io::Device> device_;
  std::unique_ptr<io::DpdkPort> dpdk_port_;
  std::unique_ptr<io::PcapngWriter> capture_;
  std::unique_ptr<io::CapturePort> capture_port_;
  std::unique_ptr<Worker> worker_;
};

absl::Status Runtime::Impl::bring_up() {
  for (const auto step : {&Impl::check, &Impl::start_eal, &Impl::open_device, &Impl::open_capture,
                          &Impl::make_worker})
    if (absl::Status status = (this->*step)(); !status.ok()) return status;
  return device_->start();
}

// All that can be refused before the machine is touched.
absl::Status Runtime::Impl::check() {
  config_.stack = with_derived_sizes(config_.stack);
  PortInfo planned;
  planned.mtu = config_.mtu;
  planned.frame_capacity = config_.mtu + 14u;
  if (absl::Status status = check_config(config_.stack, planned); !status.ok()) return status;
  if (absl::Status status = fill_in_secret(config_.stack.secret); !status.ok()) return status;
  plan_ = runtime::plan_memory(config_.stack, device_config(config_));
  log(LogLevel::kDebug, plan_.to_string());
  return runtime::check_memory(plan_, runtime::available_memory());
}

absl::Status Runtime::Impl::start_eal() {
  if (config_.handle_signals) signals_ = std::make_unique<runtime::SignalScope>(stop_);
  auto eal = io::Eal::start({.program = config_.program,
                             .arguments = config_.eal_arguments,
                             .vdev = "net_tap0,iface=" + config_.tap_name,
                             .memory_bytes = plan_.mbuf_bytes},
                            runtime::dpdk_log_sink(config_));
  if (!eal.ok()) return eal.status();
  eal_ = *std::move(eal);
  return absl::OkStatus();
}

absl::Status Runtime::Impl::open_device() {
  const auto id = io::find_device(config_.device);
  if (!id.ok()) return id.status();
  auto device = io::Device::open(*id, device_config(config_));
  if (!device.ok()) return device.status();
  device_ = *std::move(device);
  dpdk_port_ = std::make_unique<io::DpdkPort>(*device_, std::uint16_t{0});
  return absl::OkStatus();
}

absl::Status Runtime::Impl::open_capture() {
  if (config_.capture_path.empty()) return absl::OkStatus();
  io::PcapngOptions options;
  options.application = config_.program;
  auto writer = io::PcapngWriter::open(config_.capture_path, options);
  if (!writer.ok()) return writer.status();
  capture_ = *std::move(writer);
  const std::uint32_t interface = capture_->add_interface(device_->name());
  capture_port_ = std::make_unique<io::CapturePort>(*dpdk_port_, *capture_, wall_clock, interface);
  return absl::OkStatus();
}

absl::Status Runtime::Impl::make_worker() {
  auto clock = std::make_unique<TscClock>();
  auto stack = Stack::create(config_.stack, port(), clock->now());
  if (!stack.ok()) return stack.status();
  runtime::WorkerConfig worker{.may_nap = may_nap(config_.idle, *device_),
                               .linger = config_.linger,
                               .between_polls = config_.between_polls};
  if (capture_) worker.housekeeping = [this] { capture_->flush().IgnoreError(); };  // close() tells
  worker_ = std::make_unique<Worker>(*std::move(stack), std::move(clock), std::move(worker));
  return absl::OkStatus();
}

absl::Status Runtime::Impl::run() {
  const DrainResult result = worker_->run(stop_);
  if (result.reset > 0)
    log(LogLevel::kWarning, absl::StrCat(result.reset, " connections did not end in time: reset"));
  if (result.abandoned > 0)
    log(LogLevel::kWarning, absl::StrCat(result.abandoned, " connections left without a word"));
  if (!capture_) return absl::OkStatus();
  if (capture_->frames_lost() > 0)
    log(LogLevel::kWarning,
        absl::StrCat(capture_->frames_lost(), " frames are not in the capture"));
  return capture_->close();
}

AskResult Runtime::Impl::ask(unsigned worker, const std::function<void(Stack&)>& function,
                             std::chrono::milliseconds patience) {
  TERN_ASSERT(worker == 0);
  return worker_->mailbox().ask([&] { function(worker_->stack()); }, patience);
}

WorkerUsage Runtime::Impl::worker_usage(unsigned worker) {
  WorkerUsage usage;
  const auto copy = [&](Stack&) { usage = worker_->usage(); };
  ask(worker, copy, std::chrono::seconds(1));
  return usage;
}

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::create(RuntimeConfig config) {
  auto impl = std::make_unique<Impl>(std::move(config));
  if (absl::Status status = impl->bring_up(); !status.ok()) return status;
  return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

Stack& Runtime::stack() { return impl_->stack(); }
absl::Status Runtime::run() { return impl_->run(); }
void Runtime::stop() { impl_->stop(); }
unsigned Runtime::workers() const { return 1; }
AskResult Runtime::ask(unsigned worker, const std::function<void(Stack&)>& function,
                       std::chrono::milliseconds patience) {
  return impl_->ask(worker, function, patience);
}
WorkerUsage Runtime::worker_usage(unsigned worker) { return impl_->worker_usage(worker); }
Instant Runtime::now() const { return impl_->now(); }
std::uint64_t Runtime::cycles_per_second() { return rte_get_tsc_hz(); }
std::string Runtime::describe() const { return impl_->describe(); }

}  // namespace tern
