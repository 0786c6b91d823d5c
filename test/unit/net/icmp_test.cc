// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp.h"

#include <gtest/gtest.h>

#include "interface_fixture.h"

namespace tern::net {
namespace {

// RFC 1071, byte by byte, as an oracle for the code under test.
std::uint16_t checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::uint32_t{bytes[i]} << (i % 2 ? 0 : 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void set_checksum(Bytes& message) {
  message[2] = message[3] = 0;
  const std::uint16_t sum = checksum(message);
  message[2] = static_cast<std::uint8_t>(sum >> 8);
  message[3] = static_cast<std::uint8_t>(sum);
}

/// An ICMP message with id 0x1234, sequence number 7.
Bytes message(std::uint8_t type, std::uint8_t code, const Bytes& data) {
  Bytes out = Bytes{type, code, 0, 0, 0x12, 0x34, 0x00, 0x07} + data;
  set_checksum(out);
  return out;
}

Bytes ipv4_header(std::uint32_t destination, std::size_t message_bytes) {
  const auto total = static_cast<std::uint16_t>(20 + message_bytes);
  Bytes out{0x45,
            0,
            static_cast<std::uint8_t>(total >> 8),
            static_cast<std::uint8_t>(total),
            0,
            0,
            0x40,
            0,
            64,
            1,
            0,
            0};
  append(out, kOwn);
  append(out, destination);
  const std::uint16_t sum = checksum(out);
  out[10] = static_cast<std::uint8_t>(sum >> 8);
  out[11] = static_cast<std::uint8_t>(sum);
  return out;
}

class IcmpTest : public InterfaceTest {
 protected:
  void receive_icmp(const Bytes& bytes, std::uint32_t source = kPeer,
                    std::uint32_t destination = kOwn) {
    const auto block = exact_block(bytes);
    wire::ParsedFrame frame;
    frame.kind = wire::FrameKind::kIcmp4;
    frame.source_mac = kPeerMac;
    frame.source_address = source;
    frame.destination_address = destination;
    frame.payload = {block.get(), bytes.size()};
    net().receive_icmp(frame, now_);
    EXPECT_TRUE(
        std::equal(bytes.begin(), bytes.end(), reinterpret_cast<const std::uint8_t*>(block.get())))
        << "a received frame was written to";
  }
};

TEST_F(IcmpTest, AnEchoReplyInFull) {
  resolve(kPeer, kPeerMac);
  receive_icmp({8, 0, 0x84, 0x62, 0x12, 0x34, 0x00, 0x07, 'a', 'b'});
  EXPECT_EQ(sent(),
            Sent{(Bytes{0x02, 0,    0,    0,    0,    0x07, 0x02, 0,    0,    0,    0,    0x01,
                        0x08, 0x00, 0x45, 0x00, 0x00, 0x1e, 0x00, 0x00, 0x40, 0x00, 0x40, 0x01,
                        0x22, 0xd7, 10,   0,    2,    2,    10,   0,    2,    7,  //
                        0,    0,    0x8c, 0x62, 0x12, 0x34, 0x00, 0x07, 'a',  'b'})});
  EXPECT_EQ(counters_.icmp_echo_replies, 1U);
  EXPECT_EQ(counters_.drop_icmp, 0U);
}

TEST_F(IcmpTest, TheDataComesBackWhateverItsLength) {
  resolve(kPeer, kPeerMac);
  for (std::size_t length : {0U, 1U, 2U, 31U, 56U, 57U, 1471U, 1472U}) {
    Bytes data(length);
    for (std::size_t i = 0; i < length; ++i) data[i] = static_cast<std::uint8_t>(i * 7 + length);
    receive_icmp(message(8, 0, data));
    EXPECT_EQ(sent(), Sent{ethernet_header(kPeerMac, kOwnMac, 0x0800) +
                           ipv4_header(kPeer, 8 + length) + message(0, 0, data)})
        << length;
  }
  EXPECT_EQ(counters_.icmp_echo_replies, 8U);
}

TEST_F(IcmpTest, AReplyBeyondTheMtuIsSentInFragments) {
  port_.settings().frame_capacity = 2048;
  restart();
  resolve(kPeer, kPeerMac);
  Bytes data(1473);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 7);
  receive_icmp(message(8, 0, data));
  const Sent out = sent();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].size(), 14U + 1500U);
  EXPECT_EQ(Bytes(out[0].begin() + 20, out[0].begin() + 22), (Bytes{0x20, 0})) << "more";
  EXPECT_EQ(Bytes(out[1].begin() + 20, out[1].begin() + 22), (Bytes{0, 1480 / 8})) << "the last";
  EXPECT_EQ(Bytes(out[0].begin() + 18, out[0].begin() + 20),
            Bytes(out[1].begin() + 18, out[1].begin() + 20));
  EXPECT_EQ(Bytes(out[0].begin() + 34, out[0].end()) + Bytes(out[1].begin() + 34, out[1].end()),
            message(0, 0, data));
  for (const Bytes& frame : out)
    EXPECT_EQ(checksum(Bytes(frame.begin() + 14, frame.begin() + 34)), 0U);
  EXPECT_EQ(counters_.fragments_out, 2U);
  EXPECT_EQ(counters_.icmp_echo_replies, 1U);
}

TEST_F(IcmpTest, AReplyBeyondTheFramesCapacityIsSentInFragments) {
  port_.settings().frame_capacity = 128;
  restart();
  resolve(kPeer, kPeerMac);
  receive_icmp(message(8, 0, Bytes(128 - 14 - 20 - 8 + 1)));
  EXPECT_EQ(sent().size(), 2U);
  receive_icmp(message(8, 0, Bytes(128 - 14 - 20 - 8)));
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(IcmpTest, AReplyInFragmentsIsSentWholeOrNotAtAll) {
  resolve(kPeer, kPeerMac);
  port_.set_pool_size(port_.out());
  receive_icmp(message(8, 0, Bytes(60'000)));
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(counters_.drop_icmp, 1U);
  EXPECT_EQ(counters_.fragments_out, 0U);
}

TEST_F(IcmpTest, TheReplyWaitsForAnUnknownNeighbour) {
  receive_icmp(message(8, 0, {1}));
  EXPECT_EQ(sent(), Sent{arp_request_frame(kPeer)});
  EXPECT_EQ(net().waiting_frames(), 1U);
  receive_reply(kPeer, kPeerMac);
  EXPECT_EQ(sent(), Sent{ethernet_header(kPeerMac, kOwnMac, 0x0800) + ipv4_header(kPeer, 9) +
                         message(0, 0, {1})});
}

TEST_F(IcmpTest, TheReplyToAFarHostGoesThroughTheGateway) {
  resolve(kGateway, kGatewayMac);
  receive_icmp(message(8, 0, {1}), kFar);
  EXPECT_EQ(sent(), Sent{ethernet_header(kGatewayMac, kOwnMac, 0x0800) + ipv4_header(kFar, 9) +
                         message(0, 0, {1})});
}

TEST_F(IcmpTest, EverythingElseIsDroppedAndCounted) {
  resolve(kPeer, kPeerMac);
  Bytes corrupt = message(8, 0, {1, 2, 3});
  corrupt.back() ^= 1;
  std::uint64_t dropped = 0;
  for (const Bytes& bytes : {message(0, 0, {1}), message(3, 4, Bytes(28)), message(5, 1, Bytes(28)),
                             message(13, 0, Bytes(12)), message(8, 1, {1}), corrupt,
                             Bytes{8, 0, 0xf7, 0xff, 0, 0, 0}, Bytes{}}) {
    receive_icmp(bytes);
    EXPECT_EQ(counters_.drop_icmp, ++dropped);
  }
  receive_icmp(message(8, 0, {1}), kPeer, ip(255));  // asked of everyone
  EXPECT_EQ(counters_.drop_icmp, ++dropped);
  receive_icmp(message(8, 0, {1}), ip(255));  // by nobody
  EXPECT_EQ(counters_.drop_icmp, ++dropped);
  EXPECT_EQ(sent(), Sent{});
  EXPECT_EQ(counters_.icmp_echo_replies, 0U);
}

TEST_F(IcmpTest, WithoutAFrameTheRequestCountsAsDropped) {
  resolve(kPeer, kPeerMac);
  std::vector<Frame> spares(egress_->spare());
  for (Frame& frame : spares) ASSERT_TRUE(egress_->allocate(frame));
  port_.set_pool_size(0);
  receive_icmp(message(8, 0, {1}));
  EXPECT_EQ(counters_.tx_no_frame, 1U);
  EXPECT_EQ(counters_.drop_icmp, 1U);
  for (const Frame& frame : spares) egress_->discard(frame);
}

TEST_F(IcmpTest, AnswersAHundredAtOnceAndAThousandASecond) {
  resolve(kPeer, kPeerMac);
  const Bytes request = message(8, 0, {1});
  for (int i = 0; i < 150; ++i) receive_icmp(request);
  EXPECT_EQ(sent().size(), 100U);
  EXPECT_EQ(counters_.icmp_echo_replies, 100U);
  EXPECT_EQ(counters_.drop_icmp, 50U);
  now_ += 1ms - 1ns;
  receive_icmp(request);
  EXPECT_EQ(sent().size(), 0U);
  now_ += 1ns;
  receive_icmp(request);
  EXPECT_EQ(sent().size(), 1U);
  for (int i = 0; i < 10'000; ++i) {  // 10,000 a second for one second
    now_ += 100us;
    receive_icmp(request);
    sent();
  }
  EXPECT_EQ(counters_.icmp_echo_replies, 101U + 1000U);
  EXPECT_EQ(counters_.icmp_echo_replies + counters_.drop_icmp, 150U + 2U + 10'000U);
}

}  // namespace
}  // namespace tern::net
