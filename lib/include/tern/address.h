// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tern {

/// An IEEE 802 address.
struct MacAddress {
  std::array<std::uint8_t, 6> octets{};

  static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  constexpr bool is_multicast() const { return (octets[0] & 1) != 0; }  // broadcast included
  constexpr bool is_zero() const { return octets == std::array<std::uint8_t, 6>{}; }
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

/// An IPv4 address, kept in host byte order.
class Ipv4Address {
 public:
  constexpr Ipv4Address() = default;
  explicit constexpr Ipv4Address(std::uint32_t host_order) : value_(host_order) {}
  constexpr Ipv4Address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d)
      : value_(std::uint32_t{a} << 24 | std::uint32_t{b} << 16 | std::uint32_t{c} << 8 | d) {}

  /// Dotted quad, e.g. "10.0.2.2"; nothing else is accepted.
  static std::optional<Ipv4Address> parse(std::string_view text);

  constexpr std::uint32_t value() const { return value_; }
  constexpr bool is_unspecified() const { return value_ == 0; }
  constexpr bool is_multicast() const { return value_ >> 28 == 0xe; }
  constexpr bool is_broadcast() const { return value_ == 0xffffffff; }
  constexpr bool is_loopback() const { return value_ >> 24 == 127; }
  /// 240.0.0.0/4, which is no host's (RFC 1112 4), the broadcast address included.
  constexpr bool is_reserved() const { return value_ >> 28 == 0xf; }
  friend constexpr auto operator<=>(Ipv4Address, Ipv4Address) = default;

 private:
  std::uint32_t value_ = 0;
};

/// An IPv6 address, in network byte order as on the wire.
class Ipv6Address {
 public:
  constexpr Ipv6Address() = default;
  explicit constexpr Ipv6Address(const std::array<std::uint8_t, 16>& octets) : octets_(octets) {}

  /// RFC 4291 text form, e.g. "fd00::2"; no zone.
  static std::optional<Ipv6Address> parse(std::string_view text);

  constexpr const std::array<std::uint8_t, 16>& octets() const { return octets_; }
  constexpr bool is_unspecified() const { return octets_ == std::array<std::uint8_t, 16>{}; }
  constexpr bool is_multicast() const { return octets_[0] == 0xff; }
  constexpr bool is_loopback() const { return starts_with_zeros(15) && octets_[15] == 1; }
  /// fe80::/10: means something on its own link only (RFC 4291 2.5.6).
  constexpr bool is_link_local() const { return octets_[0] == 0xfe && (octets_[1] & 0xc0) == 0x80; }
  /// ::ffff:0:0/96: IPv4 in IPv6's clothes, never on the wire (RFC 4291 2.5.5.2).
  constexpr bool is_v4_mapped() const {
    return starts_with_zeros(10) && octets_[10] == 0xff && octets_[11] == 0xff;
  }
  friend constexpr auto operator<=>(const Ipv6Address&, const Ipv6Address&) = default;

 private:
  constexpr bool starts_with_zeros(std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i)
      if (octets_[i] != 0) return false;
    return true;
  }

  std::array<std::uint8_t, 16> octets_{};
};

/// An address of either family: the form the API and the control plane speak. The data path works
/// on the family's own type, so that IPv4 does not pay for IPv6.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  constexpr IpAddress(Ipv4Address a) : v4_(a) {}  // NOLINT: implicit by design
  constexpr IpAddress(const Ipv6Address& a)
      : v6_(a), is_v4_(false) {}  // NOLINT: implicit by design

  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v4() const { return is_v4_; }
  constexpr Ipv4Address v4() const { return v4_; }         // meaningful if is_v4()
  constexpr const Ipv6Address& v6() const { return v6_; }  // meaningful if !is_v4()
  constexpr bool is_unspecified() const {
    return is_v4_ ? v4_.is_unspecified() : v6_.is_unspecified();
  }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Ipv6Address v6_;
  Ipv4Address v4_;
  bool is_v4_ = true;
};

/// One end of a connection.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// An interface's address with the length of its on-link prefix, e.g. 10.0.2.2/24.
struct Ipv4Prefix {
  Ipv4Address address;
  std::uint8_t length = 24;

  /// "A.B.C.D/N", 0 <= N <= 32; the length may not be left out.
  static std::optional<Ipv4Prefix> parse(std::string_view text);

  constexpr std::uint32_t mask() const {
    return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
  }
  constexpr bool contains(Ipv4Address a) const {
    return ((a.value() ^ address.value()) & mask()) == 0;
  }
  /// The subnet's directed broadcast; a /31 or /32 has none (RFC 3021) and answers 255.255.255.255.
  constexpr Ipv4Address broadcast() const {
    return length >= 31 ? Ipv4Address(0xffffffff) : Ipv4Address(address.value() | ~mask());
  }
};

/// The same for IPv6, e.g. fd00::2/64.
struct Ipv6Prefix {
  Ipv6Address address;
  std::uint8_t length = 64;

  /// "ADDRESS/N", 0 <= N <= 128; the length may not be left out.
  static std::optional<Ipv6Prefix> parse(std::string_view text);

  constexpr bool contains(const Ipv6Address& a) const {
    for (std::size_t i = 0, bits = length; bits > 0; ++i, bits -= bits < 8 ? bits : 8) {
      const auto mask = static_cast<std::uint8_t>(bits >= 8 ? 0xff : 0xff00 >> bits);
      if (((a.octets()[i] ^ address.octets()[i]) & mask) != 0) return false;
    }
    return true;
  }
};

std::string to_string(const MacAddress& mac);       // "02:00:00:00:00:01"
std::string to_string(Ipv4Address address);         // "10.0.2.2"
std::string to_string(const Ipv6Address& address);  // RFC 5952
std::string to_string(const IpAddress& address);
std::string to_string(const Endpoint& endpoint);  // "10.0.1.2:47762", "[fd00::2]:9999"

}  // namespace tern
