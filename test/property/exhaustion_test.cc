// SPDX-License-Identifier: BSD-3-Clause
// Running out of anything is an ordinary event: connections complete byte-exactly or end with an
// error, nothing leaks, and after every poll every frame has an owner.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "conservation.h"
#include "harsh_port.h"
#include "support/simulation.h"
#include "transfer_apps.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;

/// A client and a server on a short link, each behind a HarshPort, checked at every poll.
class Exhaustion {
 public:
  explicit Exhaustion(HostConfig client = numbered_host(1), HostConfig server = numbered_host(2)) {
    add(client, client_, client_port_);
    add(server, server_, server_port_);
    sim_.connect(*client_, *server_, {.delay = 100us}, {.delay = 100us});
    server_port_->at_poll = [this] { expect_conserved(server_->stack(), server_->port()); };
    client_port_->at_poll = [this] { expect_conserved(client_->stack(), client_->port()); };
  }

  Simulation& sim() { return sim_; }
  Stack& client() { return client_->stack(); }
  Stack& server() { return server_->stack(); }
  HarshPort& client_port() { return *client_port_; }
  HarshPort& server_port() { return *server_port_; }
  Endpoint server_endpoint(std::uint16_t port = kPort) const { return {server_->address(), port}; }

  void listen(ConnectionHandler& handler, std::uint16_t port = kPort) {
    ASSERT_TRUE(server().listen({.port = port}, handler));
  }
  /// Opens a connection that sends `bytes`; a refused one counts as ended.
  Sender& open(std::size_t bytes, std::uint16_t port = kPort) {
    senders_.push_back(std::make_unique<Sender>(random_text(bytes, senders_.size() + 1)));
    Sender& sender = *senders_.back();
    EXPECT_TRUE(client().connect({.remote = server_endpoint(port)}, sender));
    return sender;
  }
  std::vector<std::unique_ptr<Sender>>& senders() { return senders_; }

  bool run_until_closed(Duration limit = 1h) {
    return sim_.run_until([this] { return std::all_of(senders_.begin(), senders_.end(),
                                                      [](const auto& s) { return s->closed(); }); },
                          limit);
  }
  /// Every connection is over, and its echo was all there; or, if `may_fail`, ended with an error.
  void expect_outcomes(bool may_fail = false) {
    EXPECT_TRUE(run_until_closed());
    for (const auto& sender : senders_) {
      const bool finished = sender->reason() == CloseReason::kFinished;
      EXPECT_TRUE(finished || may_fail) << to_string(sender->reason().value_or(CloseReason::kAborted));
      if (finished)
        EXPECT_TRUE(sender->received() == sender->text());
      else
        EXPECT_TRUE(sender->text().starts_with(sender->received()));
    }
  }
  void expect_nothing_left() {
    client_port_->is_dry = server_port_->is_dry = nullptr;
    client_port_->ring_room = server_port_->ring_room = nullptr;
    sim_.run_until([this] { return client().usage().connections + server().usage().connections == 0; },
                   1h);
    test::expect_nothing_left(client(), client_->port());
    test::expect_nothing_left(server(), server_->port());
  }

 private:
  void add(const HostConfig& config, Host*& host, HarshPort*& port) {
    host = &sim_.add_host(config, [&port](Port& inner) {
      auto harsh = std::make_unique<HarshPort>(inner);
      port = harsh.get();
      return harsh;
    });
  }

  Simulation sim_;
  std::vector<std::unique_ptr<Sender>> senders_;
  Host* client_ = nullptr;
  Host* server_ = nullptr;
  HarshPort* client_port_ = nullptr;
  HarshPort* server_port_ = nullptr;
};

HostConfig small_host(std::uint8_t n) {
  HostConfig config = numbered_host(n);
  config.stack.max_connections = 16;
  config.stack.max_time_wait = 16;
  config.stack.tcp.msl = 1s;
  return config;
}

// Two echoed transfers while frames [first, first + count) of one side are not to be had. Returns
// how many frames that side asked for in all.
std::uint64_t transfer_while_dry(bool at_server, std::uint64_t first, std::uint64_t count) {
  SCOPED_TRACE((at_server ? "server frame " : "client frame ") + std::to_string(first) + " + " +
               std::to_string(count));
  Exhaustion x(small_host(1), small_host(2));
  HarshPort& port = at_server ? x.server_port() : x.client_port();
  port.is_dry = [=](std::uint64_t n) { return n >= first && n - first < count; };
  PatientEcho echo;
  x.listen(echo);
  x.open(6'000);
  x.open(1);
  x.expect_outcomes(count > 1);  // several ARP requests in a row may be among them
  x.expect_nothing_left();
  return port.allocations();
}

TEST(Exhaustion, NthFrameIsNotToBeHad) {
  for (const bool at_server : {false, true}) {
    for (const std::uint64_t count : {1, 7, 100}) {
      std::uint64_t asked = 1;
      for (std::uint64_t n = 0; n < asked && !HasFailure(); ++n)
        asked = std::min<std::uint64_t>(transfer_while_dry(at_server, n, count), 200);
      EXPECT_GT(asked, 10u);
    }
  }
}

TEST(Exhaustion, EveryOtherFrameIsNotToBeHad) {
  for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Exhaustion x(small_host(1), small_host(2));
    Prng prng(seed);
    x.server_port().is_dry = [&](std::uint64_t) { return prng.chance(0.5); };
    x.client_port().is_dry = [&](std::uint64_t) { return prng.chance(0.5); };
    PatientEcho echo;
    x.listen(echo);
    for (int i = 0; i < 4; ++i) x.open(30'000);
    x.expect_outcomes(/*may_fail=*/false);
    x.expect_nothing_left();
  }
}

TEST(Exhaustion, NoFramesForSecondsAtATime) {
  Exhaustion x(small_host(1), small_host(2));
  const auto in_odd_second = [&](std::uint64_t) { return x.sim().now().time_since_epoch() / 1s % 2 == 1; };
  x.server_port().is_dry = in_odd_second;
  PatientEcho echo;
  x.listen(echo);
  x.sim().run_for(990ms);
  for (int i = 0; i < 8; ++i) x.open(2'000'000);
  x.expect_outcomes();
  EXPECT_GT(x.server().counters().tx_no_frame, 0u);
  x.expect_nothing_left();
}

TEST(Exhaustion, RingTakesFewFramesAtATime) {
  for (const std::size_t room : {1, 2, 3, 31}) {
    SCOPED_TRACE(room);
    Exhaustion x(small_host(1), small_host(2));
    x.server_port().ring_room = [=](std::size_t) { return room; };
    x.client_port().ring_room = [=](std::size_t) { return room; };
    PatientEcho echo;
    x.listen(echo);
    for (int i = 0; i < 4; ++i) x.open(100'000);
    x.expect_outcomes();
    EXPECT_GT(x.client().counters().tx_deferred, 0u);
    x.expect_nothing_left();
  }
}

TEST(Exhaustion, RingIsOftenFull) {
  for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Exhaustion x(small_host(1), small_host(2));
    Prng prng(seed);
    x.server_port().ring_room = [&](std::size_t offered) {
      return prng.chance(0.7) ? 0 : prng.below(static_cast<std::uint32_t>(offered) + 1);
    };
    PatientEcho echo;
    x.listen(echo);
    for (int i = 0; i < 4; ++i) x.open(30'000);
    x.expect_outcomes();
    x.expect_nothing_left();
  }
}

// Frames of both pools so few that receive queues can hold next to none.
TEST(Exhaustion, HandfulsOfFrames) {
  for (const std::uint32_t frames : {1, 2, 3, 4, 8, 33}) {
    SCOPED_TRACE(frames);
    HostConfig server = small_host(2);
    server.port.blocks.rx_frames = frames;
    server.port.blocks.tx_frames = 32 + frames;  // Egress keeps 32 spares
    server.stack.receive_memory = 65'536;
    Exhaustion x(small_host(1), server);
    PatientEcho echo;
    x.listen(echo);
    for (int i = 0; i < 3; ++i) x.open(30'000);
    x.expect_outcomes();
    x.expect_nothing_left();
  }
}

TEST(Exhaustion, SendAndReceiveMemoryForAFewSegments) {
  HostConfig server = small_host(2);
  server.stack.send_memory = server.stack.receive_memory = 65'536;
  server.port.blocks.rx_frames = 16;
  Exhaustion x(small_host(1), server);
  PatientEcho echo;
  x.listen(echo);
  for (int i = 0; i < 16; ++i) x.open(200'000);
  x.expect_outcomes();
  EXPECT_GT(x.server().counters().send_buffer_short, 0u);
  x.expect_nothing_left();
}

TEST(Exhaustion, FewerConnectionsThanPeersWant) {
  for (const std::uint32_t connections : {1, 2, 3}) {
    SCOPED_TRACE(connections);
    HostConfig server = small_host(2);
    server.stack.max_connections = connections;
    Exhaustion x(small_host(1), server);
    PatientEcho echo;
    x.listen(echo);
    for (int i = 0; i < 10; ++i) x.open(3'000);
    x.expect_outcomes(/*may_fail=*/true);
    EXPECT_GT(x.server().counters().drop_tcp_no_connection, 0u);
    EXPECT_GE(echo.finished(), connections);
    x.expect_nothing_left();
  }
}

TEST(Exhaustion, OpensMoreThanItMay) {
  HostConfig client = small_host(1);
  client.stack.max_connections = 2;
  Exhaustion x(client, small_host(2));
  PatientEcho echo;
  x.listen(echo);
  for (int round = 0; round < 20; ++round) {
    x.open(500);
    x.open(500);
    Sender refused("");
    EXPECT_EQ(x.client().connect({.remote = x.server_endpoint()}, refused).error(),
              Errc::kNoConnections);
    EXPECT_TRUE(x.run_until_closed());
    EXPECT_FALSE(refused.closed()) << "a connection that never was";
  }
  x.expect_outcomes();
  x.expect_nothing_left();
}

// The client closes first, so it is the one that waits.
TEST(Exhaustion, OldestTimeWaitGivesWay) {
  for (const std::uint32_t records : {1, 2, 5}) {
    SCOPED_TRACE(records);
    HostConfig client = small_host(1);
    client.stack.max_time_wait = records;
    client.stack.tcp.msl = 30s;
    Exhaustion x(client, small_host(2));
    PatientEcho echo;
    x.listen(echo);
    for (int i = 0; i < 30; ++i) {
      x.open(100);
      EXPECT_TRUE(x.run_until_closed());
      EXPECT_LE(x.client().usage().time_wait, records);
    }
    x.expect_outcomes();
    EXPECT_EQ(x.client().usage().time_wait, records);
    EXPECT_EQ(x.client().counters().time_wait_evicted, 30 - records);
    x.expect_nothing_left();
  }
}

// Connections and TIME-WAIT records fill the table to the last entry that it was made for.
TEST(Exhaustion, FullTable) {
  HostConfig client = small_host(1);
  client.stack.max_connections = 4;
  client.stack.max_time_wait = 4;
  client.stack.tcp.msl = 30s;
  Exhaustion x(client, small_host(2));
  PatientEcho echo;
  x.listen(echo);
  for (int i = 0; i < 4; ++i) x.open(100);
  EXPECT_TRUE(x.run_until_closed());
  Hog idle;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(x.client().connect({.remote = x.server_endpoint()}, idle));
  x.sim().run_for(1s);
  EXPECT_EQ(x.client().usage().table_entries, 8u);
  EXPECT_EQ(x.client().connect({.remote = x.server_endpoint()}, idle).error(), Errc::kNoConnections);
  x.client().abort_all();
  x.expect_outcomes();
  x.expect_nothing_left();
}

// P11: what those who do not read cannot take away.
struct Hogs {
  int connections;
  std::size_t bytes_to_server;   // that the server's application never reads
  std::size_t bytes_to_client;   // that the client's application never reads
};

class ExhaustionByHogs : public testing::TestWithParam<Hogs> {};

TEST_P(ExhaustionByHogs, OthersTransfersComplete) {
  const Hogs hogs = GetParam();
  constexpr std::uint16_t kHogPort = 7001;
  HostConfig server = small_host(2);
  server.stack.max_connections = 64;
  server.stack.max_time_wait = 64;
  server.port.blocks.rx_frames = 64;
  server.stack.receive_memory = 131'072;
  server.stack.send_memory = 131'072;
  HostConfig client = small_host(1);
  client.stack.max_connections = 64;
  client.stack.tcp.receive_buffer = 65'536;
  Exhaustion x(client, server);
  Hog at_server(hogs.bytes_to_client), at_client(hogs.bytes_to_server);
  PatientEcho echo;
  x.listen(at_server, kHogPort);
  x.listen(echo);
  for (int i = 0; i < hogs.connections; ++i)
    ASSERT_TRUE(x.client().connect({.remote = x.server_endpoint(kHogPort)}, at_client));
  x.sim().run_for(10s);
  const Instant began = x.sim().now();
  x.open(500'000);
  x.expect_outcomes();
  EXPECT_LT(x.sim().now() - began, 2s);
  x.client().abort_all();
  x.sim().run_for(1s);
  x.server().abort_all();
  x.expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(P11, ExhaustionByHogs,
                         testing::Values(Hogs{1, 1'000'000, 0}, Hogs{16, 1'000'000, 0},
                                         Hogs{1, 0, 1'000'000}, Hogs{16, 0, 1'000'000},
                                         Hogs{16, 1'000'000, 1'000'000}));

}  // namespace
}  // namespace tern::test
