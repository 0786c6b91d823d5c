// SPDX-License-Identifier: BSD-3-Clause
// The same re-arming as timer_wheel_bench.cc with DPDK's timers, which lie in a skip list.
#include <benchmark/benchmark.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_timer.h>

#include <vector>

#include "deadlines.h"

namespace tern::timer {
namespace {

void on_expiry(rte_timer*, void*) {}

void BM_RteTimerReset(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Deadlines deadlines(count);
  if (rte_timer_subsystem_init() != 0) return state.SkipWithError("no timers");
  std::vector<rte_timer> timers(count);
  // An hour further off than the wheel's, so that none expires while this runs on the real clock.
  const std::uint64_t hour = rte_get_timer_hz() * 3600;
  const std::uint64_t tick = rte_get_timer_hz() / 10000;
  const auto arm = [&](std::uint32_t id) {
    rte_timer_reset(&timers[id], hour + deadlines.next_delay_ticks() * tick, SINGLE, rte_lcore_id(),
                    on_expiry, nullptr);
  };
  for (rte_timer& timer : timers) rte_timer_init(&timer);
  for (std::uint32_t id = 0; id < count; ++id) arm(id);
  for (auto _ : state) arm(deadlines.next_id());
  for (rte_timer& timer : timers) rte_timer_stop(&timer);
  rte_timer_subsystem_finalize();
}
BENCHMARK(BM_RteTimerReset)->Apply(sizes);

}  // namespace
}  // namespace tern::timer
