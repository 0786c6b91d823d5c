// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "tern/address.h"

namespace tern::wire {

inline constexpr std::size_t kIpv6HeaderBytes = 40;

inline Ipv6Address load_ipv6(const std::byte* p) {
  std::array<std::uint8_t, 16> octets;
  std::memcpy(octets.data(), p, octets.size());
  return Ipv6Address(octets);
}

inline void store_ipv6(std::byte* p, const Ipv6Address& address) {
  std::memcpy(p, address.octets().data(), address.octets().size());
}

/// Bytes that claim to be an IPv6 header (RFC 8200 3), without its extension headers.
class Ipv6View {
 public:
  explicit Ipv6View(std::span<const std::byte, kIpv6HeaderBytes> bytes) : p_(bytes.data()) {}

  std::uint8_t version() const { return load_u8(p_) >> 4; }
  std::uint8_t traffic_class() const { return static_cast<std::uint8_t>(load_be16(p_) >> 4); }
  std::uint32_t flow_label() const { return load_be32(p_) & 0xfffff; }
  std::uint16_t payload_bytes() const { return load_be16(p_ + 4); }
  std::uint8_t next_header() const { return load_u8(p_ + 6); }
  std::uint8_t hop_limit() const { return load_u8(p_ + 7); }
  Ipv6Address source() const { return load_ipv6(p_ + 8); }
  Ipv6Address destination() const { return load_ipv6(p_ + 24); }

 private:
  const std::byte* p_;
};

/// A valid fixed header: its payload_bytes lie within the bytes that it was parsed from.
struct Ipv6Header {
  Ipv6Address source{};
  Ipv6Address destination{};
  std::uint32_t flow_label = 0;  // 20 bits
  std::uint16_t payload_bytes = 0;
  std::uint8_t traffic_class = 0;
  std::uint8_t next_header = 0;  // an extension header or the upper layer
  std::uint8_t hop_limit = 64;
  friend bool operator==(const Ipv6Header&, const Ipv6Header&) = default;
};

/// Nothing if `packet` (what follows the Ethernet header, padding included) is too short for the
/// header or for the payload that it claims, or is not version 6. A jumbogram (RFC 2675) claims 0
/// bytes and so has no payload here.
inline std::optional<Ipv6Header> parse_ipv6(std::span<const std::byte> packet) {
  if (packet.size() < kIpv6HeaderBytes) return std::nullopt;
  const Ipv6View view(packet.first<kIpv6HeaderBytes>());
  if (view.version() != 6 || view.payload_bytes() > packet.size() - kIpv6HeaderBytes) {
    return std::nullopt;
  }
  return Ipv6Header{.source = view.source(),
                    .destination = view.destination(),
                    .flow_label = view.flow_label(),
                    .payload_bytes = view.payload_bytes(),
                    .traffic_class = view.traffic_class(),
                    .next_header = view.next_header(),
                    .hop_limit = view.hop_limit()};
}

/// Writes kIpv6HeaderBytes.
inline void write_ipv6(std::byte* out, const Ipv6Header& header) {
  store_be32(out,
             6u << 28 | std::uint32_t{header.traffic_class} << 20 | (header.flow_label & 0xfffff));
  store_be16(out + 4, header.payload_bytes);
  store_u8(out + 6, header.next_header);
  store_u8(out + 7, header.hop_limit);
  store_ipv6(out + 8, header.source);
  store_ipv6(out + 24, header.destination);
}

}  // namespace tern::wire
