// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <span>

#include "base/bytes.h"
#include "tern/address.h"
#include "wire/ethernet.h"

namespace tern::wire {

inline constexpr std::size_t kArpBytes = 28;

enum class ArpOperation : std::uint16_t { kRequest = 1, kReply = 2 };

/// Bytes that claim to be an ARP packet for IPv4 over Ethernet (RFC 826).
class ArpView {
 public:
  explicit ArpView(std::span<const std::byte, kArpBytes> bytes) : p_(bytes.data()) {}

  std::uint16_t hardware_type() const { return load_be16(p_); }
  std::uint16_t protocol_type() const { return load_be16(p_ + 2); }
  std::uint8_t hardware_bytes() const { return load_u8(p_ + 4); }
  std::uint8_t protocol_bytes() const { return load_u8(p_ + 5); }
  std::uint16_t operation() const { return load_be16(p_ + 6); }
  MacAddress sender_mac() const { return load_mac(p_ + 8); }
  std::uint32_t sender_address() const { return load_be32(p_ + 14); }
  MacAddress target_mac() const { return load_mac(p_ + 18); }
  std::uint32_t target_address() const { return load_be32(p_ + 24); }

 private:
  const std::byte* p_;
};

/// A valid request or reply. Addresses in host order. Says nothing on whether to believe it: that
/// is the neighbour table's to decide.
struct ArpPacket {
  ArpOperation operation = ArpOperation::kRequest;
  MacAddress sender_mac{};
  std::uint32_t sender_address = 0;
  MacAddress target_mac{};
  std::uint32_t target_address = 0;
  friend bool operator==(const ArpPacket&, const ArpPacket&) = default;
};

/// Nothing unless `bytes` (what follows the Ethernet header, padding included) starts with an
/// Ethernet/IPv4 request or reply.
inline std::optional<ArpPacket> parse_arp(std::span<const std::byte> bytes) {
  if (bytes.size() < kArpBytes) return std::nullopt;
  const ArpView view(bytes.first<kArpBytes>());
  if (view.hardware_type() != 1 || view.protocol_type() != ether_type::kIpv4 ||
      view.hardware_bytes() != 6 || view.protocol_bytes() != 4) {
    return std::nullopt;
  }
  if (view.operation() != 1 && view.operation() != 2) return std::nullopt;
  return ArpPacket{static_cast<ArpOperation>(view.operation()), view.sender_mac(),
                   view.sender_address(), view.target_mac(), view.target_address()};
}

/// Writes kArpBytes.
inline void write_arp(std::byte* out, const ArpPacket& packet) {
  store_be16(out, 1);
  store_be16(out + 2, ether_type::kIpv4);
  store_u8(out + 4, 6);
  store_u8(out + 5, 4);
  store_be16(out + 6, static_cast<std::uint16_t>(packet.operation));
  store_mac(out + 8, packet.sender_mac);
  store_be32(out + 14, packet.sender_address);
  store_mac(out + 18, packet.target_mac);
  store_be32(out + 24, packet.target_address);
}

}  // namespace tern::wire
