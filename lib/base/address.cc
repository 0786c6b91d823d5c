// SPDX-License-Identifier: BSD-3-Clause
#include "tern/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>
#include <cstring>

namespace tern {
namespace {

// inet_pton wants a terminated string. A text that is too long, or that holds a NUL of its own, is
// no address.
template <int kFamily, std::size_t kOctets>
std::optional<std::array<std::uint8_t, kOctets>> parse_octets(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof buffer || text.find('\0') != text.npos) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  std::array<std::uint8_t, kOctets> octets;
  if (inet_pton(kFamily, buffer, octets.data()) != 1) return std::nullopt;
  return octets;
}

std::optional<std::uint8_t> parse_prefix_length(std::string_view text, std::uint8_t most) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint8_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length > most)
    return std::nullopt;
  return length;
}

template <class Prefix, class Address, std::uint8_t kMost>
std::optional<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto address = Address::parse(text.substr(0, slash));
  const auto length = parse_prefix_length(text.substr(slash + 1), kMost);
  if (!address || !length) return std::nullopt;
  return Prefix{*address, *length};
}

}  // namespace

std::optional<Ipv4Address> Ipv4Address::parse(std::string_view text) {
  const auto octets = parse_octets<AF_INET, 4>(text);
  if (!octets) return std::nullopt;
  return Ipv4Address((*octets)[0], (*octets)[1], (*octets)[2], (*octets)[3]);
}

std::optional<Ipv6Address> Ipv6Address::parse(std::string_view text) {
  const auto octets = parse_octets<AF_INET6, 16>(text);
  if (!octets) return std::nullopt;
  return Ipv6Address(*octets);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (const auto v4 = Ipv4Address::parse(text)) return IpAddress(*v4);
  if (const auto v6 = Ipv6Address::parse(text)) return IpAddress(*v6);
  return std::nullopt;
}

std::optional<Ipv4Prefix> Ipv4Prefix::parse(std::string_view text) {
  return parse_prefix<Ipv4Prefix, Ipv4Address, 32>(text);
}

std::optional<Ipv6Prefix> Ipv6Prefix::parse(std::string_view text) {
  return parse_prefix<Ipv6Prefix, Ipv6Address, 128>(text);
}

std::string to_string(const MacAddress& mac) {
  char text[sizeof "02:00:00:00:00:01"];
  const auto& o = mac.octets;
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4],
                o[5]);
  return text;
}

std::string to_string(Ipv4Address address) {
  char text[INET_ADDRSTRLEN];
  const std::uint32_t network_order = htonl(address.value());
  return inet_ntop(AF_INET, &network_order, text, sizeof text);
}

std::string to_string(const Ipv6Address& address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(AF_INET6, address.octets().data(), text, sizeof text);
}

std::string to_string(const IpAddress& address) {
  return address.is_v4() ? to_string(address.v4()) : to_string(address.v6());
}

std::string to_string(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint.address);
  const std::string port = std::to_string(endpoint.port);
  return endpoint.address.is_v4() ? address + ":" + port : "[" + address + "]:" + port;
}

}  // namespace tern
