// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/rx_split.h"

#include <gtest/gtest.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "dpdk/dpdk_test_env.h"

namespace tern::io {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kAck = 0x10, kUrg = 0x20, kEce = 0x40, kCwr = 0x80;
constexpr std::uint32_t kSequence = 0xffffff00;  // it wraps around on the way

/// A large segment: its headers, and how its text is spread over buffers (the first has the headers
/// too).
struct Large {
  bool is_v6 = false, is_tagged = false;
  std::size_t options = 12;
  std::vector<std::size_t> text = {1000, 1500, 700};
  std::uint8_t flags = kAck;

  std::size_t ip() const { return is_tagged ? 18 : 14; }
  std::size_t tcp() const { return ip() + (is_v6 ? 40 : 20); }
  std::size_t headers() const { return tcp() + 20 + options; }
  std::size_t text_bytes() const { return std::accumulate(text.begin(), text.end(), 0ul); }
};

void put16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}
void put32(Bytes& bytes, std::size_t at, std::uint32_t value) {
  put16(bytes, at, value >> 16);
  put16(bytes, at + 2, value & 0xffff);
}
std::uint32_t get16(const Bytes& bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 8 | bytes[at + 1];
}
std::uint32_t get32(const Bytes& bytes, std::size_t at) {
  return get16(bytes, at) << 16 | get16(bytes, at + 2);
}

/// The TCP checksum of a frame, which is 0 when its field is right. Bytes by bytes, on purpose not
/// by what is under test.
std::uint32_t tcp_checksum(const Bytes& frame, const Large& how) {
  const std::size_t length = frame.size() - how.tcp();
  std::uint32_t sum = 6 + static_cast<std::uint32_t>(length);
  const std::size_t addresses = how.is_v6 ? how.ip() + 8 : how.ip() + 12;
  for (std::size_t i = addresses; i < how.tcp(); i += 2) sum += get16(frame, i);
  for (std::size_t i = 0; i < length; ++i)
    sum += i % 2 == 0 ? std::uint32_t{frame[how.tcp() + i]} << 8 : frame[how.tcp() + i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

std::uint32_t ip_checksum(const Bytes& frame, const Large& how) {
  std::uint32_t sum = 0;
  for (std::size_t i = how.ip(); i < how.tcp(); i += 2) sum += get16(frame, i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

void write_ip(Bytes& frame, const Large& how) {
  const std::size_t ip = how.ip(), behind = frame.size() - how.tcp();
  for (std::size_t i = ip; i < how.tcp(); ++i) frame[i] = static_cast<std::uint8_t>(i);
  if (how.is_v6) {
    frame[ip] = 0x60;
    put16(frame, ip + 4, behind);
    frame[ip + 6] = 6;
    return;
  }
  frame[ip] = 0x45;
  put16(frame, ip + 2, behind + 20);
  put16(frame, ip + 6, 0x4000);  // not to be fragmented
  frame[ip + 9] = 6;
  put16(frame, ip + 10, 0);
  put16(frame, ip + 10, ip_checksum(frame, how));
}

Bytes large_segment(const Large& how) {
  Bytes frame(how.headers() + how.text_bytes());
  for (std::size_t i = how.headers(); i < frame.size(); ++i)
    frame[i] = static_cast<std::uint8_t>(i * 31 >> 3);
  put16(frame, 12, how.is_tagged ? 0x8100 : how.is_v6 ? 0x86dd : 0x0800);
  if (how.is_tagged) put16(frame, 16, how.is_v6 ? 0x86dd : 0x0800);
  write_ip(frame, how);
  const std::size_t tcp = how.tcp();
  put32(frame, tcp + 4, kSequence);
  frame[tcp + 12] = static_cast<std::uint8_t>((20 + how.options) / 4 << 4);
  frame[tcp + 13] = how.flags;
  std::fill_n(frame.begin() + static_cast<std::ptrdiff_t>(tcp) + 20, how.options, 1);  // NOPs
  put16(frame, tcp + 16, tcp_checksum(frame, how));
  return frame;
}

class RxSplitTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(device_.available(), full_); }

  rte_mbuf* buffer(const Bytes& frame, std::size_t at, std::size_t bytes) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(device_.device().pool(0));
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(bytes)), frame.data() + at,
                bytes);
    return mbuf;
  }

  rte_mbuf* chain(const Bytes& frame, const Large& how) {
    rte_mbuf* head = buffer(frame, 0, how.headers() + how.text[0]);
    std::size_t at = how.headers() + how.text[0];
    for (std::size_t i = 1; i < how.text.size(); ++i) {
      EXPECT_EQ(rte_pktmbuf_chain(head, buffer(frame, at, how.text[i])), 0);
      at += how.text[i];
    }
    return head;
  }

  /// Splits it, taking so many frames at a time, and gives its buffers back.
  std::vector<Bytes> split(rte_mbuf* mbuf, std::size_t at_a_time = 2) {
    RxSplit splitter(false);
    std::vector<Bytes> pieces;
    if (!splitter.begin(mbuf, 0)) {
      rte_pktmbuf_free(mbuf);
      return pieces;
    }
    std::vector<Frame> frames(at_a_time);
    while (!splitter.empty()) {
      for (const Frame& frame : std::span(frames).first(splitter.take(frames))) {
        const auto* data = reinterpret_cast<const std::uint8_t*>(frame.data);
        EXPECT_EQ(frame.flags, frame_flag::kRxIpChecksumGood | frame_flag::kRxL4ChecksumGood);
        pieces.emplace_back(data, data + frame.length);
        rte_pktmbuf_free(static_cast<rte_mbuf*>(frame.handle));
      }
    }
    return pieces;
  }

  std::size_t pieces_of(const Large& how) { return split(chain(large_segment(how), how)).size(); }

  TestDevice device_{"net_ring"};
  const unsigned full_ = device_.available();
};

class EveryFamily : public RxSplitTest, public testing::WithParamInterface<std::tuple<bool, bool>> {
 protected:
  Large plain() const {
    return {.is_v6 = std::get<0>(GetParam()), .is_tagged = std::get<1>(GetParam())};
  }
};

// Each piece is a packet that a receiver would take from the wire; joined they are the whole.
TEST_P(EveryFamily, EachBufferBecomesASegment) {
  const Large how = plain();
  const Bytes whole = large_segment(how);
  const std::vector<Bytes> pieces = split(chain(whole, how));
  ASSERT_EQ(pieces.size(), how.text.size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Bytes& piece = pieces[i];
    ASSERT_EQ(piece.size(), how.headers() + how.text[i]);
    EXPECT_TRUE(std::equal(piece.begin(), piece.begin() + how.ip(), whole.begin()));
    EXPECT_EQ(get16(piece, how.ip() + (how.is_v6 ? 4 : 2)),
              piece.size() - (how.is_v6 ? how.tcp() : how.ip()));
    if (!how.is_v6) {
      EXPECT_EQ(ip_checksum(piece, how), 0u);
    }
    EXPECT_EQ(get32(piece, how.tcp() + 4), kSequence + static_cast<std::uint32_t>(at));
    EXPECT_EQ(piece[how.tcp() + 12], (20 + how.options) / 4 << 4);
    EXPECT_TRUE(
        std::equal(piece.begin() + how.headers(), piece.end(), whole.begin() + how.headers() + at));
    at += how.text[i];
  }
}

TEST_P(EveryFamily, FinAndPshGoWithTheLastAndCwrWithTheFirst) {
  Large how = plain();
  how.flags = kAck | kPsh | kFin | kEce | kCwr;
  const std::vector<Bytes> pieces = split(chain(large_segment(how), how));
  ASSERT_EQ(pieces.size(), 3u);
  const std::size_t at = how.tcp() + 13;
  EXPECT_EQ(pieces[0][at], kAck | kEce | kCwr);
  EXPECT_EQ(pieces[1][at], kAck | kEce);
  EXPECT_EQ(pieces[2][at], kAck | kEce | kPsh | kFin);
}

TEST_P(EveryFamily, WhatIsDamagedIsNotTaken) {
  const Large how = plain();
  for (const std::size_t at : {how.ip() + 13, how.tcp() + 5, how.headers(), how.headers() + 2999}) {
    Bytes whole = large_segment(how);
    whole[at] ^= 0x10;
    EXPECT_TRUE(split(chain(whole, how)).empty()) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(RxSplit, EveryFamily, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param) ? "Ip6" : "Ip4") +
                                  (std::get<1>(each.param) ? "Tagged" : "");
                         });

TEST_F(RxSplitTest, BuffersWithoutTextGiveNothing) {
  EXPECT_EQ(pieces_of({.text = {0, 900, 0, 800, 0}}), 2u);
  EXPECT_EQ(pieces_of({.options = 40, .text = {1, 1}}), 2u);
}

TEST_F(RxSplitTest, WhatIsNotTakenIsGivenBackAtTheEnd) {
  const Large how;
  RxSplit splitter(false);
  ASSERT_TRUE(splitter.begin(chain(large_segment(how), how), 0));
  std::array<Frame, 1> one;
  ASSERT_EQ(splitter.take(one), 1u);
  rte_pktmbuf_free(static_cast<rte_mbuf*>(one[0].handle));
  EXPECT_FALSE(splitter.empty());
}

// A verdict that is believed spares the sum; one that says "damaged" settles it.
TEST_F(RxSplitTest, ABelievedVerdictCounts) {
  const Large how;
  Bytes whole = large_segment(how);
  whole[how.headers()] ^= 1;
  RxSplit splitter(false);
  EXPECT_TRUE(splitter.begin(chain(whole, how), frame_flag::kRxL4ChecksumGood));
  RxSplit other(false);
  rte_mbuf* intact = chain(large_segment(how), how);
  EXPECT_FALSE(other.begin(intact, frame_flag::kRxL4ChecksumBad));
  rte_pktmbuf_free(intact);
}

// What no device has looked at is summed up, unless whoever sent it is trusted, as with a segment
// in one buffer.
TEST_F(RxSplitTest, AMissingChecksumCountsWhereItIsTrusted) {
  const std::uint64_t missing = frame_flag::kRxL4ChecksumGood | frame_flag::kRxL4ChecksumBad;
  const Large how;
  Bytes whole = large_segment(how);
  RxSplit intact(false);
  EXPECT_TRUE(intact.begin(chain(whole, how), missing));
  whole[how.headers()] ^= 1;
  RxSplit trusting(true);
  EXPECT_TRUE(trusting.begin(chain(whole, how), missing));
  RxSplit wary(false);
  rte_mbuf* damaged = chain(whole, how);
  EXPECT_FALSE(wary.begin(damaged, missing));
  rte_pktmbuf_free(damaged);
}

// What one header cannot say of all pieces, or what is no TCP segment of the length that it claims.
TEST_F(RxSplitTest, WhatIsNoPlainSegmentIsRefused) {
  EXPECT_EQ(pieces_of({.flags = kAck | kUrg}), 0u);
  const auto with = [this](bool is_v6, auto&& change) {
    const Large how{.is_v6 = is_v6};
    Bytes whole = large_segment(how);
    change(whole, how);
    return split(chain(whole, how)).size();
  };
  const auto resum = [](Bytes& frame, const Large& how) {
    put16(frame, how.ip() + 10, 0);
    put16(frame, how.ip() + 10, ip_checksum(frame, how));
  };
  EXPECT_EQ(with(false, [](Bytes&, const Large&) {}), 3u);
  EXPECT_EQ(with(false, [&](Bytes& f, const Large& how) { f[23] = 17, resum(f, how); }), 0u);
  EXPECT_EQ(with(false, [&](Bytes& f, const Large& how) { f[20] |= 0x20, resum(f, how); }), 0u);
  EXPECT_EQ(with(false, [&](Bytes& f, const Large& how) { --f[17], resum(f, how); }), 0u);
  EXPECT_EQ(with(false, [](Bytes& f, const Large&) { f[12] = 0x88; }), 0u);
  EXPECT_EQ(with(false, [](Bytes& f, const Large& how) { f[how.tcp() + 12] = 0x40; }), 0u);
  EXPECT_EQ(with(true, [](Bytes&, const Large&) {}), 3u);
  EXPECT_EQ(with(true, [](Bytes& f, const Large& how) { f[how.ip() + 6] = 0; }), 0u);
  EXPECT_EQ(with(true, [](Bytes& f, const Large& how) { ++f[how.ip() + 5]; }), 0u);
}

TEST_F(RxSplitTest, HeadersThatGoOnInTheSecondBufferAreRefused) {
  const Large how;
  const Bytes whole = large_segment(how);
  rte_mbuf* head = buffer(whole, 0, 60);
  ASSERT_EQ(rte_pktmbuf_chain(head, buffer(whole, 60, 1900)), 0);
  ASSERT_EQ(rte_pktmbuf_chain(head, buffer(whole, 1960, whole.size() - 1960)), 0);
  EXPECT_TRUE(split(head).empty());
}

// Somebody else reads the buffer too, or it has no room in front: it must not be written to.
TEST_F(RxSplitTest, BuffersThatAreNotToBeWrittenToAreRefused) {
  const Large how;
  for (const bool is_shared : {true, false}) {
    rte_mbuf* head = chain(large_segment(how), how);
    rte_mbuf* second = head->next;
    if (is_shared)
      rte_mbuf_refcnt_update(second, 1);
    else
      second->data_off = 20;  // what it holds does not matter: it is refused before it is summed up
    EXPECT_TRUE(split(head).empty());
    if (is_shared) rte_pktmbuf_free_seg(second);
  }
}

}  // namespace
}  // namespace tern::io
