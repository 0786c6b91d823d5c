// SPDX-License-Identifier: BSD-3-Clause
#include "net/route.h"

#include <gtest/gtest.h>

namespace tern::net {
namespace {

StackConfig config(Ipv4Address address, std::uint8_t length, std::optional<Ipv4Address> gateway) {
  StackConfig result;
  result.address = {address, length};
  result.gateway = gateway;
  return result;
}

TEST(RouteTest, OnLinkGoesDirectlyAndTheRestToTheGateway) {
  const Route route(config({10, 0, 2, 2}, 24, Ipv4Address(10, 0, 2, 1)));
  EXPECT_EQ(route.next_hop(Ipv4Address(10, 0, 2, 7).value()), Ipv4Address(10, 0, 2, 7).value());
  EXPECT_EQ(route.next_hop(Ipv4Address(10, 0, 2, 1).value()), Ipv4Address(10, 0, 2, 1).value());
  EXPECT_EQ(route.next_hop(Ipv4Address(10, 0, 3, 7).value()), Ipv4Address(10, 0, 2, 1).value());
  EXPECT_EQ(route.next_hop(Ipv4Address(8, 8, 8, 8).value()), Ipv4Address(10, 0, 2, 1).value());
}

TEST(RouteTest, WithoutAGatewayOnlyTheLinkIsReached) {
  const Route route(config({10, 0, 2, 2}, 24, std::nullopt));
  EXPECT_EQ(route.next_hop(Ipv4Address(10, 0, 2, 7).value()), Ipv4Address(10, 0, 2, 7).value());
  EXPECT_EQ(route.next_hop(Ipv4Address(10, 0, 3, 7).value()), 0U);
}

TEST(RouteTest, AddressesThatAreNoOneHost) {
  const Route route(config({10, 0, 2, 2}, 24, Ipv4Address(10, 0, 2, 1)));
  for (Ipv4Address bad :
       {Ipv4Address(0, 0, 0, 0), Ipv4Address(0, 1, 2, 3), Ipv4Address(127, 0, 0, 1),
        Ipv4Address(224, 0, 0, 1), Ipv4Address(239, 255, 255, 255), Ipv4Address(255, 255, 255, 255),
        Ipv4Address(10, 0, 2, 255), Ipv4Address(10, 0, 2, 2)}) {
    EXPECT_EQ(route.next_hop(bad.value()), 0U) << bad.value();
    EXPECT_FALSE(route.is_neighbour(bad.value())) << bad.value();
  }
}

TEST(RouteTest, PointToPointPrefixesHaveNoBroadcast) {
  const Route route31(config({10, 0, 2, 2}, 31, std::nullopt));
  EXPECT_EQ(route31.next_hop(Ipv4Address(10, 0, 2, 3).value()), Ipv4Address(10, 0, 2, 3).value());
  EXPECT_EQ(route31.next_hop(Ipv4Address(10, 0, 2, 4).value()), 0U);
  const Route route32(config({10, 0, 2, 2}, 32, std::nullopt));
  EXPECT_EQ(route32.next_hop(Ipv4Address(10, 0, 2, 3).value()), 0U);
}

TEST(RouteTest, APrefixOfLengthZeroHasEveryoneOnLink) {
  const Route route(config({10, 0, 2, 2}, 0, std::nullopt));
  EXPECT_EQ(route.next_hop(Ipv4Address(8, 8, 8, 8).value()), Ipv4Address(8, 8, 8, 8).value());
}

TEST(RouteDeathTest, AGatewayThatIsNotOnLinkIsRefused) {
  EXPECT_DEATH(Route(config({10, 0, 2, 2}, 24, Ipv4Address(10, 0, 3, 1))), "is_neighbour");
  EXPECT_DEATH(Route(config({10, 0, 2, 2}, 24, Ipv4Address(10, 0, 2, 2))), "is_neighbour");
}

}  // namespace
}  // namespace tern::net
