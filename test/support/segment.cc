// SPDX-License-Identifier: BSD-3-Clause
#include "support/segment.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ostream>
#include <string_view>
#include <tuple>

#include "io/tap/format_frame.h"

namespace tern::test {
namespace {

constexpr std::size_t kEthernetBytes = 14, kIpBytes = 20, kIp6Bytes = 40, kTcpBytes = 20,
                      kArpBytes = 28;
constexpr std::string_view kFlagLetters = "FSRP.UEW";  // bit 0 first

// Appends in network byte order.
class Writer {
 public:
  void u8(unsigned value) { bytes_.push_back(static_cast<std::byte>(value)); }
  void u16(unsigned value) {
    u8(value >> 8 & 0xff);
    u8(value & 0xff);
  }
  void u32(std::uint32_t value) {
    u16(value >> 16);
    u16(value & 0xffff);
  }
  void mac(const MacAddress& mac) {
    for (const std::uint8_t octet : mac.octets) u8(octet);
  }
  void bytes(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
  }
  void ip(const IpAddress& address) {
    if (address.is_v4()) return u32(address.v4().value());
    for (const std::uint8_t octet : address.v6().octets()) u8(octet);
  }
  void patch_u16(std::size_t offset, unsigned value) {
    bytes_[offset] = static_cast<std::byte>(value >> 8);
    bytes_[offset + 1] = static_cast<std::byte>(value);
  }
  std::size_t size() const { return bytes_.size(); }
  const Bytes& view() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Reads in network byte order; the caller has checked the length.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
  std::uint8_t u8() {
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  MacAddress mac() {
    MacAddress mac;
    for (std::uint8_t& octet : mac.octets) octet = u8();
    return mac;
  }
  Ipv6Address ip6() {
    std::array<std::uint8_t, 16> octets;
    for (std::uint8_t& octet : octets) octet = u8();
    return Ipv6Address(octets);
  }
  std::span<const std::byte> bytes(std::size_t count) {
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::size_t left() const { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
};

// The same sum for both families: IPv6's has zeros more.
Bytes pseudo_header(const Path& path, std::size_t bytes, unsigned protocol) {
  Writer out;
  out.ip(path.source);
  out.ip(path.destination);
  out.u16(protocol);
  out.u16(static_cast<unsigned>(bytes));
  return out.take();
}

std::uint16_t checksum_of(const Path& path, std::span<const std::byte> bytes, unsigned protocol) {
  Bytes all = pseudo_header(path, bytes.size(), protocol);
  all.insert(all.end(), bytes.begin(), bytes.end());
  return textbook_checksum(all);
}

std::uint16_t tcp_checksum(const Path& path, std::span<const std::byte> tcp) {
  return checksum_of(path, tcp, 6);
}

// In the order in which Linux writes them.
Bytes options_of(const Segment& segment) {
  if (!segment.raw_options.empty()) return segment.raw_options;
  Writer out;
  if (segment.mss) {
    out.u16(0x0204);
    out.u16(*segment.mss);
  }
  if (segment.sack_permitted) {
    if (!segment.ts.present) out.u16(0x0101);
    out.u16(0x0402);
  }
  if (segment.ts.present) {
    if (!segment.sack_permitted) out.u16(0x0101);
    out.u16(0x080a);
    out.u32(segment.ts.value);
    out.u32(segment.ts.echo);
  }
  if (segment.wscale) {
    out.u16(0x0103);
    out.u8(3);
    out.u8(*segment.wscale);
  }
  if (segment.user_timeout) {
    out.u16(0x1c04);
    out.u16(*segment.user_timeout);
  }
  if (!segment.sack.empty()) {
    out.u16(0x0101);
    out.u8(5);
    out.u8(static_cast<unsigned>(2 + 8 * segment.sack.size()));
    for (const SackRange& range : segment.sack) {
      out.u32(range.begin);
      out.u32(range.end);
    }
  }
  return out.take();
}

unsigned flag_bits(const std::string& flags) {
  unsigned bits = 0;
  for (const char letter : flags) bits |= 1u << kFlagLetters.find(letter);
  return bits;
}

std::string flag_letters(unsigned bits) {
  std::string letters;
  for (std::size_t bit = 0; bit < kFlagLetters.size(); ++bit)
    if (bits >> bit & 1) letters += kFlagLetters[bit];
  return letters;
}

Bytes build_tcp(const Segment& segment) {
  Bytes options = options_of(segment);
  options.resize((options.size() + 3) / 4 * 4);
  Writer out;
  out.u16(segment.path.source_port);
  out.u16(segment.path.destination_port);
  out.u32(segment.seq);
  out.u32(segment.ack);
  out.u8(static_cast<unsigned>((kTcpBytes + options.size()) / 4 << 4));
  out.u8(flag_bits(segment.flags));
  out.u16(segment.window);
  out.u16(0);
  out.u16(segment.urgent);
  out.bytes(options);
  out.bytes(to_bytes(segment.payload));
  const unsigned checksum = tcp_checksum(segment.path, out.view());
  out.patch_u16(16, segment.tcp_checksum_ok ? checksum : checksum ^ 0x5555);
  return out.take();
}

void parse_options(Reader in, Segment& segment) {
  while (in.left() > 0) {
    const std::uint8_t kind = in.u8();
    if (kind == 0) return;
    if (kind == 1) continue;
    if (in.left() == 0) return;
    const std::size_t length = in.u8();
    if (length < 2 || length - 2 > in.left()) return;
    Reader value(in.bytes(length - 2));
    if (kind == 2 && length == 4 && !segment.mss) segment.mss = value.u16();
    if (kind == 3 && length == 3 && !segment.wscale) segment.wscale = value.u8();
    if (kind == 28 && length == 4 && !segment.user_timeout) segment.user_timeout = value.u16();
    if (kind == 4 && length == 2) segment.sack_permitted = true;
    if (kind == 8 && length == 10 && !segment.ts.present) {
      segment.ts = {value.u32(), 0};
      segment.ts.echo = value.u32();
    }
    while (kind == 5 && value.left() >= 8) {
      SackRange range;
      range.begin = value.u32();
      range.end = value.u32();
      segment.sack.push_back(range);
    }
  }
}

// The rest of parse_ip() for IPv6.
std::optional<std::span<const std::byte>> parse_ip6(Reader in, Segment& segment) {
  if (in.left() < kIp6Bytes) return std::nullopt;
  const std::uint32_t first = in.u32();
  segment.tos = static_cast<std::uint8_t>(first >> 20 & 0xff);
  const std::size_t payload_bytes = in.u16();
  const std::uint8_t next_header = in.u8();
  segment.ttl = in.u8();
  segment.path.source = in.ip6();
  segment.path.destination = in.ip6();
  if (first >> 28 != 6 || next_header != 6 || payload_bytes > in.left()) return std::nullopt;
  return in.bytes(payload_bytes);
}

// The IP header into `segment`; answers the IP payload, or nothing.
std::optional<std::span<const std::byte>> parse_ip(std::span<const std::byte> frame,
                                                   Segment& segment) {
  if (frame.size() < kEthernetBytes + kIpBytes) return std::nullopt;
  Reader in(frame);
  segment.path.destination_mac = in.mac();
  segment.path.source_mac = in.mac();
  const unsigned ether_type = in.u16();
  if (ether_type == 0x86dd) return parse_ip6(in, segment);
  if (ether_type != 0x0800) return std::nullopt;
  const unsigned version_and_length = in.u8();
  const std::size_t header_bytes = version_and_length % 16 * 4;
  segment.tos = in.u8();
  const std::size_t total_bytes = in.u16();
  segment.ip_id = in.u16();
  const unsigned fragment = in.u16();
  segment.dont_fragment = (fragment & 0x4000) != 0;
  segment.ttl = in.u8();
  const std::uint8_t protocol = in.u8();
  in.u16();
  segment.path.source = Ipv4Address(in.u32());
  segment.path.destination = Ipv4Address(in.u32());
  if (version_and_length / 16 != 4 || header_bytes < kIpBytes || total_bytes < header_bytes ||
      total_bytes > frame.size() - kEthernetBytes || protocol != 6 || (fragment & 0x3fff) != 0)
    return std::nullopt;
  segment.ip_checksum_ok = textbook_checksum(frame.subspan(kEthernetBytes, header_bytes)) == 0;
  return frame.subspan(kEthernetBytes + header_bytes, total_bytes - header_bytes);
}

}  // namespace

std::uint16_t textbook_checksum(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint64_t>(bytes[i]) * 256;
    if (i + 1 < bytes.size()) sum += static_cast<std::uint64_t>(bytes[i + 1]);
  }
  while (sum > 0xffff) sum = sum % 0x10000 + sum / 0x10000;
  return static_cast<std::uint16_t>(~sum);
}

Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

std::string normal_flags(const std::string& flags) { return flag_letters(flag_bits(flags)); }

std::size_t Segment::option_bytes() const { return (options_of(*this).size() + 3) / 4 * 4; }

bool operator==(const Segment& a, const Segment& b) {
  const auto all = [](const Segment& s) {
    return std::tuple(s.path, normal_flags(s.flags), s.seq, s.ack, s.window, s.urgent, s.mss,
                      s.sack_permitted, s.ts, s.wscale, s.sack, s.user_timeout, s.raw_options,
                      s.payload, s.ttl, s.tos, s.ip_id, s.dont_fragment, s.ip_checksum_ok,
                      s.tcp_checksum_ok, s.pad_to);
  };
  return all(a) == all(b);
}

bool speaks_v6() {
  static const bool v6 = [] {
    const char* family = std::getenv("TERN_TEST_FAMILY");
    return family != nullptr && std::string_view(family) == "6";
  }();
  return v6;
}

IpAddress numbered_address(std::uint8_t n) {
  if (!speaks_v6()) return Ipv4Address(10, 0, 0, n);
  std::array<std::uint8_t, 16> octets{0xfd};
  octets[15] = n;
  return Ipv6Address(octets);
}

IpAddress wildcard() {
  if (speaks_v6()) return Ipv6Address();
  return Ipv4Address();
}

namespace {

Bytes build6(const Datagram& datagram) {
  Writer frame;
  frame.mac(datagram.path.destination_mac);
  frame.mac(datagram.path.source_mac);
  frame.u16(0x86dd);
  frame.u32(0x60000000u | std::uint32_t{datagram.tos} << 20);
  frame.u16(static_cast<unsigned>(datagram.payload.size()));
  frame.u8(datagram.protocol);
  frame.u8(datagram.ttl);
  frame.ip(datagram.path.source);
  frame.ip(datagram.path.destination);
  frame.bytes(datagram.payload);
  return frame.take();
}

}  // namespace

Bytes build(const Datagram& datagram) {
  if (!datagram.path.source.is_v4()) return build6(datagram);
  const std::size_t header_bytes = kIpBytes + datagram.ip_options.size();
  Writer ip;
  ip.u8(static_cast<unsigned>(0x40 | header_bytes / 4));
  ip.u8(datagram.tos);
  ip.u16(static_cast<unsigned>(header_bytes + datagram.payload.size()));
  ip.u16(datagram.ip_id);
  ip.u16(datagram.fragment);
  ip.u8(datagram.ttl);
  ip.u8(datagram.protocol);
  ip.u16(0);
  ip.ip(datagram.path.source);
  ip.ip(datagram.path.destination);
  ip.bytes(datagram.ip_options);
  const unsigned checksum = textbook_checksum(ip.view());
  ip.patch_u16(10, datagram.ip_checksum_ok ? checksum : checksum ^ 0x5555);
  Writer frame;
  frame.mac(datagram.path.destination_mac);
  frame.mac(datagram.path.source_mac);
  frame.u16(0x0800);
  frame.bytes(ip.view());
  frame.bytes(datagram.payload);
  return frame.take();
}

Bytes build(const Segment& segment) {
  Datagram datagram;
  datagram.path = segment.path;
  datagram.protocol = 6;
  datagram.payload = build_tcp(segment);
  datagram.ttl = segment.ttl;
  datagram.tos = segment.tos;
  datagram.ip_id = segment.ip_id;
  datagram.fragment = segment.dont_fragment ? 0x4000 : 0;
  datagram.ip_checksum_ok = segment.ip_checksum_ok;
  Bytes frame = build(datagram);
  frame.resize(std::max(frame.size(), segment.pad_to));
  return frame;
}

std::optional<Segment> parse_segment(std::span<const std::byte> frame) {
  Segment segment;
  const auto tcp = parse_ip(frame, segment);
  if (!tcp || tcp->size() < kTcpBytes) return std::nullopt;
  Reader in(*tcp);
  segment.path.source_port = in.u16();
  segment.path.destination_port = in.u16();
  segment.seq = in.u32();
  segment.ack = in.u32();
  const std::size_t header_bytes = std::size_t{in.u8()} / 16 * 4;
  if (header_bytes < kTcpBytes || header_bytes > tcp->size()) return std::nullopt;
  segment.flags = flag_letters(in.u8());
  segment.window = in.u16();
  in.u16();
  segment.urgent = in.u16();
  parse_options(Reader(in.bytes(header_bytes - kTcpBytes)), segment);
  for (const std::byte b : in.bytes(in.left())) segment.payload += static_cast<char>(b);
  segment.tcp_checksum_ok = tcp_checksum(segment.path, *tcp) == 0;
  return segment;
}

Bytes build(const Arp& arp) {
  Writer out;
  out.mac(arp.ethernet_destination);
  out.mac(arp.sender_mac);
  out.u16(0x0806);
  out.u32(0x00010800);
  out.u16(0x0604);
  out.u16(arp.operation);
  out.mac(arp.sender_mac);
  out.u32(arp.sender.value());
  out.mac(arp.target_mac);
  out.u32(arp.target.value());
  return out.take();
}

std::optional<Arp> parse_arp(std::span<const std::byte> frame) {
  if (frame.size() < kEthernetBytes + kArpBytes) return std::nullopt;
  Reader in(frame);
  Arp arp;
  arp.ethernet_destination = in.mac();
  in.mac();
  if (in.u16() != 0x0806 || in.u32() != 0x00010800 || in.u16() != 0x0604) return std::nullopt;
  arp.operation = in.u16();
  arp.sender_mac = in.mac();
  arp.sender = Ipv4Address(in.u32());
  arp.target_mac = in.mac();
  arp.target = Ipv4Address(in.u32());
  return arp;
}

std::optional<Solicitation> parse_solicitation(std::span<const std::byte> frame) {
  constexpr std::size_t kMessage = kEthernetBytes + kIp6Bytes, kTarget = kMessage + 8;
  if (frame.size() < kTarget + 16) return std::nullopt;
  Reader in(frame);
  in.mac();
  Solicitation asked{.sender_mac = in.mac(), .sender = {}, .target = {}};
  if (in.u16() != 0x86dd || frame[kEthernetBytes + 6] != std::byte{58} ||
      frame[kMessage] != std::byte{135})
    return std::nullopt;
  in.bytes(8);
  asked.sender = in.ip6();
  asked.target = Reader(frame.subspan(kTarget)).ip6();
  return asked;
}

Bytes build_advertisement(const Solicitation& asked, const MacAddress& target_mac) {
  Datagram datagram;
  datagram.path.source_mac = target_mac;
  datagram.path.destination_mac = asked.sender_mac;
  datagram.path.source = asked.target;
  datagram.path.destination = asked.sender;
  datagram.protocol = 58;
  datagram.ttl = 255;
  Writer message;
  message.u32(136u << 24);
  message.u32(0x60000000);  // solicited, override
  message.ip(asked.target);
  message.u16(0x0201);  // target link-layer address
  message.mac(target_mac);
  message.patch_u16(2, checksum_of(datagram.path, message.view(), 58));
  datagram.payload = message.take();
  return build(datagram);
}

std::ostream& operator<<(std::ostream& out, const Segment& segment) {
  out << segment.time.time_since_epoch().count() << " ns " << io::format_frame(build(segment));
  if (!segment.payload.empty() && segment.payload.size() <= 64)
    out << " \"" << segment.payload << '"';
  if (!segment.ip_checksum_ok) out << " (wrong IP checksum)";
  if (!segment.tcp_checksum_ok) out << " (wrong TCP checksum)";
  return out;
}

std::ostream& operator<<(std::ostream& out, const Arp& arp) {
  return out << io::format_frame(build(arp));
}

}  // namespace tern::test
