// SPDX-License-Identifier: BSD-3-Clause
//
// What nobody should send: every truncation, every wrong length at every layer at once, and random
// damage, each in a heap block of exactly the frame's size and held against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/prng.h"
#include "reference_parse.h"
#include "test_frames.h"

namespace tern::wire {
namespace {

constexpr std::uint64_t kSeed = 0x7e57;

/// A segment whose TCP options and IP options both are there to be damaged.
Bytes crowded_frame() {
  return frame_of(
      "4800 0000 0000 4000 4006 0000 0a00 0102 0a00 0202 94040000 07070400 00000000"
      "ba92 270f 00000001 00000002 e010 0400 0000 0000 0101080a 00000005 00000006"
      "01010512 00000007 00000008 00000009 0000000a 61626364 65");
}

std::vector<Bytes> good_frames() {
  return {syn_frame(), data_frame(), crowded_frame(), echo_frame(), arp_frame()};
}

TEST(HostileFrames, TheGoodOnesAreGood) {
  for (const Bytes& frame : good_frames()) {
    EXPECT_EQ(expect_as_reference(frame, 0, apple()), DropReason::kNone);
  }
}

TEST(HostileFrames, EveryTruncationIsDropped) {
  for (const Bytes& frame : good_frames()) {
    for (const std::uint64_t flags : {std::uint64_t{0}, kBothGood}) {
      for (std::size_t length = 0; length < frame.size(); ++length) {
        EXPECT_NE(expect_as_reference(std::span(frame).first(length), flags, apple()),
                  DropReason::kNone)
            << length << " of " << frame.size();
      }
    }
  }
}

// The frame's own length, IHL, total length, data offset and an option's length, each right, one
// off, 0, 1 and as large as it goes, all combinations. The checksums count as good, so that none of
// them hides what is behind it.
TEST(HostileFrames, EveryLengthAtEveryLayerInAllCombinations) {
  const Bytes good = data_frame();
  const std::size_t size = good.size(), total = size - 14;
  const std::array frame_sizes{std::size_t{0},  std::size_t{1},   std::size_t{14}, std::size_t{33},
                               std::size_t{34}, std::size_t{53},  size - 1,        size,
                               size + 1,        std::size_t{1514}};
  const std::array totals{std::size_t{0},  std::size_t{1},    std::size_t{19}, std::size_t{20},
                          std::size_t{21}, std::size_t{39},   std::size_t{40}, std::size_t{51},
                          std::size_t{52}, total - 1,         total,           total + 1,
                          std::size_t{60}, std::size_t{65535}};
  std::set<DropReason> seen;
  for (const std::size_t frame_size : frame_sizes) {
    for (const std::size_t claimed : totals) {
      Bytes frame = good;
      put_be16(frame, kTotalAt, static_cast<std::uint32_t>(claimed));
      for (unsigned ihl = 0; ihl < 16; ++ihl) {
        frame[kIpAt] = static_cast<std::byte>(0x40 | ihl);
        for (unsigned offset = 0; offset < 16; ++offset) {
          frame[kOffsetAt] = static_cast<std::byte>(offset << 4);
          for (const unsigned option : {0u, 1u, 2u, 9u, 10u, 11u, 255u}) {
            frame[kTcpAt + 23] = static_cast<std::byte>(option);
            Bytes sent = frame;
            sent.resize(frame_size, std::byte{1});
            seen.insert(expect_as_reference(sent, kBothGood, apple()));
          }
        }
      }
      if (testing::Test::HasFailure()) FAIL() << frame_size << " " << claimed;
    }
  }
  using enum DropReason;
  EXPECT_EQ(seen, (std::set{kNone, drop_truncated, drop_ip_header, drop_tcp_header}));
}

TEST(HostileFrames, EveryIcmpLengthInAllCombinations) {
  Bytes frame = echo_frame();
  for (std::size_t size = 0; size <= 52; ++size) {
    for (unsigned total = 0; total <= 64; ++total) {
      for (unsigned ihl = 0; ihl < 16; ++ihl) {
        put_be16(frame, kTotalAt, total);
        frame[kIpAt] = static_cast<std::byte>(0x40 | ihl);
        Bytes sent = frame;
        sent.resize(size);
        expect_as_reference(sent, kBothGood, apple());
      }
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << size;
  }
}

/// Damages a few bytes, mostly of the headers, and by small, edge or random values.
void damage(Prng& prng, Bytes& frame) {
  constexpr std::array<unsigned, 8> kEdges{0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, 0x45};
  for (std::uint32_t n = 1 + prng.below(3); n > 0; --n) {
    std::byte& b = frame[prng.below(static_cast<std::uint32_t>(frame.size()))];
    switch (prng.below(4)) {
      case 0:
        b ^= std::byte{1} << prng.below(8);
        break;
      case 1:
        b = static_cast<std::byte>(kEdges[prng.below(kEdges.size())]);
        break;
      case 2:
        b = static_cast<std::byte>(std::to_integer<unsigned>(b) + (prng.chance(0.5) ? 1 : 255));
        break;
      default:
        b = static_cast<std::byte>(prng.next());
    }
  }
}

void resize(Prng& prng, Bytes& frame) {
  if (prng.chance(0.8)) return;
  const std::size_t size = prng.chance(0.5) ? prng.below(80) : frame.size() + prng.below(8);
  frame.resize(size, std::byte{1});
}

/// Completes the IP checksum after damage, so that the layers behind it are reached.
void repair(Bytes& frame) {
  if (frame.size() < 34) return;
  const std::size_t header = std::to_integer<std::size_t>(frame[kIpAt] & std::byte{0x0f}) * 4;
  if (header < 20 || kIpAt + header > frame.size()) return;
  fix_ip_checksum(frame);
  const std::size_t l4 = frame[kProtocolAt] == std::byte{6} ? 18 : 4;
  if (frame.size() >= kIpAt + header + l4) fix_l4_checksum(frame, header);
}

// A plain segment is parsed by a shorter way, whoever has verified its checksums.
TEST(HostileFrames, EveryOctetOfEveryValue) {
  for (const Bytes& good : good_frames()) {
    for (std::size_t at = 0; at < std::min<std::size_t>(good.size(), 80); ++at) {
      Bytes frame = good;
      for (unsigned octet = 0; octet < 256; ++octet) {
        frame[at] = static_cast<std::byte>(octet);
        expect_as_reference(frame, kBothGood, apple());
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "octet " << at;
    }
  }
}

TEST(HostileFrames, EveryOctetWithItsChecksums) {
  constexpr std::uint64_t kMissing = frame_flag::kRxL4ChecksumGood | frame_flag::kRxL4ChecksumBad;
  for (const Bytes& good : good_frames()) {
    for (std::size_t at = 0; at < std::min<std::size_t>(good.size(), 80); ++at) {
      for (unsigned octet = 0; octet < 256; ++octet) {
        Bytes frame = good;
        frame[at] = static_cast<std::byte>(octet);
        repair(frame);
        for (const std::uint64_t flags : {std::uint64_t{0}, frame_flag::kRxIpChecksumGood,
                                          frame_flag::kRxL4ChecksumGood, kMissing})
          expect_as_reference(frame, flags, apple());
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "octet " << at;
    }
  }
}

TEST(HostileFrames, RandomDamage) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng prng(kSeed);
  const std::vector<Bytes> frames = good_frames();
  constexpr std::uint64_t kVerdicts =
      kBothGood | frame_flag::kRxIpChecksumBad | frame_flag::kRxL4ChecksumBad;
  std::set<DropReason> seen;
  for (int i = 0; i < 300'000; ++i) {
    Bytes frame = frames[prng.below(static_cast<std::uint32_t>(frames.size()))];
    damage(prng, frame);
    resize(prng, frame);
    if (prng.chance(0.5)) repair(frame);
    ParseContext context = apple();
    context.trust_missing_checksum = prng.chance(0.5);
    const std::uint64_t flags = prng.chance(0.5) ? kBothGood : prng.next() & kVerdicts;
    seen.insert(expect_as_reference(frame, flags, context));
    ASSERT_FALSE(testing::Test::HasFailure()) << "frame " << i;
  }
  using enum DropReason;
  EXPECT_EQ(seen, (std::set{kNone, drop_truncated, drop_not_for_us, drop_vlan, drop_ethertype,
                            drop_ip_header, drop_ip_checksum, drop_ip_option, drop_ip_fragment,
                            drop_ip_source, drop_ip_protocol, drop_tcp_header, drop_tcp_checksum,
                            drop_tcp_flags, drop_tcp_options, drop_arp, drop_icmp}))
      << "not every reason was met";
}

TEST(HostileFrames, RandomBytes) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng prng(kSeed);
  for (int i = 0; i < 50'000; ++i) {
    Bytes frame = random_bytes(prng, prng.below(128));
    const Bytes head = syn_frame();
    const auto kept = std::min<std::size_t>(frame.size(), prng.below(48));  // 0: all is random
    std::copy_n(head.begin(), kept, frame.begin());
    expect_as_reference(frame, kBothGood, apple());
    ASSERT_FALSE(testing::Test::HasFailure()) << "frame " << i;
  }
}

}  // namespace
}  // namespace tern::wire
