// SPDX-License-Identifier: BSD-3-Clause
#include "net/own_addresses6.h"

#include <gtest/gtest.h>

#include "interface6_fixture.h"

namespace tern::net {
namespace {

const char kOwnLocal[] = "fe80::ff:fe00:1";
const Lines kProbes{"33:33:ff:00:00:02 :: > ff02::1:ff00:2 NS fd00::2",
                    "33:33:ff:00:00:01 :: > ff02::1:ff00:1 NS fe80::ff:fe00:1"};

class OwnAddressTest : public Interface6Test {
 protected:
  void start() {
    net().announce(now_);
    lines();
  }
};

TEST_F(OwnAddressTest, AsksWhetherAnybodyHasThemBeforeTheyAreUsed) {  // RFC 4862 5.4
  net().announce(now_);
  Lines out = lines();
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0],
            "33:33:00:00:00:16 :: > ff02::16 hops 1 report 4:ff02::1:ff00:2 4:ff02::1:ff00:1");
  EXPECT_EQ(Lines(out.begin() + 1, out.end()), kProbes);
  EXPECT_EQ(six().own().usable_mask(), 0U);
  advance_exactly(1s);
  EXPECT_EQ(six().own().usable_mask(), 3U);
  EXPECT_EQ(lines(),
            (Lines{"33:33:00:00:00:01 fd00::2 > ff02::1 NA fd00::2 O 02:00:00:00:00:01",
                   "33:33:00:00:00:01 fe80::ff:fe00:1 > ff02::1 NA fe80::ff:fe00:1 O "
                   "02:00:00:00:00:01",
                   "33:33:00:00:00:16 fe80::ff:fe00:1 > ff02::16 hops 1 report 4:ff02::1:ff00:2 "
                   "4:ff02::1:ff00:1",
                   "33:33:00:00:00:02 fe80::ff:fe00:1 > ff02::2 RS mac"}));
  advance_exactly(1s);
  EXPECT_EQ(lines(), Lines{"33:33:00:00:00:16 fe80::ff:fe00:1 > ff02::16 hops 1 report "
                           "4:ff02::1:ff00:2 4:ff02::1:ff00:1"})
      << "reported twice (RFC 3810 9.1)";
}

TEST_F(OwnAddressTest, AsManyProbesAsConfigured) {
  config_.dad_transmits6 = 3;
  restart();
  start();
  for (int i = 0; i < 2; ++i) {
    advance(1s);
    const Lines out = lines();
    ASSERT_GE(out.size(), 2U);
    EXPECT_EQ(Lines(out.begin(), out.begin() + 2), kProbes) << i;
    EXPECT_EQ(six().own().usable_mask(), 0U);
  }
  advance(1s);
  EXPECT_EQ(six().own().usable_mask(), 3U);
}

TEST_F(OwnAddressTest, WithoutProbesTheyMayBeUsedAtOnce) {
  config_.dad_transmits6 = 0;
  restart();
  net().announce(now_);
  EXPECT_EQ(six().own().usable_mask(), 3U);
  EXPECT_EQ(counters_.nd_solicitations_out, 0U);
  EXPECT_EQ(counters_.nd_advertisements_out, 2U);
}

TEST_F(OwnAddressTest, AnAddressThatSomebodyHasIsNotUsed) {
  start();
  receive_na("fd00::2", kPeerMac, "O");
  EXPECT_EQ(counters_.nd_conflicts, 1U);
  advance(1s);
  EXPECT_EQ(six().own().usable_mask(), 2U) << "the link-local one may be";
  EXPECT_FALSE(net().has_route(handle("fd00::7")));
  receive_ns("fd00::7", "fd00::2", kPeerMac);
  for (const std::string& line : lines()) EXPECT_EQ(line.find("NA fd00::2"), std::string::npos);
}

TEST_F(OwnAddressTest, TwoThatWantItAtOnceBothGiveWay) {  // RFC 4862 5.4.3
  start();
  receive_ns("::", "fd00::2", {});
  EXPECT_EQ(counters_.nd_conflicts, 1U);
  advance(1s);
  EXPECT_EQ(six().own().usable_mask(), 2U);
}

TEST_F(OwnAddressTest, OurOwnProbeComeBackIsNoConflict) {
  start();
  receive_ns("::", "fd00::2", {}, kOwnMac);
  EXPECT_EQ(counters_.nd_conflicts, 0U);
  advance(1s);
  EXPECT_EQ(six().own().usable_mask(), 3U);
}

TEST_F(OwnAddressTest, WithADuplicateOfTheLinkLocalAddressNoneIsUsed) {  // RFC 4862 5.4.5
  start();
  receive_na(kOwnLocal, kPeerMac, "O");
  advance(10s);
  EXPECT_EQ(six().own().usable_mask(), 0U);
  EXPECT_FALSE(net().has_route(handle("fd00::7")));
  EXPECT_EQ(counters_.router_solicitations_out, 0U);
}

TEST_F(OwnAddressTest, ATentativeAddressIsNotAnsweredFor) {
  start();
  receive_ns("fd00::7", "fd00::2", kPeerMac);
  EXPECT_EQ(lines(), Lines{});
}

TEST_F(OwnAddressTest, AClaimOnAnAddressInUseIsOnlyCounted) {
  settle();
  receive_na("fd00::2", kPeerMac, "O");
  EXPECT_EQ(counters_.nd_conflicts, 1U);
  EXPECT_EQ(six().own().usable_mask(), 3U);
}

TEST_F(OwnAddressTest, PacketsWaitUntilAnAddressMayBeUsed) {
  start();
  EXPECT_TRUE(net().has_route(handle("fd00::7")));
  EXPECT_EQ(state_of("fd00::7"), LinkState::kUnresolved);
  EXPECT_EQ(lines(), Lines{}) << "there is no address to ask from";
  advance(1s);
  const Lines out = lines();
  EXPECT_TRUE(std::ranges::find(out, ns_line("fd00::7")) != out.end());
}

TEST_F(OwnAddressTest, QuestionsThatCannotBeAskedYetAreNoTries) {
  config_.dad_transmits6 = 10;
  restart();
  start();
  state_of("fd00::7");
  advance(9s);
  EXPECT_EQ(state_of("fd00::7"), LinkState::kUnresolved);
  advance(2s);
  EXPECT_EQ(state_of("fd00::7"), LinkState::kUnresolved);
  const Lines out = lines();
  EXPECT_EQ(std::ranges::count(out, ns_line("fd00::7")), 2) << "of the three that it has";
}

// --- Multicast listener reports ------------------------------------------------------------------

class ListenerTest : public Interface6Test {
 protected:
  ListenerTest() { settle(); }
  void query(bool version1, std::uint16_t response_ms, const char* group = "::") {
    std::vector<std::byte> message(version1 ? 24 : 28);
    wire::store_ipv6(&message[8], ip6(group));
    wire::write_icmpv6(message, ip6("fe80::1"), ip6("ff02::1"),
                       {.type = 130, .rest = std::uint32_t{response_ms} << 16});
    receive({ip6("fe80::1"), ip6("ff02::1"), 1, message}, kGatewayMac);
  }
};

TEST_F(ListenerTest, AQueryIsAnsweredWithinItsTime) {
  query(false, 10'000);
  EXPECT_EQ(lines(), Lines{});
  EXPECT_LE(net().next_deadline(), now_ + 10s);
  EXPECT_GT(net().next_deadline(), now_);
  advance(10s);
  EXPECT_EQ(lines(), Lines{"33:33:00:00:00:16 fe80::ff:fe00:1 > ff02::16 hops 1 report "
                           "2:ff02::1:ff00:2 2:ff02::1:ff00:1"});
}

TEST_F(ListenerTest, ManyQueriesGetOneAnswer) {
  for (int i = 0; i < 100; ++i) query(false, 5'000);
  advance(10s);
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(ListenerTest, AQueryForAnothersGroupIsNotAnswered) {
  query(false, 1'000, "ff02::1:ff00:9");
  EXPECT_EQ(net().next_deadline(), kNever);
  query(false, 1'000, "ff02::1:ff00:2");
  advance(1s);
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(ListenerTest, ARouterOfTheFirstVersionGetsItsKindOfReport) {
  query(true, 1'000);
  advance(1s);
  EXPECT_EQ(lines(),
            (Lines{"33:33:ff:00:00:02 fe80::ff:fe00:1 > ff02::1:ff00:2 hops 1 131/0 24 bytes",
                   "33:33:ff:00:00:01 fe80::ff:fe00:1 > ff02::1:ff00:1 hops 1 131/0 24 bytes"}));
}

}  // namespace
}  // namespace tern::net
