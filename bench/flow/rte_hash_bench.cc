// SPDX-License-Identifier: BSD-3-Clause
// The same as connection_table_bench.cc with DPDK's own table, at the same load.
#include <benchmark/benchmark.h>
#include <rte_hash.h>

#include <array>
#include <memory>

#include "flows.h"

namespace tern::flow {
namespace {

struct Free {
  void operator()(rte_hash* hash) const { rte_hash_free(hash); }
};

std::unique_ptr<rte_hash, Free> rte_hash_of(const Flows& flows) {
  rte_hash_parameters parameters{};
  parameters.name = "flows";
  parameters.entries = static_cast<std::uint32_t>(2 * flows.records.size());
  parameters.key_len = sizeof(FourTuple4);
  std::unique_ptr<rte_hash, Free> hash(rte_hash_create(&parameters));
  for (std::uint32_t i = 0; hash != nullptr && i < flows.records.size(); ++i) {
    const auto data = reinterpret_cast<void*>(std::uintptr_t{i});
    if (rte_hash_add_key_data(hash.get(), &flows.records[i].tuple, data) != 0) hash.reset();
  }
  return hash;
}

void BM_RteHashBulk(benchmark::State& state) {
  Flows flows(static_cast<std::uint32_t>(state.range(0)));
  const auto hash = rte_hash_of(flows);
  if (hash == nullptr) return state.SkipWithError("rte_hash does not fit; give EAL more memory");
  std::array<const void*, kBurst> keys;
  std::array<void*, kBurst> data;
  const auto index_of = [](void* d) {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(d));
  };
  for (auto _ : state) {
    const auto burst = flows.next_burst();
    for (std::size_t i = 0; i < kBurst; ++i) keys[i] = &burst[i];
    std::uint64_t hits = 0;
    rte_hash_lookup_bulk_data(hash.get(), keys.data(), kBurst, &hits, data.data());
    for (void* d : data) flows.prefetch(index_of(d));
    for (void* d : data) flows.touch(index_of(d));
  }
  report_per_packet(state);
}
BENCHMARK(BM_RteHashBulk)->Apply(sizes);

}  // namespace
}  // namespace tern::flow
