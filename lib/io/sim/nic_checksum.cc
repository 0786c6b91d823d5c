// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/nic_checksum.h"

#include "base/bytes.h"
#include "tern/port.h"

namespace tern::io {
namespace {

constexpr std::size_t kEthernetBytes = 14, kVlanTagBytes = 4;
constexpr std::size_t kMinIpBytes = 20;
constexpr std::size_t kIp6Bytes = 40;
constexpr std::size_t kMinTcpBytes = 20;
constexpr std::size_t kTcpChecksumOffset = 16;
constexpr std::uint8_t kProtocolTcp = 6;

// RFC 1071: the ones' complement sum, folded, not inverted.
std::uint16_t ones_sum(std::span<const std::byte> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{load_u8(&bytes[i])} << 8 : load_u8(&bytes[i]);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

bool is_v6(std::span<const std::byte> ip) { return load_u8(&ip[0]) >> 4 == 6; }

std::uint16_t pseudo_header_sum(std::span<const std::byte> ip, std::size_t tcp_bytes) {
  const auto addresses = is_v6(ip) ? ip.subspan(8, 32) : ip.subspan(12, 8);
  return ones_sum(addresses, static_cast<std::uint32_t>(kProtocolTcp + tcp_bytes));
}

struct Headers {
  std::span<const std::byte> ip_header;
  std::span<const std::byte> tcp;  // header and payload; empty if this is not whole TCP
};

// The same for IPv6; a device looks behind no extension headers.
Headers find_headers6(std::span<const std::byte> ip) {
  const std::size_t payload_bytes = load_be16(&ip[4]);
  if (!is_v6(ip) || payload_bytes > ip.size() - kIp6Bytes) return {};
  Headers found{.ip_header = ip.first(kIp6Bytes), .tcp = {}};
  if (load_u8(&ip[6]) == kProtocolTcp && payload_bytes >= kMinTcpBytes)
    found.tcp = ip.subspan(kIp6Bytes, payload_bytes);
  return found;
}

// Of the link header, with a VLAN's tag if there is one.
std::size_t link_bytes(std::span<const std::byte> frame) {
  const bool is_tagged = frame.size() > kEthernetBytes + kVlanTagBytes &&
                         load_be16(&frame[kEthernetBytes - 2]) == 0x8100;
  return kEthernetBytes + (is_tagged ? kVlanTagBytes : 0);
}

// The IP datagram in a frame, or nothing in ip_header if there is none whose lengths hold.
Headers find_headers(std::span<const std::byte> frame) {
  const std::size_t link = link_bytes(frame);
  if (frame.size() < link + kMinIpBytes) return {};
  const std::uint16_t type = load_be16(&frame[link - 2]);
  const auto ip = frame.subspan(link);
  if (type == 0x86dd && ip.size() >= kIp6Bytes) return find_headers6(ip);
  if (type != 0x0800) return {};
  const std::size_t header_bytes = std::size_t{load_u8(&ip[0])} % 16 * 4;
  const std::size_t total_bytes = load_be16(&ip[2]);
  if (load_u8(&ip[0]) >> 4 != 4 || header_bytes < kMinIpBytes || total_bytes < header_bytes ||
      total_bytes > ip.size())
    return {};
  Headers found{.ip_header = ip.first(header_bytes), .tcp = {}};
  const bool fragment = (load_be16(&ip[6]) & 0x3fff) != 0;
  if (!fragment && load_u8(&ip[9]) == kProtocolTcp && total_bytes - header_bytes >= kMinTcpBytes)
    found.tcp = ip.subspan(header_bytes, total_bytes - header_bytes);
  return found;
}

}  // namespace

std::string_view complete_checksums(std::span<std::byte> frame, std::uint64_t flags,
                                    std::uint32_t metadata) {
  using namespace frame_flag;
  if (flags & kTxTcpSegmentation) return "segmentation where only checksums are completed";
  if (!(flags & (kTxIpv4 | kTxIpv6))) return "a checksum offload without kTxIpv4 or kTxIpv6";
  const Headers found = find_headers(frame);
  if (found.ip_header.empty()) return "a checksum offload on what is not IP";
  if (is_v6(found.ip_header) != ((flags & kTxIpv6) != 0))
    return "a checksum offload for the other version of IP";
  if (is_v6(found.ip_header) && (flags & kTxIpChecksum)) return "IPv6 has no header checksum";
  const auto link = static_cast<unsigned>(link_bytes(frame));
  if (metadata != tx_metadata(link, static_cast<unsigned>(found.ip_header.size())))
    return "header lengths in the metadata that are not the frame's";
  std::byte* const ip = &frame[link];
  if (flags & kTxIpChecksum) {
    store_be16(ip + 10, 0);
    store_be16(ip + 10, static_cast<std::uint16_t>(~ones_sum(found.ip_header)));
  }
  if (flags & kTxTcpChecksum) {
    if (found.tcp.empty()) return "a TCP checksum offload on what is not TCP";
    std::byte* const field = ip + found.ip_header.size() + kTcpChecksumOffset;
    if (load_be16(field) != pseudo_header_sum(found.ip_header, found.tcp.size()))
      return "a TCP checksum field that does not hold the pseudo-header sum";
    store_be16(field, static_cast<std::uint16_t>(~ones_sum(found.tcp)));
  }
  return {};
}

std::uint64_t verify_checksums(std::span<const std::byte> frame) {
  using namespace frame_flag;
  const Headers found = find_headers(frame);
  if (found.ip_header.empty()) return 0;
  std::uint64_t verdict = is_v6(found.ip_header)                ? 0
                          : ones_sum(found.ip_header) == 0xffff ? kRxIpChecksumGood
                                                                : kRxIpChecksumBad;
  if (found.tcp.empty()) return verdict;
  const std::uint16_t sum =
      ones_sum(found.tcp, pseudo_header_sum(found.ip_header, found.tcp.size()));
  return verdict | (sum == 0xffff ? kRxL4ChecksumGood : kRxL4ChecksumBad);
}

}  // namespace tern::io
