// SPDX-License-Identifier: BSD-3-Clause
#include "net/arp_responder.h"

#include <gtest/gtest.h>

#include <utility>

#include "interface_fixture.h"

namespace tern::net {
namespace {

class ArpTest : public InterfaceTest {};

// --- Requests ------------------------------------------------------------------------------------

TEST_F(ArpTest, ARequestForOurAddressIsAnsweredAndItsSenderLearned) {
  receive_request(kPeer, kPeerMac);
  EXPECT_EQ(sent(), Sent{arp_reply_frame(kPeerMac, kPeer)});
  EXPECT_EQ(counters_.arp_in, 1U);
  EXPECT_EQ(counters_.arp_replies_out, 1U);
  EXPECT_EQ(counters_.arp_requests_out, 0U);
  EXPECT_EQ(link_header(kPeer), ethernet_header(kPeerMac, kOwnMac, 0x0800));
  EXPECT_EQ(sent(), Sent{}) << "learned: nothing is asked";
}

TEST_F(ArpTest, TheReplyInFull) {
  receive_request(kPeer, kPeerMac);
  EXPECT_EQ(sent(),
            Sent{(Bytes{0x02, 0,    0,    0,    0, 0x07, 0x02, 0,    0, 0, 0, 0x01, 0x08, 0x06,  //
                        0x00, 0x01, 0x08, 0x00, 6, 4,    0x00, 0x02,                             //
                        0x02, 0,    0,    0,    0, 0x01, 10,   0,    2, 2,                       //
                        0x02, 0,    0,    0,    0, 0x07, 10,   0,    2, 7})});
}

TEST_F(ArpTest, APaddedRequestIsAnswered) {
  receive_arp(arp_packet(1, kPeerMac, kPeer, kNoMac, kOwn) + Bytes(18));
  EXPECT_EQ(sent(), Sent{arp_reply_frame(kPeerMac, kPeer)});
}

TEST_F(ArpTest, ARequestFromTheGatewayTeachesItsAddress) {
  receive_request(kGateway, kGatewayMac);
  EXPECT_EQ(sent(), Sent{arp_reply_frame(kGatewayMac, kGateway)});
  EXPECT_EQ(link_header(kFar), ethernet_header(kGatewayMac, kOwnMac, 0x0800));
}

TEST_F(ArpTest, AProbeForOurAddressIsAnsweredAndNothingLearned) {
  receive_request(0, kPeerMac);
  EXPECT_EQ(sent(), Sent{arp_reply_frame(kPeerMac, 0)});
  EXPECT_EQ(neighbours().size(), 1U);  // the gateway's
  EXPECT_EQ(net().next_deadline(), kNever);
  EXPECT_EQ(counters_.arp_conflicts, 0U);
}

TEST_F(ArpTest, ARequestForAnotherIsNotOurs) {
  receive_request(kPeer, kPeerMac, ip(9));
  receive_request(0, kPeerMac, ip(9));
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(neighbour(kPeer), std::nullopt);
  EXPECT_EQ(counters_.arp_in, 2U);
  EXPECT_EQ(counters_.drop_arp, 0U);
}

TEST_F(ArpTest, EachRequestGetsOneReply) {
  for (int i = 0; i < 10; ++i) receive_request(kPeer, kPeerMac);
  EXPECT_EQ(sent(), Sent(10, arp_reply_frame(kPeerMac, kPeer)));
}

TEST_F(ArpTest, WithoutAFrameTheReplyIsDropped) {
  port_.set_pool_size(0);
  receive_request(kPeer, kPeerMac);
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(counters_.arp_replies_out, 0U);
  EXPECT_EQ(counters_.tx_no_frame, 1U);
  EXPECT_TRUE(neighbour(kPeer)) << "learned all the same";
}

// --- Unsolicited ---------------------------------------------------------------------------------

TEST_F(ArpTest, WhatNobodyAskedForIsNotBelieved) {
  receive_reply(kPeer, kPeerMac);
  receive_arp(arp_packet(1, kPeerMac, kPeer, kNoMac, kPeer));    // gratuitous request
  receive_arp(arp_packet(2, kPeerMac, kPeer, kPeerMac, kPeer));  // gratuitous reply
  EXPECT_EQ(neighbour(kPeer), std::nullopt);
  receive_reply(kGateway, kOtherMac);
  receive_arp(arp_packet(1, kOtherMac, kGateway, kNoMac, kGateway));
  EXPECT_EQ(neighbour(kGateway)->state, NeighbourState::kIdle);
  EXPECT_EQ(counters_.arp_in, 5U);
  EXPECT_EQ(sent(), Sent{});
}

// --- Packets that are none -----------------------------------------------------------------------

// Each must be ignored whole: counted, not answered, and the known neighbour left as it was.
TEST_F(ArpTest, WrongPacketsAreIgnored) {
  resolve(kPeer, kPeerMac);
  const std::uint32_t before = net().generation();
  const std::uint64_t valid = counters_.arp_in;
  const auto good = arp_packet(1, kOtherMac, kPeer, kNoMac, kOwn);
  const auto with = [&](std::size_t offset, std::uint8_t value) {
    Bytes packet = good;
    packet[offset] = value;
    return packet;
  };
  const std::pair<const char*, Bytes> wrong[] = {
      {"hardware type 6", with(1, 6)},
      {"hardware type 0x0101", with(0, 1)},
      {"protocol type 0x86dd", with(2, 0x86)},
      {"protocol type 0x0801", with(3, 1)},
      {"hardware length 8", with(4, 8)},
      {"protocol length 16", with(5, 16)},
      {"operation 0", with(7, 0)},
      {"operation 3", with(7, 3)},
      {"operation 0x0101", with(6, 1)},
      {"sender MAC multicast", with(8, 0x01)},
      {"sender MAC broadcast", arp_packet(1, MacAddress::broadcast(), kPeer, kNoMac, kOwn)},
      {"sender MAC zero", arp_packet(1, kNoMac, kPeer, kNoMac, kOwn)},
      {"sender MAC our own", arp_packet(1, kOwnMac, kPeer, kNoMac, kOwn)},
      {"our own announcement", arp_packet(1, kOwnMac, kOwn, kNoMac, kOwn)},
      {"sender off-link", arp_packet(1, kOtherMac, kFar, kNoMac, kOwn)},
      {"sender the subnet's broadcast", arp_packet(1, kOtherMac, ip(255), kNoMac, kOwn)},
      {"sender 255.255.255.255", arp_packet(1, kOtherMac, 0xffffffff, kNoMac, kOwn)},
      {"sender a group", arp_packet(1, kOtherMac, 0xe0000001, kNoMac, kOwn)},
      {"reply with sender 0", arp_packet(2, kOtherMac, 0, kOwnMac, kOwn)},
      {"27 bytes", Bytes(good.begin(), good.end() - 1)},
      {"no bytes", Bytes{}},
  };
  std::uint64_t dropped = 0;
  for (const auto& [name, packet] : wrong) {
    receive_arp(packet);
    EXPECT_EQ(counters_.drop_arp, ++dropped) << name;
    EXPECT_EQ(sent(), Sent{}) << name;
  }
  EXPECT_EQ(counters_.arp_in, valid);
  EXPECT_EQ(counters_.arp_conflicts, 0U);
  EXPECT_EQ(net().generation(), before);
  EXPECT_EQ(neighbour(kPeer)->mac, kPeerMac);
  EXPECT_EQ(neighbours().size(), 2U);
  receive_arp(good);  // the one that they were made of is right
  EXPECT_EQ(neighbour(kPeer)->mac, kOtherMac);
}

// --- Our own address -----------------------------------------------------------------------------

TEST_F(ArpTest, AnnouncesTwiceTwoSecondsApart) {
  EXPECT_EQ(net().next_deadline(), kNever);
  net().announce(now_);
  EXPECT_EQ(sent(), Sent{announcement_frame()});
  net().announce(now_ + 1s);  // under way: nothing
  EXPECT_EQ(sent(), Sent{});
  advance_exactly(2s);
  EXPECT_EQ(sent(), Sent{announcement_frame()});
  EXPECT_EQ(net().next_deadline(), kNever);
  EXPECT_EQ(counters_.arp_requests_out, 2U);
  net().announce(now_);  // e.g. when the link has come back
  EXPECT_EQ(sent(), Sent{announcement_frame()});
  EXPECT_EQ(net().next_deadline(), now_ + 2s);
}

TEST_F(ArpTest, TheAnnouncementInFull) {
  net().announce(now_);
  EXPECT_EQ(sent(),
            Sent{(Bytes{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0,    0,    0, 0x01,  //
                        0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6,    4, 0x00, 0x01,           //
                        0x02, 0,    0,    0,    0,    0x01, 10,   0, 2,    2,              //
                        0,    0,    0,    0,    0,    0,    10,   0, 2,    2})});
}

TEST_F(ArpTest, AConflictIsCountedAndDefendedAtMostOncePerTenSeconds) {
  receive_arp(arp_packet(1, kOtherMac, kOwn, kNoMac, kOwn));  // the other's announcement
  EXPECT_EQ(sent(), Sent{announcement_frame()});
  now_ += 10s - 1ns;
  receive_reply(kOwn, kOtherMac);
  receive_arp(arp_packet(1, kOtherMac, kOwn, kNoMac, kPeer));  // it asks for someone
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(counters_.arp_conflicts, 3U);
  now_ += 1ns;
  receive_reply(kOwn, kOtherMac);
  EXPECT_EQ(sent(), Sent{announcement_frame()});
  EXPECT_EQ(counters_.arp_conflicts, 4U);
  EXPECT_EQ(counters_.arp_in, 4U);
  EXPECT_EQ(neighbours().size(), 1U) << "a conflict teaches nothing";
}

TEST_F(ArpTest, TheGatewayAndTheAnnouncementKeepTheirOwnTime) {
  net().announce(now_);
  now_ += 500ms;
  link_state(kFar);
  sent();
  EXPECT_EQ(net().next_deadline(), now_ + 1s);
  advance_exactly(1s);
  EXPECT_EQ(sent(), Sent{arp_request_frame(kGateway)});
  advance_exactly(500ms);
  EXPECT_EQ(sent(), Sent{announcement_frame()});
}

}  // namespace
}  // namespace tern::net
