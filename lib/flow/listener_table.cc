// SPDX-License-Identifier: BSD-3-Clause
#include "flow/listener_table.h"

#include <algorithm>

namespace tern::flow {

ListenerTable::ListenerTable(std::uint32_t max_listeners) : max_listeners_(max_listeners) {
  listeners_.reserve(max_listeners);
}

bool ListenerTable::insert(std::uint32_t address, std::uint16_t port, std::uint32_t listener) {
  TERN_ASSERT(listener != kNoIndex);
  if (size() == max_listeners_) return false;
  if (!listeners_.try_emplace(key(address, port), listener).second) return false;
  if (!is_wildcard(address)) ++exact_count_;
  ports_.set(port);
  return true;
}

bool ListenerTable::erase(std::uint32_t address, std::uint16_t port) {
  if (listeners_.erase(key(address, port)) == 0) return false;
  if (!is_wildcard(address)) --exact_count_;
  const bool others_listen = std::ranges::any_of(
      listeners_, [port](const auto& entry) { return (entry.first & 0xffff) == port; });
  ports_.set(port, others_listen);
  return true;
}

}  // namespace tern::flow
