// SPDX-License-Identifier: BSD-3-Clause
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/parse.h"

namespace tern::wire {
namespace {

constexpr std::uint32_t kSource = 0x0a000102, kDestination = 0x0a000202;
constexpr MacAddress kMac{{0x02, 0, 0, 0, 0, 0x02}};

/// An ACK with timestamps and this much data, checksums right.
std::vector<std::byte> segment_frame(std::size_t payload_bytes) {
  std::vector<std::byte> frame(14 + 20 + 32 + payload_bytes, std::byte{'a'});
  write_ethernet(frame.data(), {.destination = kMac, .ether_type = ether_type::kIpv4});
  const auto ip_bytes = static_cast<std::uint16_t>(frame.size() - 14);
  write_ipv4(frame.data() + 14, {.source = kSource,
                                 .destination = kDestination,
                                 .total_bytes = ip_bytes,
                                 .protocol = ip_protocol::kTcp});
  const std::span<std::byte> tcp = std::span(frame).subspan(34);
  write_tcp_header(tcp.data(), {.source_port = 47762,
                                .destination_port = 9999,
                                .seq = SeqNum(1),
                                .ack = SeqNum(2),
                                .flags = tcp_flag::kAck | tcp_flag::kPsh,
                                .header_bytes = 32,
                                .window = 229});
  write_tcp_options({.ts_echo_reply = 4, .ts_value = 3, .has_timestamp = true}, &tcp[20]);
  const std::uint32_t pseudo = checksum_pseudo_ipv4(kSource, kDestination, ip_protocol::kTcp,
                                                    static_cast<std::uint16_t>(tcp.size()));
  store_checksum(&tcp[kTcpChecksumOffset], checksum_finish(checksum_partial(tcp, pseudo)));
  return frame;
}

void BM_Checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  for (auto _ : state) {
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(checksum_finish(checksum_partial(bytes)));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Checksum)->Arg(20)->Arg(64)->Arg(1460);

void BM_ChecksumCopy(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  std::vector<std::byte> to(bytes.size());
  for (auto _ : state) {
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(checksum_finish(checksum_copy(to.data(), bytes)));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ChecksumCopy)->Arg(64)->Arg(1460);

/// Bytes of data, and the device's verdict on both checksums: 1 good, 0 unknown. 0 bytes make a
/// frame of 66: the segment that a 64-byte echo acknowledges with.
void BM_ParseFrame(benchmark::State& state) {
  std::vector<std::byte> bytes = segment_frame(static_cast<std::size_t>(state.range(0)));
  const std::uint64_t good = frame_flag::kRxIpChecksumGood | frame_flag::kRxL4ChecksumGood;
  const Frame frame{.data = bytes.data(),
                    .flags = state.range(1) != 0 ? good : 0,
                    .length = static_cast<std::uint32_t>(bytes.size())};
  const ParseContext context{.mac = kMac, .address = kDestination, .subnet_broadcast = 0x0a0002ff};
  ParsedFrame out;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    parse_frame(frame, context, out);
    benchmark::DoNotOptimize(out);
  }
  if (out.kind != FrameKind::kTcp4) state.SkipWithError("the frame was dropped");
}
BENCHMARK(BM_ParseFrame)->ArgNames({"payload", "good"})->ArgsProduct({{0, 64, 1448}, {1, 0}});

void BM_ParseTcpOptions(benchmark::State& state) {
  TcpOptions options{.has_timestamp = true,
                     .window_scale = 7,
                     .mss = 1460,
                     .has_mss = true,
                     .has_window_scale = true,
                     .sack_permitted = true};
  if (state.range(0) == 0) options = {.has_timestamp = true};
  std::array<std::byte, kTcpMaxOptionBytes> bytes;
  const std::size_t length = write_tcp_options(options, bytes.data());
  for (auto _ : state) {
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(parse_tcp_options({bytes.data(), length}, options));
    benchmark::DoNotOptimize(options);
  }
}
BENCHMARK(BM_ParseTcpOptions)->ArgName("syn")->Arg(0)->Arg(1);

void BM_WriteTcpOptions(benchmark::State& state) {
  TcpOptions options{.has_timestamp = true};
  std::array<std::byte, kTcpMaxOptionBytes> bytes;
  for (auto _ : state) {
    benchmark::DoNotOptimize(options);
    benchmark::DoNotOptimize(write_tcp_options(options, bytes.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_WriteTcpOptions);

}  // namespace
}  // namespace tern::wire
