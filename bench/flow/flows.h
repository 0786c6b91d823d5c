// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "base/zeroed_array.h"
#include "flow/four_tuple.h"

namespace tern::flow {

inline constexpr std::size_t kBurst = 32;

/// Stands for a TCB: a line with the tuple, and another that a segment also touches.
struct alignas(64) Record {
  FourTuple4 tuple;
  std::uint32_t segments;
  std::byte rest_of_line[48];
  std::uint64_t bytes;
  std::byte rest_of_second_line[56];
};
static_assert(sizeof(Record) == 128);

/// So many flows, and a long random sequence of arriving tuples. The sequence is read in order, as
/// a burst's parsed headers are; what it names is all over the records.
struct Flows {
  explicit Flows(std::uint32_t count) : records(count) {
    Prng rng(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      records[i].tuple = {0x0a000202, static_cast<std::uint32_t>(rng.next()), 9999,
                          static_cast<std::uint16_t>(i)};
    }
    const std::uint32_t length = std::max<std::uint32_t>(count, 1 << 16);
    for (std::uint32_t i = 0; i < length; ++i) arriving.push_back(records[rng.below(count)].tuple);
  }

  std::span<const FourTuple4, kBurst> next_burst() {
    position = position + kBurst > arriving.size() ? 0 : position;
    const std::size_t start = std::exchange(position, position + kBurst);
    return std::span<const FourTuple4, kBurst>(&arriving[start], kBurst);
  }

  void prefetch(std::uint32_t index) const {
    __builtin_prefetch(&records[index].tuple);
    __builtin_prefetch(&records[index].bytes);
  }
  void touch(std::uint32_t index) {
    ++records[index].segments;
    records[index].bytes += 64;
  }

  ZeroedArray<Record> records;
  std::vector<FourTuple4> arriving;
  std::size_t position = 0;
};

inline void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1000)->Arg(64000)->Arg(1000000);
}

inline void report_per_packet(benchmark::State& state) {
  state.counters["s/packet"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBurst,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

}  // namespace tern::flow
