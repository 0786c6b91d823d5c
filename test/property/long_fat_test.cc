// SPDX-License-Identifier: BSD-3-Clause
// A link of 1 Gb/s and 100 ms, whose 12.5 MB in flight are fifty times the receive buffer that a
// connection begins with: the buffer grows, the window with it, and the link is full.
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "support/sender.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;
constexpr std::uint32_t kMiB = 1u << 20;

struct LongFat {
  CongestionAlgorithm congestion = CongestionAlgorithm::kCubic;
  std::uint32_t max_receive_buffer = 64 * kMiB;
  std::size_t bytes = 100'000'000;
};

/// Mb/s of the second half of the text, when slow start is over, and what the counters said.
struct Outcome {
  double mbps = 0;
  std::uint64_t grown = 0, time_outs = 0;
};

Outcome run(const LongFat& t) {
  Simulation sim;
  HostConfig a = numbered_host(1), b = numbered_host(2);
  for (HostConfig* host : {&a, &b}) {
    host->stack.tcp.congestion = t.congestion;
    host->stack.tcp.max_receive_buffer = t.max_receive_buffer;
    host->stack.tcp.send_buffer = 64 * kMiB;
    host->stack.send_memory = host->stack.receive_memory = 512 * std::uint64_t{kMiB};
  }
  Host& client = sim.add_host(a);
  Host& server = sim.add_host(b);
  const io::LinkPair link = sim.connect(client, server);
  link.a_to_b.set_config({.delay = 50ms, .bits_per_second = 1e9});
  link.b_to_a.set_config({.delay = 50ms});
  Sender from_client(random_text(t.bytes, 1)), from_server(std::string{});
  EXPECT_TRUE(server.stack().listen({.port = kPort}, from_server));
  EXPECT_TRUE(client.stack().connect({.remote = {server.address(), kPort}}, from_client));
  const auto has_arrived = [&](std::size_t bytes) {
    return !from_server.records().empty() && from_server.records()[0].received.size() >= bytes;
  };
  EXPECT_TRUE(sim.run_until([&] { return has_arrived(t.bytes / 2); }, 10min));
  const Instant half = sim.now();
  EXPECT_TRUE(sim.run_until([&] { return has_arrived(t.bytes); }, 10min));
  const double s = std::chrono::duration<double>(sim.now() - half).count();
  EXPECT_TRUE(from_server.only().received == from_client.text());
  return {.mbps = static_cast<double>(t.bytes) * 4e-6 / s,
          .grown = server.stack().counters().receive_buffers_grown,
          .time_outs = client.stack().counters().rto_timeouts};
}

TEST(LongFat, FillsTheLink) {
  const Outcome o = run({});
  std::cout << "1 Gb/s, 100 ms: " << o.mbps << " Mb/s, buffer doubled " << o.grown << " times\n";
  EXPECT_GT(o.mbps, 900) << "1448 of 1514 + 24 bytes of each frame are text";
  EXPECT_GE(o.grown, 6u);
  EXPECT_LE(o.grown, 8u) << "twice what the path holds is enough";
  EXPECT_EQ(o.time_outs, 0u);
}

// What it was: 256 KB in 100 ms.
TEST(LongFat, IsHeldBackByABufferThatDoesNotGrow) {
  const Outcome o = run({.max_receive_buffer = 0, .bytes = 5'000'000});
  EXPECT_LT(o.mbps, 22);
  EXPECT_EQ(o.grown, 0u);
}

}  // namespace
}  // namespace tern::test
