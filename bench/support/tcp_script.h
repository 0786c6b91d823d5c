// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "support/bench_port.h"
#include "tern/stack.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

namespace tern::bench {

using namespace wire::tcp_flag;

inline constexpr std::uint32_t kPayloadBytes = 64;
inline constexpr std::uint32_t kTcpOffset = 34;
inline constexpr std::uint32_t kHeaderBytes = kTcpOffset + 20 + 12;  // with timestamps
inline constexpr std::size_t kBurst = 32;
inline constexpr std::uint16_t kPort = 7000;

/// Sends back what arrives.
class Echo final : public ConnectionHandler {
  void on_readable(Connection c) override {
    while (auto chunk = c.receive_to_forward())
      if (c.forward(std::move(*chunk)) != Errc::kOk) return c.abort();
  }
};

/// A connection as its scripted client sees it.
struct Peer {
  std::uint32_t address;
  std::uint16_t port;
  std::uint32_t seq, ack;
};

/// A scripted client of a stack for any number of connections, from as many addresses as that
/// takes, over a port that costs next to nothing: it patches templates, so nearly all the time is
/// the stack's. Where the port does not offload, its segments have checksums.
class TcpScript {
 public:
  TcpScript(std::uint32_t connections, ConnectionHandler& server, bool offloads = true)
      : port_(4 * 1024, offloads), peers_(connections) {
    StackConfig config;
    config.address = {Ipv4Address(10, 0, 0, 1), 8};
    config.max_connections = connections + 64;
    config.max_half_open = config.syn_cache_entries = 1u << 20;
    config.tcp.nagle = false;
    config.secret = {1, 2};
    stack_ = std::move(*Stack::create(config, port_));
    if (!stack_->listen({.port = kPort}, server)) std::abort();
    for (std::uint32_t i = 0; i < connections; ++i)
      peers_[i] = {Ipv4Address(10, 1, 0, 0).value() + i / 40'000,
                   static_cast<std::uint16_t>(10'000 + i % 40'000), i * 77, 0};
    for (std::uint32_t i = 0; i < connections; i += 40'000) learn(peers_[i].address);
    write_template();
  }

  Stack& stack() { return *stack_; }
  BenchPort& port() { return port_; }
  std::vector<Peer>& peers() { return peers_; }
  const Counters& counters() const { return stack_->counters(); }

  /// Polls the stack, 10 us after the last time.
  void poll() {
    now_ += std::chrono::microseconds(10);
    poll_(*stack_, now_);
  }
  /// What poll() calls from now on, in place of Stack::poll: something that counts.
  void poll_with(std::size_t (*counted)(Stack&, Instant)) { poll_ = counted; }

  /// From now on SYNs say what the peer's largest segment is; they say nothing of it before.
  void offer_mss(std::uint16_t mss) { mss_ = mss; }

  /// One segment of a connection, with a timestamp.
  void send(Peer& p, std::uint8_t flags, std::uint32_t payload_bytes) {
    const std::uint32_t mss_option = (flags & kSyn) != 0 && mss_ != 0 ? 4 : 0;
    const std::uint32_t length = kHeaderBytes + mss_option + payload_bytes;
    std::byte* frame = port_.feed(length);
    std::memcpy(frame, template_, kHeaderBytes);
    store_be16(frame + 16, static_cast<std::uint16_t>(length - 14));
    store_be32(frame + 26, p.address);
    std::byte* tcp = frame + kTcpOffset;
    store_be16(tcp, p.port);
    store_be32(tcp + 4, p.seq);
    store_be32(tcp + 8, p.ack);
    store_u8(tcp + 13, flags);
    if (mss_option != 0) {
      store_u8(tcp + 12, 36 / 4 << 4);
      store_be32(frame + kHeaderBytes, 0x02040000u | mss_);
    }
    if (!port_.info().tx_tcp_checksum) sum_up(frame, length);
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

  /// All of `peers` connect, ask once, hear the echo and close: eight segments a connection, four
  /// each way.
  void connect_ask_close(std::vector<Peer>& peers) {
    connect(peers.data(), peers.size());
    for (Peer& p : peers) send(p, kAck | kPsh, kPayloadBytes);
    poll();
    port_.clear_sent();
    for (Peer& p : peers) {
      p.ack += kPayloadBytes;
      send(p, kAck | kFin, 0);
    }
    poll();
    port_.clear_sent();
    for (Peer& p : peers) {
      ++p.ack;
      send(p, kAck, 0);
    }
    poll();
    for (Peer& p : peers) p.seq += 1'000'000;
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

  static void sum_up(std::byte* frame, std::uint32_t length) {
    const auto tcp_bytes = static_cast<std::uint16_t>(length - kTcpOffset);
    std::byte* const ip = frame + kTcpOffset - wire::kIpv4HeaderBytes;
    std::byte* const tcp = frame + kTcpOffset;
    wire::store_checksum(ip + wire::kIpv4ChecksumOffset, 0);
    wire::store_checksum(tcp + wire::kTcpChecksumOffset, 0);
    const std::uint32_t pseudo = wire::checksum_pseudo_ipv4(load_be32(ip + 12), load_be32(ip + 16),
                                                            wire::ip_protocol::kTcp, tcp_bytes);
    wire::store_checksum(
        ip + wire::kIpv4ChecksumOffset,
        wire::checksum_finish(wire::checksum_partial({ip, wire::kIpv4HeaderBytes})));
    wire::store_checksum(tcp + wire::kTcpChecksumOffset,
                         wire::checksum_finish(wire::checksum_partial({tcp, tcp_bytes}, pseudo)));
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
  std::vector<Peer> peers_;
  std::unique_ptr<Stack> stack_;
  std::size_t (*poll_)(Stack&, Instant) = [](Stack& stack, Instant now) { return stack.poll(now); };
  Instant now_{std::chrono::seconds(1)};
  std::uint16_t mss_ = 0;
  std::byte template_[kHeaderBytes]{};
};

}  // namespace tern::bench
