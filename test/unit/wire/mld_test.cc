// SPDX-License-Identifier: BSD-3-Clause
#include "wire/mld.h"

#include <gtest/gtest.h>

#include "test_bytes.h"
#include "wire/ipv6_scope.h"

namespace tern::wire {
namespace {

using namespace std::chrono_literals;

Ipv6Address ip6(const char* text) { return Ipv6Address::parse(text).value(); }

const Ipv6Address kRouter = ip6("fe80::1");
const Ipv6Address kOwn = ip6("fe80::2");
const Ipv6Address kGroup = ip6("ff02::1:ff00:2");

Bytes complete(Bytes message, const Ipv6Address& source, const Ipv6Address& destination) {
  const IcmpHeader header{load_u8(message.data()), load_u8(&message[1]), load_be32(&message[4])};
  write_icmpv6(message, source, destination, header);
  return message;
}

std::optional<ListenerQuery> parse(const Bytes& message, const Ipv6Address& source = kRouter,
                                   std::uint8_t hop_limit = 1) {
  const ExactBlock block{complete(message, source, ipv6_group::kAllNodes)};
  return parse_listener_query({source, ipv6_group::kAllNodes, hop_limit, block.bytes()});
}

const char kGeneral[] = "8200 0000 2710 0000 00000000000000000000000000000000 02 7d 0000";

TEST(Mld, ParsesAGeneralQuery) {
  const auto query = parse(from_hex(kGeneral));
  ASSERT_TRUE(query);
  EXPECT_FALSE(query->version1);
  EXPECT_EQ(query->group, std::nullopt);
  EXPECT_EQ(query->response_time, 10s);
}

TEST(Mld, ParsesAQueryOfTheFirstVersionByItsLength) {  // RFC 3810 8.1
  Bytes message = from_hex(kGeneral);
  message.resize(24);
  const auto query = parse(message);
  ASSERT_TRUE(query);
  EXPECT_TRUE(query->version1);
  for (const std::size_t length : {20U, 23U, 25U, 27U}) {
    message.resize(length);
    EXPECT_FALSE(parse(message)) << length;
  }
}

TEST(Mld, ParsesAQueryForOneGroup) {
  const auto query =
      parse(from_hex("8200 0000 0064 0000 ff0200000000000000000001ff000002 02 7d 0000"));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->group, kGroup);
  EXPECT_FALSE(parse(from_hex("8200 0000 0064 0000 fd0200000000000000000001ff000002 02 7d 0000")));
}

TEST(Mld, LongResponseTimesAreFloatingPoint) {  // RFC 3810 5.1.3
  EXPECT_EQ(parse(from_hex("8200 0000 7fff 0000 00000000000000000000000000000000 027d 0000"))
                ->response_time,
            32767ms);
  EXPECT_EQ(parse(from_hex("8200 0000 8000 0000 00000000000000000000000000000000 027d 0000"))
                ->response_time,
            32768ms);
  EXPECT_EQ(parse(from_hex("8200 0000 ffff 0000 00000000000000000000000000000000 027d 0000"))
                ->response_time,
            8387584ms);
}

TEST(Mld, AQueryComesFromALinkLocalAddressOverOneHop) {  // RFC 3810 6.2
  EXPECT_FALSE(parse(from_hex(kGeneral), ip6("fd00::1")));
  EXPECT_FALSE(parse(from_hex(kGeneral), Ipv6Address{}));
  EXPECT_FALSE(parse(from_hex(kGeneral), kRouter, 2));
  EXPECT_FALSE(parse(from_hex(kGeneral), kRouter, 255));
}

TEST(Mld, AWrongChecksumIsNothing) {
  Bytes message = complete(from_hex(kGeneral), kRouter, ipv6_group::kAllNodes);
  message[5] ^= std::byte{1};
  EXPECT_FALSE(parse_listener_query({kRouter, ipv6_group::kAllNodes, 1, message}));
}

TEST(Mld, WritesAReport) {
  const std::array groups{kGroup, ip6("ff02::1:ff00:3")};
  Bytes out(listener_report_bytes(2) + 1, std::byte{0xee});
  write_listener_report(out.data(), kOwn, groups, ListenerRecord::kChangeToExclude);
  EXPECT_EQ(out.back(), std::byte{0xee});
  out.pop_back();
  EXPECT_EQ(out, complete(from_hex("8f00 0000 0000 0002"
                                   "04000000 ff0200000000000000000001ff000002"
                                   "04000000 ff0200000000000000000001ff000003"),
                          kOwn, ipv6_group::kAllListenerRouters));
}

TEST(Mld, WritesAReportOfTheFirstVersion) {
  Bytes out(kListenerReport1Bytes);
  write_listener_report1(out.data(), kOwn, kGroup);
  EXPECT_EQ(
      out, complete(from_hex("8300 0000 00000000 ff0200000000000000000001ff000002"), kOwn, kGroup));
}

TEST(Mld, WritesARouterAlert) {  // RFC 2711 2.1, as Linux has it
  Bytes out(kRouterAlertBytes);
  write_router_alert(out.data(), 58);
  EXPECT_EQ(out, from_hex("3a 00 0502 0000 0100"));
}

}  // namespace
}  // namespace tern::wire
