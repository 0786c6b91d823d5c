// SPDX-License-Identifier: BSD-3-Clause
#include "net/listener_reports.h"

#include <algorithm>

#include "wire/ipv6_scope.h"

namespace tern::net {

using wire::ListenerRecord;

void ListenerReports::start(Instant now) {
  report(ListenerRecord::kChangeToExclude);
  repeats_ = true;
  deadline_ = now + kUnsolicitedInterval;
}

void ListenerReports::receive(const wire::ListenerQuery& query, Instant now) {
  std::array<Ipv6Address, 2> storage;
  const auto ours = groups(storage);
  if (ours.empty() || (query.group && std::ranges::find(ours, *query.group) == ours.end())) return;
  version1_ = version1_ || query.version1;
  SipHasher<1, 3> hasher(key_);
  hasher.add(++answers_);
  const auto longest = static_cast<std::uint64_t>(query.response_time.count());
  const Duration delay(longest == 0 ? 0 : static_cast<std::int64_t>(hasher.finish() % longest));
  deadline_ = std::min(deadline_, now + delay);
}

std::size_t ListenerReports::expire(Instant now) {
  if (now < deadline_) return 0;
  deadline_ = kNever;
  report(repeats_ ? ListenerRecord::kChangeToExclude : ListenerRecord::kIsExclude);
  repeats_ = version1_ = false;
  return 1;
}

void ListenerReports::report(ListenerRecord record) {
  std::array<Ipv6Address, 2> storage;
  const auto ours = groups(storage);
  if (!ours.empty()) sender_.report(ours, record, version1_);
}

// The two addresses often end alike, and then have one group.
std::span<const Ipv6Address> ListenerReports::groups(std::array<Ipv6Address, 2>& into) const {
  std::size_t count = 0;
  for (const OwnAddresses6::Address& own : own_.all()) {
    if (own.state == OwnAddresses6::State::kDuplicate) continue;
    const Ipv6Address group = wire::solicited_node(own.address);
    if (count == 0 || into[0] != group) into[count++] = group;
  }
  return {into.data(), count};
}

}  // namespace tern::net
