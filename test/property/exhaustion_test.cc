// SPDX-License-Identifier: BSD-3-Clause
// Running out is an ordinary event: whichever allocation fails, of whatever kind, the connections
// that are there go on when something comes free again, byte for byte, and nothing is left.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "conservation.h"
#include "io/tap/tap_port.h"
#include "support/rounds.h"
#include "support/sender.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;

/// Hands out one frame at a time, so that each frame is an allocation, and at `calls` of these from
/// the `first` one on none.
class ShortPort final : public io::PortDecorator {
 public:
  struct Fault {
    std::uint64_t first = 0;  // counted from 1; 0 = never
    std::uint64_t calls = 1;
  };
  ShortPort(Port& inner, const Fault& fault, std::uint64_t& calls)
      : PortDecorator(inner), fault_(fault), calls_(calls) {}
  std::size_t allocate(std::span<Frame> frames) override {
    ++calls_;
    const bool fails =
        fault_.first > 0 && calls_ >= fault_.first && calls_ < fault_.first + fault_.calls;
    return fails ? 0 : inner().allocate(frames.first(std::min<std::size_t>(frames.size(), 1)));
  }
  std::size_t recycle(std::span<Frame> frames) override { return Port::recycle(frames); }

 private:
  const Fault fault_;
  std::uint64_t& calls_;
};

struct Exchange {
  HostConfig client = numbered_host(1), server = numbered_host(2);
  ShortPort::Fault client_fault{}, server_fault{};
  std::size_t bytes = 30'000;
  int connections = 3;
  Duration limit = 10min;
};

/// What an exchange took: calls of allocate() at either end.
struct Calls {
  std::uint64_t client = 0, server = 0;
};

void expect_all_exact(RecordingHandler& at, const Sender& from, int connections) {
  ASSERT_EQ(at.records().size(), static_cast<std::size_t>(connections));
  for (const ConnectionRecord& r : at.records()) {
    EXPECT_EQ(r.reason, CloseReason::kFinished);
    EXPECT_TRUE(r.received == from.text());
  }
}

bool all_closed(RecordingHandler& at, int connections) {
  const auto closed = std::count_if(at.records().begin(), at.records().end(),
                                    [](const ConnectionRecord& r) { return r.closed == 1; });
  return closed == connections;
}

// A text each way on every connection, all at once.
Calls expect_exchange(const Exchange& setup) {
  Calls calls;
  Simulation sim;
  Host& client = sim.add_host(setup.client, [&](Port& port) {
    return std::make_unique<ShortPort>(port, setup.client_fault, calls.client);
  });
  Host& server = sim.add_host(setup.server, [&](Port& port) {
    return std::make_unique<ShortPort>(port, setup.server_fault, calls.server);
  });
  sim.connect(client, server, {.delay = 1ms}, {.delay = 1ms});
  Sender from_client(random_text(setup.bytes, 1)), from_server(random_text(setup.bytes, 2));
  EXPECT_TRUE(server.stack().listen({.address = wildcard(), .port = kPort}, from_server));
  for (int i = 0; i < setup.connections; ++i)
    EXPECT_TRUE(client.stack().connect({.remote = {server.address(), kPort}}, from_client));
  EXPECT_TRUE(sim.run_until(
      [&] {
        return all_closed(from_client, setup.connections) &&
               all_closed(from_server, setup.connections);
      },
      setup.limit));
  expect_all_exact(from_server, from_client, setup.connections);
  expect_all_exact(from_client, from_server, setup.connections);
  sim.expect_quiescent();
  return calls;
}

TEST(Exhaustion, AnyAllocationOfFramesFails) {
  const Calls calls = expect_exchange({});
  ASSERT_GT(calls.client, 10u);
  for (const std::uint64_t length : {1u, 2u}) {  // three ARP requests lost are an unreachable peer
    for (std::uint64_t n = 1; n <= std::max(calls.client, calls.server) && !HasFailure(); ++n) {
      if (!is_tried(n, length)) continue;
      SCOPED_TRACE("allocation " + std::to_string(n) + ", " + std::to_string(length) + " fail");
      Exchange setup;
      setup.client_fault = {n, length};
      expect_exchange(setup);
      setup.client_fault = {};
      setup.server_fault = {n, length};
      expect_exchange(setup);
    }
  }
}

TEST(Exhaustion, FewFramesToSendWith) {
  for (std::uint32_t frames = 1; frames <= 40 && !HasFailure(); ++frames) {
    SCOPED_TRACE(std::to_string(frames) + " frames");
    Exchange setup;
    setup.client.port.blocks.tx_frames = frames;
    setup.server.port.blocks.tx_frames = 1 + frames / 2;
    expect_exchange(setup);
  }
}

// Every number of send chunks, from a single small one on: the next one's allocation fails.
TEST(Exhaustion, AnyAllocationOfSendChunksFails) {
  for (std::uint64_t bytes = 1024; bytes <= 100'000 && !HasFailure(); bytes += 1024) {
    if (!is_tried(bytes / 1024)) continue;
    SCOPED_TRACE(std::to_string(bytes) + " bytes of send memory");
    Exchange setup;
    setup.client.stack.send_memory = bytes;
    setup.server.stack.send_memory = bytes;
    expect_exchange(setup);
  }
}

// Every number of buffers for received data, from a single frame on.
TEST(Exhaustion, AnyAllocationOfReceiveBuffersFails) {
  for (std::uint32_t held = 1; held <= 8 && !HasFailure(); ++held) {
    for (std::uint64_t chunks = 0; chunks <= 40 && !HasFailure(); ++chunks) {
      if (!is_tried(chunks, held)) continue;
      SCOPED_TRACE(std::to_string(held) + " frames, " + std::to_string(chunks) + " chunks");
      Exchange setup;
      setup.server.port.blocks.rx_frames = 2 * held;
      setup.server.stack.receive_memory = std::max<std::uint64_t>(1, 2048 * chunks);
      setup.client.port.blocks.rx_frames = 64;
      setup.client.stack.receive_memory = 16'384;
      expect_exchange(setup);
    }
  }
}

TEST(Exhaustion, BacklogOfEverySize) {
  for (std::uint32_t half_open = 1; half_open <= 4; ++half_open) {
    SCOPED_TRACE(half_open);
    Exchange setup;
    setup.server.stack.max_half_open = half_open;
    setup.connections = 8;
    expect_exchange(setup);
  }
}

TEST(Exhaustion, TimeWaitOfEverySize) {
  for (std::uint32_t records = 1; records <= 4; ++records) {
    SCOPED_TRACE(records);
    Exchange setup;
    setup.client.stack.max_time_wait = setup.server.stack.max_time_wait = records;
    setup.connections = 6;
    expect_exchange(setup);
  }
}

// The TCBs of either end, each number of them: more than there are is refused or waits, and whoever
// comes when one is free again is served.
TEST(Exhaustion, ConnectionsOfEveryNumber) {
  for (std::uint32_t count = 1; count <= 5; ++count) {
    SCOPED_TRACE(count);
    Simulation sim;
    HostConfig a = numbered_host(1), b = numbered_host(2);
    a.stack.max_connections = count;
    Host& client = sim.add_host(a);
    Host& server = sim.add_host(b);
    sim.connect(client, server);
    Sender from_client(random_text(2'000, 1)), from_server(random_text(2'000, 2));
    EXPECT_TRUE(server.stack().listen({.address = wildcard(), .port = kPort}, from_server));
    const ConnectOptions options{.remote = {server.address(), kPort}};
    for (int round = 1; round <= 3; ++round) {
      for (std::uint32_t i = 0; i < count; ++i)
        EXPECT_TRUE(client.stack().connect(options, from_client));
      EXPECT_EQ(client.stack().connect(options, from_client).error(), Errc::kNoConnections);
      sim.run_for(10s);
      EXPECT_TRUE(all_closed(from_client, round * static_cast<int>(count)));
    }
    expect_all_exact(from_server, from_client, 3 * static_cast<int>(count));
    sim.expect_quiescent();
  }
}

TEST(Exhaustion, SynsWithoutATcbAreServedWhenOneIsFree) {
  for (std::uint32_t count = 1; count <= 4; ++count) {
    SCOPED_TRACE(count);
    Exchange setup;
    setup.server.stack.max_connections = count;
    setup.connections = 6;
    expect_exchange(setup);
  }
}

// Applications that never read hold what they are sent, up to their share of the memory; the one
// that reads goes on at a good pace. (Each connection may hold a segment, so there must be more
// buffers than connections: a few times as many.)
TEST(Exhaustion, AReaderBesideApplicationsThatNeverRead) {
  for (const std::uint32_t sleepers : {1u, 2u, 5u}) {
    for (const std::uint64_t chunks : {16u, 24u, 32u, 64u}) {
      if (8 + chunks < 6 * sleepers) continue;
      SCOPED_TRACE(std::to_string(sleepers) + " sleepers, " + std::to_string(chunks) + " chunks");
      Simulation sim;
      HostConfig a = numbered_host(1), b = numbered_host(2);
      a.stack.send_memory = 4'000'000;  // what the sleepers do not read waits here
      b.port.blocks.rx_frames = 16;
      b.stack.receive_memory = 2048 * chunks;
      Host& client = sim.add_host(a);
      Host& server = sim.add_host(b);
      sim.connect(client, server, {.delay = 1ms, .bits_per_second = 1e9},
                  {.delay = 1ms, .bits_per_second = 1e9});
      Sender writer(random_text(200'000, 1));
      RecordingHandler sleeper, reader;
      sleeper.read = false;
      EXPECT_TRUE(server.stack().listen({.address = wildcard(), .port = kPort}, sleeper));
      EXPECT_TRUE(server.stack().listen({.address = wildcard(), .port = kPort + 1}, reader));
      for (std::uint32_t i = 0; i < sleepers; ++i)
        EXPECT_TRUE(client.stack().connect({.remote = {server.address(), kPort}}, writer));
      sim.run_for(5s);
      EXPECT_TRUE(client.stack().connect({.remote = {server.address(), kPort + 1}}, writer));
      const Instant began = sim.now();
      EXPECT_TRUE(sim.run_until(
          [&] { return reader.records().size() == 1 && reader.only().closed == 1; }, 5min));
      EXPECT_LT(sim.now() - began, 10s);
      EXPECT_TRUE(reader.only().received == writer.text());
      expect_conserved(server.stack(), server.port());
      client.stack().abort_all();
      server.stack().abort_all();
      sim.expect_quiescent();
    }
  }
}

}  // namespace
}  // namespace tern::test
