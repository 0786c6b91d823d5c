// SPDX-License-Identifier: BSD-3-Clause
// The engine reads no clock and no random device: the same seed gives the same trace.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

struct TracedFrame {
  Instant time;
  std::size_t host;
  io::FrameDirection direction;
  Bytes bytes;
  friend bool operator==(const TracedFrame&, const TracedFrame&) = default;
};
using Trace = std::vector<TracedFrame>;

io::LinkConfig lossy(std::uint64_t seed) {
  return {.delay = 3ms,
          .bits_per_second = 20e6,
          .loss = 0.1,
          .duplicate = 0.05,
          .reorder = 0.1,
          .reorder_delay = 2ms,
          .seed = seed};
}

constexpr std::size_t kConnections = 5;
constexpr std::size_t kBytes = 20'000;

// Five connections at once, each echoed and closed, over a bad link.
Trace trace_of(std::uint64_t seed, std::uint64_t secret) {
  Trace trace;
  Simulation sim;
  std::vector<Host*> hosts;
  for (const std::uint8_t n : std::vector<std::uint8_t>{1, 2}) {
    HostConfig config = numbered_host(n);
    config.stack.secret[1] = secret;
    hosts.push_back(&sim.add_host(config));
    hosts.back()->port().observe(
        [&trace, n](Instant now, io::FrameDirection direction, std::span<const std::byte> frame) {
          trace.push_back({now, n, direction, Bytes(frame.begin(), frame.end())});
        });
  }
  sim.connect(*hosts[0], *hosts[1], lossy(seed), lossy(seed + 1));
  RecordingHandler client, server;
  server.echo = true;
  EXPECT_TRUE(hosts[1]->stack().listen({.address = wildcard(), .port = 7000}, server));
  const std::string text(kBytes, 'x');
  for (std::size_t i = 0; i < kConnections; ++i) {
    auto connection = hosts[0]->stack().connect({.remote = {hosts[1]->address(), 7000}}, client);
    EXPECT_TRUE(connection && connection->write(std::as_bytes(std::span(text))));
    if (connection) connection->shutdown_send();
  }
  sim.expect_quiescent(1h);
  return trace;
}

TEST(Determinism, TheSameSeedGivesTheSameTraceTwice) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const Trace first = trace_of(seed, 1);
    const Trace second = trace_of(seed, 1);
    EXPECT_GT(first.size(), 200u);
    const auto differs = std::mismatch(first.begin(), first.end(), second.begin(), second.end());
    EXPECT_TRUE(first == second) << "seed " << seed << ": frame " << differs.first - first.begin()
                                 << " of " << first.size() << " and " << second.size();
  }
}

TEST(Determinism, AnotherSeedOrSecretGivesAnother) {
  const Trace trace = trace_of(1, 1);
  EXPECT_FALSE(trace == trace_of(2, 1));
  EXPECT_FALSE(trace == trace_of(1, 2));
}

}  // namespace
}  // namespace tern::test
