// SPDX-License-Identifier: BSD-3-Clause
#include "net/neighbour_table.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "interface_fixture.h"

namespace tern::net {
namespace {

class NeighbourTest : public InterfaceTest {};

// --- Resolution ----------------------------------------------------------------------------------

TEST_F(NeighbourTest, ResolvesAPeerAndWritesItsHeader) {
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  const std::uint32_t before = net().generation();
  receive_reply(kPeer, kPeerMac);
  EXPECT_NE(net().generation(), before);
  EXPECT_EQ(link_header(kPeer), ethernet_header(kPeerMac, kOwnMac, 0x0800));
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(counters_.arp_requests_out, 1U);
  EXPECT_EQ(counters_.arp_in, 1U);
}

TEST_F(NeighbourTest, FarDestinationsGoThroughTheGateway) {
  EXPECT_EQ(link_state(kFar), LinkState::kUnresolved);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kGateway)});
  receive_reply(kGateway, kGatewayMac);
  EXPECT_EQ(link_header(kFar), ethernet_header(kGatewayMac, kOwnMac, 0x0800));
  EXPECT_EQ(link_header(kGateway), link_header(kFar));
}

TEST_F(NeighbourTest, AskingAgainSendsNoSecondRequest) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  send_ip(kPeer, 1);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
}

// The only frame there is waits for the answer to a question that cannot be asked: it gives way.
TEST_F(NeighbourTest, WhatWaitsGivesItsFrameForTheQuestion) {
  port_.set_pool_size(1);
  send_ip(kPeer, 1);
  EXPECT_EQ(sent(), Sent{}) << "there was no frame to ask with";
  EXPECT_EQ(net().waiting_frames(), 1U);
  advance_exactly(1s);
  EXPECT_EQ(net().waiting_frames(), 0U);
  EXPECT_EQ(counters_.drop_neighbour_queue, 1U);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
}

TEST_F(NeighbourTest, UnresolvedLeavesTheHeaderAlone) {
  std::byte header[14];
  std::fill_n(header, 14, std::byte{0x5a});
  EXPECT_EQ(net().link_header(kPeer, header, now_), LinkState::kUnresolved);
  EXPECT_TRUE(std::all_of(header, header + 14, [](std::byte b) { return b == std::byte{0x5a}; }));
}

TEST_F(NeighbourTest, RetriesEachSecondThenFailsAndHoldsDown) {
  send_ip(kPeer, 1);
  send_ip(kPeer, 2);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  advance_exactly(1s);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  advance_exactly(1s);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  EXPECT_EQ(net().waiting_frames(), 2U);
  EXPECT_EQ(counters_.drop_neighbour_unresolved, 0U);
  const std::uint32_t resolving = net().generation();
  advance_exactly(1s);  // +3 s
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(net().waiting_frames(), 0U);
  EXPECT_EQ(counters_.drop_neighbour_unresolved, 2U);
  EXPECT_NE(net().generation(), resolving);

  const std::uint32_t failed = net().generation();
  now_ += 1s - 1ns;
  EXPECT_EQ(link_state(kPeer), LinkState::kFailed);
  send_ip(kPeer, 3);
  EXPECT_EQ(counters_.drop_neighbour_unresolved, 3U);
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(net().expire(now_), 0U);
  now_ += 1ns;  // +4 s: the hold-down is over
  EXPECT_EQ(net().expire(now_), 1U);
  EXPECT_NE(net().generation(), failed);
  EXPECT_EQ(neighbour(kPeer), std::nullopt);
  EXPECT_EQ(net().next_deadline(), kNever);
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  EXPECT_EQ(counters_.arp_requests_out, 4U);
}

TEST_F(NeighbourTest, UseAfterTheHoldDownBeginsAnewEvenIfExpireIsLate) {
  link_state(kPeer);
  advance(3s);
  EXPECT_EQ(link_state(kPeer), LinkState::kFailed);
  sent();
  const std::uint32_t failed = net().generation();
  now_ += 1s;
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  EXPECT_NE(net().generation(), failed);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  advance_exactly(1s);
  advance_exactly(1s);
  EXPECT_EQ(sent(), Sent(2, arp_request_frame(kPeer)));
}

TEST_F(NeighbourTest, AFailedGatewayIsAskedAnewAfterTheHoldDown) {
  link_state(kFar);
  advance(3s);
  EXPECT_EQ(link_state(kFar), LinkState::kFailed);
  advance(1s);
  sent();
  EXPECT_EQ(link_state(kFar), LinkState::kUnresolved);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kGateway)});
}

TEST_F(NeighbourTest, AWordFromAFailedNeighbourBringsItBack) {
  link_state(kPeer);
  advance(3s);
  ASSERT_EQ(link_state(kPeer), LinkState::kFailed);
  const std::uint32_t failed = net().generation();
  receive_request(kPeer, kPeerMac, ip(9));
  EXPECT_NE(net().generation(), failed);
  EXPECT_EQ(link_state(kPeer), LinkState::kReady);
}

TEST_F(NeighbourTest, WithoutAFrameTheRequestIsRepeatedAllTheSame) {
  port_.set_pool_size(0);
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  EXPECT_EQ(counters_.arp_requests_out, 0U);
  EXPECT_EQ(counters_.tx_no_frame, 1U);
  port_.set_pool_size(64);
  advance_exactly(1s);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  EXPECT_EQ(counters_.arp_requests_out, 1U);
}

// --- Waiting frames ------------------------------------------------------------------------------

TEST_F(NeighbourTest, WaitingFramesGoOutInOrderWhenTheAnswerComes) {
  for (std::uint8_t tag = 1; tag <= 3; ++tag) send_ip(kPeer, tag);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  EXPECT_EQ(net().waiting_frames(), 3U);
  receive_reply(kPeer, kPeerMac);
  send_ip(kPeer, 4);
  EXPECT_EQ(sent(), (Sent{ip_frame(kPeerMac, 1), ip_frame(kPeerMac, 2), ip_frame(kPeerMac, 3),
                          ip_frame(kPeerMac, 4)}));
  EXPECT_EQ(net().waiting_frames(), 0U);
  EXPECT_EQ(counters_.drop_neighbour_queue, 0U);
}

TEST_F(NeighbourTest, OnlyThreeWaitAndTheOldestAreDropped) {
  for (std::uint8_t tag = 1; tag <= 5; ++tag) send_ip(kPeer, tag);
  EXPECT_EQ(net().waiting_frames(), 3U);
  EXPECT_EQ(counters_.drop_neighbour_queue, 2U);
  sent();
  receive_reply(kPeer, kPeerMac);
  EXPECT_EQ(sent(), (Sent{ip_frame(kPeerMac, 3), ip_frame(kPeerMac, 4), ip_frame(kPeerMac, 5)}));
}

TEST_F(NeighbourTest, FarFramesWaitTogetherAtTheGateway) {
  send_ip(kFar, 1);
  send_ip(kFar + 1, 2);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kGateway)});
  receive_reply(kGateway, kGatewayMac);
  EXPECT_EQ(sent(), (Sent{ip_frame(kGatewayMac, 1), ip_frame(kGatewayMac, 2)}));
}

TEST_F(NeighbourTest, WithoutARouteAFrameIsDropped) {
  config_.gateway.reset();
  restart();
  EXPECT_FALSE(net().has_route(kFar));
  EXPECT_EQ(link_state(kFar), LinkState::kFailed);
  send_ip(kFar, 1);
  EXPECT_EQ(counters_.drop_neighbour_unresolved, 1U);
  EXPECT_EQ(sent(), Sent{});
}

TEST_F(NeighbourTest, TheDestructorGivesWaitingFramesBack) {
  send_ip(kPeer, 1);
  send_ip(kFar, 2);
  sent();
  EXPECT_EQ(egress_->handed_out(), 2U);
  interface_.reset();
  EXPECT_EQ(egress_->handed_out(), 0U);
}

TEST_F(NeighbourTest, AllThatWaitTogetherAreBoundedByAQuarterOfThePortsFrames) {
  config_.max_neighbours = 64;
  port_.settings().tx_frames = 40;
  restart();
  for (std::uint8_t i = 0; i < 20; ++i) send_ip(ip(static_cast<std::uint8_t>(10 + i)), i);
  EXPECT_EQ(net().waiting_frames(), 10U);
  EXPECT_EQ(counters_.drop_neighbour_queue, 10U);
  send_ip(ip(10), 100);  // displaces its own
  EXPECT_EQ(net().waiting_frames(), 10U);
  EXPECT_EQ(counters_.drop_neighbour_queue, 11U);
  send_ip(kFar, 101);  // the gateway's do not count
  EXPECT_EQ(net().waiting_frames(), 11U);
  sent();
  receive_reply(ip(10), kPeerMac);
  EXPECT_EQ(sent(), Sent{ip_frame(kPeerMac, 100)});
}

// --- Lifetime ------------------------------------------------------------------------------------

TEST_F(NeighbourTest, AnEntryInUseIsVerifiedByUnicastAndLivesOn) {
  resolve(kPeer, kPeerMac);
  advance_exactly(60s);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer, kPeerMac, kPeerMac)});
  EXPECT_EQ(link_state(kPeer), LinkState::kReady) << "good while it is being verified";
  now_ += 5ms;
  receive_reply(kPeer, kPeerMac);
  EXPECT_EQ(net().next_deadline(), now_ + 60s);
  EXPECT_EQ(link_state(kPeer), LinkState::kReady);
  advance_exactly(60s);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer, kPeerMac, kPeerMac)});
}

TEST_F(NeighbourTest, AnEntryThatIsNotVerifiedIsRemovedAfterThreeSeconds) {
  resolve(kPeer, kPeerMac);
  advance_exactly(60s);
  advance_exactly(1s);
  advance_exactly(1s);
  EXPECT_EQ(sent(), Sent(3, arp_request_frame(kPeer, kPeerMac, kPeerMac)));
  EXPECT_EQ(link_state(kPeer), LinkState::kReady);
  const std::uint32_t before = net().generation();
  advance_exactly(1s);
  EXPECT_EQ(sent(), Sent{});
  EXPECT_NE(net().generation(), before);
  EXPECT_EQ(neighbour(kPeer), std::nullopt);
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
}

// RFC 9293 3.8.3, R1: those above get no answer.
TEST_F(NeighbourTest, AnEntryInDoubtIsVerifiedAtOnce) {
  resolve(kPeer, kPeerMac);
  net().note_no_progress(kPeer, now_);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer, kPeerMac, kPeerMac)});
  EXPECT_EQ(link_state(kPeer), LinkState::kReady) << "good until it is known to be gone";
  net().note_no_progress(kPeer, now_);
  EXPECT_EQ(sent(), Sent{}) << "that is under way";
  receive_reply(kPeer, kPeerMac);
  EXPECT_EQ(net().next_deadline(), now_ + 60s);
  net().note_no_progress(kPeer, now_);
  for (int i = 0; i < 3; ++i) advance_exactly(1s);
  EXPECT_EQ(sent(), Sent(3, arp_request_frame(kPeer, kPeerMac, kPeerMac)));
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved) << "it was gone";
}

TEST_F(NeighbourTest, WhatIsFarIsDoubtOfTheGateway) {
  resolve(kGateway, kGatewayMac);
  net().note_no_progress(kFar, now_);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kGateway, kGatewayMac, kGatewayMac)});
}

TEST_F(NeighbourTest, NobodyElseIsDoubted) {
  net().note_no_progress(kPeer, now_);  // not known
  EXPECT_EQ(sent(), Sent{});
  link_state(kPeer);
  sent();
  net().note_no_progress(kPeer, now_);  // being asked for
  net().note_no_progress(kOwn, now_);   // no way there
  EXPECT_EQ(sent(), Sent{});
}

// After silence, what is known is good enough to send by, so that a burst need not wait, and be
// lost where it finds no room to; and it is looked at, since it may not be true any more.
TEST_F(NeighbourTest, AnEntryThatNobodyUsedSinceGoesStaleAndIsVerifiedAtItsNextUse) {
  link_state(kPeer);
  receive_reply(kPeer, kPeerMac);  // and nobody comes for the answer
  sent();
  const std::uint32_t before = net().generation();
  advance_exactly(60s);
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(neighbour(kPeer)->state, NeighbourState::kStale);
  EXPECT_EQ(net().next_deadline(), kNever);
  EXPECT_NE(net().generation(), before) << "those who remember the header come back";
  now_ += 1h;
  for (int i = 0; i < 5; ++i) send_ip(kPeer, 100);
  Sent expected = Sent(5, ip_frame(kPeerMac, 100));
  expected.insert(expected.begin(), arp_request_frame(kPeer, kPeerMac, kPeerMac));
  EXPECT_EQ(sent(), expected);
  receive_reply(kPeer, kPeerMac);
  EXPECT_EQ(neighbour(kPeer)->state, NeighbourState::kReachable);
  advance_exactly(60s);
  EXPECT_EQ(sent(), Sent{}) << "not used since it was verified";
  EXPECT_EQ(neighbour(kPeer)->state, NeighbourState::kStale);
}

TEST_F(NeighbourTest, AStaleEntryThatDoesNotAnswerIsAskedForAnew) {
  resolve(kPeer, kPeerMac);
  advance_exactly(60s);
  receive_reply(kPeer, kPeerMac);
  advance_exactly(60s);
  sent();
  ASSERT_EQ(neighbour(kPeer)->state, NeighbourState::kStale);
  EXPECT_EQ(link_state(kPeer), LinkState::kReady);
  for (int i = 0; i < 3; ++i) advance_exactly(1s);
  EXPECT_EQ(sent(), Sent(3, arp_request_frame(kPeer, kPeerMac, kPeerMac)));
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
}

TEST_F(NeighbourTest, AStaleEntryTakesANewAddressFromAnyWord) {
  link_state(kPeer);
  receive_reply(kPeer, kPeerMac);
  sent();
  advance_exactly(60s);
  ASSERT_EQ(neighbour(kPeer)->state, NeighbourState::kStale);
  receive_request(kPeer, kGatewayMac, ip(9));  // it has another card now, and asks for somebody
  EXPECT_EQ(neighbour(kPeer)->state, NeighbourState::kReachable);
  EXPECT_EQ(link_header(kPeer), ethernet_header(kGatewayMac, kOwnMac, 0x0800));
  EXPECT_EQ(sent(), Sent{});
}

TEST_F(NeighbourTest, AnEntryThatNobodyEverUsedIsForgotten) {
  receive_request(kPeer, kPeerMac);  // which is answered, and so may ask for its answer
  sent();
  ASSERT_NE(neighbour(kPeer), std::nullopt);
  advance_exactly(60s);
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(neighbour(kPeer), std::nullopt);
}

TEST_F(NeighbourTest, FramesThatWaitedCountAsUse) {
  send_ip(kPeer, 1);
  receive_reply(kPeer, kPeerMac);
  sent();
  advance_exactly(60s);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer, kPeerMac, kPeerMac)});
}

// TCP keeps the 14 bytes and only compares generation(): without a change it would never come back
// and its neighbour would be taken for unused at the second verification.
TEST_F(NeighbourTest, AVerificationCallsThoseBackWhoRememberTheHeader) {
  resolve(kPeer, kPeerMac);
  std::uint32_t remembered = net().generation();
  for (int minute = 0; minute < 5; ++minute) {
    advance(60s);
    ASSERT_EQ(sent(), Sent{arp_request_frame(kPeer, kPeerMac, kPeerMac)}) << minute;
    receive_reply(kPeer, kPeerMac);
    ASSERT_NE(net().generation(), remembered);
    ASSERT_EQ(link_state(kPeer), LinkState::kReady);
    remembered = net().generation();
  }
}

TEST_F(NeighbourTest, TheGatewayIsVerifiedEvenIfNobodyUsedIt) {
  link_state(kFar);
  receive_reply(kGateway, kGatewayMac);
  sent();
  for (int minute = 0; minute < 3; ++minute) {
    advance_exactly(60s);
    EXPECT_EQ(sent(), Sent{arp_request_frame(kGateway, kGatewayMac, kGatewayMac)});
    receive_reply(kGateway, kGatewayMac);
  }
  advance(63s);
  EXPECT_EQ(neighbour(kGateway)->state, NeighbourState::kIdle);
  EXPECT_EQ(neighbour(kGateway)->mac, kNoMac);
  EXPECT_EQ(net().next_deadline(), kNever);
}

TEST_F(NeighbourTest, AnyPacketFromANeighbourRefreshesItWithoutAChange) {
  resolve(kPeer, kPeerMac);
  const std::uint32_t before = net().generation();
  now_ += 30s;
  receive_request(kPeer, kPeerMac, ip(9));  // it asks for someone else
  EXPECT_EQ(net().generation(), before);
  EXPECT_EQ(net().next_deadline(), now_ + 60s);
  EXPECT_EQ(neighbour(kPeer)->age, 0s);
  EXPECT_EQ(sent(), Sent{});
}

TEST_F(NeighbourTest, ARetryIsNotKeptWaitingByALongerDeadline) {
  resolve(kPeer, kPeerMac);
  now_ += 10ms;
  link_state(ip(9));
  EXPECT_EQ(net().next_deadline(), now_ + 1s);
}

TEST_F(NeighbourTest, AChangedMacIsTakenOverAndChangesTheGeneration) {
  resolve(kPeer, kPeerMac);
  const std::uint32_t before = net().generation();
  receive_arp(arp_packet(1, kOtherMac, kPeer, kNoMac, kPeer));  // gratuitous
  EXPECT_NE(net().generation(), before);
  EXPECT_EQ(link_header(kPeer), ethernet_header(kOtherMac, kOwnMac, 0x0800));
  send_ip(kPeer, 1);
  EXPECT_EQ(sent(), Sent{ip_frame(kOtherMac, 1)});
}

TEST_F(NeighbourTest, LateExpireSendsNoBurstOfRequests) {
  link_state(kPeer);
  sent();
  now_ += 10s;
  EXPECT_EQ(net().expire(now_), 1U);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  EXPECT_EQ(net().next_deadline(), now_ + 1s);
}

TEST_F(NeighbourTest, ExpireIsBoundedAndTheRestIsDueAtOnce) {
  config_.max_neighbours = 200;
  restart();
  for (std::uint8_t i = 10; i < 110; ++i) link_state(ip(i));
  EXPECT_EQ(sent().size(), 100U);
  now_ += 1s;
  EXPECT_EQ(net().expire(now_), 64U);
  EXPECT_EQ(net().next_deadline(), now_);
  EXPECT_EQ(net().expire(now_), 36U);
  EXPECT_EQ(net().next_deadline(), now_ + 1s);
  EXPECT_EQ(sent().size(), 100U);
}

// What lets expire() return at once is a bound on what next_deadline() finds in the lists.
TEST_F(NeighbourTest, ExpireFindsSomethingIfAndOnlyIfTheDeadlineHasCome) {
  constexpr std::uint64_t kSeed = 7;
  RecordProperty("seed", static_cast<int>(kSeed));
  Prng prng(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t address = ip(static_cast<std::uint8_t>(10 + prng.below(12)));
    switch (prng.below(4)) {
      case 0:
        link_state(address);
        break;
      case 1:
        receive_reply(address, {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(prng.below(2))}});
        break;
      case 2:
        send_ip(address, 1);
        break;
      default:
        now_ += std::chrono::milliseconds(prng.below(prng.chance(0.1) ? 40'000 : 400));
    }
    const bool is_due = net().next_deadline() <= now_;
    ASSERT_EQ(net().expire(now_) > 0, is_due) << "step " << i;
    sent();
  }
}

TEST_F(NeighbourTest, TheSnapshotSaysWhatEachEntryDoes) {
  send_ip(kPeer, 1);
  resolve(ip(8), kOtherMac);
  now_ += 500ms;
  ASSERT_EQ(neighbours().size(), 3U);
  const auto gateway = neighbour(kGateway), peer = neighbour(kPeer), other = neighbour(ip(8));
  EXPECT_TRUE(gateway->is_gateway);
  EXPECT_EQ(gateway->state, NeighbourState::kIdle);
  EXPECT_EQ(gateway->age, 0s);
  EXPECT_FALSE(peer->is_gateway);
  EXPECT_EQ(peer->state, NeighbourState::kResolving);
  EXPECT_EQ(peer->mac, kNoMac);
  EXPECT_EQ(peer->waiting_frames, 1U);
  EXPECT_EQ(peer->age, 500ms);
  EXPECT_EQ(other->state, NeighbourState::kReachable);
  EXPECT_EQ(other->mac, kOtherMac);
  EXPECT_EQ(other->age, 500ms);
}

TEST(NeighbourStateTest, HasNames) {
  EXPECT_EQ(to_string(NeighbourState::kIdle), "IDLE");
  EXPECT_EQ(to_string(NeighbourState::kResolving), "RESOLVING");
  EXPECT_EQ(to_string(NeighbourState::kReachable), "REACHABLE");
  EXPECT_EQ(to_string(NeighbourState::kVerifying), "VERIFYING");
  EXPECT_EQ(to_string(NeighbourState::kFailed), "FAILED");
}

// --- A full table --------------------------------------------------------------------------------

TEST_F(NeighbourTest, AFullTableDisplacesTheNeverUsedFirstThenTheLeastRecentlyUsed) {
  config_.max_neighbours = 3;
  restart();
  resolve(ip(10), kPeerMac);
  resolve(ip(11), kPeerMac);
  receive_request(ip(12), kPeerMac);  // learned, never used
  const std::uint32_t before = net().generation();
  link_state(ip(13));
  EXPECT_EQ(neighbour(ip(12)), std::nullopt);
  EXPECT_EQ(net().generation(), before) << "nobody had an answer about 10.0.2.12";
  link_state(ip(10));
  link_state(ip(14));  // 11 is now the least recently used
  EXPECT_EQ(neighbour(ip(11)), std::nullopt);
  EXPECT_NE(net().generation(), before);
  EXPECT_TRUE(neighbour(ip(10)) && neighbour(ip(13)) && neighbour(ip(14)) && neighbour(kGateway));
}

TEST_F(NeighbourTest, ArpFromANeighbourIsNoUseOfIt) {
  config_.max_neighbours = 2;
  restart();
  resolve(ip(10), kPeerMac);
  resolve(ip(11), kPeerMac);
  receive_request(ip(10), kPeerMac);
  link_state(ip(12));
  EXPECT_EQ(neighbour(ip(10)), std::nullopt);
  EXPECT_TRUE(neighbour(ip(11)));
}

TEST_F(NeighbourTest, LearningDisplacesNobodyInUse) {
  config_.max_neighbours = 2;
  restart();
  resolve(ip(10), kPeerMac);
  resolve(ip(11), kPeerMac);
  receive_request(ip(12), kPeerMac);
  EXPECT_EQ(sent(), Sent{arp_reply_frame(kPeerMac, ip(12))}) << "answered, but not remembered";
  EXPECT_EQ(neighbour(ip(12)), std::nullopt);
  EXPECT_TRUE(neighbour(ip(10)) && neighbour(ip(11)));
}

TEST_F(NeighbourTest, EntriesWithWaitingFramesStayAndThenNoEntryCanBeHad) {
  config_.max_neighbours = 2;
  restart();
  send_ip(ip(10), 1);
  send_ip(ip(11), 2);
  sent();
  EXPECT_EQ(link_state(ip(12)), LinkState::kUnresolved);
  send_ip(ip(12), 3);
  EXPECT_EQ(counters_.drop_neighbour_table, 1U);
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(net().waiting_frames(), 2U);
  send_ip(kFar, 4);  // the gateway has its place
  EXPECT_EQ(sent(), Sent{arp_request_frame(kGateway)});
  const std::uint32_t before = net().generation();
  receive_reply(ip(10), kPeerMac);
  EXPECT_NE(net().generation(), before) << "the answer about 10.0.2.12 may have changed too";
  EXPECT_EQ(sent(), Sent{ip_frame(kPeerMac, 1)});
  EXPECT_EQ(link_state(ip(12)), LinkState::kUnresolved);
  EXPECT_EQ(sent(), Sent{arp_request_frame(ip(12))});
}

TEST_F(NeighbourTest, ATableWithoutRoomStillKnowsTheGateway) {
  config_.max_neighbours = 0;
  restart();
  EXPECT_EQ(link_state(kPeer), LinkState::kUnresolved);
  receive_request(kPeer, kPeerMac);
  EXPECT_EQ(sent(), Sent{arp_reply_frame(kPeerMac, kPeer)});
  resolve(kGateway, kGatewayMac);
  EXPECT_EQ(link_state(kFar), LinkState::kReady);
}

TEST_F(NeighbourTest, AFloodOfArpKeepsTheGatewayThePeersInUseAndTheMemory) {
  constexpr std::uint64_t kSeed = 99;
  RecordProperty("seed", static_cast<int>(kSeed));
  config_.address = {Ipv4Address(kOwn), 8};
  config_.max_neighbours = 64;
  restart();
  resolve(kGateway, kGatewayMac);
  resolve(kPeer, kPeerMac);
  const std::uint32_t before = net().generation();
  Prng prng(kSeed);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint32_t sender = 10U << 24 | prng.below(1U << 24);
    if (sender == kOwn || sender == kPeer || sender == kGateway) continue;
    MacAddress mac{{0x02, 1, 0, 0, 0, 0}};
    store_be32(reinterpret_cast<std::byte*>(&mac.octets[2]), static_cast<std::uint32_t>(i));
    receive_request(sender, mac);
    if (i % 500 == 0) {
      ASSERT_LE(neighbours().size(), 65U);
      sent();
    }
  }
  EXPECT_EQ(net().generation(), before) << "TCP's remembered headers stay good";
  EXPECT_EQ(neighbours().size(), 65U);
  EXPECT_EQ(link_header(kFar), ethernet_header(kGatewayMac, kOwnMac, 0x0800));
  EXPECT_EQ(link_header(kPeer), ethernet_header(kPeerMac, kOwnMac, 0x0800));
  advance(60s);  // the flood's entries are forgotten, the two others verified
  EXPECT_EQ(neighbours().size(), 2U);
}

TEST_F(NeighbourTest, AFloodOfPacketsToAnswerKeepsTheGateway) {
  constexpr std::uint64_t kSeed = 100;
  RecordProperty("seed", static_cast<int>(kSeed));
  config_.address = {Ipv4Address(kOwn), 8};
  config_.max_neighbours = 64;
  restart();
  resolve(kGateway, kGatewayMac);
  Prng prng(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t target = 10U << 24 | (prng.below(1U << 24) | 0x00800000);
    if (!net().has_route(target)) continue;
    send_ip(target, 1);
    advance(1ms);
    ASSERT_LE(neighbours().size(), 65U);
    ASSERT_LE(net().waiting_frames(), 64U * 3);
    sent();
  }
  EXPECT_GT(counters_.drop_neighbour_table, 0U);
  EXPECT_EQ(link_state(kFar), LinkState::kReady);
}

}  // namespace
}  // namespace tern::net
