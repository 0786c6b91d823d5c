// SPDX-License-Identifier: BSD-3-Clause
// The paths whose instructions are counted, for callgrind (--toggle-collect=gate_poll): what lies
// outside of gate_poll, the client's script and what prepares it, does not count.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "support/tcp_script.h"

extern "C" [[gnu::noinline]] std::size_t gate_poll(tern::Stack& stack, tern::Instant now) {
  return stack.poll(now);
}

namespace tern::bench {
namespace {

constexpr std::uint32_t kConnections = 64;
constexpr unsigned kRounds = 100;
constexpr std::uint32_t kFullSegment = 1448;

class Sink final : public ConnectionHandler {
  void on_readable(Connection c) override {
    while (c.receive()) continue;
  }
};

// Keeps the send queue full, as a download does.
class Source final : public ConnectionHandler {
  void on_established(Connection c) override { fill(c); }
  void on_readable(Connection) override {}
  void on_writable(Connection c) override { fill(c); }
  static void fill(Connection c) {
    static constexpr std::byte kText[16 * 1024]{};
    for (auto written = c.write(kText); written && *written == sizeof kText;)
      written = c.write(kText);
  }
};

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "paths: %s\n", what);
  std::exit(1);
}

// What is counted must have gone the predicted path, and nothing else.
class PredictedOnly {
 public:
  explicit PredictedOnly(const TcpScript& script)
      : script_(script),
        slow_(script.counters().rx_slow),
        predicted_(script.counters().rx_predicted_data) {}
  void check(std::uint64_t segments) const {
    expect(script_.counters().rx_predicted_data - predicted_ == segments, "off the predicted path");
    expect(script_.counters().rx_slow == slow_, "on the slow path");
  }

 private:
  const TcpScript& script_;
  const std::uint64_t slow_, predicted_;
};

// Rounds of one 64-byte segment on each connection; `echoes` says whether they come back.
std::uint64_t rounds(ConnectionHandler& server, bool echoes, bool offloads = true) {
  TcpScript script(kConnections, server, offloads);
  script.establish_all();
  const auto round = [&] {
    for (std::size_t i = 0; i < kConnections; i += kBurst) {
      for (std::size_t k = i; k < i + kBurst; ++k) {
        Peer& p = script.peers()[k];
        script.send(p, kAck | kPsh, kPayloadBytes);
        if (echoes) p.ack += kPayloadBytes;
      }
      script.poll();
      script.port().clear_sent();
    }
  };
  // What happens once, such as the first use of a chunk, is over after two.
  round();
  round();
  const PredictedOnly predicted(script);
  script.poll_with(gate_poll);
  for (unsigned i = 0; i < kRounds; ++i) round();
  constexpr std::uint64_t kSegments = std::uint64_t{kRounds} * kConnections;
  predicted.check(kSegments);
  return kSegments;
}

std::uint64_t predicted_receive() {
  Sink sink;
  return rounds(sink, false);
}

std::uint64_t echo() {
  Echo server;
  return rounds(server, true);
}

// The same over a port that verifies no checksum, and fills none in.
std::uint64_t echo_summed() {
  Echo server;
  return rounds(server, true, false);
}

// One connection of all asks again and again, each time alone: what a poll costs besides its
// frames.
std::uint64_t lone_echo() {
  Echo server;
  TcpScript script(kConnections, server);
  script.establish_all();
  Peer& p = script.peers()[0];
  const auto ask = [&] {
    script.send(p, kAck | kPsh, kPayloadBytes);
    p.ack += kPayloadBytes;
    script.poll();
    script.port().clear_sent();
  };
  for (std::size_t i = 0; i < kBurst; ++i) ask();
  const PredictedOnly predicted(script);
  script.poll_with(gate_poll);
  constexpr std::uint64_t kAsked = std::uint64_t{kRounds} * kBurst;
  for (std::uint64_t i = 0; i < kAsked; ++i) ask();
  predicted.check(kAsked);
  return kAsked;
}

// Polls that find nothing, as most do that come before the one frame of a round trip.
std::uint64_t idle_poll() {
  Echo server;
  TcpScript script(kConnections, server);
  script.establish_all();
  script.poll_with(gate_poll);
  for (unsigned i = 0; i < kRounds; ++i) script.poll();
  return kRounds;
}

// Full segments of one connection, in bursts: what an upload is.
std::uint64_t stream_receive() {
  Sink sink;
  TcpScript script(1, sink);
  script.establish_all();
  const auto burst = [&] {
    for (std::size_t i = 0; i < kBurst; ++i) script.send(script.peers()[0], kAck, kFullSegment);
    script.poll();
    script.port().clear_sent();
  };
  burst();
  burst();
  const PredictedOnly predicted(script);
  script.poll_with(gate_poll);
  for (unsigned i = 0; i < kRounds; ++i) burst();
  constexpr std::uint64_t kSegments = std::uint64_t{kRounds} * kBurst;
  predicted.check(kSegments);
  return kSegments;
}

// Full segments to a peer that acknowledges every second one: what a download is. A round is as
// many as its window holds, which slow start has opened by the tenth.
std::uint64_t stream_send() {
  constexpr std::uint32_t kWindowSegments = 65535 / kFullSegment;
  Source source;
  TcpScript script(1, source);
  script.offer_mss(kFullSegment + 12);
  Peer& peer = script.peers()[0];
  script.connect(&peer, 1);
  script.send(peer, kAck, 0);
  script.poll();
  const auto round = [&] {
    for (std::size_t left = script.port().sent().size(); left > 0;) {
      const auto segments = static_cast<std::uint32_t>(std::min<std::size_t>(left, 2));
      peer.ack += segments * kFullSegment;
      script.send(peer, kAck, 0);
      left -= segments;
    }
    script.port().clear_sent();
    script.poll();
  };
  for (int i = 0; i < 10; ++i) round();
  script.poll_with(gate_poll);
  const std::uint64_t slow = script.counters().rx_slow, before = script.counters().segs_out;
  for (unsigned i = 0; i < kRounds; ++i) round();
  expect(script.counters().rx_slow == slow, "on the slow path");
  constexpr std::uint64_t kSegments = std::uint64_t{kRounds} * kWindowSegments;
  expect(script.counters().segs_out - before == kSegments, "not full windows");
  return kSegments;
}

std::uint64_t connect_close() {
  Echo server;
  TcpScript script(kBurst, server);
  script.connect_ask_close(script.peers());
  script.poll_with(gate_poll);
  for (unsigned i = 0; i < kRounds; ++i) script.connect_ask_close(script.peers());
  expect(script.counters().closed == (kRounds + 1) * kBurst, "not every connection closed");
  return std::uint64_t{kRounds} * kBurst;
}

std::uint64_t run(std::string_view path) {
  if (path == "predicted_receive") return predicted_receive();
  if (path == "echo") return echo();
  if (path == "echo_summed") return echo_summed();
  if (path == "lone_echo") return lone_echo();
  if (path == "idle_poll") return idle_poll();
  if (path == "stream_receive") return stream_receive();
  if (path == "stream_send") return stream_send();
  if (path == "connect_close") return connect_close();
  std::fprintf(stderr,
               "usage: paths predicted_receive|echo|echo_summed|lone_echo|idle_poll|"
               "stream_receive|stream_send|connect_close\n");
  std::exit(2);
}

}  // namespace
}  // namespace tern::bench

// Prints how many times the path was gone.
int main(int argc, char** argv) {
  std::printf("%llu\n",
              static_cast<unsigned long long>(tern::bench::run(argc == 2 ? argv[1] : "")));
  return 0;
}
