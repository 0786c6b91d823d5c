// SPDX-License-Identifier: BSD-3-Clause
// What tern-ss costs the worker whose sockets it lists: echoes on all of them with somebody who
// lists them again and again, page by page through the mailbox as telemetry does, against the same
// without, in turns. In CPU time of the worker's thread, so that what else runs on the machine does
// not count.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <numeric>
#include <thread>
#include <vector>

#include "base/prng.h"
#include "runtime/mailbox.h"
#include "runtime/socket_pager.h"
#include "runtime/telemetry_answer.h"
#include "support/tcp_script.h"

namespace tern::bench {
namespace {

using namespace std::chrono_literals;
using runtime::AnswerObject;
using runtime::Mailbox;
using runtime::SocketPager;

constexpr std::size_t kSocketsPerPage = 80;
constexpr std::uint64_t kEchoesPerSlice = 400'000;

std::chrono::duration<double> cpu_time() {
  std::timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

/// A thread that lists, while it is wanted, and makes DPDK's answer of each page.
class Lister {
 public:
  Lister(Mailbox& mailbox, const Stack& stack)
      : pager_(mailbox, stack), thread_([this] { list(); }) {}
  ~Lister() {
    ending_ = true;
    thread_.join();
  }
  void want(bool wanted) { wanted_ = wanted; }
  std::uint64_t sockets() const { return sockets_; }

 private:
  void list() {
    std::uint64_t position = 0;
    while (!ending_) {
      if (wanted_)
        take_page(position);
      else
        std::this_thread::sleep_for(1ms);
    }
  }

  void take_page(std::uint64_t& position) {
    std::vector<ConnectionInfo> page;
    pager_.next(position, kSocketsPerPage, page, 100ms);
    rte_tel_data* data = rte_tel_data_alloc();
    AnswerObject answer(data);
    for (std::size_t i = 0; i < page.size(); ++i)
      answer.add_object(std::to_string(i),
                        [&](AnswerObject& object) { add_socket(page[i], false, object); });
    rte_tel_data_free(data);
    sockets_ += page.size();
  }

  SocketPager pager_;
  std::atomic<bool> wanted_{false}, ending_{false};
  std::atomic<std::uint64_t> sockets_{0};
  std::thread thread_;
};

class Worker {
 public:
  explicit Worker(std::uint32_t connections) : script_(connections, echo_), order_(connections) {
    script_.establish_all();
    std::iota(order_.begin(), order_.end(), 0);
    Prng prng(1);
    for (std::size_t i = order_.size(); i > 1; --i)
      std::swap(order_[i - 1], order_[prng.below(static_cast<std::uint32_t>(i))]);
    mailbox_.open();
  }
  ~Worker() { mailbox_.close(); }

  /// Echoes in a second of CPU time.
  double slice() {
    const auto begin = cpu_time();
    for (std::uint64_t echoes = 0; echoes < kEchoesPerSlice; echoes += kBurst) {
      for (std::size_t i = 0; i < kBurst; ++i) {
        Peer& peer = script_.peers()[order_[next_]];
        script_.send(peer, kAck | kPsh, kPayloadBytes);
        peer.ack += kPayloadBytes;
        next_ = next_ + 1 == order_.size() ? 0 : next_ + 1;
      }
      script_.poll();
      mailbox_.serve();
      if (script_.port().sent().size() < kBurst) std::abort();
      script_.port().clear_sent();
    }
    return static_cast<double>(kEchoesPerSlice) / (cpu_time() - begin).count();
  }

  Mailbox& mailbox() { return mailbox_; }
  const Stack& stack() { return script_.stack(); }

 private:
  Echo echo_;
  TcpScript script_;
  std::vector<std::uint32_t> order_;
  std::size_t next_ = 0;
  Mailbox mailbox_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void BM_EchoBesideAList(benchmark::State& state) {
  Worker worker(static_cast<std::uint32_t>(state.range(0)));
  Lister lister(worker.mailbox(), worker.stack());
  worker.slice();
  std::vector<double> ratios, alone;
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) {
    // Without, with, with, without: what drifts meanwhile cancels out.
    double rate[2] = {0, 0};
    for (const bool wanted : {false, true, true, false}) {
      lister.want(wanted);
      rate[wanted ? 1 : 0] += worker.slice();
    }
    ratios.push_back(rate[1] / rate[0]);
    alone.push_back(rate[0] / 2);
  }
  lister.want(false);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  state.counters["kept"] = median(ratios);
  state.counters["echoes_per_s"] = median(alone);
  state.counters["listed_per_s"] = static_cast<double>(lister.sockets()) / took.count() * 2;
}

BENCHMARK(BM_EchoBesideAList)
    ->Arg(1'000)
    ->Arg(1'000'000)
    ->Iterations(9)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tern::bench
