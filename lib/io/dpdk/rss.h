// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/siphash.h"

namespace tern::io {

/// How a device spreads received TCP packets over its queues: the Toeplitz hash of the four-tuple
/// under `key`, modulo the size of `reta`, names the entry that holds the queue.
struct DeviceRss {
  std::vector<std::uint8_t> key;
  std::vector<std::uint16_t> reta;  ///< a power of two of entries
  bool hashes_ipv6 = false;         ///< TCP over IPv6 likewise
};

/// A key of `bytes` bytes (0: of the usual 40) drawn from a secret: with the drivers' well-known
/// ones a stranger could aim all his connections at one core.
std::vector<std::uint8_t> make_rss_key(const SipKey& secret, std::size_t bytes);

/// Spreads a started device's redirection table evenly over the queues, where it can be written,
/// and gives it a key (none if the secret is zero), which some drivers ignore in their
/// configuration. Reads back what the device then does. Nothing if it does not say, or hashes TCP
/// over IPv4 by anything else than the four-tuple. Thread: EAL's main one.
std::optional<DeviceRss> set_up_rss(std::uint16_t port_id, std::uint16_t queues,
                                    const SipKey& secret);

}  // namespace tern::io
