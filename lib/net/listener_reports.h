// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/siphash.h"
#include "net/nd_sender.h"
#include "net/own_addresses6.h"
#include "tern/time.h"
#include "wire/mld.h"

namespace tern::net {

/// Tells the link which groups this host listens to: the solicited-node groups of its addresses
/// (RFC 3810; without it a switch that snoops on reports would not let the solicitations through).
/// At the start, a second later again (RFC 3810 9.1, 9.11), and when a router asks. All nodes'
/// group needs no report.
class ListenerReports {
 public:
  static constexpr Duration kUnsolicitedInterval = std::chrono::seconds(1);

  /// `key`: for the random part of the time to answer in.
  ListenerReports(const OwnAddresses6& own, NdSender& sender, const SipKey& key)
      : own_(own), sender_(sender), key_(key) {}

  /// Reports now and once more.
  void start(Instant now);

  /// A query: is answered later, once for all queries until then.
  void receive(const wire::ListenerQuery& query, Instant now);

  std::size_t expire(Instant now);
  Instant next_deadline() const { return deadline_; }

 private:
  std::span<const Ipv6Address> groups(std::array<Ipv6Address, 2>& into) const;
  void report(wire::ListenerRecord record);

  const OwnAddresses6& own_;
  NdSender& sender_;
  const SipKey key_;
  std::uint64_t answers_ = 0;
  bool repeats_ = false;   // what is due is the second report of the start
  bool version1_ = false;  // a router of that version has asked
  Instant deadline_ = kNever;
};

}  // namespace tern::net
