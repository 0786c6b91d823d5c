// SPDX-License-Identifier: BSD-3-Clause
#include "tern/bare_device.h"

#include <optional>
#include <utility>

#include "io/dpdk/device.h"
#include "io/dpdk/dpdk_port.h"
#include "io/dpdk/eal.h"
#include "runtime/dpdk_log.h"
#include "runtime/memory_plan.h"
#include "runtime/stop_requests.h"
#include "runtime/tsc_clock.h"

namespace tern {

// In the order in which they are made; destroyed from the last to the first.
class BareDevice::Impl {
 public:
  absl::Status bring_up(const RuntimeConfig& config);

  Port& port() { return *port_; }
  Instant now() { return clock_->now(); }
  bool is_stopping() const { return stop_.drain(); }
  void stop() { stop_.add(); }
  std::string describe() const { return device_->describe(); }

 private:
  absl::Status open(const io::DeviceConfig& wanted, const std::string& name);

  runtime::StopRequests stop_;
  std::unique_ptr<runtime::SignalScope> signals_;
  std::unique_ptr<io::Eal> eal_;
  std::unique_ptr<io::Device> device_;
  std::unique_ptr<io::DpdkPort> port_;
  std::optional<runtime::TscClock> clock_;
};

absl::Status BareDevice::Impl::bring_up(const RuntimeConfig& config) {
  const io::DeviceConfig wanted{.held_frames = runtime::held_frames(config.stack),
                                .mtu = config.mtu,
                                .mac = config.mac,
                                .trust_missing_checksum = config.trust_missing_checksum};
  if (config.handle_signals) signals_ = std::make_unique<runtime::SignalScope>(stop_);
  auto eal = io::Eal::start({.program = config.program,
                             .arguments = config.eal_arguments,
                             .vdev = "net_tap0,iface=" + config.tap_name,
                             .memory_bytes = io::mbuf_bytes(wanted)},
                            runtime::dpdk_log_sink(config));
  if (!eal.ok()) return eal.status();
  eal_ = *std::move(eal);
  clock_.emplace();
  return open(wanted, config.device);
}

absl::Status BareDevice::Impl::open(const io::DeviceConfig& wanted, const std::string& name) {
  const auto id = io::find_device(name);
  if (!id.ok()) return id.status();
  auto device = io::Device::open(*id, wanted);
  if (!device.ok()) return device.status();
  device_ = *std::move(device);
  port_ = std::make_unique<io::DpdkPort>(*device_, std::uint16_t{0});
  return device_->start();
}

absl::StatusOr<std::unique_ptr<BareDevice>> BareDevice::create(RuntimeConfig config) {
  auto impl = std::make_unique<Impl>();
  if (absl::Status status = impl->bring_up(config); !status.ok()) return status;
  return std::unique_ptr<BareDevice>(new BareDevice(std::move(impl)));
}

BareDevice::BareDevice(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BareDevice::~BareDevice() = default;

Port& BareDevice::port() { return impl_->port(); }
Instant BareDevice::now() { return impl_->now(); }
bool BareDevice::is_stopping() const { return impl_->is_stopping(); }
void BareDevice::stop() { impl_->stop(); }
std::string BareDevice::describe() const { return impl_->describe(); }

}  // namespace tern
