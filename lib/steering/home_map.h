// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <vector>

#include "base/siphash.h"
#include "tern/steering.h"

namespace tern::steering {

/// How a device spreads received TCP packets over its queues, as read back from it: the Toeplitz
/// hash under `key`, modulo the size of the redirection table, gives the table's entry, which is
/// the queue.
struct RssSettings {
  std::vector<std::uint8_t> key;    ///< at least 16 bytes for IPv4, 40 for IPv6
  std::vector<std::uint16_t> reta;  ///< a power of two of entries
  bool hashes_ipv6 = true;          ///< else IPv6 is spread in a way that is not known
};

/// Which worker a flow lives at when nothing else is known of it, the same for every worker: where
/// the device puts the flow's packets, if it says, else a keyed hash. Immutable; any thread.
class HomeMap {
 public:
  /// A keyed hash spreads the flows over `workers`. The key must serve nothing else.
  HomeMap(const SipKey& key, std::uint16_t workers) : key_(key), workers_(workers) {}
  /// The device does, by its settings, over as many queues as there are workers.
  HomeMap(const SipKey& key, std::uint16_t workers, RssSettings rss)
      : key_(key), workers_(workers), rss_(std::move(rss)) {}

  std::uint16_t home_of(const Flow& flow) const;

  /// A keyed hash of the flow, whatever the device does.
  std::uint32_t hash_of(const Flow& flow) const;

  bool device_steers() const { return !rss_.reta.empty(); }  ///< IPv4
  std::uint16_t workers() const { return workers_; }

 private:
  std::uint32_t rss_hash_of(const Flow& flow) const;

  SipKey key_;
  std::uint16_t workers_;
  RssSettings rss_;
};

}  // namespace tern::steering
