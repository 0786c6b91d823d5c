// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "dpdk/dpdk_test_env.h"

namespace tern::io {
namespace {

constexpr unsigned kRingSlots = 1023;  // net_ring's own ring

Frame filled_frame(DpdkPort& port, std::uint32_t length, std::uint8_t value) {
  std::array<Frame, 1> frame;
  EXPECT_EQ(port.allocate(frame), 1u);
  std::memset(frame[0].data, value, length);
  frame[0].length = length;
  return frame[0];
}

std::vector<std::uint8_t> bytes_of(const Frame& frame) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(frame.data);
  return {begin, begin + frame.length};
}

rte_mbuf* mbuf_of(const Frame& frame) { return static_cast<rte_mbuf*>(frame.handle); }

// Frames on a net_ring device that sends to itself.
class RingPort : public testing::Test {
 protected:
  // Conservation: every buffer that a test took is back.
  void TearDown() override { EXPECT_EQ(ring_.available(), full_); }

  DpdkPort& port() { return ring_.port(); }
  std::size_t drain() {
    std::array<Frame, 64> frames;
    std::size_t total = 0, count;
    while ((count = port().receive(frames)) > 0) {
      port().release({frames.data(), count});
      total += count;
    }
    return total;
  }

  TestDevice ring_{"net_ring"};
  const unsigned full_ = ring_.available();
};

TEST_F(RingPort, AFrameComesBackByteForByte) {
  Frame sent = filled_frame(port(), 1514, 0);
  for (std::uint32_t i = 0; i < sent.length; ++i) sent.data[i] = static_cast<std::byte>(i * 7);
  const auto expected = bytes_of(sent);
  ASSERT_EQ(port().transmit({&sent, 1}), 1u);

  std::array<Frame, 4> received;
  ASSERT_EQ(port().receive(received), 1u);
  EXPECT_EQ(bytes_of(received[0]), expected);
  EXPECT_EQ(received[0].flags, 0u);
  port().release({received.data(), 1});
}

TEST_F(RingPort, AllocatedFramesAreEmptyAndAsLargeAsSaid) {
  std::array<Frame, 100> frames;
  ASSERT_EQ(port().allocate(frames), 100u);
  for (const Frame& frame : frames) {
    EXPECT_EQ(frame.length, 0u);
    EXPECT_EQ(frame.flags, 0u);
    EXPECT_EQ(mbuf_of(frame)->buf_len - rte_pktmbuf_headroom(mbuf_of(frame)),
              port().info().frame_capacity);
  }
  port().release(frames);
}

TEST_F(RingPort, ARuntIsPaddedWithZeros) {
  Frame sent = filled_frame(port(), 200, 0xee);  // an earlier use of the buffer
  sent.length = 54;
  ASSERT_EQ(port().transmit({&sent, 1}), 1u);
  std::array<Frame, 1> received;
  ASSERT_EQ(port().receive(received), 1u);
  std::vector<std::uint8_t> expected(60, 0);
  std::fill_n(expected.begin(), 54, std::uint8_t{0xee});
  EXPECT_EQ(bytes_of(received[0]), expected);
  port().release(received);
}

TEST_F(RingPort, AFullRingLeavesTheRestToTheCallerUnchanged) {
  std::vector<Frame> frames(kRingSlots + 100);
  ASSERT_EQ(port().allocate(frames), frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    std::memcpy(frames[i].data, &i, sizeof i);
    frames[i].length = 64;
  }
  EXPECT_EQ(port().transmit(frames), kRingSlots);
  const std::span<const Frame> rest(frames.data() + kRingSlots, 100);
  EXPECT_EQ(port().transmit(rest), 0u);

  // Room again: the rest goes, in order and whole.
  EXPECT_EQ(drain(), kRingSlots);
  ASSERT_EQ(port().transmit(rest), 100u);
  std::array<Frame, 64> received;
  std::size_t next = kRingSlots, count;
  while ((count = port().receive(received)) > 0) {
    for (std::size_t i = 0; i < count; ++i, ++next)
      EXPECT_EQ(std::memcmp(received[i].data, &next, sizeof next), 0);
    port().release({received.data(), count});
  }
  EXPECT_EQ(next, frames.size());
}

TEST_F(RingPort, ADryPoolAnswersShortAndRecovers) {
  std::vector<Frame> all(ring_.size());
  std::size_t got = 0, count;
  do {
    count =
        port().allocate(std::span(all).subspan(got, std::min<std::size_t>(64, all.size() - got)));
    got += count;
  } while (count > 0 && got < all.size());
  // rte_pktmbuf_alloc_bulk is all or nothing: less than a burst may be left.
  EXPECT_GE(got + 64, full_);
  std::array<Frame, 64> none;
  EXPECT_EQ(port().allocate(none), 0u);
  port().release({all.data(), got});
  EXPECT_EQ(port().allocate(none), 64u);
  port().release(none);
}

TEST_F(RingPort, ReceivedAndAllocatedFramesAreReleasedInAnyMix) {
  std::array<Frame, 40> frames;
  ASSERT_EQ(port().allocate(frames), 40u);
  for (Frame& frame : frames) frame.length = 60;
  ASSERT_EQ(port().transmit({frames.data(), 20}), 20u);
  std::array<Frame, 64> mix;
  ASSERT_EQ(port().receive(mix), 20u);
  for (std::size_t i = 0; i < 20; ++i) mix[20 + i] = frames[20 + i];
  std::reverse(mix.begin(), mix.begin() + 40);
  port().release({mix.data(), 40});
}

// A frame whose buffer came in is sent again (a RST or an echo reply written in place): the flags
// that it arrived with must not be taken for an order to the device.
TEST_F(RingPort, ReceiveFlagsAreNotSent) {
  Frame frame = filled_frame(port(), 64, 1);
  mbuf_of(frame)->ol_flags = RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_VLAN;
  frame.flags = frame_flag::kRxRssHash;
  ASSERT_EQ(port().transmit({&frame, 1}), 1u);
  EXPECT_EQ(mbuf_of(frame)->ol_flags, 0u);
  EXPECT_EQ(drain(), 1u);
}

TEST_F(RingPort, OffloadRequestsReachTheMbuf) {
  Frame frame = filled_frame(port(), 1000, 0);
  frame.data[34 + 12] = std::byte{0x80};  // TCP data offset: 32 bytes
  frame.flags = frame_flag::kTxIpv4 | frame_flag::kTxIpChecksum | frame_flag::kTxTcpChecksum |
                frame_flag::kTxTcpSegmentation;
  frame.metadata = tx_metadata(14, 20, 1448);
  ASSERT_EQ(port().transmit({&frame, 1}), 1u);
  const rte_mbuf* mbuf = mbuf_of(frame);
  EXPECT_EQ(mbuf->ol_flags, frame.flags);
  EXPECT_EQ(mbuf->l2_len, 14);
  EXPECT_EQ(mbuf->l3_len, 20);
  EXPECT_EQ(mbuf->l4_len, 32);
  EXPECT_EQ(mbuf->tso_segsz, 1448);
  EXPECT_EQ(mbuf->outer_l2_len, 0);
  EXPECT_EQ(drain(), 1u);
}

TEST_F(RingPort, WithoutAnOffloadTxOffloadIsLeftAlone) {
  Frame frame = filled_frame(port(), 64, 0);
  mbuf_of(frame)->tx_offload = 0x1234;
  frame.metadata = 77;
  ASSERT_EQ(port().transmit({&frame, 1}), 1u);
  EXPECT_EQ(mbuf_of(frame)->tx_offload, 0x1234u);
  EXPECT_EQ(drain(), 1u);
}

// Puts a frame of two buffers on the wire, past the port.
void send_two_segments(TestDevice& ring, std::uint16_t first, std::uint16_t second) {
  rte_mbuf* head = rte_pktmbuf_alloc(ring.device().pool(0));
  rte_mbuf* tail = rte_pktmbuf_alloc(ring.device().pool(0));
  std::memset(rte_pktmbuf_append(head, first), 'a', first);
  std::memset(rte_pktmbuf_append(tail, second), 'b', second);
  ASSERT_EQ(rte_pktmbuf_chain(head, tail), 0);
  ASSERT_EQ(rte_eth_tx_burst(ring.device().port_id(), 0, &head, 1), 1);
}

TEST_F(RingPort, SeveralBuffersAreMadeOne) {
  send_two_segments(ring_, 100, 50);
  std::array<Frame, 2> received;
  ASSERT_EQ(port().receive(received), 1u);
  std::vector<std::uint8_t> expected(150, 'b');
  std::fill_n(expected.begin(), 100, std::uint8_t{'a'});
  EXPECT_EQ(bytes_of(received[0]), expected);
  EXPECT_EQ(port().counters().rx_linearised, 1u);
  port().release({received.data(), 1});
}

TEST_F(RingPort, WhatDoesNotFitOneBufferIsDroppedAndCounted) {
  send_two_segments(ring_, 2000, 1000);
  Frame good = filled_frame(port(), 64, 9);
  ASSERT_EQ(port().transmit({&good, 1}), 1u);
  std::array<Frame, 2> received;
  ASSERT_EQ(port().receive(received), 1u);  // the good one, in the first place
  EXPECT_EQ(received[0].length, 64u);
  EXPECT_EQ(port().counters().drop_rx_buffers, 1u);
  port().release({received.data(), 1});
}

// IPv4 and TCP headers with checksums as the whole needs them, then `text` bytes in two buffers.
void send_large_segment(TestDevice& ring, std::size_t first, std::size_t second, bool spoilt) {
  constexpr std::size_t kHeaders = 14 + 20 + 20;
  rte_mbuf* head = rte_pktmbuf_alloc(ring.device().pool(0));
  rte_mbuf* tail = rte_pktmbuf_alloc(ring.device().pool(0));
  auto* at = reinterpret_cast<std::uint8_t*>(
      rte_pktmbuf_append(head, static_cast<std::uint16_t>(kHeaders + first)));
  std::memset(at, 0, kHeaders);
  at[12] = 0x08;
  auto* ip = reinterpret_cast<rte_ipv4_hdr*>(at + 14);
  ip->version_ihl = 0x45;
  ip->total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(40 + first + second));
  ip->next_proto_id = 6;
  ip->hdr_checksum = rte_ipv4_cksum(ip);
  auto* tcp = reinterpret_cast<rte_tcp_hdr*>(at + 34);
  tcp->sent_seq = rte_cpu_to_be_32(1000);
  tcp->data_off = 0x50;
  tcp->tcp_flags = 0x19;  // FIN, PSH, ACK
  std::memset(at + kHeaders, 'a', first);
  std::memset(rte_pktmbuf_append(tail, static_cast<std::uint16_t>(second)), 'b', second);
  ASSERT_EQ(rte_pktmbuf_chain(head, tail), 0);
  std::uint16_t sum = 0;
  ASSERT_EQ(rte_raw_cksum_mbuf(head, 34, static_cast<std::uint32_t>(20 + first + second), &sum), 0);
  const std::uint32_t all = sum + rte_ipv4_phdr_cksum(ip, 0);
  tcp->cksum = static_cast<std::uint16_t>(~((all & 0xffff) + (all >> 16)) + (spoilt ? 1 : 0));
  ASSERT_EQ(rte_eth_tx_burst(ring.device().port_id(), 0, &head, 1), 1);
}

TEST_F(RingPort, ALargeSegmentInSeveralBuffersBecomesSeveral) {
  send_large_segment(ring_, 1900, 1000, false);
  std::array<Frame, 1> one;  // no room for both at once
  ASSERT_EQ(port().receive(one), 1u);
  const std::vector<std::uint8_t> first = bytes_of(one[0]);
  ASSERT_EQ(first.size(), 54u + 1900);
  EXPECT_EQ(first[17], (40 + 1900) & 0xff);
  EXPECT_EQ(first[41], 1000 & 0xff);  // the sequence number's last byte
  EXPECT_EQ(first[47], 0x10);         // FIN and PSH are the last one's
  EXPECT_EQ(first.back(), 'a');
  port().release(one);
  ASSERT_EQ(port().receive(one), 1u);
  const std::vector<std::uint8_t> second = bytes_of(one[0]);
  ASSERT_EQ(second.size(), 54u + 1000);
  EXPECT_EQ(second[40] << 8 | second[41], 1000 + 1900);
  EXPECT_EQ(second[47], 0x19);
  EXPECT_EQ(second[54], 'b');
  EXPECT_NE(one[0].flags & frame_flag::kRxL4ChecksumGood, 0u);
  port().release(one);
  EXPECT_EQ(port().counters().rx_split, 1u);
}

TEST_F(RingPort, ADamagedLargeSegmentIsDroppedWhole) {
  send_large_segment(ring_, 1900, 1000, true);
  std::array<Frame, 4> frames;
  EXPECT_EQ(port().receive(frames), 0u);
  EXPECT_EQ(port().counters().drop_rx_buffers, 1u);
}

TEST_F(RingPort, AFrameOfAnotherPoolGoesHome) {
  TestDevice other("net_ring");
  const unsigned other_full = other.available();
  std::array<Frame, 2> frames{filled_frame(port(), 60, 1), filled_frame(other.port(), 60, 2)};
  port().release(frames);
  EXPECT_EQ(other.available(), other_full);
}

// What came in goes out again as an empty frame at the usual place, without a way through the pool.
TEST_F(RingPort, ReceivedFramesAreRecycled) {
  Frame sent = filled_frame(port(), 1000, 7);
  ASSERT_EQ(port().transmit({&sent, 1}), 1u);
  std::array<Frame, 2> received;
  ASSERT_EQ(port().receive(received), 1u);
  rte_mbuf* mbuf = mbuf_of(received[0]);
  received[0].data += 54;
  received[0].flags = frame_flag::kRxRssHash;
  const unsigned available = ring_.available();
  ASSERT_EQ(port().recycle({received.data(), 1}), 1u);
  EXPECT_EQ(ring_.available(), available);
  EXPECT_EQ(mbuf_of(received[0]), mbuf);
  EXPECT_EQ(received[0].data, rte_pktmbuf_mtod(mbuf, std::byte*));
  EXPECT_EQ(received[0].length, 0u);
  EXPECT_EQ(received[0].flags, 0u);
  std::memset(received[0].data, 8, 100);
  received[0].length = 100;
  ASSERT_EQ(port().transmit({received.data(), 1}), 1u);
  ASSERT_EQ(port().receive(received), 1u);
  EXPECT_EQ(bytes_of(received[0]), std::vector<std::uint8_t>(100, 8));
  port().release({received.data(), 1});
}

// A buffer of another pool, or one that somebody else holds too, goes home, and the rest stays.
TEST_F(RingPort, OnlyPlainBuffersOfItsOwnPoolAreRecycled) {
  TestDevice other("net_ring");
  const unsigned other_full = other.available();
  std::array<Frame, 3> frames{filled_frame(other.port(), 60, 1), filled_frame(port(), 60, 2),
                              filled_frame(port(), 60, 3)};
  rte_mbuf* shared = mbuf_of(frames[2]);
  rte_mbuf_refcnt_update(shared, 1);
  rte_mbuf* plain = mbuf_of(frames[1]);
  ASSERT_EQ(port().recycle(frames), 1u);
  EXPECT_EQ(mbuf_of(frames[0]), plain);
  EXPECT_EQ(other.available(), other_full);
  EXPECT_EQ(rte_mbuf_refcnt_read(shared), 1);
  rte_pktmbuf_free(shared);
  port().release({frames.data(), 1});
}

TEST_F(RingPort, LinkIsUp) { EXPECT_TRUE(port().link_up()); }

// The link's state is remembered for 10 ms.
TEST_F(RingPort, LinkStateIsRefreshedAfterTenMilliseconds) {
  ASSERT_TRUE(port().link_up());
  ASSERT_EQ(rte_eth_dev_set_link_down(ring_.device().port_id()), 0);
  rte_delay_us_block(11'000);
  EXPECT_FALSE(port().link_up());
  ASSERT_EQ(rte_eth_dev_set_link_up(ring_.device().port_id()), 0);
  EXPECT_FALSE(port().link_up());
  rte_delay_us_block(11'000);
  EXPECT_TRUE(port().link_up());
}

// Both ends in one process. A peer that has left is noticed before the next poll, not 10 ms later:
// the driver unmaps what that poll would read.
TEST(MemifPort, APeerThatLeavesIsNoticedAtOnce) {
  const std::string socket = "socket=@tern-port-test-" + std::to_string(::getpid());
  TestDevice server("net_memif", "role=server," + socket);
  {
    TestDevice client("net_memif", "role=client," + socket);
    std::array<Frame, 4> frames;
    for (int ms = 0; ms < 5000 && !(server.port().link_up() && client.port().link_up()); ++ms)
      rte_delay_us_sleep(1000);
    ASSERT_TRUE(server.port().link_up());
    EXPECT_EQ(server.port().receive(frames), 0u);
    ASSERT_EQ(rte_eth_dev_stop(client.device().port_id()), 0);
    // The server's interrupt thread hears of it.
    for (int i = 0; i < 50'000 && server.device().link_up(); ++i) {
      server.port().link_up();
      rte_delay_us_sleep(100);
    }
    EXPECT_FALSE(server.port().link_up());
  }
}

// Checksum verdicts of a virtual wire are its sender's word: unknown, unless it is trusted.
TEST(RxFlags, VerdictsOfAVirtualWireAreIgnoredUnlessTrusted) {
  constexpr std::uint64_t kGood = frame_flag::kRxL4ChecksumGood | frame_flag::kRxIpChecksumGood;
  for (const bool trust : {false, true}) {
    DeviceConfig config = TestDevice::small_config();
    config.trust_missing_checksum = trust;
    TestDevice ring("net_ring", "", config);
    EXPECT_EQ(ring.port().info().trust_missing_checksum, trust);
    Frame frame = filled_frame(ring.port(), 64, 0);
    rte_mbuf* mbuf = mbuf_of(frame);
    mbuf->data_len = 64;
    mbuf->pkt_len = 64;
    mbuf->ol_flags = kGood | RTE_MBUF_F_RX_RSS_HASH;
    mbuf->hash.rss = 0xabcd;
    ASSERT_EQ(rte_eth_tx_burst(ring.device().port_id(), 0, &mbuf, 1), 1);
    std::array<Frame, 1> received;
    ASSERT_EQ(ring.port().receive(received), 1u);
    EXPECT_EQ(received[0].flags, frame_flag::kRxRssHash | (trust ? kGood : 0));
    EXPECT_EQ(received[0].metadata, 0xabcdu);
    ring.port().release(received);
  }
}

// net_null gives frames without end and takes all: what comes from it and goes to it is conserved.
TEST(NullPort, ReceivedFramesCanBeSentOrReleased) {
  TestDevice null("net_null");
  const unsigned full = null.available();
  for (int round = 0; round < 100; ++round) {
    std::array<Frame, 32> frames;
    ASSERT_EQ(null.port().receive(frames), 32u);
    EXPECT_EQ(frames[0].length, 64u);
    ASSERT_EQ(null.port().transmit({frames.data(), 16}), 16u);
    null.port().release({frames.data() + 16, 16});
  }
  EXPECT_EQ(null.available(), full);
}

TEST(NullPort, ACallTakesAtMostOneBurst) {
  TestDevice null("net_null");
  std::array<Frame, 200> frames;
  const std::size_t count = null.port().receive(frames);
  EXPECT_EQ(count, 64u);
  null.port().release({frames.data(), count});
}

TEST(NullPort, AnEmptySpanIsNoError) {
  TestDevice null("net_null");
  EXPECT_EQ(null.port().receive({}), 0u);
  EXPECT_EQ(null.port().transmit({}), 0u);
  EXPECT_EQ(null.port().allocate({}), 0u);
  null.port().release({});
}

}  // namespace
}  // namespace tern::io
