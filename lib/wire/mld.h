// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "tern/time.h"
#include "wire/icmpv6.h"

namespace tern::wire {

/// How a report says that a group is listened to, whoever sends to it (RFC 3810 5.2.12): as it is,
/// or because that is new.
enum class ListenerRecord : std::uint8_t { kIsExclude = 2, kChangeToExclude = 4 };

/// A router, or a switch that acts as one, wants to know who listens to what.
struct ListenerQuery {
  bool version1 = false;               // RFC 2710: wants the reports of that
  std::optional<Ipv6Address> group{};  // nothing: all groups
  Duration response_time{};            // to be answered after a random part of this
};

/// The Hop-by-Hop Options header with a Router Alert for MLD that each report carries (RFC 2711,
/// RFC 3810 5), without which a router would not look at it: 8 bytes.
inline constexpr std::size_t kRouterAlertBytes = 8;
void write_router_alert(std::byte* out, std::uint8_t next_header);

/// Nothing unless `packet` is a query by RFC 3810 6.2 (hop limit 1, from a link-local address) with
/// a right checksum and of a version's length (8.1). That it carries a router alert is not checked.
std::optional<ListenerQuery> parse_listener_query(const Icmpv6Packet& packet);

/// The length of a report on so many groups.
constexpr std::size_t listener_report_bytes(std::size_t groups) { return 8 + 20 * groups; }

/// Writes listener_report_bytes(groups.size()), from `source` to all routers that listen for it.
void write_listener_report(std::byte* out, const Ipv6Address& source,
                           std::span<const Ipv6Address> groups, ListenerRecord record);

/// RFC 2710's report on one group, sent to the group itself: 24 bytes.
inline constexpr std::size_t kListenerReport1Bytes = 24;
void write_listener_report1(std::byte* out, const Ipv6Address& source, const Ipv6Address& group);

}  // namespace tern::wire
