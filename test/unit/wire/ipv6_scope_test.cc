// SPDX-License-Identifier: BSD-3-Clause
#include "wire/ipv6_scope.h"

#include <gtest/gtest.h>

namespace tern::wire {
namespace {

Ipv6Address ip6(const char* text) { return Ipv6Address::parse(text).value(); }

TEST(Ipv6Scope, TheGroupsAreTheRfcs) {
  EXPECT_EQ(ipv6_group::kAllNodes, ip6("ff02::1"));
  EXPECT_EQ(ipv6_group::kAllRouters, ip6("ff02::2"));
  EXPECT_EQ(ipv6_group::kAllListenerRouters, ip6("ff02::16"));
}

TEST(Ipv6Scope, SolicitedNodeKeepsTheLast24Bits) {  // RFC 4291 2.7.1's example
  EXPECT_EQ(solicited_node(ip6("4037::1:800:200e:8c6c")), ip6("ff02::1:ff0e:8c6c"));
  EXPECT_TRUE(is_solicited_node(ip6("ff02::1:ff0e:8c6c")));
  EXPECT_FALSE(is_solicited_node(ip6("ff02::1:fe0e:8c6c")));
  EXPECT_FALSE(is_solicited_node(ip6("ff02::1")));
  EXPECT_FALSE(is_solicited_node(ip6("ff05::1:ff0e:8c6c")));
}

TEST(Ipv6Scope, GroupsHaveAMac) {  // RFC 2464 7
  EXPECT_EQ(multicast_mac(ip6("ff02::1:ff0e:8c6c")),
            (MacAddress{{0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c}}));
}

}  // namespace
}  // namespace tern::wire
