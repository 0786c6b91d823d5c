// SPDX-License-Identifier: BSD-3-Clause
#include "support/simulation.h"

#include <gtest/gtest.h>

#include "io/tap/fault_port.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;

class TwoHosts : public testing::Test {
 protected:
  TwoHosts() {
    EXPECT_TRUE(server_.stack().listen({.address = wildcard(), .port = kPort}, server_.handler()));
  }
  Connection connect() {
    const auto c =
        client_.stack().connect({.remote = {server_.address(), kPort}}, client_.handler());
    EXPECT_TRUE(c.ok());
    return *c;
  }

  Simulation sim_;
  Host& client_ = sim_.add_host(numbered_host(1));
  Host& server_ = sim_.add_host(numbered_host(2));
  io::LinkPair wire_ = sim_.connect(client_, server_, {.delay = 100us}, {.delay = 200us});
};

TEST_F(TwoHosts, RunUntilStopsAtTheVeryInstant) {
  connect();
  const auto established = [&] {
    return !client_.handler().records().empty() && client_.handler().only().established == 1;
  };
  // The announcement that the server made at 0 tells its MAC address at 200 us, before the answer
  // to the client's request; then SYN and SYN-ACK, 300 us.
  EXPECT_TRUE(sim_.run_until(established, 1s));
  EXPECT_EQ(sim_.now().time_since_epoch(), 500us);
  client_.stack().abort_all();
  sim_.expect_quiescent();
}

TEST_F(TwoHosts, RunForLandsExactlyAndRunUntilSaysNo) {
  sim_.run_for(123us);
  EXPECT_EQ(sim_.now(), Instant(123us));
  EXPECT_FALSE(sim_.run_until([] { return false; }, 77us));
  EXPECT_EQ(sim_.now(), Instant(200us));
}

TEST_F(TwoHosts, AStoppedRingAndADownLinkDoNotHangTheLoop) {
  client_.port().set_transmit_limit(0);
  connect();
  sim_.run_for(10ms);
  EXPECT_EQ(client_.port().counts().sent, 0u);
  client_.port().set_transmit_limit(64);
  sim_.run_for(10ms);
  EXPECT_EQ(client_.handler().only().established, 1u);
  wire_.set_up(false);
  sim_.run_for(10ms);
  wire_.set_up(true);
  client_.stack().abort_all();
  sim_.expect_quiescent();
}

TEST_F(TwoHosts, TheMonitorWatches) {
  connect();
  sim_.run_for(10ms);
  EXPECT_EQ(client_.monitor().segments_checked(), 2u);  // SYN, ACK
  EXPECT_EQ(server_.monitor().segments_checked(), 1u);  // SYN-ACK
  client_.stack().abort_all();
  sim_.expect_quiescent();
}

TEST(Simulation, AFaultPortFitsBetweenStackAndWire) {
  Simulation sim;
  const io::FaultRates rates{.loss = 0.05, .duplicate = 0.05, .reorder = 0.05, .corrupt = 0.05};
  Host& client = sim.add_host(numbered_host(1), [&](Port& inner) {
    return std::make_unique<io::FaultPort>(inner,
                                           io::FaultConfig{.rx = rates, .tx = rates, .seed = 3});
  });
  Host& server = sim.add_host(numbered_host(2));
  sim.connect(client, server, {.delay = 1ms}, {.delay = 1ms});
  server.handler().echo = true;
  ASSERT_TRUE(server.stack().listen({.address = wildcard(), .port = kPort}, server.handler()));
  auto c = client.stack().connect({.remote = {server.address(), kPort}}, client.handler());
  ASSERT_TRUE(c.ok());
  ASSERT_TRUE(sim.run_until([&] { return c->state() == TcpState::kEstablished; }, 10s));
  const std::string text(50'000, 't');
  ASSERT_EQ(*c->write(std::as_bytes(std::span(text))), text.size());
  ASSERT_TRUE(sim.run_until([&] { return client.handler().only().received == text; }, 60s));
  c->shutdown_send();
  sim.expect_quiescent();
}

}  // namespace
}  // namespace tern::test
