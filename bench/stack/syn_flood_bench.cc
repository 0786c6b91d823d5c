// SPDX-License-Identifier: BSD-3-Clause
// What a SYN of a flood costs, and what is left for established connections beside one. The port is
// next to free; the sources of the flood lie behind a gateway whose address is known, so that every
// SYN,ACK finds its way at once.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <memory>
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

// The time that this thread has had, so that whatever else the machine does does not count.
std::chrono::nanoseconds cpu_time() {
  std::timespec t;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

constexpr std::uint32_t kTcpOffset = 34;
constexpr std::uint32_t kHeaderBytes =
    kTcpOffset + 20 + 20;  // a SYN's options, as Linux sends them
constexpr std::uint32_t kPayloadBytes = 64;
constexpr std::size_t kBurst = 31;   // not a full one, after which timers would be put off
constexpr std::size_t kRing = 1024;  // frames that wait for the stack before the device drops
constexpr std::uint16_t kPort = 7000;
constexpr std::uint32_t kConnections = 64;

const Ipv4Address kAddress(10, 0, 0, 1), kGateway(10, 0, 0, 2);

class Echo final : public ConnectionHandler {
  void on_readable(Connection c) override {
    while (auto chunk = c.receive(c.send_space()))
      if (c.forward(std::move(*chunk)) != Errc::kOk) return c.abort();
  }
};

StackConfig config_for(SynCookieMode mode) {
  StackConfig config;
  config.address = {kAddress, 24};
  config.gateway = kGateway;
  config.secret = {1, 2};
  config.tcp.nagle = false;
  config.tcp.syn_cookies = mode;
  // A record lasts 4 ms of the benchmark's time and is not answered again: the cache never fills.
  if (mode == SynCookieMode::kOff) {
    config.tcp.min_rto = config.tcp.initial_rto = std::chrono::milliseconds(4);
    config.tcp.max_syn_ack_retransmits = 0;
  }
  return config;
}

class Bench {
 public:
  explicit Bench(SynCookieMode mode) : port_(8 * 1024), random_(1) {
    stack_ = std::move(*Stack::create(config_for(mode), port_));
    if (!stack_->listen({.port = kPort}, echo_)) std::abort();
    write_template();
    learn_gateway();
  }

  // From a random address and port, with MSS, SACK permitted, timestamps and window scale.
  void send_syn() {
    const std::uint64_t r = random_.next();
    send((static_cast<std::uint32_t>(r) & 0x0fffffff) | 0x60000000,
         static_cast<std::uint16_t>(r >> 32 | 1024), static_cast<std::uint32_t>(r >> 16), 0, kSyn,
         0);
  }

  void establish() {
    for (std::uint16_t i = 0; i < kConnections; ++i) {
      Peer& p = peers_[i];
      send(kPeerAddress, port_of(i), 0, 0, kSyn, 0);
      poll(now_);
      p = {1, load_be32(port_.sent().at(0).data + kTcpOffset + 4) + 1};
      port_.clear_sent();
      send(kPeerAddress, port_of(i), 1, p.ack, kAck, 0);
      poll(now_);
      port_.clear_sent();
    }
    if (stack_->counters().established != kConnections) std::abort();
  }

  void send_request() {
    const auto i = static_cast<std::uint16_t>(next_);
    next_ = (next_ + 1) % kConnections;
    Peer& p = peers_[i];
    send(kPeerAddress, port_of(i), p.seq, p.ack, kAck | kPsh, kPayloadBytes);
    p.seq += kPayloadBytes;
    p.ack += kPayloadBytes;  // the next request acknowledges this one's echo
  }

  // Echoes among what was sent since the last call.
  std::uint64_t take_echoes() {
    std::uint64_t echoes = 0;
    for (const Frame& frame : port_.sent())
      if (frame.length > kHeaderBytes + 10) ++echoes;
    port_.clear_sent();
    return echoes;
  }

  void poll(Instant now) {
    now_ = std::max(now_, now);
    stack_->poll(now_);
  }
  void poll_later() { poll(now_ + std::chrono::microseconds(10)); }
  Instant now() const { return now_; }
  Stack& stack() { return *stack_; }
  std::size_t waiting() const { return port_.waiting(); }

 private:
  struct Peer {
    std::uint32_t seq, ack;
  };
  static constexpr std::uint32_t kPeerAddress = 0x50000001;
  static std::uint16_t port_of(std::uint16_t i) { return static_cast<std::uint16_t>(20'000 + i); }

  void send(std::uint32_t address, std::uint16_t port, std::uint32_t seq, std::uint32_t ack,
            std::uint8_t flags, std::uint32_t payload_bytes) {
    // The options of a SYN are 20 bytes; elsewhere 12 for the timestamp. What has no timestamp of
    // its own repeats the template's.
    const bool syn = (flags & kSyn) != 0;
    const std::uint32_t length = kHeaderBytes - (syn ? 0 : 8) + payload_bytes;
    std::byte* frame = port_.feed(length);
    std::memcpy(frame, syn ? syn_ : segment_, kHeaderBytes);
    store_be16(frame + 16, static_cast<std::uint16_t>(length - 14));
    store_be32(frame + 26, address);
    std::byte* tcp = frame + kTcpOffset;
    store_be16(tcp, port);
    store_be32(tcp + 4, seq);
    store_be32(tcp + 8, ack);
    store_u8(tcp + 13, flags);
  }

  void learn_gateway() {
    std::byte* f = port_.feed(60);
    std::memset(f, 0, 60);
    std::memset(f, 0xff, 6);
    const unsigned char from[] = {2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2};
    std::memcpy(f + 6, from, sizeof from);
    store_be32(f + 28, kGateway.value());
    store_be32(f + 38, kAddress.value());
    poll(now_);
    port_.clear_sent();
  }

  void write_template() {
    for (std::byte* frame : {syn_, segment_}) {
      wire::write_ethernet(frame,
                           {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, wire::ether_type::kIpv4});
      wire::Ipv4Header ip;
      ip.destination = kAddress.value();
      ip.protocol = wire::ip_protocol::kTcp;
      wire::write_ipv4(frame + 14, ip);
      wire::TcpHeader tcp;
      tcp.destination_port = kPort;
      tcp.header_bytes = frame == syn_ ? 40 : 32;
      tcp.window = 65535;
      wire::write_tcp_header(frame + kTcpOffset, tcp);
    }
    wire::TcpOptions options;
    options.has_mss = options.has_timestamp = options.has_window_scale = options.sack_permitted =
        true;
    options.mss = 1460;
    options.window_scale = 7;
    wire::write_tcp_options(options, syn_ + kTcpOffset + 20);
    store_be32(segment_ + kTcpOffset + 20, wire::kAlignedTimestamp);
  }

  BenchPort port_;
  Echo echo_;
  Prng random_;
  std::unique_ptr<Stack> stack_;
  std::array<Peer, kConnections> peers_{};
  std::size_t next_ = 0;
  Instant now_{std::chrono::seconds(100)};
  std::byte syn_[kHeaderBytes]{}, segment_[kHeaderBytes]{};
};

void flood(benchmark::State& state, SynCookieMode mode) {
  Bench bench(mode);
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBurst; ++i) bench.send_syn();
    bench.poll_later();
    bench.take_echoes();
  }
  const Counters& c = bench.stack().counters();
  const auto syns = static_cast<std::uint64_t>(state.iterations()) * kBurst;
  if (c.passive_opens + c.syn_cookies_sent != syns) state.SkipWithError("SYNs went unanswered");
  state.SetItemsProcessed(static_cast<std::int64_t>(syns));
}
void BM_SynIntoTheCache(benchmark::State& state) { flood(state, SynCookieMode::kOff); }
void BM_SynCookie(benchmark::State& state) { flood(state, SynCookieMode::kAlways); }

double per_second(Bench& bench, void (Bench::*send)(), std::chrono::milliseconds duration) {
  std::uint64_t sent = 0;
  const auto begin = cpu_time();
  while (cpu_time() - begin < duration) {
    for (std::size_t i = 0; i < kBurst; ++i) (bench.*send)();
    sent += kBurst;
    bench.poll_later();
    bench.take_echoes();
  }
  return static_cast<double>(sent) / std::chrono::duration<double>(duration).count();
}

// Offers so many SYNs and requests a second of the core for a while, through a ring
// that drops when it is full. The fraction of the requests that were echoed.
double goodput(Bench& bench, double syns, double requests, std::chrono::milliseconds duration) {
  double syns_sent = 0, requests_sent = 0;
  std::uint64_t echoed = 0;
  const auto begin = cpu_time();
  const Instant start = bench.now();
  for (auto elapsed = std::chrono::nanoseconds{}; elapsed < duration;
       elapsed = cpu_time() - begin) {
    const double seconds = std::chrono::duration<double>(elapsed).count();
    for (; syns_sent < syns * seconds; ++syns_sent)
      if (bench.waiting() < kRing) bench.send_syn();
    for (; requests_sent < requests * seconds; ++requests_sent)
      if (bench.waiting() < kRing) bench.send_request();
    for (int polls = 0; polls < 8 && (polls == 0 || bench.waiting() > 0); ++polls)
      bench.poll(start + elapsed);
    echoed += bench.take_echoes();
  }
  bench.poll_later();
  echoed += bench.take_echoes();
  return static_cast<double>(echoed) / requests_sent;
}

// Established connections take a tenth of the core; a flood of 80 % of the SYNs that a core can
// answer joins them. Both numbers of the ratio are of this run.
void BM_EchoBesideFlood(benchmark::State& state) {
  using std::chrono::milliseconds;
  for (auto _ : state) {
    Bench bench(SynCookieMode::kAuto);
    bench.establish();
    per_second(bench, &Bench::send_syn, milliseconds(100));  // fills the cache
    const double syns = per_second(bench, &Bench::send_syn, milliseconds(500));
    const double requests = per_second(bench, &Bench::send_request, milliseconds(500)) / 10;
    const double alone = goodput(bench, 0, requests, milliseconds(1000));
    const double beside = goodput(bench, 0.8 * syns, requests, milliseconds(1000));
    state.counters["syns_per_second"] = syns;
    state.counters["requests_per_second"] = requests;
    state.counters["goodput_ratio"] = beside / alone;
  }
}

BENCHMARK(BM_SynIntoTheCache);
BENCHMARK(BM_SynCookie);
BENCHMARK(BM_EchoBesideFlood)->Iterations(1)->Repetitions(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tern::bench
