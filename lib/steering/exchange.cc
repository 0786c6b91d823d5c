// SPDX-License-Identifier: BSD-3-Clause
#include "steering/exchange.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace tern::steering {
namespace {

// Two bytes each; misses in it cost a pass, no more.
std::size_t directory_entries(std::uint64_t connections) {
  return std::bit_ceil(std::clamp<std::uint64_t>(2 * connections, 1 << 10, 1 << 20));
}

}  // namespace

Exchange::Exchange(HomeMap homes, std::uint64_t connections)
    : homes_(std::move(homes)), directory_(directory_entries(connections)) {
  for (auto& entry : directory_) entry.store(kNobody, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < std::uint32_t{workers()} * workers(); ++i)
    lanes_.push_back(i / workers() == i % workers() ? nullptr : std::make_unique<Lane>());
}

std::size_t Exchange::frames_under_way() const {
  std::size_t count = 0;
  for (const auto& lane : lanes_) count += lane ? lane->frames.size() : 0;
  return count;
}

}  // namespace tern::steering
