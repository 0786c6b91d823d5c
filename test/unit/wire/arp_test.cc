// SPDX-License-Identifier: BSD-3-Clause
#include "wire/arp.h"

#include <gtest/gtest.h>

#include "test_bytes.h"

namespace tern::wire {
namespace {

const ArpPacket kRequest{.operation = ArpOperation::kRequest,
                         .sender_mac = {{0x02, 0, 0, 0, 0, 0x01}},
                         .sender_address = 0x0a000201,
                         .target_address = 0x0a000202};
const char kRequestBytes[] = "0001 0800 06 04 0001 020000000001 0a000201 000000000000 0a000202";

TEST(Arp, WritesTheBytes) {
  Bytes out(kArpBytes + 1, std::byte{0xee});
  write_arp(out.data(), kRequest);
  EXPECT_EQ(out.back(), std::byte{0xee});
  out.pop_back();
  EXPECT_EQ(out, from_hex(kRequestBytes));
}

TEST(Arp, ParsesRequestAndReply) {
  EXPECT_EQ(parse_arp(from_hex(kRequestBytes)), kRequest);
  ArpPacket reply = kRequest;
  reply.operation = ArpOperation::kReply;
  reply.target_mac = {{0x02, 0, 0, 0, 0, 0x02}};
  Bytes bytes(kArpBytes);
  write_arp(bytes.data(), reply);
  EXPECT_EQ(parse_arp(bytes), reply);
}

TEST(Arp, PaddingBehindItIsIgnored) {
  Bytes bytes = from_hex(kRequestBytes);
  bytes.resize(46, std::byte{0xee});
  EXPECT_EQ(parse_arp(bytes), kRequest);
}

TEST(Arp, TooShortIsNothing) {
  const Bytes bytes = from_hex(kRequestBytes);
  for (std::size_t length = 0; length < kArpBytes; ++length) {
    EXPECT_FALSE(parse_arp(ExactBlock(std::span(bytes).first(length)).bytes())) << length;
  }
}

TEST(Arp, EveryOtherFixedFieldIsNothing) {
  for (std::size_t at = 0; at < 8; ++at) {
    Bytes bytes = from_hex(kRequestBytes);
    for (unsigned value = 0; value < 256; ++value) {
      bytes[at] = static_cast<std::byte>(value);
      const bool valid = bytes[at] == from_hex(kRequestBytes)[at] || (at == 7 && value == 2);
      EXPECT_EQ(parse_arp(bytes).has_value(), valid) << at << " " << value;
    }
  }
}

}  // namespace
}  // namespace tern::wire
