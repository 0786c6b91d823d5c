// SPDX-License-Identifier: BSD-3-Clause
#include "wire/neighbour_discovery.h"

#include <gtest/gtest.h>

#include "test_bytes.h"
#include "wire/ipv6_scope.h"

namespace tern::wire {
namespace {

Ipv6Address ip6(const char* text) { return Ipv6Address::parse(text).value(); }

const Ipv6Address kAsker = ip6("fe80::1");
const Ipv6Address kOwn = ip6("fd00::2");
const Ipv6Address kNobody{};
const MacAddress kMac{{0x02, 0, 0, 0, 0, 0x07}};

// The messages by hand; complete() fills in the checksum, by RFC 1071's own loop.
const char kSolicitation[] =
    "8700 0000 00000000 fd000000000000000000000000000002 0101 020000000007";
const char kAdvertisement[] =
    "8800 0000 60000000 fd000000000000000000000000000002 0201 020000000007";
const char kRouter[] =
    "8600 0000 40 c0 0708 00007530 000003e8"
    "0101 020000000007"
    "0501 0000 000005dc"
    "0304 40 c0 00015180 00003840 00000000 fd000000000000000000000000000000";

struct Message {
  Ipv6Address source = kAsker, destination = kOwn;
  std::uint8_t hop_limit = 255;
  bool fragment_header = false;
  Bytes bytes;

  explicit Message(std::string_view hex) : bytes(from_hex(hex)) { complete(); }

  Message& complete() {
    Bytes pseudo;
    for (const Ipv6Address* a : {&source, &destination})
      for (const std::uint8_t octet : a->octets()) pseudo.push_back(std::byte{octet});
    pseudo.resize(40);
    put_be16(pseudo, 34, static_cast<std::uint32_t>(bytes.size()));
    pseudo[39] = std::byte{58};
    put_be16(bytes, 2, 0);
    put_be16(bytes, 2, textbook_checksum(bytes, textbook_sum(pseudo)));
    return *this;
  }
  Message& from(const Ipv6Address& a) { return source = a, complete(); }
  Message& to(const Ipv6Address& a) { return destination = a, complete(); }
  Message& append(std::string_view hex) {
    const Bytes more = from_hex(hex);
    bytes.insert(bytes.end(), more.begin(), more.end());
    return complete();
  }
  Message& cut(std::size_t length) { return bytes.resize(length), complete(); }
  Message& put(std::size_t at, unsigned value) {
    bytes.at(at) = static_cast<std::byte>(value);
    return complete();
  }
};

template <class F>
auto parse_exactly(const Message& message, F&& parse) {
  const ExactBlock block{message.bytes};
  return parse(Icmpv6Packet{message.source, message.destination, message.hop_limit, block.bytes(),
                            message.fragment_header});
}
auto solicitation_of(const Message& m) { return parse_exactly(m, parse_neighbour_solicitation); }
auto advertisement_of(const Message& m) { return parse_exactly(m, parse_neighbour_advertisement); }
auto router_of(const Message& m) { return parse_exactly(m, parse_router_advertisement); }

Message solicitation() { return Message(kSolicitation); }
Message advertisement() { return Message(kAdvertisement); }
Message router() { return Message(kRouter).to(ipv6_group::kAllNodes); }

// What RFC 4861 6.1.2, 7.1.1 and 7.1.2 have in common.
template <class Make, class Parse>
void expect_common_rules(Make&& make, Parse&& parse, std::size_t fixed_bytes) {
  EXPECT_TRUE(parse(make()));
  Message message = make();
  for (unsigned hops = 0; hops < 255; ++hops) {
    message.hop_limit = static_cast<std::uint8_t>(hops);
    EXPECT_FALSE(parse(message)) << "hop limit " << hops;
  }
  message = make();
  message.fragment_header = true;
  EXPECT_FALSE(parse(message)) << "behind a fragment header (RFC 6980)";
  for (unsigned code = 1; code < 256; ++code) EXPECT_FALSE(parse(make().put(1, code)));
  for (unsigned type = 0; type < 256; ++type)
    EXPECT_EQ(parse(make().put(0, type)).has_value(), std::byte(type) == make().bytes[0]);
  for (std::size_t bit = 0; bit < 8 * make().bytes.size(); ++bit) {
    message = make();
    message.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(parse(message)) << "checksum, bit " << bit;
  }
  for (std::size_t length = 0; length < fixed_bytes; ++length) {
    if (length >= 4) {
      EXPECT_FALSE(parse(make().cut(length))) << length;
    }
  }
  EXPECT_TRUE(parse(make().cut(fixed_bytes))) << "options may be missing";
  for (std::size_t over = 1; over < 8; ++over)
    EXPECT_FALSE(parse(make().cut(fixed_bytes + over))) << "a part of an option";
  EXPECT_FALSE(parse(make().append("0500 0000 00000000"))) << "an option of length 0";
  EXPECT_FALSE(parse(make().append("0502 0000 00000000"))) << "an option beyond the end";
  EXPECT_TRUE(parse(make().append("fe02 0000 00000000 00000000 00000000"))) << "an unknown option";
}

TEST(NeighbourDiscovery, SolicitationKeepsTheCommonRules) {
  expect_common_rules(solicitation, solicitation_of, 24);
}
TEST(NeighbourDiscovery, AdvertisementKeepsTheCommonRules) {
  expect_common_rules(advertisement, advertisement_of, 24);
}
TEST(NeighbourDiscovery, RouterAdvertisementKeepsTheCommonRules) {
  expect_common_rules(router, router_of, 16);
}

// --- Solicitations -------------------------------------------------------------------------------

TEST(NeighbourDiscovery, ParsesASolicitation) {
  EXPECT_EQ(solicitation_of(solicitation()),
            (NeighbourSolicitation{.target = kOwn, .source_mac = kMac}));
  EXPECT_EQ(solicitation_of(solicitation().cut(24)), (NeighbourSolicitation{.target = kOwn}));
}

TEST(NeighbourDiscovery, AGroupIsNobodysTarget) {
  EXPECT_FALSE(solicitation_of(solicitation().put(8, 0xff)));
  EXPECT_FALSE(advertisement_of(advertisement().put(8, 0xff)));
}

TEST(NeighbourDiscovery, WhoHasNoAddressAsksTheGroupAndNamesNoMac) {  // RFC 4861 7.1.1
  const auto probe = [] { return solicitation().cut(24).from(kNobody).to(solicited_node(kOwn)); };
  EXPECT_EQ(solicitation_of(probe()), (NeighbourSolicitation{.target = kOwn}));
  EXPECT_FALSE(solicitation_of(probe().to(kOwn)));
  EXPECT_FALSE(solicitation_of(probe().to(ipv6_group::kAllNodes)));
  EXPECT_FALSE(solicitation_of(probe().append("0101 020000000007")));
  EXPECT_FALSE(solicitation_of(probe().append("0101 000000000000"))) << "nor one that is none";
}

TEST(NeighbourDiscovery, OnlyTheFirstMacOfEthernetsLengthCounts) {
  EXPECT_EQ(solicitation_of(solicitation().append("0101 020000000008"))->source_mac, kMac);
  EXPECT_EQ(solicitation_of(solicitation().cut(24).append("0201 020000000008"))->source_mac,
            std::nullopt);
  EXPECT_EQ(solicitation_of(solicitation().cut(24).append("0102 0200000000080000 000000000000"))
                ->source_mac,
            std::nullopt);
  for (const char* nobody : {"0101 000000000000", "0101 ffffffffffff", "0101 3333ff000002"})
    EXPECT_EQ(solicitation_of(solicitation().cut(24).append(nobody))->source_mac, std::nullopt);
}

TEST(NeighbourDiscovery, WritesASolicitation) {
  Bytes out(kNdMaxBytes + 1, std::byte{0xee});
  EXPECT_EQ(write_neighbour_solicitation(out.data(), kAsker, kOwn, {kOwn, kMac}), 32U);
  EXPECT_EQ(out.back(), std::byte{0xee});
  out.pop_back();
  EXPECT_EQ(out, solicitation().bytes);
  EXPECT_EQ(write_neighbour_solicitation(out.data(), kNobody, solicited_node(kOwn), {kOwn, {}}),
            24U);
  out.resize(24);
  EXPECT_EQ(out, solicitation().cut(24).from(kNobody).to(solicited_node(kOwn)).bytes);
}

// --- Advertisements ------------------------------------------------------------------------------

TEST(NeighbourDiscovery, ParsesAnAdvertisement) {
  for (unsigned flags = 0; flags < 8; ++flags) {
    const NeighbourAdvertisement expected{.target = kOwn,
                                          .target_mac = kMac,
                                          .is_router = (flags & 4) != 0,
                                          .solicited = (flags & 2) != 0,
                                          .overrides = (flags & 1) != 0};
    EXPECT_EQ(advertisement_of(advertisement().put(4, flags << 5 | 0x1f)), expected);
    Bytes out(32);
    EXPECT_EQ(write_neighbour_advertisement(out.data(), kAsker, kOwn, expected), 32U);
    EXPECT_EQ(out, advertisement().put(4, flags << 5).bytes);
  }
  EXPECT_EQ(advertisement_of(advertisement().cut(24))->target_mac, std::nullopt);
}

TEST(NeighbourDiscovery, WhatEverybodyHearsWasNotSolicited) {  // RFC 4861 7.1.2
  EXPECT_FALSE(advertisement_of(advertisement().to(ipv6_group::kAllNodes)));
  EXPECT_TRUE(advertisement_of(advertisement().put(4, 0x20).to(ipv6_group::kAllNodes)));
}

// --- Routers -------------------------------------------------------------------------------------

const PrefixInformation kPrefixInformation{.prefix = ip6("fd00::"),
                                           .length = 64,
                                           .on_link = true,
                                           .autonomous = true,
                                           .valid_s = 86400,
                                           .preferred_s = 14400};

TEST(NeighbourDiscovery, ParsesARouterAdvertisement) {
  RouterAdvertisement expected{.hop_limit = 64,
                               .lifetime_s = 1800,
                               .reachable_ms = 30000,
                               .retransmit_ms = 1000,
                               .source_mac = kMac,
                               .mtu = 1500,
                               .prefix_count = 1};
  expected.prefixes[0] = kPrefixInformation;
  EXPECT_EQ(router_of(router()), expected);
  EXPECT_EQ(
      router_of(router().cut(16)),
      (RouterAdvertisement{
          .hop_limit = 64, .lifetime_s = 1800, .reachable_ms = 30000, .retransmit_ms = 1000}));
}

TEST(NeighbourDiscovery, ARouterSpeaksFromItsLinkLocalAddress) {  // RFC 4861 6.1.2
  EXPECT_FALSE(router_of(router().from(ip6("fd00::1"))));
  EXPECT_FALSE(router_of(router().from(kNobody)));
  EXPECT_TRUE(router_of(router().from(ip6("febf::1"))));
  EXPECT_FALSE(router_of(router().from(ip6("fec0::1"))));
}

TEST(NeighbourDiscovery, PrefixesBeyondTheBoundAreNotLookedAt) {
  Message message = router().cut(16);
  for (int i = 0; i < 40; ++i)
    message.append("0304 40 80 00015180 00003840 00000000 fd000000000000000000000000000000");
  const auto said = router_of(message);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->prefix_list().size(), RouterAdvertisement::kMaxPrefixes);
}

TEST(NeighbourDiscovery, OptionsOfAWrongLengthAreSkipped) {
  const auto said = router_of(router().cut(16).append(
      "0502 0000 000005dc 00000000 00000000"
      "0301 40 c0 00015180"
      "0304 81 c0 00015180 00003840 00000000 fd000000000000000000000000000000"));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->mtu, std::nullopt);
  EXPECT_TRUE(said->prefix_list().empty());
}

TEST(NeighbourDiscovery, WritesARouterSolicitation) {
  Bytes out(16);
  EXPECT_EQ(write_router_solicitation(out.data(), kAsker, ipv6_group::kAllRouters, kMac), 16U);
  EXPECT_EQ(out, Message("8500 0000 00000000 0101 020000000007").to(ipv6_group::kAllRouters).bytes);
  EXPECT_EQ(write_router_solicitation(out.data(), kNobody, ipv6_group::kAllRouters, {}), 8U);
}

// --- Anything at all -----------------------------------------------------------------------------

// Sound messages, changed at random places and with the right checksum: nothing is read outside of
// the block (ASan), and what comes through keeps the rules.
TEST(NeighbourDiscovery, SurvivesRandomMessages) {
  Prng prng(20261127);
  std::size_t sound = 0;
  for (int round = 0; round < 60'000; ++round) {
    Message message = round % 3 == 0 ? solicitation() : round % 3 == 1 ? advertisement() : router();
    for (std::uint32_t n = prng.below(4); n > 0; --n)
      message.put(prng.below(static_cast<std::uint32_t>(message.bytes.size())), prng.below(256));
    if (prng.chance(0.3))
      message.cut(4 + prng.below(static_cast<std::uint32_t>(message.bytes.size())));
    if (prng.chance(0.2)) message.append("0304 40 80 00015180");
    if (prng.chance(0.2)) message.from(kNobody);
    const auto a = solicitation_of(message);
    const auto b = advertisement_of(message);
    const auto c = router_of(message);
    sound += a || b || c;
    ASSERT_LE(int{a.has_value()} + int{b.has_value()} + int{c.has_value()}, 1);
    if (a) {
      ASSERT_FALSE(a->target.is_multicast());
    }
    if (b) {
      ASSERT_FALSE(b->target.is_multicast());
    }
    if (c) {
      ASSERT_LE(c->prefix_count, c->prefixes.size());
    }
  }
  EXPECT_GT(sound, 10'000U);
}

}  // namespace
}  // namespace tern::wire
