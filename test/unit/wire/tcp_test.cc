// SPDX-License-Identifier: BSD-3-Clause
#include "wire/tcp.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "reference_parse.h"
#include "test_bytes.h"

namespace tern::wire {
namespace {

constexpr std::uint64_t kSeed = 0x9293;

Bytes written(const TcpOptions& options) {
  Bytes out(kTcpMaxOptionBytes, std::byte{0xee});
  const std::size_t length = write_tcp_options(options, out.data());
  for (std::size_t i = length; i < out.size(); ++i) EXPECT_EQ(out[i], std::byte{0xee});
  out.resize(length);
  return out;
}

void expect_parses_as_reference(std::span<const std::byte> bytes) {
  const ExactBlock block(bytes);
  TcpOptions options;
  options.sack_count = 3;  // whatever stood there before
  options.has_mss = options.has_timestamp = options.sack_permitted = true;
  const bool ok = parse_tcp_options(block.bytes(), options);
  TcpOptions expected;
  const bool expected_ok = reference_parse_options(bytes, expected);
  if (ok != expected_ok || !same_options(options, expected)) {
    ADD_FAILURE() << testing::PrintToString(Bytes(bytes.begin(), bytes.end()));
  }
}

/// The SYN of the Linux client in the capture: mss 1460,sackOK,TS val 4236541223 ecr
/// 0,nop,wscale 7.
TcpOptions linux_syn() {
  TcpOptions options;
  options.has_mss = options.sack_permitted = true;
  options.has_timestamp = options.has_window_scale = true;
  options.mss = 1460;
  options.ts_value = 4236541223;
  options.window_scale = 7;
  return options;
}

TEST(WriteTcpOptions, LinuxSynByteForByte) {
  EXPECT_EQ(written(linux_syn()), from_hex("0204 05b4 0402 080a fc84 7d27 0000 0000 0103 0307"));
}

TEST(WriteTcpOptions, LinuxSynAckByteForByte) {
  TcpOptions options = linux_syn();
  options.ts_value = 398188058;
  options.ts_echo_reply = 4236541223;
  EXPECT_EQ(written(options), from_hex("0204 05b4 0402 080a 17bb de1a fc84 7d27 0103 0307"));
}

TEST(WriteTcpOptions, LinuxDataByteForByte) {
  TcpOptions options;
  options.has_timestamp = true;
  options.ts_value = 4236692912;
  options.ts_echo_reply = 398188058;
  EXPECT_EQ(written(options), from_hex("0101 080a fc86 cdb0 17bb de1a"));
}

TEST(WriteTcpOptions, SynVariants) {
  TcpOptions options = linux_syn();
  options.sack_permitted = false;
  EXPECT_EQ(written(options), from_hex("0204 05b4 0101 080a fc84 7d27 0000 0000 0103 0307"));
  options.has_timestamp = false;
  options.sack_permitted = true;
  EXPECT_EQ(written(options), from_hex("0204 05b4 0101 0402 0103 0307"));
  options.sack_permitted = options.has_window_scale = false;
  EXPECT_EQ(written(options), from_hex("0204 05b4"));
  EXPECT_TRUE(written(TcpOptions{}).empty());
}

TEST(WriteTcpOptions, SackBlocksAsManyAsFit) {
  TcpOptions options;
  options.sack_count = 4;
  options.sack = {{{SeqNum(1), SeqNum(2)},
                   {SeqNum(3), SeqNum(4)},
                   {SeqNum(5), SeqNum(6)},
                   {SeqNum(7), SeqNum(0xfffffff8)}}};
  EXPECT_EQ(written(options),
            from_hex("0101 0522 00000001 00000002 00000003 00000004 00000005 00000006"
                     "00000007 fffffff8"));
  options.has_timestamp = true;
  EXPECT_EQ(written(options), from_hex("0101 080a 00000000 00000000 0101 051a 00000001 00000002"
                                       "00000003 00000004 00000005 00000006"));
  options.has_mss = options.has_window_scale = true;  // 20 bytes; 2 blocks take the other 20
  EXPECT_EQ(written(options).size(), 40u);
  options.sack_count = 1;
  EXPECT_EQ(written(options).size(), 32u);
}

TEST(ParseTcpOptions, TheCapture) {
  TcpOptions options;
  EXPECT_TRUE(
      parse_tcp_options(from_hex("0204 05b4 0402 080a fc84 7d27 0000 0000 0103 0307"), options));
  EXPECT_TRUE(same_options(options, linux_syn()));
}

TEST(ParseTcpOptions, AlignedTimestampPath) {
  const Bytes bytes = from_hex("0101 080a fc86 cdb0 17bb de1a");
  expect_parses_as_reference(bytes);
  TcpOptions options;
  EXPECT_TRUE(parse_tcp_options(bytes, options));
  EXPECT_TRUE(options.has_timestamp);
  EXPECT_EQ(options.ts_value, 4236692912u);
  EXPECT_EQ(options.ts_echo_reply, 398188058u);
  EXPECT_FALSE(options.has_mss || options.has_window_scale || options.sack_permitted);
  EXPECT_EQ(options.sack_count, 0);
}

TEST(ParseTcpOptions, TheFirstOfTwoCounts) {
  TcpOptions options;
  EXPECT_TRUE(parse_tcp_options(
      from_hex("02040010 02040020 030305 030306 080a0000000100000002 080a0000000300000004"),
      options));
  EXPECT_EQ(options.mss, 0x10);
  EXPECT_EQ(options.window_scale, 5);
  EXPECT_EQ(options.ts_value, 1u);
  EXPECT_EQ(options.ts_echo_reply, 2u);
  EXPECT_TRUE(parse_tcp_options(from_hex("050a0000000100000002 050a0000000300000004"), options));
  EXPECT_EQ(options.sack_count, 1);
  EXPECT_EQ(options.sack[0].begin, SeqNum(1));
  EXPECT_TRUE(parse_tcp_options(from_hex("1c048005 1c048007"), options));
  EXPECT_EQ(options.user_timeout, 0x8005);
}

TEST(ParseTcpOptions, WindowScaleIsClampedAndMssIsNot) {
  for (unsigned shift = 0; shift < 256; ++shift) {
    Bytes bytes = from_hex("030300");
    bytes[2] = static_cast<std::byte>(shift);
    TcpOptions options;
    EXPECT_TRUE(parse_tcp_options(bytes, options));
    EXPECT_EQ(options.window_scale, std::min(shift, 14u));
  }
  for (const unsigned mss : {0u, 1u, 47u, 65535u}) {
    Bytes bytes = from_hex("02040000");
    put_be16(bytes, 2, mss);
    TcpOptions options;
    EXPECT_TRUE(parse_tcp_options(bytes, options));
    EXPECT_EQ(options.mss, mss);
  }
}

TEST(ParseTcpOptions, WhatCameBeforeAnIllegalLengthStands) {
  for (const char* tail : {"0800", "0801", "080b 000000000000", "08", "fe00", "fe"}) {
    Bytes bytes = from_hex("020405b4");
    const Bytes rest = from_hex(tail);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    TcpOptions options;
    EXPECT_FALSE(parse_tcp_options(bytes, options)) << tail;
    EXPECT_TRUE(options.has_mss);
    EXPECT_EQ(options.mss, 1460);
    EXPECT_FALSE(options.has_timestamp);
  }
}

TEST(ParseTcpOptions, NothingAfterTheEndCounts) {
  TcpOptions options;
  EXPECT_TRUE(parse_tcp_options(from_hex("00 0204 05b4 08"), options));
  EXPECT_FALSE(options.has_mss);
}

TEST(ParseTcpOptions, EveryKindLengthAndOffset) {  // AMNESIA:33
  for (std::size_t offset = 0; offset <= 40; ++offset) {
    for (const std::size_t size : {std::size_t{40}, std::min<std::size_t>(offset + 1, 40),
                                   std::min<std::size_t>(offset + 2, 40)}) {
      Bytes bytes(size, std::byte{1});
      for (unsigned kind = 0; kind < 256; ++kind) {
        if (offset < size) bytes[offset] = static_cast<std::byte>(kind);
        for (unsigned length = 0; length <= 41; ++length) {
          if (offset + 1 < size) bytes[offset + 1] = static_cast<std::byte>(length);
          expect_parses_as_reference(bytes);
        }
      }
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(ParseTcpOptions, RandomBytes) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng prng(kSeed);
  for (int i = 0; i < 200'000; ++i) {
    Bytes bytes = random_bytes(prng, prng.below(41));
    for (std::byte& b : bytes) {  // small numbers make kinds and lengths that mean something
      if (prng.chance(0.7)) b &= std::byte{0x0f};
    }
    expect_parses_as_reference(bytes);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ParseTcpOptions, MoreBytesThanAHeaderHolds) {  // not met on the wire; must not overrun sack[]
  Bytes bytes(2 + 8 * 31, std::byte{7});
  bytes[0] = std::byte{5};
  bytes[1] = static_cast<std::byte>(bytes.size());
  TcpOptions options;
  EXPECT_TRUE(parse_tcp_options(bytes, options));
  EXPECT_EQ(options.sack_count, 0);
}

TEST(TcpOptions, WhatIsWrittenParses) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng prng(kSeed);
  for (int i = 0; i < 50'000; ++i) {
    TcpOptions options;
    options.has_mss = prng.chance(0.5);
    options.has_timestamp = prng.chance(0.5);
    options.has_window_scale = prng.chance(0.5);
    options.sack_permitted = prng.chance(0.5);
    options.has_user_timeout = prng.chance(0.2);
    if (options.has_user_timeout) options.user_timeout = static_cast<std::uint16_t>(prng.next());
    options.sack_count = static_cast<std::uint8_t>(prng.below(5));
    if (options.has_mss) options.mss = static_cast<std::uint16_t>(prng.next());
    if (options.has_window_scale) options.window_scale = static_cast<std::uint8_t>(prng.below(15));
    if (options.has_timestamp) {
      options.ts_value = static_cast<std::uint32_t>(prng.next());
      options.ts_echo_reply = static_cast<std::uint32_t>(prng.next());
    }
    for (SackBlock& block : options.sack) {
      block = {SeqNum(static_cast<std::uint32_t>(prng.next())),
               SeqNum(static_cast<std::uint32_t>(prng.next()))};
    }
    const Bytes bytes = written(options);
    ASSERT_EQ(bytes.size() % 4, 0u);
    TcpOptions parsed;
    ASSERT_TRUE(parse_tcp_options(bytes, parsed));
    const std::size_t heads = (options.has_mss ? 4 : 0) + (options.has_timestamp ? 12 : 0) +
                              (options.sack_permitted && !options.has_timestamp ? 4 : 0) +
                              (options.has_window_scale ? 4 : 0) +
                              (options.has_user_timeout ? 4 : 0);
    options.sack_count = static_cast<std::uint8_t>(
        std::min<std::size_t>(options.sack_count, (kTcpMaxOptionBytes - heads - 4) / 8));
    ASSERT_TRUE(same_options(parsed, options));
  }
}

TEST(WriteTcpHeader, TheCapture) {
  Bytes out(kTcpHeaderBytes + 1, std::byte{0xee});
  write_tcp_header(out.data(), {.source_port = 47762,
                                .destination_port = 9999,
                                .seq = SeqNum(1386804287),
                                .flags = tcp_flag::kSyn,
                                .header_bytes = 40,
                                .window = 29200});
  EXPECT_EQ(out, from_hex("ba92 270f 52a8 f43f 0000 0000 a002 7210 0000 0000 ee"));
  write_tcp_header(out.data(), {.source_port = 9999,
                                .destination_port = 47762,
                                .seq = SeqNum(401184951),
                                .ack = SeqNum(1386804288),
                                .flags = tcp_flag::kSyn | tcp_flag::kAck,
                                .header_bytes = 60,
                                .window = 28960,
                                .urgent = 0x0102});
  EXPECT_EQ(out, from_hex("270f ba92 17e9 98b7 52a8 f440 f012 7120 0000 0102 ee"));
}

TEST(TcpView, ReadsEveryField) {
  const Bytes bytes = from_hex("270f ba92 17e9 98b7 52a8 f440 afd2 7120 1732 0102");
  const TcpView view(std::span<const std::byte, kTcpHeaderBytes>(bytes.data(), kTcpHeaderBytes));
  EXPECT_EQ(view.ports().source(), 9999);
  EXPECT_EQ(view.ports().destination(), 47762);
  EXPECT_EQ(view.numbers().seq(), SeqNum(401184951));
  EXPECT_EQ(view.numbers().ack(), SeqNum(1386804288));
  EXPECT_EQ(view.header_bytes(), 40u);  // the reserved bits beside it do not count
  EXPECT_EQ(view.flags(), 0xd2);
  EXPECT_EQ(view.window(), 28960);
  EXPECT_EQ(view.urgent(), 0x0102);
}

TEST(TcpSegment, LengthCountsSynAndFin) {
  TcpSegment segment;
  segment.payload_length = 10;
  segment.flags = tcp_flag::kAck | tcp_flag::kPsh;
  EXPECT_EQ(segment.length(), 10u);
  segment.flags = tcp_flag::kSyn;
  EXPECT_EQ(segment.length(), 11u);
  segment.flags = tcp_flag::kFin | tcp_flag::kAck;
  EXPECT_EQ(segment.length(), 11u);
}

}  // namespace
}  // namespace tern::wire
