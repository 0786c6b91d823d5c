// SPDX-License-Identifier: BSD-3-Clause
// What it costs to move a random connection's deadline while so many are pending, and to let time
// pass. Deadlines lie 0.2 to 1.2 s ahead, as retransmission timeouts do.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/prng.h"
#include "base/zeroed_array.h"
#include "deadlines.h"
#include "timer/timer_wheel.h"

namespace tern::timer {
namespace {

TimerWheel full_wheel(std::uint32_t count, Deadlines& deadlines) {
  TimerWheel wheel(count, 0);
  for (std::uint32_t id = 0; id < count; ++id) wheel.arm(id, deadlines.next_delay_ticks());
  return wheel;
}

// Every re-arm relinks the node. Time goes on by a tick for each, as it would under load.
void BM_WheelReArm(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Deadlines deadlines(count);
  TimerWheel wheel = full_wheel(count, deadlines);
  Tick now = 0;
  for (auto _ : state) wheel.arm(deadlines.next_id(), now++ % 1024 + deadlines.next_delay_ticks());
}
BENCHMARK(BM_WheelReArm)->Apply(sizes);

void BM_WheelCancelAndArm(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Deadlines deadlines(count);
  TimerWheel wheel = full_wheel(count, deadlines);
  for (auto _ : state) {
    const std::uint32_t id = deadlines.next_id();
    wheel.cancel(id);
    wheel.arm(id, deadlines.next_delay_ticks());
  }
}
BENCHMARK(BM_WheelCancelAndArm)->Apply(sizes);

// The lazy way: the deadline goes into the connection's own record, and the wheel only hears of it
// when it is earlier than what is armed, which it is not.
void BM_WheelLazyStore(benchmark::State& state) {
  struct alignas(64) Line {
    Tick deadline;
    Tick armed;
  };
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Deadlines deadlines(count);
  TimerWheel wheel = full_wheel(count, deadlines);
  ZeroedArray<Line> lines(count);
  for (auto _ : state) {
    const std::uint32_t id = deadlines.next_id();
    Line& line = lines[id];
    line.deadline = deadlines.next_delay_ticks();
    if (is_after(line.armed, line.deadline)) wheel.arm(id, line.deadline);
  }
}
BENCHMARK(BM_WheelLazyStore)->Apply(sizes);

// Each timer that fires is armed again, so that as many stay pending. One advance to each tick.
void BM_WheelAdvance(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Deadlines deadlines(count);
  TimerWheel wheel = full_wheel(count, deadlines);
  Tick now = 0;
  std::size_t fired = 0;
  for (auto _ : state) {
    ++now;
    fired += wheel.advance(now, SIZE_MAX, [&](std::uint32_t id) {
      wheel.arm(id, now + deadlines.next_delay_ticks());
    });
  }
  state.counters["fired/advance"] =
      benchmark::Counter(static_cast<double>(fired), benchmark::Counter::kAvgIterations);
  state.counters["s/fired"] = benchmark::Counter(
      static_cast<double>(fired), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_WheelAdvance)->Apply(sizes);

// Nothing is due: what a poll pays in which no tick has passed.
void BM_WheelAdvanceIdle(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Deadlines deadlines(count);
  TimerWheel wheel = full_wheel(count, deadlines);
  for (auto _ : state) benchmark::DoNotOptimize(wheel.advance(0, 64, [](std::uint32_t) {}));
}
BENCHMARK(BM_WheelAdvanceIdle)->Apply(sizes);

}  // namespace
}  // namespace tern::timer
