// SPDX-License-Identifier: BSD-3-Clause
#include "raw_frame.h"

#include <algorithm>
#include <cstring>

namespace bench::raw {

namespace {

constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806;
// IEEE 802's own for experiments on one's own wire.
constexpr std::uint16_t kLocalExperiment = 0x88b5;
constexpr std::uint8_t kTcpProtocol = 6;
constexpr std::uint32_t kIpAt = 14, kTcpAt = 34, kArpBytes = 42;

std::uint16_t load16(const std::byte* p) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(p[0]) << 8 | static_cast<unsigned>(p[1]));
}
std::uint32_t load32(const std::byte* p) {
  std::uint32_t value;
  std::memcpy(&value, p, sizeof value);
  return __builtin_bswap32(value);
}
void store16(std::byte* p, std::uint32_t value) {
  const std::uint16_t swapped = __builtin_bswap16(static_cast<std::uint16_t>(value));
  std::memcpy(p, &swapped, sizeof swapped);
}
void store32(std::byte* p, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(p, &value, sizeof value);
}
void store_mac(std::byte* p, const tern::MacAddress& mac) { std::memcpy(p, mac.octets.data(), 6); }

// RFC 1071, of an even number of bytes, not yet folded.
std::uint32_t sum_of(const std::byte* p, std::size_t bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes; i += 2) sum += load16(p + i);
  return sum;
}
std::uint32_t halves(std::uint32_t value) { return (value >> 16) + (value & 0xffff); }
std::uint16_t folded(std::uint32_t sum) { return static_cast<std::uint16_t>(~halves(halves(sum))); }

}  // namespace

SegmentTemplate::SegmentTemplate(const tern::MacAddress& source,
                                 const tern::MacAddress& destination, tern::Ipv4Address server,
                                 std::uint16_t port, std::uint16_t mss) {
  std::byte* f = headers_;
  store_mac(f, destination);
  store_mac(f + 6, source);
  store16(f + 12, kIpv4);
  store16(f + kIpAt, 0x4500);
  store16(f + kIpAt + 6, 0x4000);  // don't fragment
  store16(f + kIpAt + 8, 64 << 8 | kTcpProtocol);
  store32(f + kIpAt + 16, server.value());
  store16(f + kTcpAt + 2, port);
  store16(f + kTcpAt + 14, 0xffff);  // window
  ip_sum_ = sum_of(f + kIpAt, 20);
  // The pseudo header's address and protocol, the destination port and the window.
  tcp_sum_ = halves(server.value()) + kTcpProtocol + sum_of(f + kTcpAt, 20);
  store32(syn_options_, 0x0204'0000u | mss);
  store32(syn_options_ + 4, 0x0103'0300u | kWindowScale);  // no-operation, window scale
  syn_sum_ = sum_of(syn_options_, kSynOptionBytes);
}

std::uint32_t SegmentTemplate::write(std::byte* frame, const Outgoing& s) const {
  const bool is_syn = (s.flags & kSyn) != 0;
  const std::uint32_t tcp_header = 20 + (is_syn ? kSynOptionBytes : 0);
  const std::uint32_t tcp_bytes = tcp_header + s.payload_bytes;
  const std::uint32_t offset_flags = tcp_header / 4 << 12 | s.flags;
  std::memcpy(frame, headers_, kHeaderBytes);
  store16(frame + kIpAt + 2, 20 + tcp_bytes);
  store32(frame + kIpAt + 12, s.address);
  store16(frame + kIpAt + 10, folded(ip_sum_ + 20 + tcp_bytes + halves(s.address)));
  store16(frame + kTcpAt, s.port);
  store32(frame + kTcpAt + 4, s.seq);
  store32(frame + kTcpAt + 8, s.ack);
  store16(frame + kTcpAt + 12, offset_flags);
  const std::uint32_t sum = tcp_sum_ + tcp_bytes + halves(s.address) + s.port + halves(s.seq) +
                            halves(s.ack) + offset_flags + (is_syn ? syn_sum_ : 0);
  store16(frame + kTcpAt + 16, folded(sum));
  if (is_syn) std::memcpy(frame + kHeaderBytes, syn_options_, kSynOptionBytes);
  if (s.payload_bytes > 0) std::memset(frame + kTcpAt + tcp_header, 0, s.payload_bytes);
  return kTcpAt + tcp_bytes;
}

namespace {

// The shift count of a SYN's window scale option (RFC 7323), or 0.
std::uint8_t window_scale_of(const std::byte* options, std::uint32_t bytes) {
  for (std::uint32_t i = 0; i < bytes && options[i] != std::byte{0};) {
    if (options[i] == std::byte{1}) {
      ++i;
      continue;
    }
    if (i + 1 >= bytes) break;
    const auto length = static_cast<std::uint32_t>(options[i + 1]);
    if (length < 2 || i + length > bytes) break;
    if (options[i] == std::byte{3} && length == 3) return static_cast<std::uint8_t>(options[i + 2]);
    i += length;
  }
  return 0;
}

}  // namespace

std::optional<Incoming> read_segment(const std::byte* f, std::uint32_t length) {
  if (length < kHeaderBytes || load16(f + 12) != kIpv4) return {};
  if (f[kIpAt] != std::byte{0x45} || f[kIpAt + 9] != std::byte{kTcpProtocol}) return {};
  const std::uint32_t ip_bytes = load16(f + kIpAt + 2);
  const std::uint32_t header = static_cast<std::uint32_t>(f[kTcpAt + 12]) >> 4 << 2;
  if (header < 20 || ip_bytes < 20 + header || kIpAt + ip_bytes > length) return {};
  Incoming s;
  s.address = load32(f + kIpAt + 16);
  s.port = load16(f + kTcpAt + 2);
  s.seq = load32(f + kTcpAt + 4);
  s.ack = load32(f + kTcpAt + 8);
  s.flags = static_cast<std::uint8_t>(f[kTcpAt + 13]);
  s.window = load16(f + kTcpAt + 14);
  s.payload_bytes = ip_bytes - 20 - header;
  if ((s.flags & kSyn) != 0) s.window_scale = window_scale_of(f + kHeaderBytes, header - 20);
  return s;
}

std::optional<Arp> read_arp(const std::byte* f, std::uint32_t length) {
  if (length < kArpBytes || load16(f + 12) != kArp || load32(f + 14) != 0x0001'0800u) return {};
  Arp arp;
  arp.is_request = load16(f + 20) == 1;
  std::memcpy(arp.sender_mac.octets.data(), f + 22, 6);
  arp.sender = load32(f + 28);
  arp.target = load32(f + 38);
  return arp;
}

std::uint32_t write_arp(std::byte* f, const Arp& arp, const tern::MacAddress& to) {
  std::memset(f, 0, kArpBytes);
  store_mac(f, arp.is_request ? tern::MacAddress::broadcast() : to);
  store_mac(f + 6, arp.sender_mac);
  store16(f + 12, kArp);
  store32(f + 14, 0x0001'0800u);
  store16(f + 18, 0x0604);
  store16(f + 20, arp.is_request ? 1 : 2);
  store_mac(f + 22, arp.sender_mac);
  store32(f + 28, arp.sender);
  if (!arp.is_request) store_mac(f + 32, to);
  store32(f + 38, arp.target);
  return kArpBytes;
}

std::uint32_t write_plain(std::byte* f, const tern::MacAddress& source, std::uint32_t length) {
  std::memset(f, 0, length);
  store_mac(f, source);
  f[5] ^= std::byte{1};  // anybody but ourselves
  store_mac(f + 6, source);
  store16(f + 12, kLocalExperiment);
  return length;
}

bool is_plain(const std::byte* f, std::uint32_t length) {
  return length >= 14 && load16(f + 12) == kLocalExperiment;
}

}  // namespace bench::raw
