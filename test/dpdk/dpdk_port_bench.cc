// SPDX-License-Identifier: BSD-3-Clause
// What the Port costs over DPDK's own calls: receive a burst from net_null and send it, items =
// packets.
#include <benchmark/benchmark.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <iostream>
#include <memory>

#include "io/dpdk/device.h"
#include "io/dpdk/dpdk_port.h"
#include "io/dpdk/eal.h"

namespace tern::io {
namespace {

std::unique_ptr<Device> device;

void count(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void receive_and_send_directly(benchmark::State& state) {
  const auto burst = static_cast<std::uint16_t>(state.range(0));
  std::array<rte_mbuf*, 64> mbufs;
  for (auto _ : state) {
    const std::uint16_t got = rte_eth_rx_burst(device->port_id(), 0, mbufs.data(), burst);
    for (std::uint16_t i = 0; i < got; ++i) {
      rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void*));
      benchmark::DoNotOptimize(mbufs[i]->pkt_len);
    }
    rte_eth_tx_burst(device->port_id(), 0, mbufs.data(), got);
  }
  count(state);
}
BENCHMARK(receive_and_send_directly)->Arg(1)->Arg(4)->Arg(32);

void receive_and_send_through_the_port(benchmark::State& state) {
  DpdkPort dpdk_port(*device, 0);
  Port& port = dpdk_port;
  benchmark::DoNotOptimize(&port);
  std::array<Frame, 64> frames;
  for (auto _ : state) {
    const std::size_t got = port.receive({frames.data(), static_cast<std::size_t>(state.range(0))});
    for (std::size_t i = 0; i < got; ++i) benchmark::DoNotOptimize(frames[i].length);
    port.transmit({frames.data(), got});
  }
  count(state);
}
BENCHMARK(receive_and_send_through_the_port)->Arg(1)->Arg(4)->Arg(32);

void allocate_and_free_directly(benchmark::State& state) {
  const auto burst = static_cast<unsigned>(state.range(0));
  std::array<rte_mbuf*, 64> mbufs;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rte_pktmbuf_alloc_bulk(device->pool(0), mbufs.data(), burst));
    rte_pktmbuf_free_bulk(mbufs.data(), burst);
  }
  count(state);
}
BENCHMARK(allocate_and_free_directly)->Arg(1)->Arg(4)->Arg(32);

void allocate_and_release_through_the_port(benchmark::State& state) {
  DpdkPort dpdk_port(*device, 0);
  Port& port = dpdk_port;
  benchmark::DoNotOptimize(&port);
  std::array<Frame, 64> frames;
  for (auto _ : state) {
    const std::size_t got =
        port.allocate({frames.data(), static_cast<std::size_t>(state.range(0))});
    port.release({frames.data(), got});
  }
  count(state);
}
BENCHMARK(allocate_and_release_through_the_port)->Arg(1)->Arg(4)->Arg(32);

}  // namespace
}  // namespace tern::io

int main(int argc, char** argv) {
  using namespace tern::io;
  benchmark::Initialize(&argc, argv);
  EalConfig config;
  config.program = "dpdk_port_bench";
  config.vdev = "net_null0";
  const auto eal = Eal::start(config);
  if (!eal.ok()) {
    std::cerr << eal.status() << "\n";
    return 1;
  }
  auto opened = Device::open(*find_device("net_null0"), {});
  if (!opened.ok() || !(*opened)->start().ok()) {
    std::cerr << opened.status() << "\n";
    return 1;
  }
  device = *std::move(opened);
  benchmark::RunSpecifiedBenchmarks();
  device.reset();
  return 0;
}
