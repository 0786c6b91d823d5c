// SPDX-License-Identifier: BSD-3-Clause
#include "reference_parse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "test_bytes.h"

namespace tern::wire {
namespace {

struct Option {
  unsigned kind;
  std::vector<unsigned> value;
};

std::uint32_t number(const std::vector<unsigned>& bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value * 256 + bytes.at(at + i);
  return value;
}

/// The first option of a kind whose value has a length that `fits` accepts.
template <typename Fits>
const Option* find(const std::vector<Option>& list, unsigned kind, Fits fits) {
  const auto it = std::find_if(list.begin(), list.end(), [&](const Option& option) {
    return option.kind == kind && fits(option.value.size());
  });
  return it == list.end() ? nullptr : &*it;
}

bool cut(std::span<const std::byte> bytes, std::vector<Option>& list) {
  while (!bytes.empty()) {
    const unsigned kind = std::to_integer<unsigned>(bytes.front());
    if (kind == 0) return true;
    std::size_t length = 1;
    if (kind != 1) {
      if (bytes.size() == 1) return false;
      length = std::to_integer<std::size_t>(bytes[1]);
      if (length == 0 || length == 1 || length > bytes.size()) return false;
      Option option{kind, {}};
      for (const std::byte b : bytes.subspan(2, length - 2)) {
        option.value.push_back(std::to_integer<unsigned>(b));
      }
      list.push_back(option);
    }
    bytes = bytes.subspan(length);
  }
  return true;
}

auto exactly(std::size_t n) {
  return [n](std::size_t size) { return size == n; };
}

/// A frame's bytes as numbers; reading past its end is the test's own error, and throws.
struct Reader {
  std::span<const std::byte> bytes;
  std::uint32_t at(std::size_t offset, std::size_t count) const {
    std::uint32_t value = 0;
    for (std::size_t i = offset; i < offset + count; ++i) {
      if (i >= bytes.size()) throw std::out_of_range("reference_parse");
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
    }
    return value;
  }
};

bool hits_source_route(std::span<const std::byte> options) {
  for (std::size_t i = 0; i < options.size();) {
    const unsigned type = std::to_integer<unsigned>(options[i]);
    if (type == 131 || type == 137) return true;
    if (type == 0) return false;
    const std::size_t length = type == 1 ? 1
                               : i + 1 < options.size()
                                   ? std::to_integer<std::size_t>(options[i + 1])
                                   : 0;
    if (length == 0 || (type != 1 && length == 1) || i + length > options.size()) return false;
    i += length;
  }
  return false;
}

bool bad_source(std::uint32_t source, const ParseContext& context) {
  return source == 0 || source >= 0xe0000000 || (source >= 0x7f000000 && source <= 0x7fffffff) ||
         source == context.subnet_broadcast || source == context.address;
}

bool insane(std::uint8_t flags) {
  const bool fin = flags & 1, syn = flags & 2, rst = flags & 4, ack = flags & 16;
  return (syn && fin) || (syn && rst) || (!syn && !ack && !rst && !fin);
}

bool tcp_sum_is_right(std::span<const std::byte> segment, std::uint32_t source,
                      std::uint32_t destination) {
  const std::uint64_t pseudo = std::uint64_t{source >> 16} + (source & 0xffff) +
                               (destination >> 16) + (destination & 0xffff) + 6 + segment.size();
  return textbook_sum(segment, pseudo) == 0xffff;
}

DropReason reference_tcp(const Reader& frame, std::size_t start, std::size_t end,
                         std::uint64_t flags, const ParseContext& context, Reference& out) {
  using enum DropReason;
  TcpSegment& s = out.segment;
  if (end - start < 20) return drop_tcp_header;
  const std::size_t header = frame.at(start + 12, 1) / 16 * 4;
  s.source_port = static_cast<std::uint16_t>(frame.at(start, 2));
  s.destination_port = static_cast<std::uint16_t>(frame.at(start + 2, 2));
  if (header < 20 || start + header > end || s.source_port == 0 || s.destination_port == 0) {
    return drop_tcp_header;
  }
  const bool good = flags & frame_flag::kRxL4ChecksumGood;
  const bool bad = flags & frame_flag::kRxL4ChecksumBad;
  const bool believed = good && (!bad || context.trust_missing_checksum);
  const auto segment = frame.bytes.subspan(start, end - start);
  if (!believed && !tcp_sum_is_right(segment, s.source_address, s.destination_address)) {
    return drop_tcp_checksum;
  }
  s.flags = static_cast<std::uint8_t>(frame.at(start + 13, 1));
  if (insane(static_cast<std::uint8_t>(s.flags))) return drop_tcp_flags;
  s.seq = SeqNum(frame.at(start + 4, 4));
  s.ack = SeqNum(frame.at(start + 8, 4));
  s.window = static_cast<std::uint16_t>(frame.at(start + 14, 2));
  s.urgent = static_cast<std::uint16_t>(frame.at(start + 18, 2));
  s.options_ok = reference_parse_options(segment.subspan(20, header - 20), s.options);
  if (!s.options_ok && (s.flags & 2)) return drop_tcp_options;
  out.kind = FrameKind::kTcp4;
  out.payload_offset = start + header;
  out.payload_length = end - start - header;
  return kNone;
}

DropReason reference_ip(const Reader& frame, std::uint64_t flags, const ParseContext& context,
                        Reference& out) {
  using enum DropReason;
  const std::size_t held = frame.bytes.size() - 14;
  if (held < 20) return drop_truncated;
  const std::size_t header = frame.at(14, 1) % 16 * 4;
  const std::size_t total = frame.at(16, 2);
  if (frame.at(14, 1) / 16 != 4 || header < 20 || total < header) return drop_ip_header;
  if (total > held) return drop_truncated;
  const bool verified =
      (flags & frame_flag::kRxIpChecksumGood) && !(flags & frame_flag::kRxIpChecksumBad);
  if (!verified && textbook_sum(frame.bytes.subspan(14, header)) != 0xffff) {
    return drop_ip_checksum;
  }
  if (hits_source_route(frame.bytes.subspan(34, header - 20))) return drop_ip_option;
  out.segment.source_address = frame.at(26, 4);
  out.segment.destination_address = frame.at(30, 4);
  if (bad_source(out.segment.source_address, context)) return drop_ip_source;
  if (out.segment.destination_address != context.address) return drop_not_for_us;
  const std::size_t start = 14 + header, end = 14 + total;
  if (frame.at(20, 2) % 0x4000 != 0) {
    const bool more = frame.at(20, 2) / 0x2000 % 2 == 1;
    if (frame.at(23, 1) != 6 && frame.at(23, 1) != 1) return drop_ip_protocol;
    if (start == end || (more && (end - start) % 8 != 0)) return drop_ip_fragment;
    if (frame.at(20, 2) % 0x2000 * 8 + total > 65535) return drop_ip_fragment;
    out.kind = FrameKind::kFragment;
    out.payload_offset = 14;
    out.payload_length = total;
    return kNone;
  }
  if (frame.at(23, 1) == 6) {
    const DropReason drop = reference_tcp(frame, start, end, flags, context, out);
    if (frame.at(15, 1) % 4 == 3) out.segment.flags |= 0x100;
    return drop;
  }
  if (frame.at(23, 1) != 1) return drop_ip_protocol;
  const auto message = frame.bytes.subspan(start, end - start);
  if (message.size() < 8 || textbook_sum(message) != 0xffff) return drop_icmp;
  out.kind = FrameKind::kIcmp4;
  out.payload_offset = start;
  out.payload_length = message.size();
  return kNone;
}

DropReason reference_link(const Reader& frame, std::uint64_t flags, const ParseContext& context,
                          Reference& out) {
  using enum DropReason;
  if (frame.bytes.size() < 14) return drop_truncated;
  if (frame.at(12, 2) == 0x8100) {  // as if the tag were not there, if it may be
    if (frame.bytes.size() < 18) return drop_truncated;
    if ((frame.at(14, 2) & 0xfff) != 0 || frame.at(16, 2) == 0x8100) return drop_vlan;
    return drop_ethertype;  // the sweeps make no frame that goes on from here
  }
  bool ours = true, broadcast = true;
  for (std::size_t i = 0; i < 6; ++i) {
    ours = ours && frame.at(i, 1) == context.mac.octets[i];
    broadcast = broadcast && frame.at(i, 1) == 0xff;
  }
  if (!ours && !broadcast) return drop_not_for_us;
  if (frame.at(12, 2) == 0x0806) {
    if (frame.bytes.size() < 14 + 28) return drop_arp;
    out.kind = FrameKind::kArp;
    out.payload_offset = 14;
    out.payload_length = frame.bytes.size() - 14;
    return kNone;
  }
  if (frame.at(12, 2) != 0x0800) return drop_ethertype;
  return ours ? reference_ip(frame, flags, context, out) : drop_not_for_us;
}

void expect_segment(const TcpSegment& actual, const TcpSegment& expected) {
  EXPECT_EQ(actual.source_address, expected.source_address);
  EXPECT_EQ(actual.destination_address, expected.destination_address);
  EXPECT_EQ(actual.source_port, expected.source_port);
  EXPECT_EQ(actual.destination_port, expected.destination_port);
  EXPECT_EQ(actual.seq, expected.seq);
  EXPECT_EQ(actual.ack, expected.ack);
  EXPECT_EQ(actual.window, expected.window);
  if (expected.has(tcp_flag::kUrg)) {
    EXPECT_EQ(actual.urgent, expected.urgent);
  }
  EXPECT_EQ(actual.flags, expected.flags);
  EXPECT_EQ(actual.options_ok, expected.options_ok);
  EXPECT_TRUE(same_options(actual.options, expected.options));
}

/// What an earlier frame may have left in a ParsedFrame that is used again.
ParsedFrame dirty_frame() {
  ParsedFrame out;
  out.kind = FrameKind::kIcmp4;
  out.drop = DropReason::drop_arp;
  out.source_address = out.segment.source_address = 0xdeadbeef;
  out.segment.flags = 0xffff;
  out.segment.options_ok = false;
  out.segment.payload_length = 99999;
  out.segment.options.has_mss = out.segment.options.sack_permitted = true;
  out.segment.options.sack_count = 4;
  return out;
}

}  // namespace

bool reference_parse_options(std::span<const std::byte> bytes, TcpOptions& options) {
  std::vector<Option> list;
  const bool ok = cut(bytes, list);
  options = {};
  if (const Option* mss = find(list, 2, exactly(2))) {
    options.has_mss = true;
    options.mss = static_cast<std::uint16_t>(number(mss->value, 0, 2));
  }
  if (const Option* scale = find(list, 3, exactly(1))) {
    options.has_window_scale = true;
    options.window_scale = static_cast<std::uint8_t>(std::min(scale->value[0], 14u));
  }
  options.sack_permitted = find(list, 4, exactly(0)) != nullptr;
  const auto whole_blocks = [](std::size_t size) {
    return size > 0 && size <= 32 && size % 8 == 0;
  };
  if (const Option* sack = find(list, 5, whole_blocks)) {
    options.sack_count = static_cast<std::uint8_t>(sack->value.size() / 8);
    for (std::size_t i = 0; i < options.sack_count; ++i) {
      options.sack.at(i) = {SeqNum(number(sack->value, 8 * i, 4)),
                            SeqNum(number(sack->value, 8 * i + 4, 4))};
    }
  }
  if (const Option* timestamp = find(list, 8, exactly(8))) {
    options.has_timestamp = true;
    options.ts_value = number(timestamp->value, 0, 4);
    options.ts_echo_reply = number(timestamp->value, 4, 4);
  }
  if (const Option* timeout = find(list, 28, exactly(2))) {
    options.has_user_timeout = true;
    options.user_timeout = static_cast<std::uint16_t>(number(timeout->value, 0, 2));
  }
  return ok;
}

bool same_options(const TcpOptions& a, const TcpOptions& b) {
  return a.ts_value == b.ts_value && a.ts_echo_reply == b.ts_echo_reply && a.mss == b.mss &&
         a.has_user_timeout == b.has_user_timeout &&
         (!a.has_user_timeout || a.user_timeout == b.user_timeout) &&
         a.window_scale == b.window_scale && a.has_timestamp == b.has_timestamp &&
         a.has_mss == b.has_mss && a.has_window_scale == b.has_window_scale &&
         a.sack_permitted == b.sack_permitted && a.sack_count == b.sack_count &&
         std::equal(a.sack.begin(), a.sack.begin() + a.sack_count, b.sack.begin(),
                    [](const SackBlock& x, const SackBlock& y) {
                      return x.begin == y.begin && x.end == y.end;
                    });
}

Reference reference_parse(std::span<const std::byte> bytes, std::uint64_t flags,
                          const ParseContext& context) {
  Reference out;
  out.drop = reference_link(Reader{bytes}, flags, context, out);
  return out;
}

DropReason expect_as_reference(std::span<const std::byte> bytes, std::uint64_t flags,
                               const ParseContext& context) {
  const ExactBlock block(bytes);
  const Frame frame{.data = block.bytes().data(),
                    .flags = flags,
                    .length = static_cast<std::uint32_t>(bytes.size())};
  const Reference expected = reference_parse(bytes, flags, context);
  ParsedFrame out = dirty_frame();
  parse_frame(frame, context, out);
  EXPECT_EQ(out.kind, expected.kind);
  EXPECT_EQ(out.drop, expected.drop);
  const std::byte* payload = frame.data + expected.payload_offset;
  if (expected.kind == FrameKind::kDrop || out.kind != expected.kind) return out.drop;
  if (expected.kind == FrameKind::kTcp4) {
    expect_segment(out.segment, expected.segment);
    EXPECT_EQ(out.segment.payload, payload);
    EXPECT_EQ(out.segment.payload_length, expected.payload_length);
    return out.drop;
  }
  EXPECT_EQ(out.payload.data(), payload);
  EXPECT_EQ(out.payload.size(), expected.payload_length);
  if (expected.kind == FrameKind::kIcmp4) {
    EXPECT_EQ(out.source_address, expected.segment.source_address);
    EXPECT_EQ(out.destination_address, expected.segment.destination_address);
  }
  return out.drop;
}

}  // namespace tern::wire
