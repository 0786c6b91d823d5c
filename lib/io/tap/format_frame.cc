// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/format_frame.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/bytes.h"

namespace tern {

// Builds one line. The words and their order are tcpdump's; a unit test compares the two.
class FrameText {
 public:
  using FlowMap = std::map<RelativeFormatter::FlowKey, RelativeFormatter::FlowStart>;

  /// `flows` = nullptr: absolute sequence numbers.
  explicit FrameText(FlowMap* flows) : flows_(flows) {}

  std::string ethernet(std::span<const std::byte> frame);

 private:
  using Bytes = std::span<const std::byte>;

  void arp(Bytes arp);
  void ipv4(Bytes ip);
  void ipv6(Bytes ip);
  void icmp(Bytes icmp);
  void icmp6(Bytes icmp, std::size_t whole_bytes);
  void ends(std::uint16_t from_port, std::uint16_t to_port, bool has_ports);
  void tcp(Bytes tcp, std::size_t whole_bytes);
  void tcp_sequence(Bytes tcp, std::size_t payload_bytes);
  bool tcp_options(Bytes options);
  bool tcp_option(std::uint8_t kind, Bytes value);
  void make_relative(std::uint8_t flags, std::uint16_t from_port, std::uint16_t to_port);

  void text(const char* words) { line_ += words; }
  void number(const char* words, std::uint64_t value) { (line_ += words) += std::to_string(value); }
  void address(Bytes four);
  void address6(Bytes sixteen) { line_ += to_string(ipv6_at(sixteen)); }
  static Ipv6Address ipv6_at(Bytes sixteen);
  void mac(Bytes six);
  void hex(const char* format, unsigned value);

  FlowMap* flows_;
  std::string line_;
  IpAddress source_, destination_;
  std::uint32_t seq_ = 0, ack_ = 0;  // as printed
  std::uint32_t sack_base_ = 0;
};

namespace {

constexpr std::size_t kMostFlows = 100'000;
constexpr std::size_t kEthernetBytes = 14, kArpBytes = 28, kIpBytes = 20, kIp6Bytes = 40,
                      kTcpBytes = 20;
constexpr std::uint8_t kSyn = 0x02, kRst = 0x04, kFin = 0x01, kAck = 0x10, kUrg = 0x20;

// The order in which tcpdump prints them.
constexpr std::array<std::pair<std::uint8_t, char>, 8> kFlagLetters{{{kFin, 'F'},
                                                                     {kSyn, 'S'},
                                                                     {kRst, 'R'},
                                                                     {0x08, 'P'},
                                                                     {kAck, '.'},
                                                                     {kUrg, 'U'},
                                                                     {0x40, 'E'},
                                                                     {0x80, 'W'}}};

std::string flag_letters(std::uint8_t flags) {
  std::string letters;
  for (const auto& [bit, letter] : kFlagLetters)
    if (flags & bit) letters += letter;
  return letters.empty() ? "none" : letters;
}

bool any_set(std::span<const std::byte> bytes) {
  for (const std::byte b : bytes)
    if (b != std::byte{0}) return true;
  return false;
}

}  // namespace

void FrameText::address(Bytes four) {
  number("", load_u8(&four[0]));
  for (std::size_t i = 1; i < 4; ++i) number(".", load_u8(&four[i]));
}

void FrameText::hex(const char* format, unsigned value) {
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), format, value);
  text(digits.data());
}

void FrameText::mac(Bytes six) {
  for (std::size_t i = 0; i < 6; ++i) hex(i == 0 ? "%02x" : ":%02x", load_u8(&six[i]));
}

std::string FrameText::ethernet(Bytes frame) {
  if (frame.size() < kEthernetBytes) return "[|ether]";
  const std::uint16_t type = load_be16(&frame[12]);
  const Bytes payload = frame.subspan(kEthernetBytes);
  if (type == 0x0800) {
    ipv4(payload);
  } else if (type == 0x86dd) {
    ipv6(payload);
  } else if (type == 0x0806) {
    arp(payload);
  } else {
    hex("ethertype 0x%04x", type);
    number(", length ", payload.size());
  }
  return std::move(line_);
}

void FrameText::arp(Bytes arp) {
  // Ethernet and IPv4, with their address lengths (RFC 826).
  if (arp.size() < kArpBytes) return text("[|arp]");
  if (load_be32(&arp[0]) != 0x00010800 || load_be16(&arp[4]) != 0x0604)
    return number("ARP, of other address families, length ", arp.size());
  const Bytes sender_mac = arp.subspan(8, 6), sender = arp.subspan(14, 4);
  const Bytes target_mac = arp.subspan(18, 6), target = arp.subspan(24, 4);
  const std::uint16_t operation = load_be16(&arp[6]);
  if (operation == 1) {
    text("ARP, Request who-has ");
    address(target);
    if (any_set(target_mac)) {
      text(" (");
      mac(target_mac);
      text(")");
    }
    text(" tell ");
    address(sender);
  } else if (operation == 2) {
    text("ARP, Reply ");
    address(sender);
    text(" is-at ");
    mac(sender_mac);
  } else {
    number("ARP, Unknown (", operation);
    text(")");
  }
  number(", length ", arp.size());
}

void FrameText::ipv4(Bytes ip) {
  text("IP ");
  if (ip.size() < kIpBytes) return text("[|ip]");
  const std::size_t header_bytes = std::size_t{load_u8(&ip[0])} % 16 * 4;
  const std::size_t total_bytes = load_be16(&ip[2]);
  if (load_u8(&ip[0]) >> 4 != 4 || header_bytes < kIpBytes || total_bytes < header_bytes ||
      ip.size() < header_bytes)
    return text("[bad header]");
  if (total_bytes > ip.size()) {
    number("truncated-ip - ", total_bytes - ip.size());
    text(" bytes missing! ");
  }
  source_ = Ipv4Address(load_be32(&ip[12]));
  destination_ = Ipv4Address(load_be32(&ip[16]));
  const std::uint8_t protocol = load_u8(&ip[9]);
  const Bytes payload = ip.first(std::min(total_bytes, ip.size())).subspan(header_bytes);
  const bool later_fragment = (load_be16(&ip[6]) & 0x1fff) != 0;
  const bool is_tcp = protocol == 6 && !later_fragment && payload.size() >= 4;
  if (is_tcp)
    ends(load_be16(&payload[0]), load_be16(&payload[2]), true);
  else
    ends(0, 0, false);
  if (is_tcp) return tcp(payload, total_bytes - header_bytes);
  if (protocol == 1 && !later_fragment) return icmp(payload);
  if (protocol == 6) return text("tcp");
  number("ip-proto-", protocol);
  number(" ", total_bytes - header_bytes);
}

Ipv6Address FrameText::ipv6_at(Bytes sixteen) {
  std::array<std::uint8_t, 16> octets;
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = load_u8(&sixteen[i]);
  return Ipv6Address(octets);
}

void FrameText::ends(std::uint16_t from_port, std::uint16_t to_port, bool has_ports) {
  line_ += to_string(source_);
  if (has_ports) number(".", from_port);
  text(" > ");
  line_ += to_string(destination_);
  if (has_ports) number(".", to_port);
  text(": ");
}

// Extension headers are named, not followed.
void FrameText::ipv6(Bytes ip) {
  text("IP6 ");
  if (ip.size() < kIp6Bytes) return text("[|ip6]");
  if (load_u8(&ip[0]) >> 4 != 6) return text("[bad header]");
  const std::size_t payload_bytes = load_be16(&ip[4]);
  const Bytes payload = ip.subspan(kIp6Bytes).first(std::min(payload_bytes, ip.size() - kIp6Bytes));
  source_ = ipv6_at(ip.subspan(8, 16));
  destination_ = ipv6_at(ip.subspan(24, 16));
  const std::uint8_t next_header = load_u8(&ip[6]);
  if (next_header == 6 && payload.size() >= 4) {
    ends(load_be16(&payload[0]), load_be16(&payload[2]), true);
    return tcp(payload, payload_bytes);
  }
  ends(0, 0, false);
  if (next_header == 58) return icmp6(payload, payload_bytes);
  number("ip-proto-", next_header);
  number(" ", payload_bytes);
}

void FrameText::icmp6(Bytes icmp, std::size_t whole_bytes) {
  constexpr std::uint8_t kEchoRequest = 128, kEchoReply = 129, kSolicitation = 135,
                         kAdvertisement = 136;
  if (icmp.size() < 8) return text("[|icmp6]");
  const std::uint8_t type = load_u8(&icmp[0]);
  text("ICMP6, ");
  if (type == kEchoRequest || type == kEchoReply) {
    text(type == kEchoRequest ? "echo request" : "echo reply");
    number(", id ", load_be16(&icmp[4]));
    number(", seq ", load_be16(&icmp[6]));
  } else if ((type == kSolicitation || type == kAdvertisement) && icmp.size() >= 24) {
    text(type == kSolicitation ? "neighbor solicitation, who has "
                               : "neighbor advertisement, tgt is ");
    address6(icmp.subspan(8, 16));
  } else {
    number("type-", type);
    number(", code ", load_u8(&icmp[1]));
  }
  number(", length ", whole_bytes);
}

void FrameText::icmp(Bytes icmp) {
  if (icmp.size() < 8) return text("[|icmp]");
  const std::uint8_t type = load_u8(&icmp[0]), code = load_u8(&icmp[1]);
  if (type == 8 || type == 0) {
    text(type == 8 ? "ICMP echo request" : "ICMP echo reply");
    number(", id ", load_be16(&icmp[4]));
    number(", seq ", load_be16(&icmp[6]));
  } else {
    number("ICMP type ", type);
    number(", code ", code);
  }
  number(", length ", icmp.size());
}

// `whole_bytes`: of the segment as IP's total length has it; `tcp` may be cut short.
void FrameText::tcp(Bytes tcp, std::size_t whole_bytes) {
  if (tcp.size() < kTcpBytes) return text("[|tcp]");
  const std::size_t header_bytes = std::size_t{load_u8(&tcp[12])} / 16 * 4;
  if (header_bytes < kTcpBytes) {
    number(" tcp ", whole_bytes - header_bytes);
    number(" [bad hdr length ", header_bytes);
    return text(" - too short, < 20]");
  }
  const std::uint8_t flags = load_u8(&tcp[13]);
  text("Flags [");
  text(flag_letters(flags).c_str());
  text("]");
  seq_ = load_be32(&tcp[4]);
  ack_ = load_be32(&tcp[8]);
  if (flows_ != nullptr && (flags & kAck))
    make_relative(flags, load_be16(&tcp[0]), load_be16(&tcp[2]));
  if (header_bytes > whole_bytes) {
    number(" [bad hdr length ", header_bytes);
    number(" - too long, > ", whole_bytes);
    return text("]");
  }
  tcp_sequence(tcp, whole_bytes - header_bytes);
  const Bytes options = tcp.first(std::min(header_bytes, tcp.size())).subspan(kTcpBytes);
  if (!options.empty() && !tcp_options(options)) return;
  number(", length ", whole_bytes - header_bytes);
}

void FrameText::tcp_sequence(Bytes tcp, std::size_t payload_bytes) {
  const std::uint8_t flags = load_u8(&tcp[13]);
  if (payload_bytes > 0 || (flags & (kSyn | kFin | kRst))) number(", seq ", seq_);
  if (payload_bytes > 0) number(":", seq_ + static_cast<std::uint32_t>(payload_bytes));
  if (flags & kAck) number(", ack ", ack_);
  number(", win ", load_be16(&tcp[14]));
  if (flags & kUrg) number(", urg ", load_be16(&tcp[18]));
}

// Subtracts a connection's first sequence numbers, as tcpdump does: they are those of the first
// segment with an ACK, which is itself printed absolute; a SYN-ACK begins anew.
void FrameText::make_relative(std::uint8_t flags, std::uint16_t from_port, std::uint16_t to_port) {
  const bool is_low = std::pair(from_port, source_) <= std::pair(to_port, destination_);
  const auto key = is_low ? RelativeFormatter::FlowKey{source_, destination_, from_port, to_port}
                          : RelativeFormatter::FlowKey{destination_, source_, to_port, from_port};
  if (flows_->size() >= kMostFlows && !flows_->contains(key)) flows_->clear();
  const auto [flow, is_new] = flows_->try_emplace(key);
  std::uint32_t& own_base = is_low ? flow->second.low_seq : flow->second.high_seq;
  std::uint32_t& peer_base = is_low ? flow->second.high_seq : flow->second.low_seq;
  if (is_new || (flags & kSyn)) {
    own_base = seq_;
    peer_base = ack_ - 1;
  } else {
    seq_ -= own_base;
    ack_ -= peer_base;
  }
  sack_base_ = peer_base;
}

// False at a bad option: it ends the line.
bool FrameText::tcp_options(Bytes options) {
  const char* separator = ", options [";
  while (!options.empty()) {
    text(std::exchange(separator, ","));
    const std::uint8_t kind = load_u8(&options[0]);
    const bool has_length = kind > 1;
    const std::size_t length = !has_length          ? 1
                               : options.size() < 2 ? 0
                                                    : std::size_t{load_u8(&options[1])};
    if (has_length && (length < 2 || length > options.size())) return text("[bad opt]]"), false;
    if (!tcp_option(kind, options.first(length).subspan(has_length ? 2 : 1))) break;
    options = options.subspan(length);
  }
  text("]");
  return true;
}

// False after the end-of-options option.
bool FrameText::tcp_option(std::uint8_t kind, Bytes value) {
  if (kind == 0) return text("eol"), false;
  if (kind == 1) return text("nop"), true;
  if (kind == 2 && value.size() == 2) return number("mss ", load_be16(&value[0])), true;
  if (kind == 3 && value.size() == 1) return number("wscale ", load_u8(&value[0])), true;
  if (kind == 4 && value.empty()) return text("sackOK"), true;
  if (kind == 8 && value.size() == 8) {
    number("TS val ", load_be32(&value[0]));
    number(" ecr ", load_be32(&value[4]));
    return true;
  }
  if (kind == 5 && value.size() % 8 == 0) {
    number("sack ", value.size() / 8);
    text(" ");
    for (std::size_t i = 0; i < value.size(); i += 8) {
      number("{", load_be32(&value[i]) - sack_base_);
      number(":", load_be32(&value[i + 4]) - sack_base_);
      text("}");
    }
    return true;
  }
  number("unknown-", kind);
  for (std::size_t i = 0; i < value.size(); ++i)
    hex(i == 0 ? " 0x%02x" : "%02x", load_u8(&value[i]));
  return true;
}

std::string format_frame(std::span<const std::byte> frame) {
  return FrameText(nullptr).ethernet(frame);
}

std::string RelativeFormatter::operator()(std::span<const std::byte> frame) {
  return FrameText(&flows_).ethernet(frame);
}

}  // namespace tern
