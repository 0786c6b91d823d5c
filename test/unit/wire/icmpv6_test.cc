// SPDX-License-Identifier: BSD-3-Clause
#include "wire/icmpv6.h"

#include <gtest/gtest.h>

#include "test_bytes.h"

namespace tern::wire {
namespace {

Ipv6Address address(std::uint8_t last) {
  std::array<std::uint8_t, 16> octets{0xfd};
  octets[15] = last;
  return Ipv6Address(octets);
}

const IcmpHeader kEcho{.type = icmpv6_type::kEchoRequest, .rest = 0x12340001};

// The pseudo-header of fd00::1 -> fd00::2 is fd00+1 + fd00+2 + length 12 (000c) + 003a, the message
// 8000 + 1234 + 0001 + 6162 + 6364: folded 5147, whose complement is aeb8.
const char kEchoBytes[] = "8000 aeb8 1234 0001 61626364";

TEST(Icmpv6, WritesTheBytes) {
  Bytes message = from_hex("eeeeeeee eeeeeeee 61626364");
  write_icmpv6(message, address(1), address(2), kEcho);
  EXPECT_EQ(message, from_hex(kEchoBytes));
}

TEST(Icmpv6, ParsesTheBytes) {
  EXPECT_EQ(parse_icmpv6(from_hex(kEchoBytes), address(1), address(2)), kEcho);
}

TEST(Icmpv6, OtherAddressesAreNothing) {
  EXPECT_FALSE(parse_icmpv6(from_hex(kEchoBytes), address(1), address(3)));
}

TEST(Icmpv6, EveryTruncationIsNothing) {
  const Bytes message = from_hex(kEchoBytes);
  for (std::size_t length = 0; length < message.size(); ++length) {
    const ExactBlock block{std::span<const std::byte>(message).first(length)};
    EXPECT_FALSE(parse_icmpv6(block.bytes(), address(1), address(2))) << length;
  }
}

TEST(Icmpv6, EveryFlippedBitIsNothing) {
  Bytes message = from_hex(kEchoBytes);
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    message[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(parse_icmpv6(message, address(1), address(2))) << bit;
    message[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

}  // namespace
}  // namespace tern::wire
