// SPDX-License-Identifier: BSD-3-Clause
#include "support/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "base/assert.h"
#include "io/tap/tap_port.h"

namespace tern::test {
namespace {

// Polls at one instant before a busy host counts as a live-lock. Far above what bounded work per
// poll needs for any burst.
constexpr int kMaxPollsPerInstant = 100'000;
constexpr int kMaxIdlePolls = 64;

std::unique_ptr<Stack> make_stack(const HostConfig& config, Port& port) {
  auto stack = Stack::create(config.stack, port);
  if (!stack.ok()) std::cerr << config.name << ": " << stack.status() << '\n';
  TERN_ASSERT(stack.ok());
  return std::move(*stack);
}

// Shows a FrameObserver what passes.
class WatchedPort final : public io::TapPort {
 public:
  WatchedPort(Port& inner, io::TapClock clock, io::FrameObserver observer)
      : TapPort(inner, std::move(clock)), observer_(std::move(observer)) {}

 private:
  void frame_passed(Instant now, io::FrameDirection direction,
                    std::span<const std::byte> frame) override {
    observer_(now, direction, frame);
  }
  io::FrameObserver observer_;
};

}  // namespace

io::ModelPortConfig test_port(io::ModelPortConfig port) {
  if (std::getenv("TERN_TEST_TSO") == nullptr) return port;
  port.tx_checksum_offload = true;
  port.tso_bytes = 64'000;
  return port;
}

HostConfig numbered_host(std::uint8_t n) {
  HostConfig config;
  config.name = "host" + std::to_string(n);
  config.stack.address = {Ipv4Address(10, 0, 0, n), 24};
  config.stack.secret = {n, 0x7465726e};
  // Pools below a huge page each: a test makes thousands of stacks, and would zero two megabytes
  // for every pool of each.
  config.stack.max_connections = 64;
  config.stack.max_time_wait = 1024;
  config.stack.send_memory = config.stack.receive_memory = 1'500'000;
  config.port.mac = MacAddress{{0x02, 0, 0, 0, 0, n}};
  if (speaks_v6()) {
    config.stack.ip6 = Ipv6Prefix{numbered_address(n).v6(), 64};
    config.stack.dad_transmits6 = 0;
    config.port.mtu = 1520;
  }
  return config;
}

Host::Host(const HostConfig& config, const Decorate& decorate)
    : name_(config.name),
      port_(decorate ? config.port : test_port(config.port)),
      monitor_(config.name) {
  if (!decorate) {
    port_.observe(monitor_.observer());
    stack_ = make_stack(config, port_);
    return;
  }
  // What a decorator loses or damages, the stack never saw or never sent.
  TERN_ASSERT(!config.port.tx_checksum_offload);
  decorator_ = decorate(port_);
  watched_ = std::make_unique<WatchedPort>(
      *decorator_, [this] { return now_; }, monitor_.observer());
  stack_ = make_stack(config, *watched_);
}

void Host::expect_quiescent() {
  const StackUsage usage = stack_->usage();
  EXPECT_EQ(usage.connections, 0u) << name_;
  EXPECT_EQ(usage.half_open, 0u) << name_;
  EXPECT_EQ(usage.table_entries, usage.time_wait) << name_;
  EXPECT_EQ(usage.timers, 0u) << name_;
  EXPECT_EQ(usage.held_frames, 0u) << name_;
  EXPECT_EQ(usage.waiting_frames, 0u) << name_;
  EXPECT_EQ(usage.staged_frames, 0u) << name_;
  EXPECT_EQ(usage.send_chunks, 0u) << name_;
  EXPECT_EQ(usage.receive_chunks, 0u) << name_;
  EXPECT_EQ(usage.sack_senders, 0u) << name_;
  // A decorator may hold frames of its own.
  if (!decorator_) {
    EXPECT_EQ(port_.outstanding(), usage.spare_frames) << name_;
  }
}

void Host::tear_down() {
  stack_.reset();
  watched_.reset();
  decorator_.reset();
  EXPECT_EQ(port_.outstanding(), 0u) << name_ << ": frames that never came back";
  EXPECT_EQ(port_.violations(), std::vector<std::string>{}) << name_;
  EXPECT_EQ(monitor_.violations(), std::vector<std::string>{}) << name_;
}

Simulation::~Simulation() {
  for (const auto& host : hosts_) host->tear_down();
  keep_capture_of_failure(capture_);
}

Host& Simulation::add_host(const HostConfig& config, const Host::Decorate& decorate) {
  hosts_.push_back(std::make_unique<Host>(config, decorate));
  hosts_.back()->port().observe(capture_.observer(config.name));
  return *hosts_.back();
}

io::LinkPair Simulation::connect(Host& a, Host& b, const io::LinkConfig& a_to_b,
                                 const io::LinkConfig& b_to_a) {
  return network_.connect(a.port(), b.port(), a_to_b, b_to_a);
}

void Simulation::settle() {
  int idle_polls = 0;
  for (int polls = 0; polls < kMaxPollsPerInstant; ++polls) {
    // A link without delay delivers at the instant of sending.
    network_.advance_to(now());
    std::size_t work = 0;
    bool frames_wait = false;
    for (const auto& host : hosts_) {
      work += host->poll(now());
      frames_wait |= host->stack().usage().staged_frames > 0 || host->port().pending() > 0;
    }
    if (work > 0 || next_moment() <= now()) continue;
    // Frames that wait for the transmit ring need polls, not time, to leave; but a test may have
    // stopped the ring, or the link may be down.
    if (!frames_wait || ++idle_polls > kMaxIdlePolls) return;
  }
  ADD_FAILURE() << "the hosts never became idle at " << now().time_since_epoch().count() << " ns";
}

Instant Simulation::next_moment() const {
  Instant next = network_.next_event();
  for (const auto& host : hosts_) next = std::min(next, host->stack().next_deadline());
  return next;
}

void Simulation::run_to(Instant end, const std::function<bool()>& done) {
  while (true) {
    settle();
    if (done() || testing::Test::HasFatalFailure()) return;
    const Instant next = next_moment();
    if (next > end || next <= now()) break;  // the latter: a live-lock, reported by settle()
    network_.advance_to(next);
  }
  if (now() < end) network_.advance_to(end);
}

bool Simulation::run_until(const std::function<bool()>& done, Duration limit) {
  run_to(now() + limit, done);
  return done();
}

void Simulation::run_for(Duration time) {
  run_to(now() + time, [] { return false; });
}

void Simulation::expect_quiescent(Duration limit) {
  run_until(
      [this] {
        return network_.in_flight() == 0 &&
               std::all_of(hosts_.begin(), hosts_.end(), [](const auto& host) {
                 const StackUsage usage = host->stack().usage();
                 return usage.connections == 0 && usage.timers == 0 && usage.waiting_frames == 0;
               });
      },
      limit);
  for (const auto& host : hosts_) host->expect_quiescent();
}

}  // namespace tern::test
