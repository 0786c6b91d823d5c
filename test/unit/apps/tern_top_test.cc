// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "view.h"

namespace top {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

app::Socket make_socket(const std::string& peer, std::uint64_t bytes) {
  return {.state = tern::TcpState::kEstablished,
          .local = *app::parse_endpoint("10.0.2.2:9999"),
          .peer = *app::parse_endpoint(peer),
          .details = json{{"bytes_received", bytes}, {"bytes_acked", 0}, {"srtt_us", 1234}}};
}

Sample make_sample(int second, std::uint64_t frames, std::uint64_t drops) {
  Sample sample;
  sample.time += std::chrono::seconds(second);
  sample.program = "tcp-upper-server";
  sample.pid = 7;
  sample.stats = json{{"rx_frames", frames},
                      {"rx_bytes", 100 * frames},
                      {"rx_bursts", frames / 4},
                      {"drop_tcp_checksum", drops},
                      {"drop_arp", 0}};
  sample.sentences = json{{"rx_frames", "frames: taken from the port"},
                          {"drop_tcp_checksum", "frames: wrong TCP checksum"}};
  sample.usage = json{{"connections", 3}, {"half_open", 0}, {"time_wait", 1}};
  sample.workers = json{{"0", {{"busy_cycles", 100 * second}, {"idle_cycles", 300 * second}}}};
  sample.config = json{{"address", "10.0.2.2/24"}, {"device", "net_tap0"}};
  return sample;
}

TEST(TopView, ShowsRatesOfASecond) {
  const std::string text = view_text(make_sample(1, 1000, 0), make_sample(3, 5000, 10), 5);
  EXPECT_THAT(text, HasSubstr("tcp-upper-server (pid 7) at 10.0.2.2/24 on net_tap0\n"));
  EXPECT_THAT(text, HasSubstr("in     2.00 k frames/s    1.60 Mb/s    4.0 a burst\n"));
  EXPECT_THAT(text, HasSubstr("tcp  3 connections, 0 half-open, 1 TIME-WAIT"));
  EXPECT_THAT(text, HasSubstr("core 0   25.0 % busy"));
  EXPECT_THAT(text, HasSubstr("drop        5/s          10  wrong TCP checksum\n"));
  EXPECT_THAT(text, Not(HasSubstr("FLOOD")));
}

TEST(TopView, PutsTheBusiestConnectionsFirst) {
  Sample before = make_sample(1, 0, 0), now = make_sample(2, 0, 0);
  before.sockets = {make_socket("10.0.1.1:1", 0), make_socket("10.0.1.1:2", 0)};
  now.sockets = {make_socket("10.0.1.1:1", 10), make_socket("10.0.1.1:2", 5000),
                 make_socket("10.0.1.1:3", 0)};
  const std::string text = view_text(before, now, 2);
  EXPECT_LT(text.find("10.0.1.1:2"), text.find("10.0.1.1:1"));
  EXPECT_THAT(text, HasSubstr("5.00 k      1.234"));
  EXPECT_THAT(text, Not(HasSubstr("10.0.1.1:3")));
}

TEST(TopView, TellsOfAFlood) {
  Sample now = make_sample(2, 0, 0);
  now.usage["syn_flood"] = 1;
  now.usage["syn_flood_ms"] = 61'000;
  EXPECT_THAT(view_text(make_sample(1, 0, 0), now, 2), HasSubstr("SYN FLOOD for 61 s"));
}

TEST(TopView, FitsEightyColumns) {
  Sample now = make_sample(2, 1'000'000'000'000, 999'999'999'999);
  now.sentences["drop_tcp_checksum"] = "frames: " + std::string(200, 'x');
  const std::string text = view_text(make_sample(1, 0, 0), now, 2);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    EXPECT_LE(end - begin, 80u);
}

TEST(Prometheus, HasATypeAndAHelpForEachMetric) {
  const std::string text = prometheus_text({make_sample(1, 42, 0)});
  EXPECT_THAT(text, HasSubstr("# HELP tern_rx_frames_total frames: taken from the port\n"
                              "# TYPE tern_rx_frames_total counter\n"
                              "tern_rx_frames_total{program=\"tcp-upper-server\",pid=\"7\"} 42\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE tern_connections gauge\n"));
  EXPECT_THAT(text,
              HasSubstr("tern_worker_busy_cycles_total{program=\"tcp-upper-server\",pid=\"7\","
                        "worker=\"0\"} 100\n"));
  EXPECT_EQ(prometheus_text({}), "");
}

}  // namespace
}  // namespace top
