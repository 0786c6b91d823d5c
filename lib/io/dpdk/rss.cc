// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/rss.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace tern::io {
namespace {

constexpr std::size_t kUsualKeyBytes = 40;    // for IPv6: 36 bytes of input and 4 more
constexpr std::size_t kLongestKeyBytes = 64;  // of any driver in DPDK 22.11: 52

using RetaGroups = std::vector<rte_eth_rss_reta_entry64>;

// The table in the groups of 64 that DPDK speaks of, all entries selected.
RetaGroups groups_for(std::uint16_t entries) {
  RetaGroups groups((entries + RTE_ETH_RETA_GROUP_SIZE - 1) / RTE_ETH_RETA_GROUP_SIZE);
  for (auto& group : groups) group.mask = ~std::uint64_t{0};
  return groups;
}

std::uint16_t& entry_of(RetaGroups& groups, std::uint16_t i) {
  return groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
}

// A device that takes no table has a fixed one; which, is asked afterwards.
void spread_evenly(std::uint16_t port_id, std::uint16_t entries, std::uint16_t queues) {
  RetaGroups groups = groups_for(entries);
  for (std::uint16_t i = 0; i < entries; ++i)
    entry_of(groups, i) = static_cast<std::uint16_t>(i % queues);
  rte_eth_dev_rss_reta_update(port_id, groups.data(), entries);
}

void write_key(std::uint16_t port_id, std::vector<std::uint8_t> key) {
  rte_eth_rss_conf conf{};
  if (rte_eth_dev_rss_hash_conf_get(port_id, &conf) != 0) return;  // which packets it hashes
  conf.rss_key = key.data();
  conf.rss_key_len = static_cast<std::uint8_t>(key.size());
  rte_eth_dev_rss_hash_update(port_id, &conf);
}

std::vector<std::uint16_t> read_reta(std::uint16_t port_id, std::uint16_t entries,
                                     std::uint16_t queues) {
  RetaGroups groups = groups_for(entries);
  if (rte_eth_dev_rss_reta_query(port_id, groups.data(), entries) != 0) return {};
  std::vector<std::uint16_t> reta;
  for (std::uint16_t i = 0; i < entries; ++i) reta.push_back(entry_of(groups, i));
  const bool sound = std::all_of(reta.begin(), reta.end(), [&](auto q) { return q < queues; });
  return sound ? reta : std::vector<std::uint16_t>();
}

// The key, and whether it is used for IPv6 too; no key if it is not used for IPv4.
std::pair<std::vector<std::uint8_t>, bool> read_key(std::uint16_t port_id, std::size_t bytes) {
  std::vector<std::uint8_t> key(kLongestKeyBytes);
  rte_eth_rss_conf conf{};
  conf.rss_key = key.data();
  conf.rss_key_len = static_cast<std::uint8_t>(bytes);
  if (rte_eth_dev_rss_hash_conf_get(port_id, &conf) != 0) return {};
  const bool ipv6 = (conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV6_TCP) != 0;
  if ((conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_TCP) == 0) return {};
  key.resize(bytes);
  const bool is_set = std::any_of(key.begin(), key.end(), [](auto byte) { return byte != 0; });
  return {is_set ? key : std::vector<std::uint8_t>(), ipv6};
}

}  // namespace

std::vector<std::uint8_t> make_rss_key(const SipKey& secret, std::size_t bytes) {
  std::vector<std::uint8_t> key;
  const std::size_t count = bytes == 0 ? kUsualKeyBytes : bytes;
  for (std::uint64_t i = 0; key.size() < count; ++i) {
    const std::uint64_t word = derive_key(secret, i).k0;
    for (unsigned shift = 0; shift < 64 && key.size() < count; shift += 8)
      key.push_back(static_cast<std::uint8_t>(word >> shift));
  }
  return key;
}

std::optional<DeviceRss> set_up_rss(std::uint16_t port_id, std::uint16_t queues,
                                    const SipKey& secret) {
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(port_id, &info) != 0 || !std::has_single_bit(info.reta_size))
    return std::nullopt;
  const std::size_t key_bytes = info.hash_key_size == 0 ? kUsualKeyBytes : info.hash_key_size;
  if (key_bytes < kUsualKeyBytes || key_bytes > kLongestKeyBytes) return std::nullopt;
  spread_evenly(port_id, info.reta_size, queues);
  if (secret != SipKey{}) write_key(port_id, make_rss_key(secret, key_bytes));
  const auto [key, ipv6] = read_key(port_id, key_bytes);
  DeviceRss rss{key, read_reta(port_id, info.reta_size, queues), ipv6};
  if (rss.key.empty() || rss.reta.empty()) return std::nullopt;
  return rss;
}

}  // namespace tern::io
