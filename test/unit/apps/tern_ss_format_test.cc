// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format.h"
#include "summary.h"

namespace ss {
namespace {

using app::Socket;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using enum tern::TcpState;

Socket make_socket(tern::TcpState state, const std::string& local, const std::string& peer,
                   std::uint64_t receive_queue = 0, std::uint64_t send_queue = 0) {
  return {.state = state,
          .receive_queue = receive_queue,
          .send_queue = send_queue,
          .local = *app::parse_endpoint(local),
          .peer = *app::parse_endpoint(peer),
          .details = {}};
}

std::vector<std::string> lines_of(const RowOptions& options, const std::vector<Socket>& sockets,
                                  bool header = true) {
  std::vector<std::string> lines;
  Table table(options, header, [&](const std::string& line) { lines.push_back(line); });
  for (const Socket& socket : sockets)
    table.add(socket,
              {.program = "tcp-upper-server", .pid = 7, .receive_buffer = 1, .send_buffer = 2});
  table.flush();
  return lines;
}

// As "ss -nat" of iproute2 6.1 has it, but for its empty last column.
TEST(SsFormat, ColumnsStandAsSssDo) {
  EXPECT_THAT(
      lines_of({.numeric = true}, {make_socket(kListen, "127.0.0.1:999", "0.0.0.0:0", 0, 1),
                                   make_socket(kEstablished, "127.0.0.1:999", "127.0.0.1:43608"),
                                   make_socket(kTimeWait, "127.0.0.1:43608", "127.0.0.1:999")}),
      ElementsAre("State     Recv-Q Send-Q Local Address:Port  Peer Address:Port",
                  "LISTEN    0      1          127.0.0.1:999        0.0.0.0:*",
                  "ESTAB     0      0          127.0.0.1:999      127.0.0.1:43608",
                  "TIME-WAIT 0      0          127.0.0.1:43608    127.0.0.1:999"));
}

TEST(SsFormat, FitsEightyColumns) {
  const std::string longest_v4 = "255.255.255.255:65535";
  for (const std::string& line : lines_of(
           {.numeric = true}, {make_socket(kFinWait1, longest_v4, longest_v4, 262144, 262144)}))
    EXPECT_LE(line.size(), 80u) << line;
}

TEST(SsFormat, ALongListIsPrintedAsItComes) {
  std::vector<std::string> lines;
  Table table({.numeric = true}, true, [&](const std::string& line) { lines.push_back(line); });
  const Socket socket = make_socket(kEstablished, "10.0.2.2:9999", "10.0.1.2:1");
  for (int i = 0; i < 1000; ++i) table.add(socket, {});
  EXPECT_EQ(lines.size(), 1001u);
}

TEST(SsFormat, IPv6StandsInBrackets) {
  EXPECT_THAT(lines_of({.numeric = true},
                       {make_socket(kEstablished, "[fd00::2]:9999", "[fd00::1]:5")}, false),
              ElementsAre("ESTAB 0      0          [fd00::2]:9999    [fd00::1]:5"));
}

TEST(SsFormat, DetailsComeOnALineOfTheirOwn) {
  Socket socket = make_socket(kEstablished, "10.0.2.2:9999", "10.0.1.2:47762", 0, 300);
  socket.details =
      json{{"timestamps", 1},  {"window_scaling", 1},  {"snd_wscale", 7},  {"rcv_wscale", 3},
           {"rto_us", 204000}, {"srtt_us", 1500},      {"rttvar_us", 250}, {"mss", 1448},
           {"cwnd", 14480},    {"ssthresh", 28960},    {"bytes_acked", 5}, {"retransmitted", 2},
           {"timer", "on"},    {"timer_us", 200000},   {"backoffs", 1},    {"user_data", 255},
           {"sack", 1},        {"congestion", "reno"}, {"flight", 1449},   {"time_outs", 1}};
  const RowOptions options{.numeric = true, .info = true, .extended = true, .memory = true};
  const auto lines = lines_of(options, {socket}, false);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr(" timer:(on,200ms,1) user:0xff"));
  EXPECT_EQ(
      lines[1],
      "\t skmem:(r0,rb1,t0,tb2,f0,w300,o0,bl0,d0) ts sack reno wscale:7,3 rto:204 "
      "backoff:1 rtt:1.5/0.25 mss:1448 cwnd:10 ssthresh:20 unacked:2 retrans:1/2 bytes_acked:5");
  const RowOptions one_line{.numeric = true, .info = true, .one_line = true};
  const auto joined = lines_of(one_line, {socket}, false);
  ASSERT_EQ(joined.size(), 1u);
  EXPECT_THAT(joined[0], HasSubstr("10.0.1.2:47762 ts sack reno wscale:7,3"));
}

TEST(SsFormat, TimersReadAsInSs) {
  const auto text = [](std::uint64_t us) {
    return timer_text(json{{"timer", "timewait"}, {"timer_us", us}, {"backoffs", 0}});
  };
  EXPECT_EQ(text(59'900'000), " timer:(timewait,59sec,0)");
  EXPECT_EQ(text(75'000'000), " timer:(timewait,1min15sec,0)");
  EXPECT_EQ(text(1'500'000), " timer:(timewait,1.5sec,0)");
  EXPECT_EQ(text(999), " timer:(timewait,0ms,0)");
  EXPECT_EQ(timer_text(json::object()), "");
}

TEST(SsFormat, ServicesHaveNamesUnlessNumeric) {
  const Socket socket = make_socket(kEstablished, "10.0.2.2:80", "10.0.1.2:47762");
  EXPECT_THAT(lines_of({.numeric = false}, {socket}, false)[0], HasSubstr("10.0.2.2:http"));
  EXPECT_THAT(lines_of({.numeric = true}, {socket}, false)[0], HasSubstr("10.0.2.2:80"));
}

TEST(SsSummary, CountsByState) {
  const std::string text = summary_text(json{{"connections", 4},
                                             {"time_wait", 2},
                                             {"state_established", 3},
                                             {"state_syn_received", 1}},
                                        json{{"syn_floods", 2}},
                                        json{{"program", "x"},
                                             {"pid", 7},
                                             {"address", "10.0.2.2/24"},
                                             {"max_connections", 4096},
                                             {"max_time_wait", 16384},
                                             {"max_half_open", 1024}});
  EXPECT_THAT(text, HasSubstr("x (pid 7) at 10.0.2.2/24\n"));
  EXPECT_THAT(text, HasSubstr("TCP:   6 (estab 3, synrecv 1, timewait 2)\n"));
  EXPECT_THAT(text, HasSubstr("By state:   syn-received 1, established 3, time-wait 2\n"));
  EXPECT_THAT(text, HasSubstr("SYN flood:  none now, 2 so far\n"));
}

TEST(SsSummary, SaysThatAFloodIsUnderWay) {
  const std::string text = summary_text(
      json{{"half_open", 1024},
           {"syn_cache_entries", 1024},
           {"syn_flood", 1},
           {"syn_flood_ms", 12'345},
           {"syn_cookies_sent", 99}},
      json{{"half_open_expired", 5}, {"drop_tcp_half_open_full", 6}, {"drop_tcp_no_connection", 7}},
      json::object());
  EXPECT_THAT(
      text,
      HasSubstr("Half-open:  1024 of 1024 in the SYN cache, 5 given up, 6 without a place\n"));
  EXPECT_THAT(text, HasSubstr("connections (7 SYNs refused), "));
  EXPECT_THAT(text, HasSubstr("Cookies:    99 sent, 0 accepted, 0 rejected\n"));
  EXPECT_THAT(text, HasSubstr("SYN flood:  under way for 12 s\n"));
}

}  // namespace
}  // namespace ss
