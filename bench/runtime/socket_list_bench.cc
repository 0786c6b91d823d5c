// SPDX-License-Identifier: BSD-3-Clause
// What tern-ss costs the worker whose sockets it lists, again and again and as fast as it may:
// echoes on all of them while pages are taken at SocketPager's pace, against the same without, in
// turns of some milliseconds, in CPU time of the worker's thread. The pages are taken by the worker
// as it takes them for others; who asks, and what becomes of a page, costs another core.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <vector>

#include "base/prng.h"
#include "runtime/mailbox.h"
#include "runtime/socket_pager.h"
#include "support/tcp_script.h"

namespace tern::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSocketsPerPage = 80;
constexpr std::uint64_t kEchoesPerSlice = 20'000;

std::chrono::duration<double> cpu_time() {
  std::timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

class Worker {
 public:
  explicit Worker(std::uint32_t connections) : script_(connections, echo_), order_(connections) {
    script_.establish_all();
    std::iota(order_.begin(), order_.end(), 0);
    Prng prng(1);
    for (std::size_t i = order_.size(); i > 1; --i)
      std::swap(order_[i - 1], order_[prng.below(static_cast<std::uint32_t>(i))]);
    mailbox_.open();
    page_.reserve(kSocketsPerPage);
  }
  ~Worker() { mailbox_.close(); }

  /// Seconds of CPU time for some echoes, without or with somebody who lists.
  double slice(bool listed) {
    const auto begin = cpu_time();
    for (std::uint64_t echoes = 0; echoes < kEchoesPerSlice; echoes += kBurst) {
      echo_burst();
      if (pager_.ready() <= SocketPager::Clock::now() && listed) take_page();
    }
    return (cpu_time() - begin).count();
  }
  std::uint64_t sockets() const { return sockets_; }

 private:
  using SocketPager = runtime::SocketPager;

  void echo_burst() {
    for (std::size_t i = 0; i < kBurst; ++i) {
      Peer& peer = script_.peers()[order_[next_]];
      script_.send(peer, kAck | kPsh, kPayloadBytes);
      peer.ack += kPayloadBytes;
      next_ = next_ + 1 == order_.size() ? 0 : next_ + 1;
    }
    script_.poll();
    if (script_.port().sent().size() < kBurst) std::abort();
    script_.port().clear_sent();
  }

  void take_page() {
    page_.clear();
    pager_.next(position_, kSocketsPerPage, page_, 1s);
    sockets_ += page_.size();
  }

  Echo echo_;
  TcpScript script_;
  std::vector<std::uint32_t> order_;
  std::size_t next_ = 0;
  runtime::Mailbox mailbox_;
  SocketPager pager_{mailbox_, script_.stack()};
  std::vector<ConnectionInfo> page_;
  std::uint64_t position_ = 0, sockets_ = 0;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void BM_EchoBesideAList(benchmark::State& state) {
  Worker worker(static_cast<std::uint32_t>(state.range(0)));
  worker.slice(false);
  std::vector<double> ratios, alone;
  double listed_time = 0;
  for (auto _ : state) {
    // Without, with, with, without: what drifts meanwhile cancels out.
    const double before = worker.slice(false);
    const double with = worker.slice(true) + worker.slice(true);
    const double without = before + worker.slice(false);
    listed_time += with;
    ratios.push_back(without / with);
    alone.push_back(without / 2);
  }
  state.counters["kept"] = median(ratios);
  state.counters["echoes_per_s"] = kEchoesPerSlice / median(alone);
  state.counters["listed_per_s"] = static_cast<double>(worker.sockets()) / listed_time;
}

BENCHMARK(BM_EchoBesideAList)
    ->Arg(1'000)
    ->Arg(1'000'000)
    ->Iterations(200)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tern::bench
