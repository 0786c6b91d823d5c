// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "base/prng.h"
#include "test_frames.h"
#include "wire/ipv6.h"
#include "wire/parse.h"

namespace tern::wire {
namespace {

using enum DropReason;

constexpr std::size_t kHopLimitAt = 21, kNextAt = 20, kSource6At = 22, kDestination6At = 38,
                      kTcp6At = 54;

Ipv6Address ip6(std::string_view text) { return *Ipv6Address::parse(text); }

/// Apple has fd00::2 too.
ParseContext apple6() {
  ParseContext context = apple();
  context.own6 = {ip6("fd00::2"), ip6("fe80::2")};
  context.own6_count = 2;
  return context;
}

void fix_checksum(Bytes& frame, std::size_t extensions = 0) {
  const auto whole = std::span<const std::byte>(frame);
  const auto l4 = whole.subspan(kTcp6At + extensions);
  const bool is_tcp = frame.at(kTcp6At - 34) == std::byte{6} || extensions > 0;
  const std::size_t at = kTcp6At + extensions + (is_tcp ? 16 : 2);
  put_be16(frame, at, 0);
  put_be16(frame, at,
           textbook_checksum(
               l4, textbook_sum(whole.subspan(kSource6At, 32), (is_tcp ? 6 : 58) + l4.size())));
}

/// From fd00::1 to fd00::2; `extensions` bytes of `payload` are extension headers.
Bytes frame6_of(unsigned next, std::string_view payload, std::size_t extensions = 0) {
  Bytes frame = from_hex(
      "020000000002 020000000001 86dd 60012345 0000 0640"
      "fd000000000000000000000000000001 fd000000000000000000000000000002");
  const Bytes bytes = from_hex(payload);
  frame.insert(frame.end(), bytes.begin(), bytes.end());
  put_be16(frame, 18, static_cast<std::uint32_t>(bytes.size()));
  frame[kNextAt] = static_cast<std::byte>(next);
  if (next == 6 || next == 58 || extensions > 0) fix_checksum(frame, extensions);
  return frame;
}

constexpr std::string_view kSyn =
    "ba92 270f 52a8f43f 00000000 a002 7210 0000 0000 0204 05a0 0402 080a fc847d27 00000000 "
    "01030307";
constexpr std::string_view kData = "ba92 270f 52a8f440 17e998b8 5018 00e5 0000 0000 6162630a";

struct Parsed {
  explicit Parsed(const Bytes& bytes, std::uint64_t flags = 0,
                  const ParseContext& context = apple6())
      : block(bytes),
        frame{.data = block.bytes().data(),
              .flags = flags,
              .length = static_cast<std::uint32_t>(block.bytes().size())} {
    parse_frame(frame, context, out);
    EXPECT_EQ(out.kind == FrameKind::kDrop, out.drop != kNone);
  }
  ExactBlock block;
  Frame frame;
  ParsedFrame out;
};

DropReason drop_of(const Bytes& bytes, std::uint64_t flags = 0,
                   const ParseContext& context = apple6()) {
  return Parsed(bytes, flags, context).out.drop;
}

Bytes with_address(Bytes frame, std::size_t at, std::string_view address) {
  store_ipv6(&frame.at(at), ip6(address));
  fix_checksum(frame);
  return frame;
}

TEST(ParseFrame6, ASyn) {
  const Parsed p(frame6_of(6, kSyn));
  ASSERT_EQ(p.out.kind, FrameKind::kTcp6);
  EXPECT_TRUE(is_tcp(p.out.kind));
  EXPECT_EQ(p.out.ipv6, p.frame.data + 14);
  EXPECT_EQ(p.out.own6, 0);
  EXPECT_EQ(p.out.segment.source_port, 47762);
  EXPECT_EQ(p.out.segment.destination_port, 9999);
  EXPECT_EQ(p.out.segment.flags, tcp_flag::kSyn);
  EXPECT_EQ(p.out.segment.options.mss, 1440);
  EXPECT_EQ(p.out.segment.options.window_scale, 7);
  EXPECT_EQ(p.out.segment.payload_length, 0u);
}

TEST(ParseFrame6, DataAndPadding) {
  Bytes frame = frame6_of(6, kData);
  frame.resize(frame.size() + 7);
  const Parsed p(frame);
  ASSERT_EQ(p.out.kind, FrameKind::kTcp6);
  EXPECT_EQ(p.out.segment.payload_length, 4u);
  EXPECT_EQ(p.out.segment.payload, p.frame.data + kTcp6At + 20);
}

TEST(ParseFrame6, BehindExtensionHeaders) {
  const Parsed p(frame6_of(60, "0600 010400000000" + std::string(kData), 8));
  ASSERT_EQ(p.out.kind, FrameKind::kTcp6);
  EXPECT_EQ(p.out.segment.payload, p.frame.data + kTcp6At + 8 + 20);
}

TEST(ParseFrame6, ToTheLinkLocalAddress) {
  const Parsed p(with_address(frame6_of(6, kData), kDestination6At, "fe80::2"));
  ASSERT_EQ(p.out.kind, FrameKind::kTcp6);
  EXPECT_EQ(p.out.own6, 1);
}

TEST(ParseFrame6, IcmpToUsAndToGroups) {
  Bytes echo = frame6_of(58, "8000 0000 1234 0001 61626364");
  Parsed p(echo);
  ASSERT_EQ(p.out.kind, FrameKind::kIcmp6);
  EXPECT_EQ(p.out.payload.data(), p.frame.data + kTcp6At);
  EXPECT_EQ(p.out.payload.size(), 12u);
  EXPECT_EQ(p.out.ipv6, p.frame.data + 14);
  EXPECT_EQ(std::memcmp(p.out.source_mac.octets.data(), p.frame.data + 6, 6), 0);
  // A solicitation to a group, by its MAC address: from `::` (RFC 4862), or from our own.
  store_ipv6(&echo[kDestination6At], ip6("ff02::1:ff00:2"));
  const Bytes group_mac = from_hex("3333ff000002");
  std::copy(group_mac.begin(), group_mac.end(), echo.begin());
  for (const char* source : {"fd00::1", "::", "fd00::2"}) {
    store_ipv6(&echo[kSource6At], ip6(source));
    EXPECT_EQ(Parsed(echo).out.kind, FrameKind::kIcmp6) << source;
  }
  for (const char* ours : {"ff02::1", "ff02::1:ff00:2"}) {
    store_ipv6(&echo[kDestination6At], ip6(ours));
    EXPECT_EQ(Parsed(echo).out.kind, FrameKind::kIcmp6) << ours;
  }
  // Of others, though the device lets all groups through: routers', another host's, a service's,
  // and those of another scope than the link's.
  for (const char* others : {"ff02::2", "ff02::1:ff00:9", "ff02::fb", "ff05::2", "ff01::1"}) {
    store_ipv6(&echo[kDestination6At], ip6(others));
    EXPECT_EQ(drop_of(echo), drop_not_for_us) << others;
  }
  store_ipv6(&echo[kDestination6At], ip6("fd00::2"));
  EXPECT_EQ(drop_of(echo), drop_not_for_us) << "a unicast in a link multicast";
}

TEST(ParseFrame6, NotForUs) {
  EXPECT_EQ(drop_of(with_address(frame6_of(6, kData), kDestination6At, "fd00::3")),
            drop_not_for_us);
  EXPECT_EQ(drop_of(with_address(frame6_of(6, kData), kDestination6At, "ff02::1")),
            drop_not_for_us);
  Bytes group = frame6_of(6, kData);
  group[0] = group[1] = std::byte{0x33};
  EXPECT_EQ(drop_of(group), drop_not_for_us);
  Bytes broadcast = frame6_of(6, kData);
  std::fill_n(broadcast.begin(), 6, std::byte{0xff});
  EXPECT_EQ(drop_of(broadcast), drop_not_for_us);
  EXPECT_EQ(drop_of(frame6_of(6, kData), 0, apple()), drop_ethertype) << "where IPv6 is off";
}

TEST(ParseFrame6, SourcesThatNoHostHas) {
  for (const char* bad : {"::", "::1", "ff02::1", "::ffff:10.0.1.2", "fd00::2", "fe80::2"})
    EXPECT_EQ(drop_of(with_address(frame6_of(6, kSyn), kSource6At, bad)), drop_ip_source) << bad;
  for (const char* good : {"fe80::1", "2001:db8::1", "::2"})
    EXPECT_EQ(drop_of(with_address(frame6_of(6, kSyn), kSource6At, good)), kNone) << good;
}

TEST(ParseFrame6, HeaderAndLengths) {
  Bytes frame = frame6_of(6, kData);
  const Bytes good = frame;
  frame[14] = std::byte{0x40};
  EXPECT_EQ(drop_of(frame), drop_ip_header);
  for (std::size_t length = 14; length < good.size(); ++length)
    EXPECT_EQ(drop_of(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length))),
              drop_truncated);
  frame = good;
  put_be16(frame, 18, 19);  // less than a TCP header
  EXPECT_EQ(drop_of(frame), drop_tcp_header);
  frame = good;
  frame[kHopLimitAt] = std::byte{1};
  EXPECT_EQ(drop_of(frame), kNone) << "a host does not mind the hop limit";
}

TEST(ParseFrame6, TheChecksumCoversThePseudoHeader) {
  const Bytes good = frame6_of(6, kData);
  for (std::size_t at = kSource6At; at < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::byte>(1u << bit);
      EXPECT_NE(drop_of(bad), kNone) << at << "." << bit;
    }
  }
  Bytes bad = good;
  bad[kTcp6At + 20] ^= std::byte{1};
  EXPECT_EQ(drop_of(bad), drop_tcp_checksum);
  EXPECT_EQ(drop_of(bad, frame_flag::kRxL4ChecksumGood), kNone) << "the device has seen to it";
  EXPECT_EQ(drop_of(good, frame_flag::kRxL4ChecksumBad), kNone) << "software decides";
}

TEST(ParseFrame6, Problems) {
  const Parsed unknown(frame6_of(17, "0001000200080000"));
  ASSERT_EQ(unknown.out.kind, FrameKind::kProblem6);
  EXPECT_EQ(unknown.out.problem.reason, drop_ip_protocol);
  EXPECT_EQ(unknown.out.problem.pointer, 6u);
  EXPECT_EQ(unknown.out.ipv6, unknown.frame.data + 14);
  const Parsed option(frame6_of(60, "0600 9e0400000000" + std::string(kData), 8));
  ASSERT_EQ(option.out.kind, FrameKind::kProblem6);
  EXPECT_EQ(option.out.problem.reason, drop_ip_extension);
  EXPECT_TRUE(option.out.problem.to_multicast_too);
  // Nobody is told who cannot be.
  EXPECT_EQ(drop_of(with_address(frame6_of(17, "0001000200080000"), kSource6At, "ff02::1")),
            drop_ip_source);
}

TEST(ParseFrame6, RandomDamage) {
  Prng random(66);
  const Bytes frames[] = {frame6_of(6, kSyn), frame6_of(6, kData),
                          frame6_of(60, "0600 010400000000" + std::string(kData), 8),
                          frame6_of(58, "8000 0000 1234 0001 61626364")};
  for (int i = 0; i < 200'000; ++i) {
    Bytes frame = frames[random.below(4)];
    for (unsigned damage = random.below(4); damage > 0; --damage)
      frame[12 + random.below(static_cast<std::uint32_t>(frame.size()) - 12)] =
          static_cast<std::byte>(random.below(256));
    frame.resize(random.below(4) == 0 ? random.below(static_cast<std::uint32_t>(frame.size()) + 1)
                                      : frame.size());
    const Parsed p(frame, random.below(2) == 0 ? frame_flag::kRxL4ChecksumGood : 0);
    if (p.out.kind == FrameKind::kTcp6) {
      const std::byte* end = p.frame.data + p.frame.length;
      ASSERT_LE(p.out.segment.payload + p.out.segment.payload_length, end);
      ASSERT_LT(p.out.own6, 2);
    }
    if (p.out.kind == FrameKind::kIcmp6) {
      ASSERT_LE(p.out.payload.data() + p.out.payload.size(), p.frame.data + p.frame.length);
    }
  }
}

}  // namespace
}  // namespace tern::wire
