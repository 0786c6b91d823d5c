// SPDX-License-Identifier: BSD-3-Clause
#include "support/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/prng.h"
#include "support/matchers.h"
#include "wire/parse.h"

namespace tern::test {
namespace {

TEST(Segment, ChecksumsAreRfc1071s) {
  // RFC 1071 3's example: 0001 f203 f4f5 f6f7 sum to ddf2.
  const Bytes example = to_bytes(std::string("\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 8));
  EXPECT_EQ(textbook_checksum(example), 0xffff ^ 0xddf2);
  EXPECT_EQ(textbook_checksum(to_bytes("\x01")), 0xffff ^ 0x0100);  // odd: padded with zero
}

// Written out by hand from RFC 791 and RFC 9293.
TEST(Segment, BuildsTheBytesOfTheRfcs) {
  const Segment segment{.flags = "S", .seq = 0x01020304, .window = 0x1122, .mss = 1460};
  const std::string expected(
      "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00"  // Ethernet
      "\x45\x00\x00\x2c\x00\x00\x40\x00\x40\x06\x26\xca\x0a\x00\x00\x02\x0a\x00\x00\x01"  // IPv4
      "\x9c\x40\x1b\x58\x01\x02\x03\x04\x00\x00\x00\x00\x60\x02\x11\x22\xb7\x63\x00\x00"  // TCP
      "\x02\x04\x05\xb4",
      58);
  EXPECT_EQ(build(segment), to_bytes(expected));
}

Segment random_segment(Prng& prng) {
  Segment s;
  const auto word = [&] { return static_cast<std::uint32_t>(prng.next()); };
  const auto half = [&] { return static_cast<std::uint16_t>(prng.next()); };
  const auto coin = [&] { return prng.below(2) == 0; };
  s.path.source = Ipv4Address(word());
  s.path.destination = Ipv4Address(word());
  s.path.source_port = half();
  s.path.destination_port = half();
  s.flags = "";
  for (const char letter : {'F', 'S', 'R', 'P', '.', 'U', 'E', 'W'})
    if (coin()) s.flags += letter;
  s.seq = word();
  s.ack = word();
  s.window = half();
  s.urgent = half();
  if (coin()) s.mss = half();
  s.sack_permitted = coin();
  if (coin()) s.ts = {word(), word()};
  if (coin()) s.wscale = static_cast<std::uint8_t>(prng.below(15));
  if (coin()) s.sack = {{word(), word()}};
  s.payload.resize(prng.below(100));
  for (char& c : s.payload) c = static_cast<char>(prng.next());
  s.ttl = static_cast<std::uint8_t>(prng.next());
  s.tos = static_cast<std::uint8_t>(prng.next());
  s.ip_id = half();
  s.dont_fragment = coin();
  s.ip_checksum_ok = prng.below(8) != 0;
  s.tcp_checksum_ok = prng.below(8) != 0;
  return s;
}

TEST(Segment, ParseFindsWhatBuildWrote) {
  Prng prng(5);
  for (int i = 0; i < 5000; ++i) {
    const Segment segment = random_segment(prng);
    const auto parsed = parse_segment(build(segment));
    ASSERT_TRUE(parsed.has_value());
    ASSERT_EQ(*parsed, segment) << "number " << i << " of seed 5";
  }
}

TEST(Segment, ParseReadsNothingBeyondTheFrame) {
  const Bytes whole = build(Segment{.flags = "S", .mss = 1, .ts = {1, 2}, .payload = "abc"});
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    // In a block of its own, for AddressSanitizer.
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_FALSE(parse_segment(cut).has_value()) << bytes;
  }
  EXPECT_FALSE(parse_segment(build(Arp{})).has_value());
  EXPECT_FALSE(parse_segment(build(Datagram{.payload = Bytes(8)})).has_value());
}

TEST(Segment, PaddingIsNotPayload) {
  const Bytes frame = build(Segment{.payload = "a", .pad_to = 60});
  EXPECT_EQ(frame.size(), 60u);
  EXPECT_EQ(parse_segment(frame)->payload, "a");
}

TEST(Segment, ArpRoundTrip) {
  const Arp arp{.operation = 2,
                .target_mac = {{1, 2, 3, 4, 5, 6}},
                .ethernet_destination = {{1, 2, 3, 4, 5, 6}}};
  EXPECT_EQ(parse_arp(build(arp)), arp);
  EXPECT_FALSE(parse_arp(build(Segment{})).has_value());
}

// The two parsers were written apart: lib/wire's must find the same.
TEST(Segment, AgreesWithLibWire) {
  Prng prng(6);
  std::uint64_t accepted = 0;
  for (int i = 0; i < 5000; ++i) {
    Segment segment = random_segment(prng);
    segment.path.source = Ipv4Address(10, 0, 0, 2);
    segment.path.destination = Ipv4Address(10, 0, 0, 1);
    segment.path.source_port |= 1;
    segment.path.destination_port |= 1;
    Bytes bytes = build(segment);
    const Frame frame{.data = bytes.data(), .length = static_cast<std::uint32_t>(bytes.size())};
    wire::ParseContext context;
    context.mac = segment.path.destination_mac;
    context.address = segment.path.destination.v4().value();
    context.subnet_broadcast = Ipv4Address(10, 0, 0, 255).value();
    wire::ParsedFrame parsed;
    wire::parse_frame(frame, context, parsed);
    SCOPED_TRACE("number " + std::to_string(i) + " of seed 6");
    if (!segment.ip_checksum_ok) {
      EXPECT_EQ(parsed.drop, DropReason::drop_ip_checksum);
      continue;
    }
    if (!segment.tcp_checksum_ok) {
      EXPECT_EQ(parsed.drop, DropReason::drop_tcp_checksum);
      continue;
    }
    if (parsed.kind != wire::FrameKind::kTcp4) {
      EXPECT_EQ(parsed.drop, DropReason::drop_tcp_flags) << segment;
      continue;
    }
    ++accepted;
    const wire::TcpSegment& found = parsed.segment;
    ASSERT_EQ(found.source_port, segment.path.source_port);
    ASSERT_EQ(found.destination_port, segment.path.destination_port);
    ASSERT_EQ(found.seq.value(), segment.seq);
    ASSERT_EQ(found.ack.value(), segment.ack);
    ASSERT_EQ(found.window, segment.window);
    if (found.has(wire::tcp_flag::kUrg)) {
      ASSERT_EQ(found.urgent, segment.urgent);
    }
    ASSERT_EQ(found.length(), segment.length());
    ASSERT_EQ(found.options.has_mss, segment.mss.has_value());
    ASSERT_EQ(found.options.mss, segment.mss.value_or(found.options.mss));
    ASSERT_EQ(found.options.has_window_scale, segment.wscale.has_value());
    ASSERT_EQ(found.options.has_timestamp, segment.ts.present);
    ASSERT_EQ(found.options.sack_permitted, segment.sack_permitted);
    ASSERT_EQ(found.options.sack_count, segment.sack.size());
    if (segment.ts.present) {
      ASSERT_EQ(found.options.ts_value, segment.ts.value);
      ASSERT_EQ(found.options.ts_echo_reply, segment.ts.echo);
    }
    if (!segment.sack.empty()) {
      ASSERT_EQ(found.options.sack[0].begin.value(), segment.sack[0].begin);
      ASSERT_EQ(found.options.sack[0].end.value(), segment.sack[0].end);
    }
    const std::string payload(reinterpret_cast<const char*>(found.payload), found.payload_length);
    ASSERT_EQ(payload, segment.payload);
  }
  EXPECT_GT(accepted, 1000u);
}

TEST(Segment, PrintsAsTcpdumpDoes) {
  std::ostringstream out;
  out << Segment{.flags = "P.", .seq = 1, .ack = 2, .window = 3, .payload = "hi"};
  EXPECT_EQ(out.str(),
            "0 ns IP 10.0.0.2.40000 > 10.0.0.1.7000: Flags [P.], seq 1:3, ack 2, win 3, "
            "length 2 \"hi\"");
}

TEST(Matchers, CompareTheTcpSegment) {
  using testing::AllOf;
  using testing::Not;
  const Segment sent{.flags = "S.",
                     .seq = 1,
                     .ack = 2,
                     .window = 3,
                     .mss = 1460,
                     .ts = {4, 5},
                     .wscale = 7,
                     .time = Instant(Duration(9))};
  Segment same = sent;
  same.path = sent.path.reversed();
  same.flags = ".S";
  same.time = {};
  EXPECT_THAT(sent, IsSegment(same));
  same.window = 4;
  EXPECT_THAT(sent, Not(IsSegment(same)));
  EXPECT_THAT(sent, AllOf(HasFlags("S."), HasSeq(1u), HasAck(2u), HasWindow(3), HasMss(1460),
                          HasWscale(7), HasTimestamps(4, 5), HasPayload(""),
                          SentAt(Instant(Duration(9))), HasPath(Path{})));
  EXPECT_THAT(sent, Not(HasTimestamps(4, 6)));
  EXPECT_THAT((Segment{.flags = "S", .ack = 2}), Not(HasAck(2u)));  // no ACK flag
  EXPECT_THAT((Segment{.tcp_checksum_ok = false}), Not(IsSegment(Segment{})));
}

}  // namespace
}  // namespace tern::test
