// SPDX-License-Identifier: BSD-3-Clause
#include "wire/ipv4.h"

#include <gtest/gtest.h>

#include "test_bytes.h"

namespace tern::wire {
namespace {

const Ipv4Header kHeader{.source = 0x0a000102,
                         .destination = 0x0a000202,
                         .total_bytes = 60,
                         .id = 0xe6af,
                         .ttl = 61,
                         .protocol = ip_protocol::kTcp};
const char kHeaderBytes[] = "4500 003c e6af 4000 3d06 4009 0a00 0102 0a00 0202";

/// kHeaderBytes with its 40 bytes of payload.
Bytes packet() {
  Bytes bytes = from_hex(kHeaderBytes);
  bytes.resize(60);
  return bytes;
}

DropReason verdict(const Bytes& bytes, bool checksum_is_good = true) {
  Ipv4Header header;
  return parse_ipv4(ExactBlock(bytes).bytes(), checksum_is_good, header);
}

TEST(Ipv4, WritesTheHeaderOfTheCapture) {
  Bytes out(kIpv4HeaderBytes + 1, std::byte{0xee});
  write_ipv4(out.data(), kHeader);
  EXPECT_EQ(out.back(), std::byte{0xee});
  out.pop_back();
  EXPECT_EQ(out, from_hex(kHeaderBytes));
}

TEST(Ipv4, ParsesTheHeaderOfTheCapture) {
  Ipv4Header header;
  EXPECT_EQ(parse_ipv4(packet(), false, header), DropReason::kNone);
  EXPECT_EQ(header, kHeader);
}

TEST(Ipv4, EveryFieldSurvivesTheRoundTrip) {
  const Ipv4Header header{.source = 0x01020304,
                          .destination = 0xfffefdfc,
                          .total_bytes = 21,
                          .id = 0x1234,
                          .traffic_class = 0xb9,
                          .ttl = 1,
                          .protocol = 0xff,
                          .dont_fragment = false};
  Bytes bytes(21);
  write_ipv4(bytes.data(), header);
  Ipv4Header parsed;
  EXPECT_EQ(parse_ipv4(bytes, false, parsed), DropReason::kNone);
  EXPECT_EQ(parsed, header);
}

TEST(Ipv4, EveryVersionAndHeaderLength) {
  for (unsigned first = 0; first < 256; ++first) {
    Bytes bytes = packet();
    bytes[0] = static_cast<std::byte>(first);
    const bool valid = first >> 4 == 4 && (first & 15) >= 5;
    EXPECT_EQ(verdict(bytes), valid ? DropReason::kNone : DropReason::drop_ip_header) << first;
  }
}

TEST(Ipv4, EveryTotalLength) {
  Bytes bytes = packet();
  for (unsigned total = 0; total <= 0xffff; ++total) {
    put_be16(bytes, 2, total);
    const DropReason expected = total < 20   ? DropReason::drop_ip_header
                                : total > 60 ? DropReason::drop_truncated
                                             : DropReason::kNone;
    ASSERT_EQ(verdict(bytes), expected) << total;
  }
}

TEST(Ipv4, HeaderLongerThanThePacket) {
  Bytes bytes = packet();
  bytes[0] = std::byte{0x4f};  // 60 bytes, all of it
  EXPECT_EQ(verdict(bytes), DropReason::kNone);
  put_be16(bytes, 2, 59);
  EXPECT_EQ(verdict(bytes), DropReason::drop_ip_header);
  put_be16(bytes, 2, 60);
  bytes.resize(59);
  EXPECT_EQ(verdict(bytes), DropReason::drop_truncated);
}

TEST(Ipv4, ChecksumIsVerifiedUnlessTheDeviceDid) {
  Bytes bytes = packet();
  bytes[8] = std::byte{1};
  EXPECT_EQ(verdict(bytes, false), DropReason::drop_ip_checksum);
  EXPECT_EQ(verdict(bytes, true), DropReason::kNone);
}

TEST(Ipv4, ChecksumCoversTheOptions) {
  Bytes bytes = packet();
  bytes[0] = std::byte{0x46};
  put_be16(bytes, 10, 0);
  put_be16(bytes, 10, textbook_checksum(std::span(bytes).first(24)));
  EXPECT_EQ(verdict(bytes, false), DropReason::kNone);
  bytes[23] = std::byte{1};
  EXPECT_EQ(verdict(bytes, false), DropReason::drop_ip_checksum);
}

TEST(Ipv4, FragmentsAreMoreOrOffsetButNotDontFragment) {
  for (const unsigned word : {0x0000u, 0x4000u, 0x8000u, 0xc000u}) {
    Bytes bytes = packet();
    put_be16(bytes, 6, word);
    EXPECT_EQ(verdict(bytes), DropReason::kNone) << word;
  }
  for (const unsigned word : {0x2000u, 0x6000u, 0x0001u, 0x1fffu, 0x1000u, 0x4001u}) {
    Bytes bytes = packet();
    put_be16(bytes, 6, word);
    EXPECT_EQ(verdict(bytes), DropReason::drop_ip_fragment) << word;
  }
}

TEST(Ipv4Options, SourceRoutesAreFoundWhereverTheyStand) {
  EXPECT_TRUE(has_source_route(from_hex("83 07 04 0a000001")));
  EXPECT_TRUE(has_source_route(from_hex("89 07 04 0a000001")));
  EXPECT_TRUE(has_source_route(from_hex("01 01 44 04 0000 83 07 04 0a000001")));
  EXPECT_TRUE(has_source_route(from_hex("01 01 01 89")));  // cut off: still what it says it is
  EXPECT_TRUE(has_source_route(from_hex("83 00 00 00")));
}

TEST(Ipv4Options, OthersAreSkipped) {
  EXPECT_FALSE(has_source_route({}));
  EXPECT_FALSE(has_source_route(from_hex("94 04 0000")));         // router alert
  EXPECT_FALSE(has_source_route(from_hex("07 07 04 00000083")));  // 131 inside another's value
  EXPECT_FALSE(has_source_route(from_hex("01 01 00 83")));        // behind the end
}

TEST(Ipv4Options, MalformedLengthsEndTheWalk) {
  for (const char* options : {"44 00 83 03", "44 01 83 03", "44 06 83 03", "44"}) {
    EXPECT_FALSE(has_source_route(ExactBlock(from_hex(options)).bytes())) << options;
  }
}

TEST(Ipv4Options, EveryTypeLengthAndOffset) {
  for (std::size_t offset = 0; offset < 40; ++offset) {
    Bytes bytes(40, std::byte{1});
    const ExactBlock block(bytes);
    for (unsigned type = 0; type < 256; ++type) {
      block.bytes()[offset] = static_cast<std::byte>(type);
      for (unsigned length = 0; length <= 41 && offset + 1 < 40; ++length) {
        block.bytes()[offset + 1] = static_cast<std::byte>(length);
        ASSERT_EQ(has_source_route(block.bytes()), type == 131 || type == 137)
            << offset << " " << type << " " << length;
      }
    }
  }
}

}  // namespace
}  // namespace tern::wire
