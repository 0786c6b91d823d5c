// SPDX-License-Identifier: BSD-3-Clause
#include "parse_fuzz.h"

#include <array>
#include <cstring>
#include <functional>
#include <memory>

#include "base/assert.h"
#include "wire/fragment.h"

namespace tern::wire {
namespace {

std::uint64_t flags_of(unsigned choice) {
  using namespace frame_flag;
  return ((choice & 1) != 0 ? kRxIpChecksumGood : 0) | ((choice & 2) != 0 ? kRxIpChecksumBad : 0) |
         ((choice & 4) != 0 ? kRxL4ChecksumGood : 0) | ((choice & 8) != 0 ? kRxL4ChecksumBad : 0);
}

void assert_inside(const Frame& frame, const std::byte* data, std::size_t length) {
  const std::less_equal<const std::byte*> at_or_before;
  TERN_ASSERT(at_or_before(frame.data, data));
  TERN_ASSERT(at_or_before(data + length, frame.data + frame.length));
}

void assert_options_survive(const TcpOptions& options) {
  std::array<std::byte, kTcpMaxOptionBytes> bytes;
  const std::size_t length = write_tcp_options(options, bytes.data());
  TERN_ASSERT(length <= bytes.size() && length % 4 == 0);
  TcpOptions again;
  TERN_ASSERT(parse_tcp_options({bytes.data(), length}, again));
  TERN_ASSERT(again.has_mss == options.has_mss && again.mss == options.mss);
  TERN_ASSERT(again.has_window_scale == options.has_window_scale &&
              again.window_scale == options.window_scale);
  TERN_ASSERT(again.has_timestamp == options.has_timestamp && again.ts_value == options.ts_value &&
              again.ts_echo_reply == options.ts_echo_reply);
  TERN_ASSERT(again.sack_permitted == options.sack_permitted);
  TERN_ASSERT(again.sack_count <= options.sack_count);
}

void assert_addresses4(const ParseContext& context, const TcpSegment& segment) {
  TERN_ASSERT(segment.destination_address == context.address);
  TERN_ASSERT(segment.source_address != context.address && segment.source_address != 0);
  TERN_ASSERT(segment.source_address < 0xe0000000);
}

void assert_packet6(const Frame& frame, const ParseContext& context, const ParsedFrame& out) {
  assert_inside(frame, out.ipv6, 40);
  TERN_ASSERT(out.kind != FrameKind::kTcp6 || out.own6 < context.own6_count);
  if (out.kind == FrameKind::kIcmp6) assert_inside(frame, out.payload.data(), out.payload.size());
  if (out.kind != FrameKind::kProblem6) return;
  TERN_ASSERT(out.problem.reason != DropReason::kNone);
  TERN_ASSERT(out.problem.pointer < frame.length - 14);
}

void assert_fragment(const Frame& frame, std::span<std::byte> packet) {
  assert_inside(frame, packet.data(), packet.size());
  const Fragment fragment = read_fragment(packet);
  assert_inside(frame, fragment.header.data(), fragment.header.size());
  assert_inside(frame, fragment.payload.data(), fragment.payload.size());
  TERN_ASSERT(!fragment.payload.empty() && fragment.end() <= kMaxDatagramBytes);
  TERN_ASSERT(!fragment.more || fragment.payload.size() % kFragmentUnit == 0);
  TERN_ASSERT(fragment.more || !fragment.is_first());
}

void assert_segment(const Frame& frame, const TcpSegment& segment) {
  assert_inside(frame, segment.payload, segment.payload_length);
  TERN_ASSERT(segment.payload >= frame.data + 14 + 20 + 20);
  TERN_ASSERT(segment.source_port != 0 && segment.destination_port != 0);
  TERN_ASSERT(!(segment.has(tcp_flag::kSyn) && segment.has(tcp_flag::kFin | tcp_flag::kRst)));
  TERN_ASSERT(segment.options_ok || !segment.has(tcp_flag::kSyn));
  TERN_ASSERT(segment.options.window_scale <= kMaxWindowScale);
  TERN_ASSERT(segment.options.sack_count <= segment.options.sack.size());
  assert_options_survive(segment.options);
}

}  // namespace

ParsedFrame fuzz_parse(std::span<const std::byte> input) {
  const unsigned choice = input.empty() ? 0 : std::to_integer<unsigned>(input.front());
  if (!input.empty()) input = input.subspan(1);
  // An exact-size block of its own: ASan sees a read past the frame.
  const std::unique_ptr<std::byte[]> block(new std::byte[input.size()]);
  if (!input.empty()) std::memcpy(block.get(), input.data(), input.size());
  const Frame frame{.data = block.get(),
                    .flags = flags_of(choice),
                    .length = static_cast<std::uint32_t>(input.size())};
  const ParseContext context{
      .mac = {{0x02, 0, 0, 0, 0, 0x02}},
      .address = 0x0a000202,
      .subnet_broadcast = 0x0a0002ff,
      .trust_missing_checksum = (choice & 16) != 0,
      .own6 = {Ipv6Address({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2})},
      .own6_count = 1};
  ParsedFrame out;
  parse_frame(frame, context, out);
  TERN_ASSERT((out.kind == FrameKind::kDrop) == (out.drop != DropReason::kNone));
  if (is_tcp(out.kind)) assert_segment(frame, out.segment);
  if (out.kind == FrameKind::kTcp4) assert_addresses4(context, out.segment);
  if (out.kind == FrameKind::kTcp6 || out.kind == FrameKind::kIcmp6 ||
      out.kind == FrameKind::kProblem6)
    assert_packet6(frame, context, out);
  if (out.kind == FrameKind::kFragment) assert_fragment(frame, out.payload);
  if (out.kind == FrameKind::kArp || out.kind == FrameKind::kIcmp4) {
    assert_inside(frame, out.payload.data(), out.payload.size());
    TERN_ASSERT(out.payload.size() >= (out.kind == FrameKind::kArp ? 28 : 8));
  }
  TERN_ASSERT(input.empty() || std::memcmp(block.get(), input.data(), input.size()) == 0);
  out.payload = {};  // the block ends here
  out.segment.payload = nullptr;
  out.ipv6 = nullptr;
  return out;
}

}  // namespace tern::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tern::wire::fuzz_parse(std::as_bytes(std::span(data, size)));
  return 0;
}
