// SPDX-License-Identifier: BSD-3-Clause
#include <benchmark/benchmark.h>

#include <vector>

#include "base/prng.h"
#include "base/siphash.h"
#include "base/spsc_ring.h"
#include "tern/histogram.h"

namespace tern {
namespace {

// The two words of an IPv4 four-tuple; each hash feeds the next, so this is the latency.
template <int kCompress, int kFinalize>
void BM_SipHashTwoWords(benchmark::State& state) {
  const SipKey key{1, 2};
  std::uint64_t hash = 0;
  for (auto _ : state) {
    SipHasher<kCompress, kFinalize> hasher(key);
    hasher.add(hash);
    hasher.add(std::uint64_t{12} << 56);
    hash = hasher.finish();
  }
  benchmark::DoNotOptimize(hash);
}
BENCHMARK(BM_SipHashTwoWords<1, 3>);
BENCHMARK(BM_SipHashTwoWords<2, 4>);

void BM_HistogramRecord(benchmark::State& state) {
  Prng rng(1);
  std::vector<std::uint64_t> latencies(1 << 12);
  for (auto& latency : latencies) latency = 5000 + rng.below(100000);
  Histogram histogram;
  std::size_t i = 0;
  for (auto _ : state) histogram.record(latencies[i++ % latencies.size()]);
  benchmark::DoNotOptimize(histogram.max());
}
BENCHMARK(BM_HistogramRecord);

// Both ends in one thread: what the ring itself costs, without the cache line's way between cores.
void BM_SpscRingBurst(benchmark::State& state) {
  SpscRing<std::uint64_t> ring(1024);
  std::vector<std::uint64_t> burst(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    ring.push(std::span<const std::uint64_t>(burst));
    ring.pop(std::span(burst));
  }
  benchmark::DoNotOptimize(burst.data());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SpscRingBurst)->Arg(1)->Arg(32);

}  // namespace
}  // namespace tern
