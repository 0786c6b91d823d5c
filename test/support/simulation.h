// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/sim/sim_network.h"
#include "support/recording_handler.h"
#include "support/scenario_capture.h"
#include "support/wire_monitor.h"
#include "tern/stack.h"

namespace tern::test {

struct HostConfig {
  std::string name = "host";
  StackConfig stack{};
  io::ModelPortConfig port{};
};

/// The port as it is; with TERN_TEST_TSO in the environment, one that cuts large segments besides.
io::ModelPortConfig test_port(io::ModelPortConfig port);

/// A configuration for host number n = 1, 2, ...: 10.0.0.n/24 with MAC 02:00:00:00:00:n. Where
/// tests speak IPv6, fd00::n/64 as well, and an MTU with which the MSS is what it is over IPv4.
HostConfig numbered_host(std::uint8_t n);

/// A stack on a simulated port, with a handler that records and a monitor on its wire.
class Host {
 public:
  /// Puts a port between the stack and the simulated one, e.g. a FaultPort. The monitor then
  /// watches between the stack and that port, where checksums that are left to a device are not
  /// complete yet: not together with tx_checksum_offload.
  using Decorate = std::function<std::unique_ptr<Port>(Port& inner)>;

  explicit Host(const HostConfig& config, const Decorate& decorate = {});
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const std::string& name() const { return name_; }
  io::SimPort& port() { return port_; }
  Stack& stack() { return *stack_; }
  RecordingHandler& handler() { return handler_; }
  WireMonitor& monitor() { return monitor_; }
  /// In the family that tests speak.
  IpAddress address() const {
    if (stack_->config().ip6) return stack_->config().ip6->address;
    return stack_->config().address.address;
  }

  /// Polls once.
  std::size_t poll(Instant now) {
    now_ = now;
    return stack_->poll(now);
  }
  /// Expects that nothing is left: connections, timers, frames, chunks. TIME-WAIT may be.
  void expect_quiescent();
  /// Takes the stack down and expects that every frame came back and nothing went wrong on the
  /// wire.
  void tear_down();

 private:
  std::string name_;
  io::SimPort port_;
  WireMonitor monitor_;
  RecordingHandler handler_;
  Instant now_{};
  std::unique_ptr<Port> decorator_;
  std::unique_ptr<Port> watched_;  // in front of the decorator
  std::unique_ptr<Stack> stack_;
};

/// Stacks on a simulated network, run on virtual time. When it goes, it tears the hosts down and
/// checks them; if the test has failed by then, a pcapng of the scenario stays behind.
class Simulation {
 public:
  Simulation() = default;
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  Host& add_host(const HostConfig& config, const Host::Decorate& decorate = {});
  io::LinkPair connect(Host& a, Host& b, const io::LinkConfig& a_to_b = {},
                       const io::LinkConfig& b_to_a = {});
  io::SimNetwork& network() { return network_; }
  Host& host(std::size_t index) { return *hosts_.at(index); }
  Instant now() const { return network_.now(); }

  /// Runs until `done` holds (asked whenever all is idle) or `limit` has passed; says whether it
  /// holds.
  bool run_until(const std::function<bool()>& done, Duration limit);
  /// Runs for exactly that long.
  void run_for(Duration time);
  /// Polls every host at the present until nothing is left to do.
  void settle();
  /// Lets up to `limit` pass until nothing is under way and no connection is left, then expects
  /// that every host is quiescent.
  void expect_quiescent(Duration limit = std::chrono::minutes(5));

 private:
  Instant next_moment() const;
  void run_to(Instant end, const std::function<bool()>& done);

  io::SimNetwork network_;
  ScenarioCapture capture_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

}  // namespace tern::test
