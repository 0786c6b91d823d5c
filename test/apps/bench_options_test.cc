// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "options.h"

namespace bench {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::variant<Options, int> parse(const std::string& line) {
  std::istringstream stream("tern-bench " + line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

Options good(const std::string& line) {
  auto parsed = parse(line);
  EXPECT_TRUE(std::holds_alternative<Options>(parsed)) << line;
  return std::holds_alternative<Options>(parsed) ? std::get<Options>(parsed) : Options{};
}

TEST(BenchOptions, AServersDefaults) {
  const Options o = good("server");
  EXPECT_TRUE(o.is_server);
  EXPECT_EQ(o.port, 9000);
  EXPECT_EQ(o.length, 0s);
  EXPECT_EQ(o.runtime.stack.max_connections, 16'384u);
  EXPECT_FALSE(o.runtime.stack.tcp.nagle);
}

TEST(BenchOptions, AClientsDefaultsFollowTheMode) {
  EXPECT_EQ(good("client --server 10.0.2.2").port, 9000);
  EXPECT_EQ(good("client --server 10.0.2.2 --mode stream").port, 9001);
  EXPECT_EQ(good("client --server 10.0.2.2 --mode maerts").port, 9002);
  const Options http = good("client --server 10.0.2.2 --mode http --seconds 3");
  EXPECT_EQ(http.port, 9003);
  EXPECT_EQ(http.host, "10.0.2.2");
  EXPECT_EQ(http.length, 3s);
  EXPECT_EQ(http.warm_up, 1s);
  EXPECT_EQ(http.runtime.stack.tcp.msl, 50ms);
}

TEST(BenchOptions, EalsOwnStandBeforeTheDashes) {
  const Options o = good("client -l 1 --vdev=net_null0 -- --server 10.0.2.2 --connections 100");
  EXPECT_EQ(o.runtime.eal_arguments, (std::vector<std::string>{"-l", "1", "--vdev=net_null0"}));
  EXPECT_EQ(o.connections, 100u);
  EXPECT_GE(o.runtime.stack.max_connections, 100u);
}

TEST(BenchOptions, ManyConnectionsNeedSeveralPorts) {
  const Options client = good("client --server 10.0.2.2 --mode idle --port 9100-9102");
  EXPECT_EQ(client.remote_of(0).port, 9100);
  EXPECT_EQ(client.remote_of(2).port, 9102);
  EXPECT_EQ(client.remote_of(3).port, 9100);
  const Options server = good("server --echo-ports 10000-10399 --max-connections 10000000");
  EXPECT_EQ(server.port, 9000);
  ASSERT_TRUE(server.echo_ports.has_value());
  EXPECT_EQ(server.echo_ports->count(), 400u);
  EXPECT_GE(server.runtime.stack.max_listeners, 404u);
  // What is not a connection adds little to each.
  EXPECT_LE(server.runtime.stack.max_time_wait + server.runtime.stack.syn_cache_entries, 400'000u);
}

TEST(BenchOptions, AClientsWorkersShareItsConnections) {
  const Options o = good("client --server 10.0.2.2 --connections 1001 --workers 2");
  EXPECT_EQ(o.connections, 1001u);
  EXPECT_EQ(o.runtime.workers, 2u);
  EXPECT_EQ(o.runtime.stack.max_connections, 501u + 64u);
}

struct Mistake {
  const char* line;
  const char* words;
};

class BenchMistake : public testing::TestWithParam<Mistake> {};

TEST_P(BenchMistake, IsStatusTwoAndOneLine) {
  testing::internal::CaptureStderr();
  const auto parsed = parse(GetParam().line);
  const std::string said = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(std::holds_alternative<int>(parsed));
  EXPECT_EQ(std::get<int>(parsed), 2);
  EXPECT_THAT(said, HasSubstr(GetParam().words));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

INSTANTIATE_TEST_SUITE_P(
    All, BenchMistake,
    testing::Values(
        Mistake{"", "server or client?"}, Mistake{"both", "'both' is neither"},
        Mistake{"client", "Name a --server"}, Mistake{"client --server x", "'x' is not an address"},
        Mistake{"client --server 1.2.3.4 --mode fast", "--mode"},
        Mistake{"client --server 1.2.3.4 --seconds 0", "measures nothing"},
        Mistake{"client --server 1.2.3.4 --mode stream --rate 5", "no requests to space"},
        Mistake{"client --server 1.2.3.4 --rtt --connections 2", "one connection"},
        Mistake{"client --server 1.2.3.4 --mode l2", "add --raw"},
        Mistake{"client --server 1.2.3.4 --raw --size 1461", "one segment"},
        Mistake{"client --server 1.2.3.4 --raw --mode http", "no HTTP"},
        Mistake{"client --server 1.2.3.4 --path x", "begin with '/'"},
        Mistake{"client --server 1.2.3.4 --mac 01:00:00:00:00:01", "station"},
        Mistake{"client --server 1.2.3.4 --connections 9 --max-connections 5", "as many"},
        Mistake{"client --server 1.2.3.4 --raw --workers 2", "one worker"},
        Mistake{"client --server 1.2.3.4 --raw --port 9000-9001", "one port"},
        Mistake{"client --server 1.2.3.4 --port 9001-9000", "neither a port nor a range"},
        Mistake{"server --port 9000-9100", "--echo-ports"},
        Mistake{"server --echo-ports 8000-9003", "9000 to 9003 are taken"},
        Mistake{"server --echo-ports 0-9003", "neither a port nor a range"},
        Mistake{"server --port 65534", "4 ports"}, Mistake{"server --rate 5", "--rate"}));

}  // namespace
}  // namespace bench
