// SPDX-License-Identifier: BSD-3-Clause
#include "wire/ipv6.h"

#include <gtest/gtest.h>

#include "test_bytes.h"

namespace tern::wire {
namespace {

Ipv6Address address(std::uint8_t last) {
  std::array<std::uint8_t, 16> octets{0xfd};
  octets[15] = last;
  return Ipv6Address(octets);
}

Ipv6Header header() {
  return {.source = address(1),
          .destination = address(2),
          .flow_label = 0xabcde,
          .payload_bytes = 4,
          .traffic_class = 0xb9,
          .next_header = 6,
          .hop_limit = 64};
}

Bytes packet() {
  return from_hex(
      "6b9abcde 0004 06 40 fd000000000000000000000000000001 fd000000000000000000000000000002"
      "61626364");
}

TEST(Ipv6, WritesTheBytes) {
  Bytes out = packet();
  std::fill(out.begin(), out.begin() + kIpv6HeaderBytes, std::byte{0xee});
  write_ipv6(out.data(), header());
  EXPECT_EQ(out, packet());
}

TEST(Ipv6, FlowLabelStaysInItsBits) {
  Bytes out(kIpv6HeaderBytes);
  Ipv6Header wide = header();
  wide.flow_label = 0xffffffff;
  wide.traffic_class = 0;
  write_ipv6(out.data(), wide);
  EXPECT_EQ(Bytes(out.begin(), out.begin() + 4), from_hex("600fffff"));
}

TEST(Ipv6, ParsesTheBytes) { EXPECT_EQ(parse_ipv6(packet()), header()); }

TEST(Ipv6, PaddingBehindThePayloadIsIgnored) {
  Bytes bytes = packet();
  bytes.resize(60);
  EXPECT_EQ(parse_ipv6(bytes), header());
}

TEST(Ipv6, EveryTruncationIsNothing) {
  const Bytes bytes = packet();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(parse_ipv6(ExactBlock(std::span(bytes).first(length)).bytes())) << length;
  }
}

TEST(Ipv6, EveryPayloadLength) {
  Bytes bytes = packet();
  for (unsigned length = 0; length <= 0xffff; ++length) {
    put_be16(bytes, 4, length);
    ASSERT_EQ(parse_ipv6(bytes).has_value(), length <= 4) << length;
  }
}

TEST(Ipv6, OtherVersionsAreNothing) {
  for (unsigned version = 0; version < 16; ++version) {
    Bytes bytes = packet();
    bytes[0] = static_cast<std::byte>(version << 4 | 0x0b);
    EXPECT_EQ(parse_ipv6(bytes).has_value(), version == 6) << version;
  }
}

}  // namespace
}  // namespace tern::wire
