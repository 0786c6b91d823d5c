// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>

#include "base/bytes.h"
#include "tern/stats.h"
#include "wire/checksum.h"

namespace tern::wire {

inline constexpr std::size_t kIpv4HeaderBytes = 20;
inline constexpr std::size_t kIpv4ChecksumOffset = 10;

namespace ip_protocol {
inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kIcmpv6 = 58;
}

/// The option types that end a packet here: loose and strict source route (RFC 791 3.1).
namespace ipv4_option {
inline constexpr std::uint8_t kEnd = 0, kNop = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
}

/// Bytes that claim to be an IPv4 header (RFC 791 3.1), its first 20. Also what an ICMP error
/// quotes.
class Ipv4View {
 public:
  explicit Ipv4View(std::span<const std::byte, kIpv4HeaderBytes> bytes) : p_(bytes.data()) {}

  std::uint8_t version() const { return load_u8(p_) >> 4; }
  std::size_t header_bytes() const { return (load_u8(p_) & 0x0fu) * 4u; }  // 0..60
  std::uint8_t traffic_class() const { return load_u8(p_ + 1); }           // DSCP and ECN
  std::uint16_t total_bytes() const { return load_be16(p_ + 2); }
  std::uint16_t id() const { return load_be16(p_ + 4); }
  bool dont_fragment() const { return (load_u8(p_ + 6) & 0x40) != 0; }
  /// Any part but a whole packet: MF is set, or the offset is not 0.
  bool is_fragment() const { return (load_be16(p_ + 6) & 0x3fff) != 0; }
  /// IPv4 at all, and the fixed header alone.
  bool has_no_options() const { return load_u8(p_) == 0x45; }
  /// No fragment, and its protocol's.
  bool is_whole(std::uint8_t protocol) const {
    return (load_be32(p_ + 6) & 0x3fff00ff) == protocol;
  }
  std::uint8_t ttl() const { return load_u8(p_ + 8); }
  std::uint8_t protocol() const { return load_u8(p_ + 9); }
  std::uint32_t source() const { return load_be32(p_ + 12); }
  std::uint32_t destination() const { return load_be32(p_ + 16); }
  /// Both.
  struct Addresses {
    std::uint64_t words;
    std::uint32_t source() const { return static_cast<std::uint32_t>(words >> 32); }
    std::uint32_t destination() const { return static_cast<std::uint32_t>(words); }
  };
  Addresses addresses() const { return {load_be64(p_ + 12)}; }

 private:
  const std::byte* p_;
};

/// A valid header of a whole packet. Addresses in host order, lengths in bytes:
/// 20 <= header_bytes <= total_bytes <= the bytes it was parsed from.
struct Ipv4Header {
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint16_t total_bytes = 0;
  std::uint16_t id = 0;  // 0 is right for an atomic datagram (RFC 6864 4.1)
  std::uint8_t header_bytes = kIpv4HeaderBytes;
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 64;
  std::uint8_t protocol = 0;
  bool dont_fragment = true;
  friend bool operator==(const Ipv4Header&, const Ipv4Header&) = default;
};

/// True if the options (what lies between the first 20 bytes and header_bytes) hold a source route.
/// A malformed length ends the walk: what follows is not readable, and nothing here depends on it.
bool has_source_route(std::span<const std::byte> options);

/// Parses the header at the start of `packet` (what follows the Ethernet header, padding included)
/// into `header`. kNone if it is valid; otherwise drop_truncated, _ip_header, _ip_checksum,
/// _ip_fragment or _ip_option, and `header` is unspecified. Does not judge addresses or protocol.
/// `checksum_is_good`: the device has verified the header checksum.
inline DropReason parse_ipv4(std::span<const std::byte> packet, bool checksum_is_good,
                             Ipv4Header& header) {
  if (packet.size() < kIpv4HeaderBytes) [[unlikely]]
    return DropReason::drop_truncated;
  const Ipv4View view(packet.first<kIpv4HeaderBytes>());
  const std::size_t header_bytes = view.header_bytes();
  const std::size_t total_bytes = view.total_bytes();
  if (view.version() != 4 || header_bytes < kIpv4HeaderBytes || total_bytes < header_bytes)
      [[unlikely]] {
    return DropReason::drop_ip_header;
  }
  if (total_bytes > packet.size()) [[unlikely]]
    return DropReason::drop_truncated;
  if (!checksum_is_good) {
    const std::uint32_t sum = header_bytes == kIpv4HeaderBytes
                                  ? checksum_partial_20(packet.first<kIpv4HeaderBytes>())
                                  : checksum_partial(packet.first(header_bytes));
    if (!checksum_is_valid(sum)) [[unlikely]]
      return DropReason::drop_ip_checksum;
  }
  if (view.is_fragment()) [[unlikely]]
    return DropReason::drop_ip_fragment;
  if (header_bytes > kIpv4HeaderBytes) [[unlikely]] {
    const auto options = packet.subspan(kIpv4HeaderBytes, header_bytes - kIpv4HeaderBytes);
    if (has_source_route(options)) return DropReason::drop_ip_option;
  }
  header = {.source = view.source(),
            .destination = view.destination(),
            .total_bytes = static_cast<std::uint16_t>(total_bytes),
            .id = view.id(),
            .header_bytes = static_cast<std::uint8_t>(header_bytes),
            .traffic_class = view.traffic_class(),
            .ttl = view.ttl(),
            .protocol = view.protocol(),
            .dont_fragment = view.dont_fragment()};
  return DropReason::kNone;
}

/// Writes kIpv4HeaderBytes, checksum included; header.header_bytes must be 20 (no options).
void write_ipv4(std::byte* out, const Ipv4Header& header);

}  // namespace tern::wire
