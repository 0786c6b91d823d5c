// SPDX-License-Identifier: BSD-3-Clause
// What a request costs the whole engine, from the received frame to the one sent: the port below is
// next to free, and the client is a script that patches templates, so nearly all the time is the
// stack's. BM_ScriptAlone is the client's part, to be subtracted.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "support/bench_port.h"
#include "tern/stack.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

namespace tern::bench {
namespace {

using namespace wire::tcp_flag;

constexpr std::uint32_t kPayloadBytes = 64;
constexpr std::uint32_t kTcpOffset = 34;
constexpr std::uint32_t kHeaderBytes = kTcpOffset + 20 + 12;  // with timestamps
constexpr std::size_t kBurst = 32;
constexpr std::uint16_t kPort = 7000;

class Echo final : public ConnectionHandler {
  void on_readable(Connection c) override {
    while (auto chunk = c.receive(c.send_space()))
      if (c.forward(std::move(*chunk)) != Errc::kOk) return c.abort();
  }
};

struct Peer {
  std::uint32_t address;
  std::uint16_t port;
  std::uint32_t seq, ack;
};

// A client for any number of connections, from as many addresses as that takes.
class Script {
 public:
  explicit Script(std::uint32_t connections) : port_(4 * 1024), peers_(connections) {
    StackConfig config;
    config.address = {Ipv4Address(10, 0, 0, 1), 8};
    config.max_connections = connections + 64;
    config.max_half_open = config.syn_cache_entries = 1u << 20;
    config.tcp.nagle = false;
    config.secret = {1, 2};
    stack_ = std::move(*Stack::create(config, port_));
    if (!stack_->listen({.port = kPort}, echo_)) std::abort();
    for (std::uint32_t i = 0; i < connections; ++i)
      peers_[i] = {Ipv4Address(10, 1, 0, 0).value() + i / 40'000,
                   static_cast<std::uint16_t>(10'000 + i % 40'000), i * 77, 0};
    for (std::uint32_t i = 0; i < connections; i += 40'000) learn(peers_[i].address);
    write_template();
  }

  BenchPort& port() { return port_; }
  std::vector<Peer>& peers() { return peers_; }
  const Counters& counters() const { return stack_->counters(); }

  void poll() {
    now_ += std::chrono::microseconds(10);
    stack_->poll(now_);
  }

  // One segment of a connection; SYN carries the options that Linux sends.
  void send(Peer& p, std::uint8_t flags, std::uint32_t payload_bytes) {
    const std::uint32_t length = kHeaderBytes + payload_bytes;
    std::byte* frame = port_.feed(length);
    std::memcpy(frame, template_, kHeaderBytes);
    store_be16(frame + 16, static_cast<std::uint16_t>(length - 14));
    store_be32(frame + 26, p.address);
    std::byte* tcp = frame + kTcpOffset;
    store_be16(tcp, p.port);
    store_be32(tcp + 4, p.seq);
    store_be32(tcp + 8, p.ack);
    store_u8(tcp + 13, flags);
    if ((flags & (kSyn | kFin)) != 0) ++p.seq;
    p.seq += payload_bytes;
  }

  void connect(Peer* first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) send(first[i], kSyn, 0);
    poll();
    for (const Frame& frame : port_.sent()) {
      const auto which = load_be32(frame.data + 30) == first->address
                             ? load_be16(frame.data + kTcpOffset + 2) - first->port
                             : 0;
      first[which].ack = load_be32(frame.data + kTcpOffset + 4) + 1;
    }
    port_.clear_sent();
  }

  void establish_all() {
    for (std::size_t i = 0; i < peers_.size(); i += kBurst) {
      const std::size_t count = std::min(kBurst, peers_.size() - i);
      connect(&peers_[i], count);
      for (std::size_t k = i; k < i + count; ++k) send(peers_[k], kAck, 0);
      poll();
      port_.clear_sent();
    }
    if (counters().established != peers_.size()) std::abort();
  }

 private:
  // An ARP request for the stack's address, from which it learns the peer's.
  void learn(std::uint32_t address) {
    std::byte* f = port_.feed(60);
    std::memset(f, 0, 60);
    std::memset(f, 0xff, 6);
    const unsigned char from[] = {2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2};
    std::memcpy(f + 6, from, sizeof from);
    store_be32(f + 28, address);
    store_be32(f + 38, Ipv4Address(10, 0, 0, 1).value());
    poll();
    port_.clear_sent();
  }

  void write_template() {
    wire::write_ethernet(template_,
                         {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, wire::ether_type::kIpv4});
    wire::Ipv4Header ip;
    ip.destination = Ipv4Address(10, 0, 0, 1).value();
    ip.protocol = wire::ip_protocol::kTcp;
    wire::write_ipv4(template_ + 14, ip);
    wire::TcpHeader tcp;
    tcp.destination_port = kPort;
    tcp.header_bytes = 32;
    tcp.window = 65535;
    wire::write_tcp_header(template_ + kTcpOffset, tcp);
    store_be32(template_ + kTcpOffset + 20, 0x0101080a);
  }

  BenchPort port_;
  Echo echo_;
  std::vector<Peer> peers_;
  std::unique_ptr<Stack> stack_;
  Instant now_{std::chrono::seconds(1)};
  std::byte template_[kHeaderBytes]{};
};

std::vector<std::uint32_t> shuffled(std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  Prng prng(1);
  for (std::size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[prng.below(static_cast<std::uint32_t>(i))]);
  return order;
}

// A 64-byte request in, its echo out, which carries the ACK; the next request acknowledges the
// echo. Connections take turns in random order, so each is as cold as their number makes it.
void BM_Echo(benchmark::State& state) {
  Script script(static_cast<std::uint32_t>(state.range(0)));
  script.establish_all();
  const std::vector<std::uint32_t> order = shuffled(script.peers().size());
  const std::size_t burst = std::min(kBurst, order.size());
  std::size_t next = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < burst; ++i) {
      script.send(script.peers()[order[next]], kAck | kPsh, kPayloadBytes);
      script.peers()[order[next]].ack += kPayloadBytes;
      next = next + 1 == order.size() ? 0 : next + 1;
    }
    // The ACK of this request's echo rides on the next request.
    script.poll();
    if (script.port().sent().size() < burst) return state.SkipWithError("a request was not echoed");
    script.port().clear_sent();
  }
  if (script.counters().rx_slow > 2 * order.size()) state.SkipWithError("off the predicted path");
  state.SetItemsProcessed(static_cast<std::int64_t>(burst) * state.iterations());
}

// Connect, one request with its echo, close by the client: eight segments a connection, four each
// way.
void BM_ConnectRequestClose(benchmark::State& state) {
  Script script(kBurst);
  std::vector<Peer>& peers = script.peers();
  for (auto _ : state) {
    script.connect(peers.data(), kBurst);
    for (Peer& p : peers) script.send(p, kAck | kPsh, kPayloadBytes);
    script.poll();
    script.port().clear_sent();
    for (Peer& p : peers) {
      p.ack += kPayloadBytes;
      script.send(p, kAck | kFin, 0);
    }
    script.poll();
    script.port().clear_sent();
    for (Peer& p : peers) {
      ++p.ack;
      script.send(p, kAck, 0);
    }
    script.poll();
    for (Peer& p : peers) p.seq += 1'000'000;
  }
  if (script.counters().closed != kBurst * static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("not every connection closed");
  state.SetItemsProcessed(static_cast<std::int64_t>(kBurst) * state.iterations());
}

// The client's part of BM_Echo: frames are made and taken back unread.
void BM_ScriptAlone(benchmark::State& state) {
  Script script(kBurst);
  std::array<Frame, kBurst> frames;
  for (auto _ : state) {
    for (Peer& p : script.peers()) {
      script.send(p, kAck | kPsh, kPayloadBytes);
      p.ack += kPayloadBytes;
    }
    script.port().release({frames.data(), script.port().receive(frames)});
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kBurst) * state.iterations());
}

BENCHMARK(BM_ScriptAlone);
BENCHMARK(BM_Echo)->Arg(1)->Arg(64)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(BM_ConnectRequestClose);

}  // namespace
}  // namespace tern::bench
