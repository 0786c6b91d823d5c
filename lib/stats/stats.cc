// SPDX-License-Identifier: BSD-3-Clause
#include "tern/stats.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace tern {
namespace {

constexpr CounterInfo kInfos[] = {
#define TERN_COUNTER(name, unit, sentence) {#name, #unit, sentence, false, &Counters::name},
#define TERN_DROP(name, sentence) {#name, "frames", sentence, true, &Counters::name},
#include "tern/counters.def"
#undef TERN_COUNTER
#undef TERN_DROP
};
constexpr std::size_t kCount = std::size(kInfos);
static_assert(sizeof(Counters) == kCount * sizeof(std::uint64_t));

constexpr std::size_t kDropCount = [] {
  std::size_t drops = 0;
  for (const CounterInfo& info : kInfos) drops += info.is_drop;
  return drops;
}();

// DropReason d stands for the d-th TERN_DROP, from 1: kDrops[d - 1] is its place in kInfos.
constexpr std::array<std::size_t, kDropCount> kDrops = [] {
  std::array<std::size_t, kDropCount> places{};
  std::size_t drops = 0;
  for (std::size_t i = 0; i < kCount; ++i)
    if (kInfos[i].is_drop) places[drops++] = i;
  return places;
}();
static_assert(kInfos[kDrops[static_cast<std::size_t>(DropReason::drop_truncated) - 1]].name ==
              "drop_truncated");

}  // namespace

Counters& Counters::operator+=(const Counters& other) {
  for (const CounterInfo& info : kInfos) this->*info.member += other.*info.member;
  return *this;
}

std::span<const CounterInfo> counter_infos() { return kInfos; }

const CounterInfo& drop_info(DropReason reason) {
  const auto number = static_cast<std::size_t>(reason);
  TERN_ASSERT(number >= 1 && number <= kDropCount);
  return kInfos[kDrops[number - 1]];
}

DropReason drop_reason(const CounterInfo& info) {
  const auto place = static_cast<std::size_t>(&info - kInfos);
  const auto found = std::find(kDrops.begin(), kDrops.end(), place);
  return found == kDrops.end() ? DropReason::kNone
                               : static_cast<DropReason>(found - kDrops.begin() + 1);
}

std::uint64_t Counters::*drop_counter(DropReason reason) { return drop_info(reason).member; }

}  // namespace tern
