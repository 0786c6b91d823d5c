// SPDX-License-Identifier: BSD-3-Clause
#include "wire/ipv6_extension.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "test_bytes.h"

namespace tern::wire {
namespace {

using enum DropReason;

constexpr std::uint8_t kTcp = 6, kHopByHop = 0, kRouting = 43, kFragment = 44, kNone6 = 59,
                       kOptions = 60;

Ipv6Extensions walk(std::uint8_t first, std::string_view hex) {
  return walk_extensions(first, ExactBlock(from_hex(hex)).bytes());
}

TEST(Ipv6Extensions, NoneAtAll) {
  const Ipv6Extensions x = walk(kTcp, "");
  EXPECT_EQ(x.drop, kNone);
  EXPECT_EQ(x.upper_layer, kTcp);
  EXPECT_EQ(x.offset, 0u);
  EXPECT_EQ(walk(58, "00").upper_layer, 58);
}

TEST(Ipv6Extensions, EveryKindIsWalked) {
  // Hop-by-hop with a router alert and padding, destination options of 16 bytes, a route at its
  // end, a fragment header of a whole packet.
  const Ipv6Extensions x = walk(kHopByHop,
                                "3c00 05020000 0100"
                                "2b01 010c 000000000000000000000000"
                                "2c00 0400 00000000"
                                "06ff 0000 12345678"
                                "aaaa");
  EXPECT_EQ(x.drop, kNone);
  EXPECT_EQ(x.upper_layer, kTcp);
  EXPECT_EQ(x.offset, 40u);
}

TEST(Ipv6Extensions, AFragmentIsNotAPacket) {
  EXPECT_EQ(walk(kFragment, "0600 0001 00000001").drop, drop_ip_fragment);  // more to come
  EXPECT_EQ(walk(kFragment, "0600 0008 00000001").drop, drop_ip_fragment);  // not the first
  EXPECT_FALSE(walk(kFragment, "0600 0008 00000001").is_problem);
  EXPECT_EQ(walk(kFragment, "0600 0006 00000001").drop, kNone);  // reserved bits mean nothing
}

TEST(Ipv6Extensions, AFragmentIsFoundBehindOtherHeaders) {
  const Ipv6Extensions x = walk(kOptions,
                                "2c00 010400000000"
                                "0600 0008 00000001"
                                "aaaa");
  EXPECT_TRUE(x.is_fragment);
  EXPECT_FALSE(x.is_problem);
  EXPECT_EQ(x.offset, 8u);
  EXPECT_EQ(x.next_header_at, 40u);
}

// RFC 8200 4.5, in its order.
TEST(Ipv6Extensions, WhatAFragmentMustNotBe) {
  const Ipv6Extensions odd = walk(kFragment, "0600 0009 00000001 aaaaaaaaaaaaaaaaaa");
  EXPECT_TRUE(odd.is_problem);
  EXPECT_EQ(odd.problem_code, parameter_problem::kField);
  EXPECT_EQ(odd.problem_pointer, 4u) << "the payload length";
  const Ipv6Extensions far = walk(kFragment, "0600 fff8 00000001 aaaaaaaaaaaaaaaa");
  EXPECT_TRUE(far.is_problem);
  EXPECT_EQ(far.problem_code, parameter_problem::kField);
  EXPECT_EQ(far.problem_pointer, 42u) << "the offset";
  EXPECT_TRUE(walk(kFragment, "0600 fff8 00000001 aaaaaaaaaaaaaa").is_fragment);
}

// RFC 7112 5.
TEST(Ipv6Extensions, TheFirstFragmentHoldsAllHeaders) {
  const std::string eight = "aaaaaaaaaaaaaaaa";
  const Ipv6Extensions tiny = walk(kFragment, "0600 0001 00000001" + eight + eight);
  EXPECT_EQ(tiny.drop, drop_ip_fragment);
  EXPECT_FALSE(tiny.is_fragment);
  EXPECT_EQ(tiny.problem_code, parameter_problem::kHeaderChain);
  EXPECT_EQ(tiny.problem_pointer, 0u);
  EXPECT_TRUE(walk(kFragment, "0600 0001 00000001" + eight + eight + eight).is_fragment);
  EXPECT_TRUE(walk(kFragment, "3a00 0001 00000001" + eight).is_fragment) << "ICMPv6's has 8";
  EXPECT_TRUE(walk(kFragment, "3c00 0001 00000001 3a00010400000000" + eight).is_fragment);
  EXPECT_EQ(walk(kFragment, "3c00 0001 00000001 3a01010400000000").problem_code,
            parameter_problem::kHeaderChain);
}

// What is more than is walked of a whole packet is not walked of a first fragment either: that the
// chain does not end is then for the whole packet's walk to find.
TEST(Ipv6Extensions, TheWalkOfAFirstFragmentIsBounded) {
  const auto unfinished = [](unsigned headers, std::uint8_t units) {
    Bytes bytes = from_hex("3c00 0001 00000001");
    for (unsigned i = 0; i < headers; ++i) {
      Bytes header((units + 1u) * 8, std::byte{0});
      header[0] = std::byte{kOptions}, header[1] = std::byte{units};
      bytes.insert(bytes.end(), header.begin(), header.end());
    }
    return walk_extensions(kFragment, ExactBlock(bytes).bytes());
  };
  EXPECT_TRUE(unfinished(7, 0).is_problem);
  EXPECT_TRUE(unfinished(7, 3).is_problem);
  EXPECT_TRUE(unfinished(8, 0).is_fragment);
  EXPECT_TRUE(unfinished(180, 0).is_fragment);
  EXPECT_TRUE(unfinished(2, 15).is_fragment);
}

TEST(Ipv6Extensions, ARouteIsNotFollowed) {
  // RFC 5095: type 0 like any other type.
  for (const char* hex : {"0600 0001 00000000", "0600 0401 00000000"}) {
    const Ipv6Extensions x = walk(kRouting, hex);
    EXPECT_EQ(x.drop, drop_ip_extension);
    EXPECT_TRUE(x.is_problem);
    EXPECT_EQ(x.problem_code, parameter_problem::kField);
    EXPECT_EQ(x.problem_pointer, 42u) << "the routing type";
  }
  EXPECT_EQ(walk(kRouting, "0600 0000 00000000").drop, kNone);
}

TEST(Ipv6Extensions, AnUnknownOptionSaysWhatIsToBecomeOfThePacket) {
  EXPECT_EQ(walk(kOptions, "0600 1e020000 0100").drop, kNone);
  EXPECT_EQ(walk(kOptions, "0600 5e020000 0100").drop, drop_ip_extension);
  EXPECT_FALSE(walk(kOptions, "0600 5e020000 0100").is_problem);
  const Ipv6Extensions always = walk(kOptions, "0600 00 9e0100 0000");
  EXPECT_EQ(always.drop, drop_ip_extension);
  EXPECT_TRUE(always.is_problem && always.to_multicast_too);
  EXPECT_EQ(always.problem_code, parameter_problem::kOption);
  EXPECT_EQ(always.problem_pointer, 43u) << "behind one byte of padding";
  const Ipv6Extensions unicast = walk(kOptions, "0600 de020000 0100");
  EXPECT_TRUE(unicast.is_problem && !unicast.to_multicast_too);
  EXPECT_EQ(walk(kHopByHop, "0600 c2040001 0000").drop, drop_ip_extension) << "jumbograms";
}

TEST(Ipv6Extensions, UnknownNextHeaders) {
  const Ipv6Extensions first = walk(17, "");
  EXPECT_EQ(first.drop, drop_ip_protocol);
  EXPECT_TRUE(first.is_problem);
  EXPECT_EQ(first.problem_code, parameter_problem::kNextHeader);
  EXPECT_EQ(first.problem_pointer, 6u);
  const Ipv6Extensions later = walk(kOptions, "3c00 010400000000 1100 010400000000");
  EXPECT_EQ(later.problem_pointer, 48u) << "the second header's next-header field";
  // Hop-by-hop options anywhere but first.
  EXPECT_EQ(walk(kOptions, "0000 010400000000 0600 010400000000").drop, drop_ip_protocol);
  EXPECT_EQ(walk(kNone6, "").drop, drop_ip_protocol);
  EXPECT_FALSE(walk(kNone6, "").is_problem);
}

TEST(Ipv6Extensions, WhatDoesNotFitIsMalformed) {
  EXPECT_EQ(walk(kOptions, "").drop, drop_ip_extension);
  EXPECT_EQ(walk(kOptions, "06000104000000").drop, drop_ip_extension);
  EXPECT_EQ(walk(kOptions, "0601 010400000000").drop, drop_ip_extension);  // claims 16 bytes
  EXPECT_EQ(walk(kOptions, "0600 010500000000").drop, drop_ip_extension);  // an option's length
  EXPECT_EQ(walk(kOptions, "0600 010300000001").drop, drop_ip_extension);  // half an option
}

TEST(Ipv6Extensions, TheWalkIsBounded) {
  const auto chain = [](unsigned headers, unsigned units) {
    Bytes bytes;
    for (unsigned i = 0; i < headers; ++i) {
      Bytes header((units + 1) * 8, std::byte{0});
      header[0] = static_cast<std::byte>(i + 1 == headers ? kTcp : kOptions);
      header[1] = static_cast<std::byte>(units);
      bytes.insert(bytes.end(), header.begin(), header.end());
    }
    return walk_extensions(kOptions, ExactBlock(bytes).bytes());
  };
  EXPECT_EQ(chain(8, 0).drop, kNone);
  EXPECT_EQ(chain(9, 0).drop, drop_ip_extension);
  EXPECT_EQ(chain(1, 31).drop, kNone);
  EXPECT_EQ(chain(1, 32).drop, drop_ip_extension);
  EXPECT_EQ(chain(8, 3).drop, kNone);
  EXPECT_EQ(chain(8, 4).drop, drop_ip_extension);
}

// Whatever the bytes are: no read beyond them (their block is of exactly their size), and what is
// let through lies within.
TEST(Ipv6Extensions, RandomBytes) {
  Prng random(6);
  constexpr std::uint8_t kFirst[] = {kTcp, kHopByHop, kRouting, kFragment, kNone6, kOptions, 17};
  unsigned passed = 0;
  for (int i = 0; i < 300'000; ++i) {
    Bytes bytes(random.below(120));
    for (std::byte& b : bytes)
      b = static_cast<std::byte>(random.below(3) == 0 ? kFirst[random.below(7)] : random.below(4));
    const Ipv6Extensions x = walk_extensions(kFirst[random.below(7)], ExactBlock(bytes).bytes());
    ASSERT_LE(x.offset, bytes.size());
    ASSERT_LE(x.offset, kMaxExtensionBytes);
    ASSERT_TRUE(x.drop != kNone || x.upper_layer == kTcp || x.upper_layer == 58);
    ASSERT_TRUE(!x.is_problem || x.drop != kNone);
    ASSERT_LE(x.problem_pointer, 40 + bytes.size());
    passed += x.drop == kNone && x.offset > 0;
  }
  EXPECT_GT(passed, 500u);
}

}  // namespace
}  // namespace tern::wire
