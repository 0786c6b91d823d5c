// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tern {

/// The counters of one stack. Plain integers written by the stack's own thread; another thread may
/// read them and sees values that are whole and at most a poll old.
struct Counters {
#define TERN_COUNTER(name, unit, sentence) std::uint64_t name = 0;
#define TERN_DROP(name, sentence) std::uint64_t name = 0;
#include "tern/counters.def"
#undef TERN_COUNTER
#undef TERN_DROP
  /// The sum, counter by counter: of several workers, for instance.
  Counters& operator+=(const Counters& other);
};

/// Why a frame was dropped; kNone is "it was not".
enum class DropReason : std::uint8_t {
  kNone,
#define TERN_COUNTER(name, unit, sentence)
#define TERN_DROP(name, sentence) name,
#include "tern/counters.def"
#undef TERN_COUNTER
#undef TERN_DROP
};

/// One counter's declaration.
struct CounterInfo {
  std::string_view name;
  std::string_view unit;
  std::string_view sentence;
  bool is_drop;
  std::uint64_t Counters::*member;
};

/// All counters, in the order of counters.def.
std::span<const CounterInfo> counter_infos();

/// The sentence of a drop reason, and its counter.
const CounterInfo& drop_info(DropReason reason);  // reason != kNone
std::uint64_t Counters::*drop_counter(DropReason reason);
/// The reason that a counter of drops counts; kNone for the others. `info` is of counter_infos().
DropReason drop_reason(const CounterInfo& info);

}  // namespace tern
