// SPDX-License-Identifier: BSD-3-Clause
#include "wire/icmp.h"

#include <gtest/gtest.h>

#include "test_bytes.h"

namespace tern::wire {
namespace {

const IcmpHeader kEcho{.type = icmp_type::kEchoRequest, .rest = 0x12340001};

// 0800 + 1234 + 0001 + 6162 + 6300 = de97, whose complement is 2168; an odd body.
const char kEchoBytes[] = "0800 2168 1234 0001 616263";

TEST(Icmp, WritesTheBytes) {
  Bytes message = from_hex("eeeeeeee eeeeeeee 616263");
  write_icmp(message, kEcho);
  EXPECT_EQ(message, from_hex(kEchoBytes));
}

TEST(Icmp, ParsesTheBytes) {
  const auto header = parse_icmp(from_hex(kEchoBytes));
  ASSERT_EQ(header, kEcho);
  EXPECT_EQ(header->echo_id(), 0x1234);
  EXPECT_EQ(header->echo_sequence(), 1);
}

TEST(Icmp, NextHopMtuIsTheLowHalf) {
  Bytes message(kIcmpHeaderBytes);
  write_icmp(message, {.type = icmp_type::kDestinationUnreachable,
                       .code = icmp_code::kFragmentationNeeded,
                       .rest = 0xffff0000 | 1400});
  EXPECT_EQ(message, from_hex("0304 f783 ffff 0578"));
  EXPECT_EQ(parse_icmp(message)->next_hop_mtu(), 1400);
}

TEST(Icmp, EveryTruncationIsNothing) {
  const Bytes message = from_hex(kEchoBytes);
  for (std::size_t length = 0; length < message.size(); ++length) {
    EXPECT_FALSE(parse_icmp(ExactBlock(std::span(message).first(length)).bytes())) << length;
  }
}

TEST(Icmp, ShortWithARightSumIsNothing) {
  const Bytes message = from_hex("0000 ffff 0000 0000");
  ASSERT_TRUE(parse_icmp(message));
  for (std::size_t length = 0; length < kIcmpHeaderBytes; ++length) {
    EXPECT_FALSE(parse_icmp(std::span(message).first(length))) << length;
  }
}

TEST(Icmp, EveryFlippedBitIsNothing) {
  Bytes message = from_hex(kEchoBytes);
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    message[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(parse_icmp(message)) << bit;
    message[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

}  // namespace
}  // namespace tern::wire
