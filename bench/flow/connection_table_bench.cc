// SPDX-License-Identifier: BSD-3-Clause
// Finds the flows of random arriving tuples, 32 at a time, and touches two lines of each record.
#include <absl/container/flat_hash_map.h>
#include <benchmark/benchmark.h>

#include <array>

#include "flow/connection_table.h"
#include "flow/listener_table.h"
#include "flows.h"

namespace tern::flow {
namespace {

constexpr SipKey kKey{0x243f6a8885a308d3, 0x13198a2e03707344};

ConnectionTable table_of(const Flows& flows) {
  const auto count = static_cast<std::uint32_t>(flows.records.size());
  ConnectionTable table(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!table.insert(table_hash(kKey, flows.records[i].tuple), i)) std::abort();
  }
  return table;
}

auto has_tuple(const Flows& flows, const FourTuple4& tuple) {
  return [&](std::uint32_t index) { return flows.records[index].tuple == tuple; };
}

void BM_ConnectionTableThreePasses(benchmark::State& state) {
  Flows flows(static_cast<std::uint32_t>(state.range(0)));
  const ConnectionTable table = table_of(flows);
  std::array<std::uint32_t, kBurst> hashes;
  for (auto _ : state) {
    const auto burst = flows.next_burst();
    for (std::size_t i = 0; i < kBurst; ++i) {
      hashes[i] = table_hash(kKey, burst[i]);
      table.prefetch(hashes[i]);
    }
    for (const std::uint32_t hash : hashes) {
      const std::uint32_t index = table.candidate(hash);
      if (index != kNoIndex) flows.prefetch(index);
    }
    for (std::size_t i = 0; i < kBurst; ++i)
      flows.touch(table.find(hashes[i], has_tuple(flows, burst[i])));
  }
  report_per_packet(state);
}
BENCHMARK(BM_ConnectionTableThreePasses)->Apply(sizes);

void BM_ConnectionTableOneByOne(benchmark::State& state) {
  Flows flows(static_cast<std::uint32_t>(state.range(0)));
  const ConnectionTable table = table_of(flows);
  for (auto _ : state) {
    for (const FourTuple4& tuple : flows.next_burst())
      flows.touch(table.find(table_hash(kKey, tuple), has_tuple(flows, tuple)));
  }
  report_per_packet(state);
}
BENCHMARK(BM_ConnectionTableOneByOne)->Apply(sizes);

template <typename Hash>
void find_in_absl(benchmark::State& state) {
  Flows flows(static_cast<std::uint32_t>(state.range(0)));
  absl::flat_hash_map<FourTuple4, std::uint32_t, Hash> map;
  for (std::uint32_t i = 0; i < flows.records.size(); ++i) map[flows.records[i].tuple] = i;
  std::array<std::uint32_t, kBurst> found;
  for (auto _ : state) {
    const auto burst = flows.next_burst();
    for (std::size_t i = 0; i < kBurst; ++i) {
      found[i] = map.find(burst[i])->second;
      flows.prefetch(found[i]);
    }
    for (const std::uint32_t index : found) flows.touch(index);
  }
  report_per_packet(state);
}

struct AbslHash {
  std::size_t operator()(const FourTuple4& t) const {
    return absl::HashOf(t.local_address, t.remote_address, t.local_port, t.remote_port);
  }
};
void BM_AbslFlatHashMap(benchmark::State& state) { find_in_absl<AbslHash>(state); }
BENCHMARK(BM_AbslFlatHashMap)->Apply(sizes);

struct KeyedHash {
  std::size_t operator()(const FourTuple4& t) const {
    SipHasher<1, 3> hasher(kKey);
    hasher.add(std::uint64_t{t.local_address} << 32 | t.remote_address);
    hasher.add(std::uint64_t{t.local_port} << 16 | t.remote_port);
    return hasher.finish();
  }
};
void BM_AbslFlatHashMapKeyed(benchmark::State& state) { find_in_absl<KeyedHash>(state); }
BENCHMARK(BM_AbslFlatHashMapKeyed)->Apply(sizes);

// A connection comes and another goes, at full capacity.
void BM_ConnectionTableEraseInsert(benchmark::State& state) {
  Flows flows(static_cast<std::uint32_t>(state.range(0)));
  ConnectionTable table = table_of(flows);
  Prng rng(1);
  for (auto _ : state) {
    const std::uint32_t index = rng.below(static_cast<std::uint32_t>(flows.records.size()));
    FourTuple4& tuple = flows.records[index].tuple;
    table.erase(table_hash(kKey, tuple), index);
    tuple.remote_address = static_cast<std::uint32_t>(rng.next());
    benchmark::DoNotOptimize(table.insert(table_hash(kKey, tuple), index));
  }
}
BENCHMARK(BM_ConnectionTableEraseInsert)->Apply(sizes);

// A flood of SYNs: to a port on which a wildcard listens, and over all ports.
void BM_ListenerTableFind(benchmark::State& state) {
  ListenerTable table(64);
  table.insert(0, 80, 1);
  for (std::uint8_t i = 0; i < 8; ++i) table.insert(0x0a000200u + i, 443, i);
  Prng rng(1);
  std::uint32_t found = 0;
  for (auto _ : state) {
    const auto port = state.range(0) ? static_cast<std::uint16_t>(state.range(0))
                                     : static_cast<std::uint16_t>(rng.next());
    found += table.find(0x0a000202, port);
  }
  benchmark::DoNotOptimize(found);
}
BENCHMARK(BM_ListenerTableFind)->ArgName("port")->Arg(80)->Arg(443)->Arg(0);

}  // namespace
}  // namespace tern::flow
