// SPDX-License-Identifier: BSD-3-Clause
#include "net/route6.h"

#include <gtest/gtest.h>

#include "interface6_fixture.h"

namespace tern::net {
namespace {

class Route6Test : public Interface6Test {
 protected:
  /// Who is asked for when `destination` is to be reached.
  std::string asked_for(const char* destination) {
    lines();
    state_of(destination);
    const Lines out = lines();
    if (out.empty()) return "nobody";
    const std::string& line = out.back();
    const std::size_t at = line.find(" NS ") + 4;
    return line.substr(at, line.find(' ', at) - at);
  }
};

TEST_F(Route6Test, NobodyButHostsCanBeSentTo) {
  settle();
  EXPECT_TRUE(net().has_route(handle("fd00::7")));
  EXPECT_TRUE(net().has_route(handle("fe80::7")));
  for (const char* address : {"ff02::1", "::1", "fd00::2", "fe80::ff:fe00:1", "::ffff:10.0.2.7"})
    EXPECT_FALSE(net().has_route(handle(address))) << address;
  EXPECT_FALSE(net().has_route(handle("2001:db8::1"))) << "no router";
}

TEST_F(Route6Test, AConfiguredGatewayTakesWhatIsNotOnLinkAndWins) {
  config_.gateway6 = ip6("fe80::fe");
  restart();
  settle();
  EXPECT_EQ(asked_for("2001:db8::1"), "fe80::fe");
  receive_ra("fe80::1", 1800, mac_option(kGatewayMac));
  EXPECT_EQ(asked_for("2001:db8::2"), "nobody") << "fe80::fe is being asked for already";
  receive_na("fe80::fe", kOtherMac);
  EXPECT_EQ(mac_of("2001:db8::2"), kOtherMac);
}

TEST_F(Route6Test, ARouterServesForItsLifetime) {
  settle();
  EXPECT_EQ(state_of("2001:db8::1"), LinkState::kFailed);
  const std::uint32_t before = net().generation();
  receive_ra("fe80::1", 100, mac_option(kGatewayMac));
  EXPECT_EQ(counters_.router_advertisements_in, 1U);
  EXPECT_NE(net().generation(), before);
  EXPECT_EQ(mac_of("2001:db8::1"), kGatewayMac);
  advance(99s);
  EXPECT_TRUE(net().has_route(handle("2001:db8::1")));
  receive_ra("fe80::1", 100);
  advance(99s);
  EXPECT_TRUE(net().has_route(handle("2001:db8::1"))) << "it has renewed it";
  advance(1s);
  EXPECT_FALSE(net().has_route(handle("2001:db8::1")));
}

TEST_F(Route6Test, ALifetimeOfZeroIsNoDefaultRouter) {
  settle();
  receive_ra("fe80::1", 0, mac_option(kGatewayMac));
  EXPECT_FALSE(net().has_route(handle("2001:db8::1")));
  receive_ra("fe80::1", 100);
  EXPECT_TRUE(net().has_route(handle("2001:db8::1")));
  receive_ra("fe80::1", 0);
  EXPECT_FALSE(net().has_route(handle("2001:db8::1")));
}

TEST_F(Route6Test, ARouterThatSaysItIsNoneIsLeft) {  // RFC 4861 7.2.5
  settle();
  receive_ra("fe80::1", 1800, mac_option(kGatewayMac));
  mac_of("2001:db8::1");
  receive_na("fe80::1", kGatewayMac, "RSO");
  EXPECT_TRUE(net().has_route(handle("2001:db8::1")));
  receive_na("fe80::1", kGatewayMac, "SO");
  EXPECT_FALSE(net().has_route(handle("2001:db8::1")));
}

// RFC 4861 7.2.5: what is to be ignored changes nothing, and so no router list.
TEST_F(Route6Test, AnAdvertisementThatIsIgnoredTakesNoRouterAway) {
  settle();
  receive_ra("fe80::1", 1800, mac_option(kGatewayMac));
  ASSERT_EQ(mac_of("2001:db8::1"), kGatewayMac);
  receive_na("fe80::1", kOtherMac, "");
  EXPECT_TRUE(net().has_route(handle("2001:db8::1"))) << "another MAC, and it does not override";
  receive_ra("fe80::2", 1800);
  receive_ra("fe80::1", 0);
  state_of("2001:db8::1");
  receive_na("fe80::2", kNoMac, "S");
  EXPECT_TRUE(net().has_route(handle("2001:db8::1"))) << "no MAC to a question for it";
}

TEST_F(Route6Test, LooksForAnotherWhenTheLastRouterIsGone) {
  settle();
  const auto before = counters_.router_solicitations_out;
  receive_ra("fe80::1", 1800, mac_option(kGatewayMac));
  receive_ra("fe80::1", 0);
  EXPECT_EQ(counters_.router_solicitations_out, before + 1);
  receive_ra("fe80::1", 0);
  advance(1s);
  EXPECT_EQ(counters_.router_solicitations_out, before + 1) << "it is at it";
  receive_ra("fe80::2", 1800);
  advance(20s);
  EXPECT_EQ(counters_.router_solicitations_out, before + 1) << "found";
}

TEST_F(Route6Test, WhoIsNoDefaultRouterDoesNotEndTheSearch) {
  net().announce(now_);
  advance(2s);
  receive_ra("fe80::1", 0);
  advance(20s);
  EXPECT_EQ(counters_.router_solicitations_out, 3U);
}

TEST_F(Route6Test, AnotherRouterTakesOverFromOneThatDoesNotAnswer) {
  settle();
  receive_ra("fe80::1", 1800);
  receive_ra("fe80::b", 1800);
  EXPECT_EQ(asked_for("2001:db8::1"), "fe80::1");
  advance(3s);
  EXPECT_EQ(asked_for("2001:db8::1"), "fe80::b");
  receive_na("fe80::b", kOtherMac, "RSO");
  EXPECT_EQ(mac_of("2001:db8::1"), kOtherMac);
  advance(10s);
  EXPECT_EQ(mac_of("2001:db8::1"), kOtherMac) << "who is there is kept to";
}

TEST_F(Route6Test, ARouterThatIsThereGoesBeforeOneThatIsToBeAskedFor) {  // RFC 4861 6.3.6
  settle();
  receive_ra("fe80::1", 1800);
  receive_ra("fe80::b", 1800, mac_option(kOtherMac));
  EXPECT_EQ(mac_of("2001:db8::1"), kOtherMac);
}

TEST_F(Route6Test, AdvertisementsInOurNameAreRefused) {
  settle();
  receive_ra("fe80::ff:fe00:1", 1800, mac_option(kOtherMac));
  EXPECT_EQ(counters_.drop_nd, 1U);
  EXPECT_FALSE(net().has_route(handle("2001:db8::1")));
}

TEST_F(Route6Test, PrefixesAreOnLinkForTheirLifetime) {
  settle();
  EXPECT_FALSE(net().has_route(handle("fd01::7")));
  receive_ra("fe80::1", 0, prefix_option("fd01::", 64, 50));
  EXPECT_EQ(asked_for("fd01::7"), "fd01::7");
  advance(49s);
  EXPECT_TRUE(net().has_route(handle("fd01::7")));
  advance(1s);
  EXPECT_FALSE(net().has_route(handle("fd01::7")));
  receive_ra("fe80::1", 0, prefix_option("fd01::", 64, 0xffffffff));
  advance(1000h);
  EXPECT_TRUE(net().has_route(handle("fd01::7")));
  receive_ra("fe80::1", 0, prefix_option("fd01::5", 64, 0));
  EXPECT_FALSE(net().has_route(handle("fd01::7"))) << "withdrawn";
}

TEST_F(Route6Test, WhatALinkCarriesIsSaidByItsRouter) {
  settle();
  EXPECT_EQ(six().link_mtu(), 1500U);
  EXPECT_EQ(six().hop_limit(), 64U);
  receive_ra("fe80::1", 0, mtu_option(1400), 32);
  EXPECT_EQ(six().link_mtu(), 1400U);
  EXPECT_EQ(six().hop_limit(), 32U);
  for (const std::uint32_t mtu : {1279U, 0U, 9000U, 0xffffffffU}) {
    receive_ra("fe80::1", 0, mtu_option(mtu));
    EXPECT_EQ(six().link_mtu(), 1400U) << mtu;
  }
  receive_ra("fe80::1", 0, mtu_option(1280));
  EXPECT_EQ(six().link_mtu(), 1280U);
  EXPECT_EQ(six().hop_limit(), 32U) << "0 says nothing";
  receive_ra("fe80::1", 0, {}, 31);
  EXPECT_EQ(six().hop_limit(), 32U) << "nor is a few believed (CVE-2015-2922)";
}

TEST_F(Route6Test, TheReachableTimeIsTheRouters) {
  settle();
  receive_ra("fe80::1", 0, {}, 0, 4000);
  state_of("fd00::7");
  receive_na("fd00::7", kPeerMac);
  advance(2s - 1ns);
  EXPECT_EQ(nud_state("fd00::7"), NeighbourState::kReachable);
  advance(4s);
  EXPECT_EQ(nud_state("fd00::7"), NeighbourState::kStale);
}

TEST_F(Route6Test, AsksForRoutersThreeTimesUnlessOneSpeaks) {  // RFC 4861 6.3.7
  net().announce(now_);
  advance(20s);
  EXPECT_EQ(counters_.router_solicitations_out, 3U);
  restart();
  net().announce(now_);
  advance(2s);
  receive_ra("fe80::1", 1800);
  advance(20s);
  EXPECT_EQ(counters_.router_solicitations_out, 1U);
}

// What a flood can do is fill what is empty.
TEST_F(Route6Test, AFloodOfAdvertisementsDisplacesNeitherRouterNorNeighbour) {
  settle();
  receive_ra("fe80::1", 1800, mac_option(kGatewayMac) + prefix_option("fd01::", 64, 1800));
  state_of("fd00::7");
  receive_na("fd00::7", kPeerMac);
  ASSERT_EQ(mac_of("2001:db8::1"), kGatewayMac);
  for (unsigned i = 2; i < 3000; ++i) {
    const std::string tail = std::to_string(i);
    receive_ra(("fe80::1:" + tail).c_str(), 0xffff,
               mac_option(kOtherMac) + prefix_option(("fd02:" + tail + "::").c_str(), 64, 1));
    receive_ra(("fe80::1:" + tail).c_str(), 0xffff, prefix_option("::", 0, 0));
  }
  EXPECT_EQ(mac_of("2001:db8::1"), kGatewayMac);
  EXPECT_EQ(mac_of("fd00::7"), kPeerMac);
  EXPECT_EQ(asked_for("fd01::7"), "fd01::7");
  EXPECT_LE(neighbours().size(), config_.max_neighbours + NeighbourTable::kMaxPinned + 1);
}

}  // namespace
}  // namespace tern::net
