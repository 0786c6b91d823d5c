// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "base/prng.h"

namespace tern::timer {

/// Random ids and delays, drawn beforehand so that drawing them is not measured.
class Deadlines {
 public:
  explicit Deadlines(std::uint32_t count) {
    Prng rng(count);
    for (auto& draw : draws_) draw = {rng.below(count), 2000 + rng.below(10000)};
  }
  std::uint32_t next_id() { return draws_[++position_ % kDraws].id; }
  /// Of the id that was drawn last; 0.2 to 1.2 s in ticks of 100 us.
  std::uint32_t next_delay_ticks() { return draws_[position_++ % kDraws].delay_ticks; }

 private:
  struct Draw {
    std::uint32_t id;
    std::uint32_t delay_ticks;
  };
  static constexpr std::size_t kDraws = 1 << 21;
  std::vector<Draw> draws_ = std::vector<Draw>(kDraws);
  std::size_t position_ = 0;
};

inline void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1000)->Arg(64000)->Arg(1000000);
}

}  // namespace tern::timer
