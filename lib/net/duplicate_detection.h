// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

#include "net/nd_sender.h"
#include "net/own_addresses6.h"
#include "tern/stats.h"
#include "tern/time.h"

namespace tern::net {

/// Asks the link whether somebody has an own address already, before it is used (RFC 4862 5.4): so
/// many solicitations, a second apart, and a second of silence after the last. Then it announces
/// what is left of them.
class DuplicateDetection {
 public:
  static constexpr Duration kRetransmitTime = std::chrono::seconds(1);  // RFC 4861 10

  /// `transmits`: RFC 4862's DupAddrDetectTransmits; 0 = every address may be used at once.
  DuplicateDetection(OwnAddresses6& own, NdSender& sender, Counters& counters, unsigned transmits)
      : own_(own), sender_(sender), counters_(counters), transmits_(transmits) {}

  /// Whether anybody is asked at all.
  bool has_probes() const { return transmits_ > 0; }

  /// Begins. Once.
  void start(Instant now);

  /// Another host has said, or asked for itself, that it has an own address of ours.
  void on_conflict(const Ipv6Address& address);

  /// True when it has just come to an end.
  bool expire(Instant now);
  Instant next_deadline() const { return deadline_; }

 private:
  void finish();

  OwnAddresses6& own_;
  NdSender& sender_;
  Counters& counters_;
  const unsigned transmits_;
  unsigned sent_ = 0;
  Instant deadline_ = kNever;
};

}  // namespace tern::net
