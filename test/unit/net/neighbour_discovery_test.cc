// SPDX-License-Identifier: BSD-3-Clause
#include "net/neighbour_discovery.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "interface6_fixture.h"

namespace tern::net {
namespace {

class DiscoveryTest : public Interface6Test {
 protected:
  DiscoveryTest() { settle(); }

  void resolve6(const char* address, const MacAddress& mac) {
    state_of(address);
    receive_na(address, mac);
    ASSERT_EQ(nud_state(address), NeighbourState::kReachable);
    sent();
  }
  void send6(const char* destination, std::uint8_t tag) {
    Frame frame;
    ASSERT_TRUE(egress_->allocate(frame));
    wire::write_ipv6(frame.data + 14, {.source = ip6("fd00::2"),
                                       .destination = ip6(destination),
                                       .payload_bytes = 1,
                                       .next_header = 6,
                                       .hop_limit = 255});
    frame.data[54] = std::byte{tag};
    frame.length = 55;
    net().send_ip(frame, handle(destination), now_);
  }
  static std::string data_line(const MacAddress& to, const char* destination, int tag) {
    return to_string(to) + " fd00::2 > " + destination + " data " + std::to_string(tag);
  }
  static std::string na_line(const MacAddress& to, const char* asker, const char* target) {
    return to_string(to) + " " + target + " > " + asker + " NA " + target + " SO 02:00:00:00:00:01";
  }
};

constexpr const char* kPeer6 = "fd00::7";
const char kOwnLocal[] = "fe80::ff:fe00:1";

// --- Resolution (RFC 4861 7.2) -------------------------------------------------------------------

TEST_F(DiscoveryTest, AsksTheSolicitedNodeGroupAndWritesTheHeader) {
  EXPECT_EQ(state_of(kPeer6), LinkState::kUnresolved);
  EXPECT_EQ(lines(),
            Lines{"33:33:ff:00:00:07 fd00::2 > ff02::1:ff00:7 NS fd00::7 02:00:00:00:00:01"});
  const std::uint32_t before = net().generation();
  receive_na(kPeer6, kPeerMac);
  EXPECT_NE(net().generation(), before);
  EXPECT_EQ(link_header(handle(kPeer6)), ethernet_header(kPeerMac, kOwnMac, 0x86dd));
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kReachable);
  EXPECT_EQ(lines(), Lines{});
}

TEST_F(DiscoveryTest, ALinkLocalHostIsAskedForFromTheLinkLocalAddress) {
  state_of("fe80::9");
  EXPECT_EQ(lines(), Lines{ns_line("fe80::9", kOwnLocal)});
}

TEST_F(DiscoveryTest, AsksThreeTimesASecondApartThenGivesUp) {
  send6(kPeer6, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(lines(), Lines{ns_line(kPeer6)}) << i;
    advance_exactly(1s);
  }
  EXPECT_EQ(lines(), Lines{});
  EXPECT_EQ(state_of(kPeer6), LinkState::kFailed);
  EXPECT_EQ(counters_.drop_neighbour_unresolved, 1U);
  EXPECT_EQ(counters_.nd_solicitations_out, 2U + 3U);  // two probes of our own addresses
  advance(1s);
  EXPECT_EQ(nud_state(kPeer6), std::nullopt) << "forgotten";
}

TEST_F(DiscoveryTest, WaitingPacketsFollowTheAnswerInOrder) {
  for (std::uint8_t tag = 1; tag <= 4; ++tag) send6(kPeer6, tag);
  EXPECT_EQ(lines(), Lines{ns_line(kPeer6)});
  EXPECT_EQ(counters_.drop_neighbour_queue, 1U) << "the oldest of four";
  receive_na(kPeer6, kPeerMac);
  EXPECT_EQ(lines(), (Lines{data_line(kPeerMac, kPeer6, 2), data_line(kPeerMac, kPeer6, 3),
                            data_line(kPeerMac, kPeer6, 4)}));
}

TEST_F(DiscoveryTest, AnAnswerWithoutAMacResolvesNothing) {
  state_of(kPeer6);
  receive_na(kPeer6, kNoMac);
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kResolving);
}

// --- Unreachability (RFC 4861 7.3) ---------------------------------------------------------------

TEST_F(DiscoveryTest, GoesStaleAndWhenUsedIsVerifiedByUnicast) {
  resolve6(kPeer6, kPeerMac);
  const Instant confirmed = now_;
  const std::uint32_t before = net().generation();
  while (nud_state(kPeer6) == NeighbourState::kReachable) {
    now_ = net().next_deadline();
    net().expire(now_);
  }
  EXPECT_GE(now_ - confirmed, 15s);  // RFC 4861 6.3.2: 0.5 to 1.5 times 30 s
  EXPECT_LE(now_ - confirmed, 45s);
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kStale);
  EXPECT_NE(net().generation(), before) << "those who remember the header shall come back";
  advance(3600s);
  EXPECT_EQ(lines(), Lines{}) << "nothing is sent for a stale entry that nobody uses";

  EXPECT_EQ(mac_of(kPeer6), kPeerMac) << "good enough to be used";
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kDelay);
  advance_exactly(5s);
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kVerifying);
  EXPECT_EQ(lines(), Lines{unicast_ns_line(kPeer6, kPeerMac)});
  EXPECT_EQ(mac_of(kPeer6), kPeerMac);
  receive_na(kPeer6, kPeerMac, "S");
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kReachable);
}

// RFC 9293 3.8.3, R1: without the delay in which those above may have heard of it.
TEST_F(DiscoveryTest, AnEntryInDoubtIsVerifiedAtOnce) {
  resolve6(kPeer6, kPeerMac);
  net().note_no_progress(handle(kPeer6), now_);
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kVerifying);
  EXPECT_EQ(lines(), Lines{unicast_ns_line(kPeer6, kPeerMac)});
  receive_na(kPeer6, kPeerMac, "S");
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kReachable);
}

TEST_F(DiscoveryTest, WhoDoesNotAnswerThreeProbesIsAskedForAnew) {
  resolve6(kPeer6, kPeerMac);
  advance(60s);
  mac_of(kPeer6);
  advance_exactly(5s);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(lines(), Lines{unicast_ns_line(kPeer6, kPeerMac)}) << i;
    const std::uint32_t before = net().generation();
    advance_exactly(1s);
    EXPECT_EQ(net().generation() != before, i == 2);
  }
  EXPECT_EQ(nud_state(kPeer6), std::nullopt);
  EXPECT_EQ(state_of(kPeer6), LinkState::kUnresolved);
  EXPECT_EQ(lines(), Lines{ns_line(kPeer6)}) << "by multicast now: it may have moved";
}

// RFC 4861 appendix C, line by line: from each state, an advertisement with and without another
// MAC, for all flags.
TEST_F(DiscoveryTest, AdvertisementsChangeAnEntryAsTheRfcsTableSays) {
  struct Row {
    const char* flags;
    bool other_mac;
    NeighbourState from_reachable, from_stale;
    bool takes_mac;
  };
  constexpr auto kReachable = NeighbourState::kReachable, kStale = NeighbourState::kStale;
  for (const Row& row :
       {Row{"", false, kReachable, kStale, false}, Row{"O", false, kReachable, kStale, false},
        Row{"S", false, kReachable, kReachable, false},
        Row{"SO", false, kReachable, kReachable, false}, Row{"", true, kStale, kStale, false},
        Row{"S", true, kStale, kStale, false}, Row{"O", true, kStale, kStale, true},
        Row{"SO", true, kReachable, kReachable, true}}) {
    for (const bool stale : {false, true}) {
      resolve6(kPeer6, kPeerMac);
      if (stale) advance(60s);
      ASSERT_EQ(nud_state(kPeer6), stale ? kStale : kReachable);
      receive_na(kPeer6, row.other_mac ? kOtherMac : kPeerMac, row.flags);
      EXPECT_EQ(nud_state(kPeer6), stale ? row.from_stale : row.from_reachable)
          << "flags '" << row.flags << "' other " << row.other_mac << " stale " << stale;
      EXPECT_EQ(mac_of(kPeer6), row.takes_mac ? kOtherMac : kPeerMac) << row.flags;
      receive_na(kPeer6, kPeerMac, "SO");
    }
  }
}

TEST_F(DiscoveryTest, AnUnsolicitedAnswerToAQuestionIsUsedAndVerified) {
  send6(kPeer6, 1);
  lines();
  receive_na(kPeer6, kPeerMac, "O");
  EXPECT_EQ(lines(), Lines{data_line(kPeerMac, kPeer6, 1)});
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kDelay);
  advance_exactly(5s);
  EXPECT_EQ(lines(), Lines{unicast_ns_line(kPeer6, kPeerMac)});
}

TEST_F(DiscoveryTest, AdvertisementsMakeNoEntries) {
  receive_na("fd00::99", kPeerMac);
  EXPECT_EQ(nud_state("fd00::99"), std::nullopt);
  EXPECT_EQ(counters_.nd_in, 1U);
}

// --- Those who ask for us ------------------------------------------------------------------------

TEST_F(DiscoveryTest, AnswersWhoAsksAndRemembersIt) {
  receive_ns(kPeer6, "fd00::2", kPeerMac);
  EXPECT_EQ(lines(), Lines{na_line(kPeerMac, kPeer6, "fd00::2")});
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kStale);
  receive_ns("fe80::7", kOwnLocal, kPeerMac);
  EXPECT_EQ(lines(), Lines{na_line(kPeerMac, "fe80::7", kOwnLocal)});
  ASSERT_EQ(news_count_, 1U);
  EXPECT_EQ(news_[0].address, IpAddress(ip6("fe80::7")));
  EXPECT_TRUE(news_[0].wants_us);
}

TEST_F(DiscoveryTest, WhoGivesNoMacIsAnsweredWhereItAskedFrom) {
  receive_ns(kPeer6, "fd00::2", {}, kOtherMac);
  EXPECT_EQ(lines(), Lines{na_line(kOtherMac, kPeer6, "fd00::2")});
  EXPECT_EQ(nud_state(kPeer6), std::nullopt);
}

TEST_F(DiscoveryTest, WhoWantsOurAddressForItselfIsToldByEverybodysGroup) {
  receive_ns("::", "fd00::2", {});
  EXPECT_EQ(lines(), Lines{"33:33:00:00:00:01 fd00::2 > ff02::1 NA fd00::2 O 02:00:00:00:00:01"});
}

TEST_F(DiscoveryTest, OthersAddressesAreNotOurs) {
  receive_ns(kPeer6, "fd00::3", kPeerMac);
  EXPECT_EQ(lines(), Lines{});
  EXPECT_EQ(nud_state(kPeer6), std::nullopt) << "nor is the asker's MAC any concern of ours";
}

TEST_F(DiscoveryTest, AskersFromAfarAndOurselvesAreRefused) {
  receive_ns("2001:db8::7", "fd00::2", kPeerMac);
  receive_ns("fd00::2", "fd00::2", kPeerMac);
  receive_ns(kPeer6, "fd00::2", kOwnMac, kOwnMac);
  EXPECT_EQ(lines(), Lines{});
  EXPECT_EQ(counters_.drop_nd, 3U);
}

TEST_F(DiscoveryTest, AnotherMacOfAKnownAskerIsStale) {
  resolve6(kPeer6, kPeerMac);
  receive_ns(kPeer6, "fd00::2", kPeerMac);
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kReachable) << "nothing new";
  receive_ns(kPeer6, "fd00::2", kOtherMac);
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kStale);
  EXPECT_EQ(mac_of(kPeer6), kOtherMac);
}

TEST_F(DiscoveryTest, RedirectsAndRouterSolicitationsAreIgnored) {
  std::vector<std::byte> redirect(40);
  wire::write_icmpv6(redirect, ip6("fe80::1"), ip6("fd00::2"), {.type = 137});
  receive({ip6("fe80::1"), ip6("fd00::2"), 255, redirect}, kGatewayMac);
  EXPECT_EQ(counters_.drop_redirect, 1U);
  std::byte rs[16];
  wire::write_router_solicitation(rs, ip6("fe80::7"), ip6("ff02::2"), kPeerMac);
  receive({ip6("fe80::7"), ip6("ff02::2"), 255, rs}, kPeerMac);
  EXPECT_EQ(counters_.drop_icmp, 1U);
  EXPECT_EQ(lines(), Lines{});
}

// --- News between workers ------------------------------------------------------------------------

TEST_F(DiscoveryTest, WhatAnotherWorkerHasHeardCountsHereToo) {
  receive_na("fe80::1", kGatewayMac, "RSO");
  std::vector<NeighbourNews> news(news_.begin(), news_.begin() + news_count_);
  receive_ra("fe80::1", 1800, mac_option(kGatewayMac) + prefix_option("fd01::", 64, 1800));
  news.insert(news.end(), news_.begin(), news_.begin() + news_count_);
  ASSERT_EQ(news.size(), 3U);
  receive_na(kPeer6, kPeerMac, "SO");
  ASSERT_EQ(news_count_, 1U);
  news.push_back(news_[0]);

  restart();  // another worker, which asks and is answered elsewhere
  settle();
  EXPECT_EQ(state_of(kPeer6), LinkState::kUnresolved);
  for (const NeighbourNews& one : news) net().hear(one, now_);
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kReachable);
  EXPECT_EQ(mac_of("2001:db8::1"), kGatewayMac);
  EXPECT_TRUE(net().has_route(handle("fd01::7")));
}

// --- Attacks -------------------------------------------------------------------------------------

TEST_F(DiscoveryTest, AFloodOfSolicitationsIsAnsweredWithinTheLimitAndDisplacesNoUsedEntry) {
  resolve6(kPeer6, kPeerMac);
  for (unsigned i = 0; i < 5000; ++i) {
    const std::string source = "fd00::1:" + to_string(Ipv6Address()).substr(2) +
                               std::to_string(i);  // fd00::1:0 ... fd00::1:4999, in hex digits
    receive_ns(source.c_str(), "fd00::2", kOtherMac);
  }
  EXPECT_EQ(lines().size(), NeighbourDiscovery::kAnswerBurst);
  EXPECT_EQ(mac_of(kPeer6), kPeerMac);
  EXPECT_LE(neighbours().size(), config_.max_neighbours + 1);
  EXPECT_LE(book_->size(), book_->capacity());
}

TEST_F(DiscoveryTest, SpoofedAdvertisementsMakeNoEntriesAndAreVerified) {
  resolve6(kPeer6, kPeerMac);
  for (unsigned i = 0; i < 5000; ++i)
    receive_na(("fd00::2:" + std::to_string(i)).c_str(), kOtherMac);
  EXPECT_EQ(mac_of(kPeer6), kPeerMac);
  receive_na(kPeer6, kOtherMac, "");
  EXPECT_EQ(mac_of(kPeer6), kPeerMac) << "it does not even claim to override";
  EXPECT_EQ(nud_state(kPeer6), NeighbourState::kDelay);
  advance_exactly(5s);
  EXPECT_EQ(lines(), Lines{unicast_ns_line(kPeer6, kPeerMac)}) << "asks the host that it knows";
}

// RFC 6583: whoever invents senders on this link has the answers ask for them, within a limit, and
// displace nothing that is used.
TEST_F(DiscoveryTest, AnswersToInventedSendersDisplaceNothing) {
  resolve6(kPeer6, kPeerMac);
  const std::uint32_t before = net().generation();
  for (unsigned i = 0; i < 3000; ++i) {
    Frame frame;
    ASSERT_TRUE(egress_->allocate(frame));
    frame.length = 55;
    const std::uint32_t stranger = book_->acquire(ip6(("fd00::3:" + std::to_string(i)).c_str()));
    ASSERT_NE(stranger, 0U);
    net().answer_ip(frame, stranger, now_);
    book_->release(stranger);
    book_->collect();
    if (i % 100 == 0) sent();
  }
  EXPECT_LE(counters_.nd_solicitations_out, 2U + 1U + NeighbourTable::kAnswerResolutionBurst);
  EXPECT_EQ(mac_of(kPeer6), kPeerMac);
  EXPECT_EQ(net().generation(), before) << "TCP is not sent back to the table";
  EXPECT_LE(neighbours().size(), config_.max_neighbours + 1) << "and IPv4's gateway";
  send6("fd00::8", 1);
  sent();
  receive_na("fd00::8", kOtherMac);
  EXPECT_EQ(lines(), Lines{data_line(kOtherMac, "fd00::8", 1)}) << "a connection finds room";
}

TEST_F(DiscoveryTest, AnAnswerWaitsForItsNeighbourToo) {
  Frame frame;
  ASSERT_TRUE(egress_->allocate(frame));
  wire::write_ipv6(frame.data + 14, {.source = ip6("fd00::2"),
                                     .destination = ip6(kPeer6),
                                     .payload_bytes = 1,
                                     .next_header = 6,
                                     .hop_limit = 255});
  frame.data[54] = std::byte{9};
  frame.length = 55;
  net().answer_ip(frame, handle(kPeer6), now_);
  EXPECT_EQ(lines(), Lines{ns_line(kPeer6)});
  receive_na(kPeer6, kPeerMac);
  EXPECT_EQ(lines(), Lines{data_line(kPeerMac, kPeer6, 9)});
}

// Every entry has packets that wait and cannot be displaced, those of former routers among them: a
// router that comes then is not learnt.
TEST_F(DiscoveryTest, ARouterWithoutRoomIsNotLearnt) {
  const auto router = [](int number) { return "fe80::" + std::to_string(number); };
  for (int n = 1; n <= 4; ++n) receive_ra(router(n).c_str(), 1800);
  for (int n = 0; n < 8; ++n) send6(("fd00::4:" + std::to_string(n)).c_str(), 1);
  for (int n = 1; n <= 4; ++n) {
    state_of(router(n).c_str());
    receive_ra(router(n).c_str(), 0);
    send6(router(n).c_str(), 1);
  }
  ASSERT_EQ(net().waiting_frames(), 12U);
  receive_ra(router(5).c_str(), 1800, mac_option(kGatewayMac));
  EXPECT_FALSE(net().has_route(handle("2001:db8::1")));
  advance(10s);
  receive_ra(router(5).c_str(), 1800, mac_option(kGatewayMac));
  EXPECT_EQ(mac_of("2001:db8::1"), kGatewayMac) << "later it is";
}

// Everything at random: no frame is lost, no handle is leaked, time never stands still.
TEST_F(DiscoveryTest, SurvivesABusyLink) {
  Prng prng(4861);
  const std::size_t handles = book_->size();
  const auto host = [&] { return "fd00::1:" + std::to_string(prng.below(40)); };
  for (int i = 0; i < 20'000; ++i) {
    const std::string one = host();
    const MacAddress mac{{2, 0, 0, 0, 1, static_cast<std::uint8_t>(prng.below(3))}};
    switch (prng.below(6)) {
      case 0:
        receive_ns(one.c_str(), "fd00::2", mac);
        break;
      case 1:
        receive_na(one.c_str(), mac, prng.chance(0.5) ? "SO" : prng.chance(0.5) ? "O" : "");
        break;
      case 2: {
        const std::uint32_t h = book_->acquire(ip6(one.c_str()));
        if (h != 0) link_state(h), book_->release(h);
        break;
      }
      case 3: {
        const std::uint32_t h = book_->acquire(ip6(one.c_str()));
        if (h == 0) break;
        Frame frame;
        if (egress_->allocate(frame)) frame.length = 55, net().send_ip(frame, h, now_);
        book_->release(h);
        break;
      }
      case 4:
        now_ += std::chrono::milliseconds(prng.below(900));
        break;
      default:
        book_->collect();
        net().expire(now_);
        sent();
        break;
    }
    ASSERT_LE(neighbours().size(), config_.max_neighbours + 1);
  }
  advance(200s);
  EXPECT_EQ(net().waiting_frames(), 0U);
  interface_.reset();
  book_->collect();
  EXPECT_LE(book_->size(), handles + config_.max_neighbours);
}

}  // namespace
}  // namespace tern::net
