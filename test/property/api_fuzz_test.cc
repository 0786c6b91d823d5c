// SPDX-License-Identifier: BSD-3-Clause
// Two applications that call the API at random, in every callback and between polls, over a network
// that loses, duplicates and reorders, with pools that run dry. After every poll: every buffer is
// where usage() says, and no callback came twice or out of order. At the end: what was delivered is
// a prefix of what was sent, all of it where both ends closed in order, each connection ended with
// one on_closed, and nothing is left.
#include <gtest/gtest.h>

#include <algorithm>

#include "api_fuzz_app.h"
#include "conservation.h"
#include "support/rounds.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

HostConfig fuzz_host(std::uint8_t n, Prng& prng) {
  HostConfig config = numbered_host(n);
  config.stack.max_connections = 2 + prng.below(12);
  config.stack.max_time_wait = 1 + prng.below(20);
  config.stack.send_memory = 64 * 1024 + prng.below(400'000);
  config.stack.receive_memory = 64 * 1024 + prng.below(400'000);
  config.stack.tcp.send_buffer = 64 * 1024 + prng.below(200'000);
  config.stack.tcp.receive_buffer = 4096 + prng.below(prng.chance(0.5) ? 20'000 : 400'000);
  config.stack.tcp.window_scaling = prng.chance(0.7);
  config.stack.tcp.timestamps = prng.chance(0.7);
  // A cookie that comes late opens a connection anew that a RST has ended: no business of this
  // test.
  config.stack.tcp.syn_cookies = SynCookieMode::kOff;
  config.stack.tcp.nagle = prng.chance(0.7);
  config.stack.tcp.msl = 1ms * (1 + prng.below(2'000));
  return config;
}

io::LinkConfig fuzz_link(Prng& prng) {
  io::LinkConfig link;
  link.delay = 1us * prng.below(20'000);
  link.loss = prng.chance(0.5) ? 0.01 * prng.below(15) : 0;
  link.duplicate = prng.chance(0.3) ? 0.05 : 0;
  link.reorder = prng.chance(0.3) ? 0.1 : 0;
  link.seed = prng.next();
  return link;
}

class ApiFuzz {
 public:
  explicit ApiFuzz(std::uint64_t seed)
      : prng_(seed),
        client_host_(simulation_.add_host(fuzz_host(1, prng_))),
        server_host_(simulation_.add_host(fuzz_host(2, prng_))),
        client_("client", prng_.next(), false),
        server_("server", prng_.next(), true) {
    simulation_.connect(client_host_, server_host_, fuzz_link(prng_), fuzz_link(prng_));
    client_.attach(client_host_.stack(), server_host_.address());
    server_.attach(server_host_.stack(), client_host_.address());
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      client_.act();
      server_.act();
      let_pass(1us * prng_.below(prng_.chance(0.05) ? 3'000'000 : 10'000));
    }
    client_.wind_down();
    server_.wind_down();
    // However bad the line, an orderly close of both ends comes to its end, or R2 does.
    for (int i = 0; i < 3'000 && !is_over() && !testing::Test::HasFailure(); ++i) let_pass(1s);
    check_streams();
    EXPECT_TRUE(is_over()) << "connections that never end";
  }

  std::uint64_t calls() const { return client_.calls() + server_.calls(); }

  /// Connections that both ends closed in order.
  std::size_t finished = 0;

 private:
  bool is_over() {
    return client_host_.stack().usage().connections == 0 &&
           server_host_.stack().usage().connections == 0;
  }

  // As Simulation::run_for, with the checks after each poll.
  void let_pass(Duration time) {
    const Instant end = simulation_.now() + time;
    io::SimNetwork& network = simulation_.network();
    for (int polls = 0; polls < 1'000'000 && !testing::Test::HasFailure(); ++polls) {
      network.advance_to(network.now());
      const std::size_t work = poll(client_host_, client_) + poll(server_host_, server_);
      const Instant next = std::min({network.next_event(), client_host_.stack().next_deadline(),
                                     server_host_.stack().next_deadline()});
      if (work > 0 || next <= network.now()) continue;
      if (next > end) {
        network.advance_to(end);
        return;
      }
      network.advance_to(next);
    }
    ADD_FAILURE() << "busy for ever";
  }

  std::size_t poll(Host& host, FuzzApp& app) {
    app.begin_poll();
    const std::size_t work = host.poll(simulation_.now());
    expect_conserved(host.stack(), host.port());
    return work;
  }

  void check_streams() {
    for (const auto& [port, stream] : client_.streams()) {
      SCOPED_TRACE("client port " + std::to_string(port));
      EXPECT_EQ(stream.closed, 1u);
      const auto found = server_.streams().find(port);
      if (found == server_.streams().end()) {
        EXPECT_EQ(stream.received, "");
        continue;
      }
      EXPECT_EQ(found->second.closed, 1u);
      check_direction(stream, found->second);
      check_direction(found->second, stream);
      if (stream.reason == CloseReason::kFinished && found->second.reason == stream.reason)
        ++finished;
    }
  }

  static void check_direction(const FuzzStream& from, const FuzzStream& to) {
    ASSERT_LE(to.received.size(), from.sent.size());
    EXPECT_TRUE(from.sent.compare(0, to.received.size(), to.received) == 0) << "not what was sent";
    EXPECT_LE(to.peer_finished, 1u);
    // The end of the stream is shown only where it is.
    if (to.peer_finished > 0) {
      EXPECT_EQ(to.received.size(), from.sent.size());
    }
    if (to.reason == CloseReason::kFinished && !to.dropped) {
      EXPECT_EQ(to.peer_finished, 1u);
    }
  }

  Simulation simulation_;
  Prng prng_;
  Host& client_host_;
  Host& server_host_;
  FuzzApp client_, server_;
};

TEST(ApiFuzz, EveryCallInEveryCallback) {
  std::uint64_t calls = 0;
  std::size_t finished = 0;
  for (std::uint64_t seed = 1; seed <= rounds(400) && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ApiFuzz fuzz(seed);
    fuzz.run(120);
    calls += fuzz.calls();
    finished += fuzz.finished;
  }
  EXPECT_GT(calls, 100'000u);
  EXPECT_GT(finished, 300u) << "the calls hardly leave a connection alive";
}

}  // namespace
}  // namespace tern::test
