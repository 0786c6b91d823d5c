// SPDX-License-Identifier: BSD-3-Clause
#include "stack/config_check.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "flow/address_book.h"
#include "net/path_mtu.h"
#include "tern/stack.h"
#include "wire/ipv6_scope.h"

namespace tern {
namespace {

constexpr std::uint32_t kMinMtu = 576;  // RFC 791: what every host must take
constexpr std::uint32_t kEthernetHeaderBytes = 14, kVlanTagBytes = 4;
constexpr std::uint16_t kMaxVlan = 4094;  // IEEE 802.1Q
constexpr std::uint32_t kMinBuffer = 4096;
constexpr std::uint32_t kMaxBuffer = 0xffffu << 14;  // RFC 7323 2.3
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kMaxReassembly = 65536;
constexpr std::uint32_t kMaxConnections = 1u << 28;

absl::Status invalid(std::string_view field, std::string_view sentence) {
  return absl::InvalidArgumentError(
      absl::StrCat(absl::string_view(field.data(), field.size()), ": ",
                   absl::string_view(sentence.data(), sentence.size())));
}

// RFC 1122 3.2.1.3: neither 0/8, nor loopback, nor a group's.
bool is_unicast(Ipv4Address a) {
  return a.value() >> 24 != 0 && !a.is_loopback() && !a.is_multicast() && !a.is_reserved();
}

absl::Status check_address(const StackConfig& config) {
  const Ipv4Address own = config.address.address;
  if (!is_unicast(own))
    return invalid(
        "address",
        to_string(own) + " cannot be an interface's address; give a unicast one, e.g. 10.0.2.2/24");
  if (config.address.length > 32) return invalid("address", "the prefix length must be 0 to 32");
  if (config.address.length < 31 && own == config.address.broadcast())
    return invalid("address", to_string(own) + " is the broadcast address of its own subnet");
  if (!config.gateway) return absl::OkStatus();
  if (!config.address.contains(*config.gateway))
    return invalid("gateway", to_string(*config.gateway) + " is not in the subnet of " +
                                  to_string(own) + "/" + std::to_string(config.address.length));
  if (*config.gateway == own) return invalid("gateway", "is the interface's own address");
  if (!is_unicast(*config.gateway) || *config.gateway == config.address.broadcast())
    return invalid("gateway", to_string(*config.gateway) + " is not a host's address");
  return absl::OkStatus();
}

// RFC 4291 2.5: what an interface can have, and a packet be sent to.
bool is_unicast6(const Ipv6Address& a) {
  return !a.is_unspecified() && !a.is_loopback() && !a.is_multicast() && !a.is_v4_mapped();
}

absl::Status check_gateway6(const StackConfig& config, const MacAddress& mac) {
  const Ipv6Address& gateway = *config.gateway6;
  if (!is_unicast6(gateway)) return invalid("gateway6", to_string(gateway) + " is no router's");
  if (gateway == config.ip6->address || gateway == wire::link_local_of(mac))
    return invalid("gateway6", "is the interface's own address");
  if (!gateway.is_link_local() && !config.ip6->contains(gateway))
    return invalid("gateway6", to_string(gateway) + " is neither link-local nor in " +
                                   to_string(config.ip6->address) + "/" +
                                   std::to_string(config.ip6->length));
  return absl::OkStatus();
}

absl::Status check_address6(const StackConfig& config, const PortInfo& port) {
  constexpr std::uint32_t kMinMtu6 = 1280;  // RFC 8200 5
  if (!config.ip6)
    return config.gateway6 ? invalid("gateway6", "needs an IPv6 address: give ip6 as well")
                           : absl::OkStatus();
  if (!is_unicast6(config.ip6->address))
    return invalid("ip6", to_string(config.ip6->address) +
                              " cannot be an interface's address; give a unicast one, e.g. "
                              "fd00::2/64");
  if (config.ip6->length > 128) return invalid("ip6", "the prefix length must be 0 to 128");
  if (port.mtu < kMinMtu6)
    return invalid("mtu", "the port's MTU is " + std::to_string(port.mtu) +
                              "; IPv6 needs at least 1280: leave out ip6");
  return config.gateway6 ? check_gateway6(config, port.mac) : absl::OkStatus();
}

// Every address has a name of its own inside, and of names there are so many.
absl::Status check_names6(const StackConfig& config) {
  const std::uint64_t room = address_book_room(config);
  if (room <= flow::AddressBook::kMaxCapacity) return absl::OkStatus();
  return invalid("max_connections",
                 "connections, TIME-WAIT records, half-open ones and neighbours are " +
                     std::to_string(room) + " together; with ip6 they must be at most " +
                     std::to_string(flow::AddressBook::kMaxCapacity) +
                     ": lower max_connections or max_time_wait");
}

absl::Status check_sizes(const StackConfig& config) {
  if (config.max_connections == 0 || config.max_connections > kMaxConnections)
    return invalid("max_connections", "must be 1 to 268435456");
  if (config.max_listeners == 0) return invalid("max_listeners", "must be at least 1");
  if (config.max_neighbours < 2) return invalid("max_neighbours", "must be at least 2");
  if (config.max_reassembly > kMaxReassembly)
    return invalid("max_reassembly", "must be at most 65536");
  if (config.max_half_open == 0) return invalid("max_half_open", "must be at least 1");
  if (config.syn_cache_entries == 0 || config.syn_cache_entries > kMaxConnections)
    return invalid("syn_cache_entries", "must be 1 to 268435456");
  if (config.tcp.max_syn_ack_retransmits > 16)
    return invalid("max_syn_ack_retransmits", "must be at most 16");
  for (const auto& [field, bytes] : {std::pair{"receive_buffer", config.tcp.receive_buffer},
                                     std::pair{"max_receive_buffer", config.tcp.max_receive_buffer},
                                     std::pair{"send_buffer", config.tcp.send_buffer}})
    if (bytes < kMinBuffer || bytes > kMaxBuffer)
      return invalid(field, "must be 4096 to 1073725440 bytes");
  if (config.tcp.send_buffer < 64 * 1024)
    return invalid("send_buffer",
                   "must be at least 65536 bytes, the largest chunk that a device can deliver");
  return absl::OkStatus();
}

absl::Status check_timers(const TcpConfig& tcp) {
  if (tcp.min_rto <= Duration::zero() || tcp.max_rto < tcp.min_rto || tcp.initial_rto < tcp.min_rto)
    return invalid("min_rto",
                   "the time-outs must satisfy 0 < min_rto <= initial_rto and min_rto <= max_rto");
  if (tcp.delayed_ack < Duration::zero() || tcp.delayed_ack >= 500ms)
    return invalid("delayed_ack", "must be less than 500 ms (RFC 9293 MUST-40)");
  if (tcp.msl <= Duration::zero() || tcp.msl > 10min)
    return invalid("msl", "must be above 0 and at most 10 minutes");
  if (tcp.path_mtu_interval > 24h) return invalid("path_mtu_interval", "must stay below a day");
  if (tcp.max_rto > 1h || tcp.connect_timeout > 24h || tcp.fin_wait_2_timeout > 24h ||
      tcp.half_close_timeout > 24h || tcp.orphan_timeout > 24h)
    return invalid("max_rto", "time-outs must stay below an hour (max_rto) or a day (the others)");
  if (tcp.keepalive_idle > 48h || tcp.keepalive_interval > 48h || tcp.user_timeout > 48h ||
      tcp.keepalive_interval <= Duration::zero() || tcp.keepalive_count > 255)
    return invalid("keepalive_idle",
                   "keepalive times and user_timeout must stay below two days, keepalive_interval "
                   "above 0, keepalive_count below 256");
  if (tcp.user_timeout_least <= Duration::zero() ||
      tcp.user_timeout_most < tcp.user_timeout_least || tcp.user_timeout_most > 48h)
    return invalid("user_timeout_least",
                   "the bounds of a peer's user time-out must satisfy 0 < user_timeout_least <= "
                   "user_timeout_most <= 48 h");
  if (tcp.fin_wait_2_timeout <= Duration::zero() || tcp.half_close_timeout <= Duration::zero() ||
      tcp.orphan_timeout <= Duration::zero())
    return invalid("orphan_timeout",
                   "the time-outs of a closed connection (fin_wait_2, half_close, orphan) must be "
                   "above 0");
  return absl::OkStatus();
}

absl::Status check_port(const StackConfig& config, const PortInfo& port) {
  if (port.mtu < kMinMtu)
    return invalid("mtu",
                   "the port's MTU is " + std::to_string(port.mtu) + "; at least 576 is needed");
  if (config.vlan > kMaxVlan) return invalid("vlan", "must be 1 to 4094, or 0 for none");
  const std::uint32_t frame_bytes =
      port.mtu + kEthernetHeaderBytes + (config.vlan != 0 ? kVlanTagBytes : 0);
  if (port.frame_capacity < frame_bytes)
    return invalid("mtu", "the port's buffers hold " + std::to_string(port.frame_capacity) +
                              " bytes, a frame needs " + std::to_string(frame_bytes));
  return absl::OkStatus();
}

}  // namespace

StackConfig with_derived_sizes(StackConfig config) {
  if (config.max_time_wait == 0)
    config.max_time_wait =
        std::max<std::uint32_t>(16384, static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                           4ull * config.max_connections, kMaxConnections)));
  config.tcp.max_receive_buffer =
      std::max(config.tcp.max_receive_buffer, config.tcp.receive_buffer);
  if (config.max_sack_senders == 0)
    config.max_sack_senders = std::max<std::uint32_t>(64, config.max_connections / 8);
  // A few KB for each connection: not all are in the middle of a transfer at once. Untouched memory
  // costs nothing.
  const std::uint64_t per_connection = std::uint64_t{config.max_connections} * 4096;
  if (config.send_memory == 0)
    config.send_memory = std::clamp(per_connection, 32 * kMiB, 1024 * kMiB);
  if (config.receive_memory == 0)
    config.receive_memory = std::clamp(per_connection, 32 * kMiB, 1024 * kMiB);
  return config;
}

std::uint64_t address_book_room(const StackConfig& c) {
  if (!c.ip6) return 0;
  return std::uint64_t{c.max_connections} + c.max_time_wait + c.syn_cache_entries +
         2 * std::uint64_t{c.max_neighbours} + net::PathMtuCache::kEntries +
         flow::AddressBook::kSpare;
}

absl::Status check_config(const StackConfig& config, const PortInfo& port) {
  for (const absl::Status& status :
       {check_address(config), check_address6(config, port), check_sizes(config),
        check_names6(config), check_timers(config.tcp), check_port(config, port)})
    if (!status.ok()) return status;
  return absl::OkStatus();
}

}  // namespace tern
