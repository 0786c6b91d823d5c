// SPDX-License-Identifier: BSD-3-Clause
// tern-bench's client, its raw client and its server over the simulated network, in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "client.h"
#include "client_team.h"
#include "raw_client.h"
#include "server.h"
#include "support/simulation.h"

namespace bench {
namespace {

using namespace std::chrono_literals;
using tern::Duration;
using tern::Instant;
using tern::io::LinkConfig;
using tern::test::Host;
using tern::test::numbered_host;
using tern::test::Simulation;

constexpr Duration kStep = 5us;

Options client_options(Mode mode, std::uint32_t connections) {
  Options options;
  options.mode = mode;
  options.connections = connections;
  options.server = tern::Ipv4Address(10, 0, 0, 1);
  constexpr std::uint16_t kPorts[] = {9000, 9000, 9001, 9002, 9000, 9003};
  options.port = kPorts[static_cast<std::size_t>(mode)];
  options.host = "server";
  return options;
}

/// A server, and a client of either kind, on a wire with a delay.
class BenchLoad : public testing::Test {
 protected:
  void serve(std::uint32_t size = 64) {
    server_options_.is_server = true;
    server_options_.size = size;
    server_ = std::make_unique<Server>(server_options_);
    auto config = numbered_host(1);
    config.stack.tcp.nagle = false;
    config.stack.max_connections = max_connections_;
    config.stack.send_memory = send_memory_;
    server_host_ = &simulation_.add_host(config);
    ASSERT_EQ(server_->listen(server_host_->stack()), 0);
  }

  void add_client(const Options& options, Duration delay) {
    options_ = options;
    auto config = numbered_host(2);
    config.stack.tcp.nagle = false;
    config.stack.tcp.msl = 1ms;
    config.stack.max_connections = max_connections_;
    config.stack.send_memory = send_memory_;
    Host& host = simulation_.add_host(config);
    LinkConfig link;
    link.delay = delay;
    simulation_.connect(*server_host_, host, link, link);
    client_ =
        std::make_unique<Client>(options_, host.stack(), [this] { return simulation_.now(); });
  }

  void run_for(Duration length) {
    for (const Instant end = simulation_.now() + length;
         simulation_.now() < end && !HasFatalFailure();) {
      client_->turn(simulation_.now());
      simulation_.run_for(kStep);
    }
  }

  void open_all() {
    for (int i = 0; i < 10'000 && !client_->is_ready(); ++i) run_for(kStep);
    ASSERT_TRUE(client_->is_ready()) << client_->totals().opened << " open; " << client_->trouble();
  }

  // What a load is for: it has run, and leaves nothing behind.
  void end() {
    client_->stop();
    simulation_.host(1).stack().drain();
    simulation_.expect_quiescent();
  }

  Simulation simulation_;
  Options server_options_, options_;
  std::uint32_t max_connections_ = 4096;
  std::uint64_t send_memory_ = 1'500'000;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  Host* server_host_ = nullptr;
};

TEST_F(BenchLoad, ClosedLoopAsksAgainAsSoonAsItIsAnswered) {
  serve();
  add_client(client_options(Mode::kRr, 4), 100us);
  open_all();
  client_->start(simulation_.now());
  run_for(10ms);
  // 50 round trips of 200 us on each connection.
  EXPECT_NEAR(static_cast<double>(client_->totals().requests), 200, 8);
  EXPECT_EQ(client_->totals().failures, 0u);
  EXPECT_NEAR(static_cast<double>(client_->latency().percentile(50)), 200'000, 6000);
  EXPECT_EQ(server_->totals().bytes_in, server_->totals().requests * 64);
  end();
}

TEST_F(BenchLoad, OpenLoopKeepsItsRate) {
  serve();
  options_ = client_options(Mode::kRr, 8);
  options_.rate = 10'000;
  add_client(options_, 100us);
  open_all();
  client_->start(simulation_.now());
  run_for(20ms);
  EXPECT_NEAR(static_cast<double>(client_->totals().requests), 200, 5);
  EXPECT_LE(client_->backlog(simulation_.now()), 1u);
  EXPECT_LE(client_->latency().max(), 220'000u);
  end();
}

// One connection with a round trip of 200 us can carry 5,000 a second. Offered 10,000, every
// request waits longer than the one before, and that is what the histogram must show: a closed
// loop, or one that counted from the moment of sending, would report 200 us throughout.
TEST_F(BenchLoad, OpenLoopCountsFromWhenARequestWasMeantToLeave) {
  serve();
  options_ = client_options(Mode::kRr, 1);
  options_.rate = 10'000;
  add_client(options_, 100us);
  open_all();
  client_->start(simulation_.now());
  run_for(20ms);
  EXPECT_NEAR(static_cast<double>(client_->totals().requests), 98, 3);
  EXPECT_NEAR(static_cast<double>(client_->backlog(simulation_.now())), 100, 5);
  EXPECT_NEAR(static_cast<double>(client_->latency().max()), 10'000'000, 500'000);
  EXPECT_NEAR(static_cast<double>(client_->latency().percentile(50)), 5'000'000, 500'000);
  end();
}

TEST_F(BenchLoad, ConnectRequestCloseCountsWholeConnections) {
  serve();
  add_client(client_options(Mode::kCrr, 4), 50us);
  client_->start(simulation_.now());
  run_for(20ms);
  // Three round trips of 100 us each: SYN, request, FIN.
  EXPECT_NEAR(static_cast<double>(client_->totals().closed), 4 * 20 / 0.3, 30);
  EXPECT_EQ(client_->totals().failures, 0u);
  EXPECT_NEAR(static_cast<double>(client_->latency().percentile(50)), 200'000, 15'000);
  end();
}

TEST_F(BenchLoad, StreamSends) {
  serve();
  add_client(client_options(Mode::kStream, 1), 10us);
  open_all();
  client_->start(simulation_.now());
  run_for(1ms);
  EXPECT_GT(server_->totals().bytes_in, 1'000'000u);
  end();
}

TEST_F(BenchLoad, MaertsReceives) {
  serve();
  add_client(client_options(Mode::kMaerts, 1), 10us);
  open_all();
  client_->start(simulation_.now());
  run_for(1ms);
  EXPECT_GT(client_->totals().bytes_in, 1'000'000u);
  end();
}

TEST_F(BenchLoad, IdleConnectionsAnswerAfterwards) {
  serve();
  add_client(client_options(Mode::kIdle, 50), 10us);
  open_all();
  client_->start(simulation_.now());
  simulation_.run_for(10s);
  EXPECT_EQ(client_->totals().requests, 0u);
  client_->ask_all(simulation_.now());
  run_for(1ms);
  EXPECT_EQ(client_->totals().requests, 50u);
  end();
}

// One port of the server's takes 28,232 connections from one address. They are opened and asked no
// faster than so many at once, and leave with a RST each, none of which is lost.
TEST_F(BenchLoad, IdleConnectionsTakeTurnsAtSeveralPorts) {
  constexpr std::uint32_t kConnections = 30'000;
  max_connections_ = kConnections + 8;
  send_memory_ = 64 << 20;  // answers are acknowledged late
  server_options_.echo_ports = PortRange{9100, 9102};
  serve();
  options_ = client_options(Mode::kIdle, kConnections);
  options_.port = 9100;
  options_.server_ports = 3;
  add_client(options_, 10us);
  tern::Stack& stack = simulation_.host(1).stack();
  for (int i = 0; i < 10'000 && !client_->is_ready(); ++i) {
    EXPECT_LE(stack.usage().by_state[static_cast<std::size_t>(tern::TcpState::kSynSent)], 128u);
    run_for(kStep);
  }
  ASSERT_TRUE(client_->is_ready()) << client_->totals().opened << " open; " << client_->trouble();
  run_for(1ms);
  EXPECT_EQ(server_->totals().opened, kConnections);
  client_->start(simulation_.now());
  simulation_.run_for(60s);
  client_->ask_all(simulation_.now());
  for (int i = 0; i < 10'000 && !client_->is_answered(); ++i) run_for(kStep);
  EXPECT_EQ(client_->totals().requests, kConnections);
  EXPECT_EQ(client_->totals().failures, 0u);
  EXPECT_EQ(stack.counters().retransmitted, 0u);
  client_->stop();
  for (int i = 0; i < 10'000 && !client_->has_left(); ++i) run_for(kStep);
  run_for(1ms);
  EXPECT_EQ(server_host_->stack().usage().connections, 0u);
  simulation_.expect_quiescent();
}

TEST_F(BenchLoad, WhereOnePortTakesNoMoreMoreAreToBeNamed) {
  max_connections_ = 28'300;
  serve();
  options_ = client_options(Mode::kIdle, 28'233);
  add_client(options_, 10us);
  for (int i = 0; i < 10'000 && client_->trouble().empty(); ++i) run_for(kStep);
  EXPECT_THAT(client_->trouble(), testing::HasSubstr("name more ports of it"));
}

TEST_F(BenchLoad, HttpKeepsItsConnectionsOrNot) {
  serve(3000);
  add_client(client_options(Mode::kHttp, 2), 50us);
  open_all();
  client_->start(simulation_.now());
  run_for(5ms);
  EXPECT_NEAR(static_cast<double>(client_->totals().requests), 100, 10);
  EXPECT_GT(client_->totals().bytes_in, client_->totals().requests * 3000);
  EXPECT_EQ(client_->totals().opened, 2u);
  end();
}

TEST_F(BenchLoad, HttpWithAConnectionForEach) {
  serve(100);
  options_ = client_options(Mode::kHttp, 2);
  options_.close = true;
  add_client(options_, 50us);
  client_->start(simulation_.now());
  run_for(5ms);
  EXPECT_GT(client_->totals().requests, 20u);
  EXPECT_GE(client_->totals().opened, client_->totals().requests);
  EXPECT_EQ(client_->totals().failures, 0u);
  end();
}

TEST_F(BenchLoad, ARefusedConnectionIsTroubleInWords) {
  serve();
  options_ = client_options(Mode::kRr, 1);
  options_.port = 1;
  add_client(options_, 10us);
  run_for(1ms);
  EXPECT_EQ(client_->trouble(), "connecting to 10.0.0.1:1: connection refused");
}

/// Two workers of a client, each with a wire and a server of its own; each is one host here.
class TeamLoad : public testing::Test {
 protected:
  void SetUp() override {
    server_options_.is_server = true;
    for (int i = 0; i < 2; ++i) {
      servers_.push_back(std::make_unique<Server>(server_options_));
      Host& server = simulation_.add_host(numbered_host(1));
      Host& client = simulation_.add_host(numbered_host(2));
      LinkConfig link;
      link.delay = 100us;
      simulation_.connect(server, client, link, link);
      ASSERT_EQ(servers_.back()->listen(server.stack()), 0);
      clients_.push_back(&client);
    }
  }

  void make_team(const Options& options) {
    options_ = options;
    team_ = std::make_unique<ClientTeam>(options_, [this] { return simulation_.now(); });
    for (Host* client : clients_) team_->add(client->stack(), [] { return Duration(10ms); });
    team_->share_out();
  }

  void run_for(Duration length) {
    for (const Instant end = simulation_.now() + length; simulation_.now() < end;) {
      team_->turn(simulation_.now());
      team_->turn_of(1, simulation_.now());
      simulation_.run_for(kStep);
    }
  }

  void end() {
    team_->stop();
    run_for(3ms);
    EXPECT_TRUE(team_->has_left());
    for (Host* client : clients_) client->stack().drain();
    simulation_.expect_quiescent();
  }

  Simulation simulation_;
  Options server_options_, options_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<Host*> clients_;
  std::unique_ptr<ClientTeam> team_;
};

TEST_F(TeamLoad, WorkersShareConnectionsAndRate) {
  Options options = client_options(Mode::kRr, 3);
  options.rate = 6000;
  make_team(options);
  EXPECT_FALSE(team_->is_ready());
  run_for(5ms);
  ASSERT_TRUE(team_->is_ready());
  EXPECT_EQ(team_->totals().opened, 3u);
  team_->start(simulation_.now());
  team_->measure();
  run_for(100ms);
  // One has two connections and two thirds of the requests.
  EXPECT_NEAR(static_cast<double>(team_->totals().requests), 600, 20);
  EXPECT_NEAR(static_cast<double>(servers_[0]->totals().requests), 400, 14);
  EXPECT_NEAR(static_cast<double>(servers_[1]->totals().requests), 200, 7);
  EXPECT_EQ(team_->observe(simulation_.now()).busy, 20ms);
  EXPECT_GT(team_->observe(simulation_.now()).counters.segs_out, 580u);
  EXPECT_EQ(team_->latency().count(), 0u) << "not before all have stopped";
  end();
  EXPECT_EQ(team_->latency().count(), team_->totals().requests);
}

TEST_F(TeamLoad, IdleConnectionsOfAllAreAskedOnce) {
  make_team(client_options(Mode::kIdle, 51));
  run_for(5ms);
  ASSERT_TRUE(team_->is_ready());
  team_->start(simulation_.now());
  team_->ask_all(simulation_.now());
  EXPECT_FALSE(team_->is_answered());
  run_for(5ms);
  EXPECT_TRUE(team_->is_answered());
  EXPECT_EQ(team_->totals().requests, 51u);
  EXPECT_EQ(servers_[0]->totals().opened, 26u);
  EXPECT_EQ(servers_[1]->totals().opened, 25u);
  end();
}

TEST_F(TeamLoad, TheTroubleOfOneIsThatOfAll) {
  Options options = client_options(Mode::kRr, 2);
  options.port = 1;
  make_team(options);
  run_for(5ms);
  EXPECT_EQ(team_->trouble(), "connecting to 10.0.0.1:1: connection refused");
}

/// The raw client's end of the wire is a port alone.
class RawLoad : public BenchLoad {
 protected:
  void add_raw(const Options& options, Duration delay) {
    options_ = options;
    options_.runtime.stack.address = {tern::Ipv4Address(10, 0, 0, 9), 24};
    tern::io::ModelPortConfig config;
    config.mac = tern::MacAddress{{2, 0, 0, 0, 0, 9}};
    port_ = std::make_unique<tern::io::SimPort>(config);
    LinkConfig link;
    link.delay = delay;
    simulation_.network().connect(server_host_->port(), *port_, link, link);
    raw_ = std::make_unique<raw::RawClient>(options_, *port_);
  }

  void run_raw(Duration length) {
    for (const Instant end = simulation_.now() + length;
         simulation_.now() < end && !HasFatalFailure();) {
      while (raw_->receive() > 0) raw_->process(simulation_.now());
      raw_->turn(simulation_.now());
      simulation_.run_for(kStep);
    }
  }

  void open_raw() {
    for (int i = 0; i < 10'000 && !raw_->is_ready(); ++i) run_raw(kStep);
    ASSERT_TRUE(raw_->is_ready()) << raw_->trouble();
  }

  // Its connections end with RSTs, and every frame goes back.
  void end_raw() {
    raw_->stop();
    run_raw(1ms);
    raw_.reset();
    simulation_.expect_quiescent();
    EXPECT_EQ(port_->outstanding(), 0u);
    EXPECT_EQ(port_->violations(), std::vector<std::string>{});
  }

  std::unique_ptr<tern::io::SimPort> port_;
  std::unique_ptr<raw::RawClient> raw_;
};

// The server's wire monitor and parser check every segment of the raw client's, checksums included.
TEST_F(RawLoad, RequestAndAnswer) {
  serve();
  add_raw(client_options(Mode::kRr, 16), 50us);
  open_raw();
  raw_->start(simulation_.now());
  run_raw(10ms);
  EXPECT_NEAR(static_cast<double>(raw_->totals().requests), 1600, 160);
  EXPECT_EQ(raw_->totals().failures, 0u);
  EXPECT_EQ(server_host_->stack().counters().drop_tcp_checksum, 0u);
  EXPECT_EQ(server_host_->stack().counters().retransmitted, 0u);
  end_raw();
}

TEST_F(RawLoad, ConnectRequestClose) {
  serve();
  add_raw(client_options(Mode::kCrr, 8), 50us);
  open_raw();
  raw_->start(simulation_.now());
  run_raw(10ms);
  EXPECT_GT(raw_->totals().closed, 200u);
  EXPECT_EQ(raw_->totals().failures, 0u);
  EXPECT_NEAR(static_cast<double>(server_->totals().closed),
              static_cast<double>(raw_->totals().closed), 8);
  end_raw();
}

TEST_F(RawLoad, AnswersThatNothingFollowsAreAcknowledged) {
  serve();
  options_ = client_options(Mode::kRr, 4);
  options_.rate = 8;  // each connection twice a second: longer than a retransmission time-out
  add_raw(options_, 50us);
  open_raw();
  raw_->start(simulation_.now());
  for (int i = 0; i < 400; ++i) {
    run_raw(kStep);
    simulation_.run_for(5ms);
  }
  EXPECT_GE(raw_->totals().requests, 15u);
  EXPECT_EQ(server_host_->stack().counters().retransmitted, 0u);
  end_raw();
}

TEST_F(RawLoad, StreamSends) {
  serve();
  add_raw(client_options(Mode::kStream, 1), 10us);
  open_raw();
  raw_->start(simulation_.now());
  run_raw(1ms);
  EXPECT_GT(server_->totals().bytes_in, 1'000'000u);
  EXPECT_EQ(server_host_->stack().counters().rx_out_of_order, 0u);
  end_raw();
}

TEST_F(RawLoad, MaertsReceives) {
  serve();
  add_raw(client_options(Mode::kMaerts, 1), 10us);
  open_raw();
  raw_->start(simulation_.now());
  run_raw(1ms);
  EXPECT_GT(raw_->totals().bytes_in, 1'000'000u);
  EXPECT_EQ(server_host_->stack().counters().retransmitted, 0u);
  end_raw();
}

TEST_F(RawLoad, ASubnetWithoutTheServerIsTrouble) {
  serve();
  Options options = client_options(Mode::kRr, 1);
  options.server = tern::Ipv4Address(192, 0, 2, 1);
  add_raw(options, 10us);
  EXPECT_EQ(raw_->trouble(), "--raw knows no gateway: 192.0.2.1 is not in 10.0.0.9's subnet");
  raw_.reset();
}

}  // namespace
}  // namespace bench
