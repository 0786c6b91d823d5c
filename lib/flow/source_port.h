// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/siphash.h"
#include "flow/four_tuple.h"

namespace tern::flow {

/// Draws source ports for active opens: RFC 6056 3.3.4, algorithm 4 (double-hash port selection).
/// Towards one destination the ports go up by one, so that a port comes back as late as possible;
/// where they begin, and which of the counters they share with other destinations, is SipHash-2-4
/// of the three-tuple under a secret key. An observer of one destination learns nothing of another
/// unless the two share a counter (1 in kCounters).
/// Deterministic in the key and the calls. Thread rule: one thread.
class SourcePorts {
 public:
  /// RFC 6056 3.2 would use 1024 to 65535; Linux's range leaves the registered ports to listeners.
  static constexpr std::uint16_t kDefaultFirst = 32768;
  static constexpr std::uint16_t kDefaultLast = 60999;

  /// Ports `first` to `last`, both included; 1 <= first <= last. The key must serve nothing else.
  explicit SourcePorts(const SipKey& key, std::uint16_t first = kDefaultFirst,
                       std::uint16_t last = kDefaultLast);

  /// The next port towards this destination for which `is_free(port)` holds; nullopt when it holds
  /// for none, which takes one call of is_free for each port of the range to find out. Of
  /// `destination` the local port does not count.
  template <class IsFree>
  std::optional<std::uint16_t> draw(const FlowName& destination, IsFree&& is_free) {
    const Place place = place_of(destination);
    std::uint16_t& counter = counters_[place.counter];
    for (std::uint32_t tries = 0; tries < port_count_; ++tries) {
      const std::uint32_t sum = place.offset + counter;
      const auto port =
          static_cast<std::uint16_t>(first_ + (sum < port_count_ ? sum : sum - port_count_));
      counter = static_cast<std::uint16_t>(counter + 1U == port_count_ ? 0 : counter + 1U);
      if (is_free(port)) return port;
    }
    return std::nullopt;
  }

  std::uint32_t port_count() const { return port_count_; }

 private:
  static constexpr std::size_t kCounters = 4096;  // 8 KB

  struct Place {
    std::uint32_t offset;  // RFC 6056's F(), in [0, port_count_)
    std::size_t counter;   // RFC 6056's G(), in [0, kCounters)
  };
  Place place_of(const FlowName& destination) const;

  SipKey key_;
  std::uint16_t first_;
  std::uint32_t port_count_;
  std::array<std::uint16_t, kCounters> counters_;  // each in [0, port_count_)
};

}  // namespace tern::flow
