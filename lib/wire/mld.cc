// SPDX-License-Identifier: BSD-3-Clause
#include "wire/mld.h"

#include <cstring>

#include "wire/ipv6.h"
#include "wire/ipv6_scope.h"

namespace tern::wire {
namespace {

constexpr std::size_t kQuery1Bytes = 24, kQuery2Bytes = 28;
constexpr std::size_t kRecordBytes = 20;

// RFC 3810 5.1.3: from 32768 on a floating-point number.
std::uint32_t response_ms(std::uint16_t code) {
  if (code < 0x8000) return code;
  return (std::uint32_t{code & 0xfffu} | 0x1000u) << ((code >> 12 & 7) + 3);
}

}  // namespace

void write_router_alert(std::byte* out, std::uint8_t next_header) {
  store_u8(out, next_header);
  store_u8(out + 1, 0);         // 8 bytes in all
  store_be16(out + 2, 0x0502);  // Router Alert, 2 bytes:
  store_be16(out + 4, 0);       // MLD
  store_be16(out + 6, 0x0100);  // PadN of none
}

std::optional<ListenerQuery> parse_listener_query(const Icmpv6Packet& packet) {
  const auto message = packet.message;
  if (packet.hop_limit != 1 || !packet.source.is_link_local()) return std::nullopt;
  if (message.size() != kQuery1Bytes && message.size() < kQuery2Bytes) return std::nullopt;
  const auto header = parse_icmpv6(message, packet.source, packet.destination);
  if (!header || header->type != icmpv6_type::kListenerQuery) return std::nullopt;
  ListenerQuery query;
  query.version1 = message.size() == kQuery1Bytes;
  const std::uint16_t code = load_be16(message.data() + 4);
  query.response_time = std::chrono::milliseconds(query.version1 ? code : response_ms(code));
  const Ipv6Address group = load_ipv6(message.data() + 8);
  if (group.is_unspecified()) return query;
  if (!group.is_multicast()) return std::nullopt;
  query.group = group;
  return query;
}

void write_listener_report(std::byte* out, const Ipv6Address& source,
                           std::span<const Ipv6Address> groups, ListenerRecord record) {
  std::byte* p = out + kIcmpHeaderBytes;
  for (const Ipv6Address& group : groups) {
    store_be32(p, std::uint32_t{static_cast<std::uint8_t>(record)} << 24);  // and no sources
    store_ipv6(p + 4, group);
    p += kRecordBytes;
  }
  write_icmpv6(
      {out, listener_report_bytes(groups.size())}, source, ipv6_group::kAllListenerRouters,
      {.type = icmpv6_type::kListenerReport2, .rest = static_cast<std::uint32_t>(groups.size())});
}

void write_listener_report1(std::byte* out, const Ipv6Address& source, const Ipv6Address& group) {
  store_ipv6(out + 8, group);
  write_icmpv6({out, kListenerReport1Bytes}, source, group,
               {.type = icmpv6_type::kListenerReport1});
}

}  // namespace tern::wire
