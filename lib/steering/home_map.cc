// SPDX-License-Identifier: BSD-3-Clause
#include "steering/home_map.h"

#include "flow/four_tuple.h"
#include "flow/toeplitz.h"

namespace tern::steering {
namespace {

flow::FourTuple4 tuple4(const Flow& flow) {
  return {flow.local.address.v4().value(), flow.remote.address.v4().value(), flow.local.port,
          flow.remote.port};
}

flow::FourTuple6 tuple6(const Flow& flow) {
  return {flow.local.address.v6().octets(), flow.remote.address.v6().octets(), flow.local.port,
          flow.remote.port};
}

}  // namespace

std::uint16_t HomeMap::home_of(const Flow& flow) const {
  const bool is_known = device_steers() && (flow.local.address.is_v4() || rss_.hashes_ipv6);
  if (is_known) return rss_.reta[rss_hash_of(flow) & (rss_.reta.size() - 1)];
  return static_cast<std::uint16_t>(std::uint64_t{hash_of(flow)} * workers_ >> 32);
}

std::uint32_t HomeMap::hash_of(const Flow& flow) const {
  return flow.local.address.is_v4() ? flow::table_hash(key_, tuple4(flow))
                                    : flow::table_hash(key_, tuple6(flow));
}

std::uint32_t HomeMap::rss_hash_of(const Flow& flow) const {
  return flow.local.address.is_v4() ? flow::rss_hash(rss_.key, tuple4(flow))
                                    : flow::rss_hash(rss_.key, tuple6(flow));
}

}  // namespace tern::steering
