// SPDX-License-Identifier: BSD-3-Clause
#include <benchmark/benchmark.h>

#include <array>

#include "net/reassembler.h"
#include "wire/ethernet.h"

namespace tern::net {
namespace {

constexpr std::size_t kData = 80;

// A flood of first fragments, each of another source's: every one evicts the oldest. The argument:
// how many datagrams there are, all of them in use.
void BM_FragmentFlood(benchmark::State& state) {
  Counters counters;
  const auto datagrams = static_cast<std::uint32_t>(state.range(0));
  Reassembler reassembler(datagrams, SipKey{1, 2}, counters);
  std::array<std::byte, wire::kEthernetHeaderBytes + wire::kIpv4HeaderBytes + kData> bytes{};
  const std::span<std::byte> packet = std::span(bytes).subspan(wire::kEthernetHeaderBytes);
  std::uint32_t source = 0x0b000000;
  const auto take_next = [&] {
    ++source;
    wire::write_fragment4(packet.data(),
                          {.source = source,
                           .destination = 0x0a000001,
                           .total_bytes = static_cast<std::uint16_t>(packet.size()),
                           .protocol = wire::ip_protocol::kTcp},
                          {.id = source, .more = true});
    reassembler.take({.data = bytes.data(), .length = static_cast<std::uint32_t>(bytes.size())},
                     packet, Instant{});
  };
  while (reassembler.in_use() < datagrams) take_next();
  for (auto _ : state) take_next();
}
BENCHMARK(BM_FragmentFlood)->Arg(64)->Arg(1024)->Arg(8192);

}  // namespace
}  // namespace tern::net
