// SPDX-License-Identifier: BSD-3-Clause
// What a request costs the whole engine, from the received frame to the one sent: the port below is
// next to free, and the client a script (support/tcp_script.h). BM_ScriptAlone is the client's
// part, to be subtracted.
#include <benchmark/benchmark.h>

#include <array>
#include <numeric>
#include <vector>

#include "base/prng.h"
#include "support/tcp_script.h"

namespace tern::bench {
namespace {

std::vector<std::uint32_t> shuffled(std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  Prng prng(1);
  for (std::size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[prng.below(static_cast<std::uint32_t>(i))]);
  return order;
}

// A 64-byte request in, its echo out, which carries the ACK; the next request acknowledges the
// echo. Connections take turns in random order, so each is as cold as their number makes it.
void BM_Echo(benchmark::State& state) {
  Echo echo;
  TcpScript script(static_cast<std::uint32_t>(state.range(0)), echo);
  script.establish_all();
  const std::vector<std::uint32_t> order = shuffled(script.peers().size());
  const std::size_t burst = std::min(kBurst, order.size());
  std::size_t next = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < burst; ++i) {
      script.send(script.peers()[order[next]], kAck | kPsh, kPayloadBytes);
      script.peers()[order[next]].ack += kPayloadBytes;
      next = next + 1 == order.size() ? 0 : next + 1;
    }
    // The ACK of this request's echo rides on the next request.
    script.poll();
    if (script.port().sent().size() < burst) return state.SkipWithError("a request was not echoed");
    script.port().clear_sent();
  }
  if (script.counters().rx_slow > 2 * order.size()) state.SkipWithError("off the predicted path");
  state.SetItemsProcessed(static_cast<std::int64_t>(burst) * state.iterations());
}

void BM_ConnectRequestClose(benchmark::State& state) {
  Echo echo;
  TcpScript script(kBurst, echo);
  for (auto _ : state) script.connect_ask_close(script.peers());
  if (script.counters().closed != kBurst * static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("not every connection closed");
  state.SetItemsProcessed(static_cast<std::int64_t>(kBurst) * state.iterations());
}

// The client's part of BM_Echo: frames are made and taken back unread.
void BM_ScriptAlone(benchmark::State& state) {
  Echo echo;
  TcpScript script(kBurst, echo);
  std::array<Frame, kBurst> frames;
  for (auto _ : state) {
    for (Peer& p : script.peers()) {
      script.send(p, kAck | kPsh, kPayloadBytes);
      p.ack += kPayloadBytes;
    }
    script.port().release({frames.data(), script.port().receive(frames)});
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kBurst) * state.iterations());
}

BENCHMARK(BM_ScriptAlone);
BENCHMARK(BM_Echo)->Arg(1)->Arg(64)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(BM_ConnectRequestClose);

}  // namespace
}  // namespace tern::bench
