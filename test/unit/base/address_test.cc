// SPDX-License-Identifier: BSD-3-Clause
#include "tern/address.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

TEST(Ipv4AddressTest, ParsesDottedQuadsOnly) {
  EXPECT_EQ(Ipv4Address::parse("10.0.2.2"), Ipv4Address(10, 0, 2, 2));
  EXPECT_EQ(Ipv4Address::parse("0.0.0.0"), Ipv4Address());
  EXPECT_EQ(Ipv4Address::parse("255.255.255.255"), Ipv4Address(0xffffffff));
  for (const char* bad :
       {"", "10.0.2", "10.0.2.2.", "10.0.2.2.2", "10.0.2.256", "10.0.2.-1", " 10.0.2.2",
        "10.0.2.2 ", "010.0.2.2", "0x0a.0.2.2", "167772674", "10.0.2.2/24", "10..2.2", "a.b.c.d",
        "10.0.2.2000000000000000000000000000000000000000000000000000000"}) {
    EXPECT_EQ(Ipv4Address::parse(bad), std::nullopt) << bad;
  }
}

TEST(Ipv4AddressTest, RefusesAnEmbeddedNul) {
  EXPECT_EQ(Ipv4Address::parse(std::string_view("10.0.2.2\0", 9)), std::nullopt);
  EXPECT_EQ(Ipv4Address::parse(std::string_view("10.0.2.2\0junk", 13)), std::nullopt);
}

TEST(Ipv4AddressTest, ReadsNoFurtherThanItsView) {
  EXPECT_EQ(Ipv4Address::parse(std::string_view("10.0.2.23", 8)), Ipv4Address(10, 0, 2, 2));
}

TEST(Ipv6AddressTest, ParsesRfc4291Forms) {
  const std::array<std::uint8_t, 16> octets{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  EXPECT_EQ(Ipv6Address::parse("fd00::2"), Ipv6Address(octets));
  EXPECT_EQ(Ipv6Address::parse("FD00:0:0:0:0:0:0:2"), Ipv6Address(octets));
  EXPECT_EQ(Ipv6Address::parse("::"), Ipv6Address());
  for (const char* bad : {"", ":", "fd00", "fd00::2::3", "fd00::2%eth0", "fd00::2/64", "[fd00::2]",
                          "1:2:3:4:5:6:7:8:9", "fd00::10000"}) {
    EXPECT_EQ(Ipv6Address::parse(bad), std::nullopt) << bad;
  }
}

TEST(IpAddressTest, ParsesEitherFamily) {
  EXPECT_EQ(IpAddress::parse("10.0.2.2"), IpAddress(Ipv4Address(10, 0, 2, 2)));
  EXPECT_EQ(IpAddress::parse("fd00::2"), IpAddress(*Ipv6Address::parse("fd00::2")));
  EXPECT_FALSE(IpAddress::parse("fd00::2")->is_v4());
  EXPECT_EQ(IpAddress::parse("tern"), std::nullopt);
}

TEST(IpAddressTest, TheTwoUnspecifiedAddressesDiffer) {
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_NE(IpAddress::parse("::"), IpAddress::parse("0.0.0.0"));
}

TEST(Ipv4PrefixTest, ParsesAddressAndLength) {
  const auto prefix = Ipv4Prefix::parse("10.0.2.2/24");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->address, Ipv4Address(10, 0, 2, 2));
  EXPECT_EQ(prefix->length, 24);
  EXPECT_EQ(Ipv4Prefix::parse("10.0.2.2/0")->length, 0);
  EXPECT_EQ(Ipv4Prefix::parse("10.0.2.2/32")->length, 32);
  for (const char* bad :
       {"", "/", "/24", "10.0.2.2", "10.0.2.2/", "10.0.2.2/33", "10.0.2.2/-1", "10.0.2.2/+8",
        "10.0.2.2/08", "10.0.2.2/024", "10.0.2.2/2x", "10.0.2.2/ 8", "10.0.2.2/8 ", "10.0.2.2/8/8",
        "10.0.2/24", "fd00::2/64"}) {
    EXPECT_FALSE(Ipv4Prefix::parse(bad)) << bad;
  }
}

TEST(Ipv4PrefixTest, MaskContainsAndBroadcast) {
  const Ipv4Prefix net{Ipv4Address(10, 0, 2, 2), 23};
  EXPECT_EQ(net.mask(), 0xfffffe00);
  EXPECT_TRUE(net.contains(Ipv4Address(10, 0, 3, 255)));
  EXPECT_FALSE(net.contains(Ipv4Address(10, 0, 4, 0)));
  EXPECT_EQ(net.broadcast(), Ipv4Address(10, 0, 3, 255));

  const Ipv4Prefix all{Ipv4Address(10, 0, 2, 2), 0};
  EXPECT_EQ(all.mask(), 0U);
  EXPECT_TRUE(all.contains(Ipv4Address(192, 168, 1, 1)));

  const Ipv4Prefix host{Ipv4Address(10, 0, 2, 2), 32};
  EXPECT_TRUE(host.contains(Ipv4Address(10, 0, 2, 2)));
  EXPECT_FALSE(host.contains(Ipv4Address(10, 0, 2, 3)));
  EXPECT_EQ(host.broadcast(), Ipv4Address(0xffffffff));
  EXPECT_EQ((Ipv4Prefix{Ipv4Address(10, 0, 2, 2), 31}).broadcast(), Ipv4Address(0xffffffff));
}

TEST(AddressTest, Predicates) {
  EXPECT_TRUE(Ipv4Address(224, 0, 0, 1).is_multicast());
  EXPECT_TRUE(Ipv4Address(239, 255, 255, 255).is_multicast());
  EXPECT_FALSE(Ipv4Address(240, 0, 0, 1).is_multicast());
  EXPECT_FALSE(Ipv4Address(223, 255, 255, 255).is_multicast());
  EXPECT_TRUE(Ipv4Address(127, 1, 2, 3).is_loopback());
  EXPECT_FALSE(Ipv4Address(128, 0, 0, 1).is_loopback());
  EXPECT_TRUE(MacAddress::broadcast().is_multicast());
  EXPECT_FALSE((MacAddress{{2, 0, 0, 0, 0, 1}}).is_multicast());
  EXPECT_TRUE(MacAddress{}.is_zero());
}

TEST(AddressTest, ToString) {
  EXPECT_EQ(to_string(MacAddress{{0x02, 0, 0, 0xab, 0, 0x01}}), "02:00:00:ab:00:01");
  EXPECT_EQ(to_string(Ipv4Address(10, 0, 2, 2)), "10.0.2.2");
  EXPECT_EQ(to_string(Endpoint{Ipv4Address(10, 0, 1, 2), 47762}), "10.0.1.2:47762");
  EXPECT_EQ(to_string(Endpoint{*Ipv6Address::parse("fd00::2"), 9999}), "[fd00::2]:9999");
}

TEST(AddressTest, Ipv6TextIsRfc5952) {
  const auto canonical = [](const char* text) { return to_string(*Ipv6Address::parse(text)); };
  EXPECT_EQ(canonical("2001:0DB8:0:0:0:0:0:1"), "2001:db8::1");          // 4.1, 4.2.1, 4.3
  EXPECT_EQ(canonical("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");  // 4.2.2: one field stays
  EXPECT_EQ(canonical("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");           // 4.2.3: the longest run
  EXPECT_EQ(canonical("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");  // 4.2.3: the first of equals
  EXPECT_EQ(canonical("::ffff:192.0.2.1"), "::ffff:192.0.2.1");       // 5
}

}  // namespace
}  // namespace tern
