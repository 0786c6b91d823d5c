// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstring>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "tern/address.h"

// Each header of this folder comes as two types. XView reads fields out of any bytes of the right
// number that claim to be an X header; the fixed extent of its span says that the length was
// checked. X is the header as values in host byte order: parse_X gives one only if the header is
// valid, write_X makes bytes of one. Neither allocates nor keeps state.

namespace tern::wire {

inline constexpr std::size_t kEthernetHeaderBytes = 14;

/// IEEE 802.1Q: what stands between the addresses and the EtherType of a tagged frame. The tag's
/// second half is priority and VLAN; VLAN 0 is "no VLAN, only a priority", 4095 is reserved.
inline constexpr std::uint32_t kVlanTagBytes = 4;
inline constexpr std::uint16_t kVlanMask = 0xfff, kMaxVlan = 4094;

namespace ether_type {
inline constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kVlan = 0x8100, kIpv6 = 0x86dd;
}

inline MacAddress load_mac(const std::byte* p) {
  MacAddress mac;
  std::memcpy(mac.octets.data(), p, mac.octets.size());
  return mac;
}

inline void store_mac(std::byte* p, const MacAddress& mac) {
  std::memcpy(p, mac.octets.data(), mac.octets.size());
}

/// IEEE 802.3 with an EtherType; no VLAN tag.
class EthernetView {
 public:
  explicit EthernetView(std::span<const std::byte, kEthernetHeaderBytes> bytes)
      : p_(bytes.data()) {}

  MacAddress destination() const { return load_mac(p_); }
  MacAddress source() const { return load_mac(p_ + 6); }
  std::uint16_t ether_type() const { return load_be16(p_ + 12); }

 private:
  const std::byte* p_;
};

struct EthernetHeader {
  MacAddress destination{};
  MacAddress source{};
  std::uint16_t ether_type = 0;
  friend bool operator==(const EthernetHeader&, const EthernetHeader&) = default;
};

/// Nothing if `frame` is shorter than a header; any 14 bytes are one.
inline std::optional<EthernetHeader> parse_ethernet(std::span<const std::byte> frame) {
  if (frame.size() < kEthernetHeaderBytes) return std::nullopt;
  const EthernetView view(frame.first<kEthernetHeaderBytes>());
  return EthernetHeader{view.destination(), view.source(), view.ether_type()};
}

/// Writes kEthernetHeaderBytes.
inline void write_ethernet(std::byte* out, const EthernetHeader& header) {
  store_mac(out, header.destination);
  store_mac(out + 6, header.source);
  store_be16(out + 12, header.ether_type);
}

}  // namespace tern::wire
