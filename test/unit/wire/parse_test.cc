// SPDX-License-Identifier: BSD-3-Clause
#include "wire/parse.h"

#include <gtest/gtest.h>

#include "reference_parse.h"
#include "test_frames.h"

namespace tern::wire {
namespace {

using enum DropReason;

Frame as_frame(const ExactBlock& block, std::uint64_t flags = 0) {
  return {.data = block.bytes().data(),
          .flags = flags,
          .length = static_cast<std::uint32_t>(block.bytes().size())};
}

constexpr bool is_checksum(DropReason reason) {
  return reason == drop_ip_checksum || reason == drop_tcp_checksum;
}

/// The reason why `bytes` are dropped, kNone if they are not. A frame whose checksums were found to
/// be right must fare as it does where the device has said so.
DropReason drop_of(const Bytes& bytes, std::uint64_t flags = 0,
                   const ParseContext& context = apple()) {
  const ExactBlock block(bytes);
  ParsedFrame out;
  parse_frame(as_frame(block, flags), context, out);
  EXPECT_EQ(out.kind == FrameKind::kDrop, out.drop != kNone);
  if (flags == 0 && !is_checksum(out.drop)) {
    EXPECT_EQ(drop_of(bytes, kBothGood, context), out.drop);
  }
  return out.drop;
}

/// `frame` with one byte set.
Bytes with(Bytes frame, std::size_t at, unsigned value) {
  frame.at(at) = static_cast<std::byte>(value);
  return frame;
}

Bytes with_source(std::uint32_t source) {
  Bytes frame = syn_frame();
  put_be16(frame, kSourceAt, source >> 16);
  put_be16(frame, kSourceAt + 2, source & 0xffff);
  fix_ip_checksum(frame);
  fix_l4_checksum(frame);
  return frame;
}

/// A segment with these flags and no options.
Bytes with_flags(unsigned flags) {
  return with(frame_of("4500 0028 0000 4000 4006 0000 0a00 0102 0a00 0202 ba92 270f 00000001"
                       "00000002 5000 0400 0000 0000"),
              kFlagsAt, flags);
}

// --- what is taken ---

TEST(ParseFrame, TheCapturesSyn) {
  const ExactBlock block(syn_frame());
  ParsedFrame out;
  parse_frame(as_frame(block), apple(), out);
  ASSERT_EQ(out.kind, FrameKind::kTcp4);
  EXPECT_EQ(out.drop, kNone);
  const TcpSegment& s = out.segment;
  EXPECT_EQ(s.source_address, 0x0a000102u);
  EXPECT_EQ(s.destination_address, 0x0a000202u);
  EXPECT_EQ(s.source_port, 47762);
  EXPECT_EQ(s.destination_port, 9999);
  EXPECT_EQ(s.seq, SeqNum(1386804287));
  EXPECT_EQ(s.ack, SeqNum(0));
  EXPECT_EQ(s.flags, tcp_flag::kSyn);
  EXPECT_EQ(s.window, 29200);
  EXPECT_TRUE(s.options_ok);
  EXPECT_EQ(s.options.mss, 1460);
  EXPECT_TRUE(s.options.sack_permitted);
  EXPECT_EQ(s.options.ts_value, 4236541223u);
  EXPECT_EQ(s.options.ts_echo_reply, 0u);
  EXPECT_EQ(s.options.window_scale, 7);
  EXPECT_EQ(s.payload_length, 0u);
  EXPECT_EQ(s.length(), 1u);
}

TEST(ParseFrame, TheCapturesData) {
  const ExactBlock block(data_frame());
  ParsedFrame out;
  parse_frame(as_frame(block), apple(), out);
  ASSERT_EQ(out.kind, FrameKind::kTcp4);
  const TcpSegment& s = out.segment;
  EXPECT_EQ(s.seq, SeqNum(1386804288));
  EXPECT_EQ(s.ack, SeqNum(401184952));
  EXPECT_EQ(s.flags, tcp_flag::kPsh | tcp_flag::kAck);
  EXPECT_EQ(s.window, 229);
  EXPECT_EQ(s.options.ts_echo_reply, 398188058u);
  ASSERT_EQ(s.payload_length, 4u);
  EXPECT_EQ(s.payload, block.bytes().data() + 66);
  EXPECT_EQ(std::memcmp(s.payload, "abc\n", 4), 0);
}

TEST(ParseFrame, EthernetPaddingIsNoPayload) {
  Bytes frame = with_flags(tcp_flag::kAck);
  fix_l4_checksum(frame);
  frame.resize(60, std::byte{0xee});  // a 40-byte packet fills 54
  const ExactBlock block(frame);
  ParsedFrame out;
  parse_frame(as_frame(block), apple(), out);
  ASSERT_EQ(out.kind, FrameKind::kTcp4);
  EXPECT_EQ(out.segment.payload_length, 0u);
}

TEST(ParseFrame, IcmpEcho) {
  Bytes frame = echo_frame();
  frame.resize(60, std::byte{0xee});
  const ExactBlock block(frame);
  ParsedFrame out;
  parse_frame(as_frame(block), apple(), out);
  ASSERT_EQ(out.kind, FrameKind::kIcmp4);
  EXPECT_EQ(out.source_address, 0x0a000102u);
  EXPECT_EQ(out.destination_address, 0x0a000202u);
  EXPECT_EQ(out.payload.data(), block.bytes().data() + 34);
  EXPECT_EQ(out.payload.size(), 16u);
}

TEST(ParseFrame, ArpToAllAndToUs) {
  Bytes frame = arp_frame();
  for (const bool broadcast : {true, false}) {
    if (!broadcast) std::memcpy(frame.data(), apple().mac.octets.data(), 6);
    const ExactBlock block(frame);
    ParsedFrame out;
    parse_frame(as_frame(block), apple(), out);
    ASSERT_EQ(out.kind, FrameKind::kArp);
    EXPECT_EQ(out.payload.data(), block.bytes().data() + 14);
    EXPECT_EQ(out.payload.size(), 28u);
  }
}

TEST(ParseFrame, IpOptionsAreSkipped) {
  const Bytes frame = frame_of(
      "4600 0000 0000 4000 4006 0000 0a00 0102 0a00 0202 94040000"
      "ba92 270f 00000001 00000002 5010 0400 0000 0000 61");
  const ExactBlock block(frame);
  ParsedFrame out;
  parse_frame(as_frame(block), apple(), out);
  ASSERT_EQ(out.kind, FrameKind::kTcp4);
  EXPECT_EQ(out.segment.source_port, 47762);
  EXPECT_EQ(out.segment.payload_length, 1u);
}

// --- one test a reason ---

TEST(ParseFrameDrops, Truncated) {
  EXPECT_EQ(drop_of({}), drop_truncated);
  Bytes frame = syn_frame();
  put_be16(frame, kTotalAt, 61);
  fix_ip_checksum(frame);
  EXPECT_EQ(drop_of(frame), drop_truncated);
}

TEST(ParseFrameDrops, NotForUsByMac) {
  EXPECT_EQ(drop_of(with(syn_frame(), 5, 0x03)), drop_not_for_us);
  EXPECT_EQ(drop_of(with(syn_frame(), 0, 0x01)), drop_not_for_us);  // multicast
  EXPECT_EQ(drop_of(with(arp_frame(), 5, 0xfe)), drop_not_for_us);  // not quite broadcast
}

TEST(ParseFrameDrops, TcpAndIcmpInALinkBroadcast) {
  for (Bytes frame : {syn_frame(), echo_frame()}) {
    std::fill_n(frame.begin(), 6, std::byte{0xff});
    EXPECT_EQ(drop_of(frame), drop_not_for_us);
  }
}

TEST(ParseFrameDrops, NotForUsByAddress) {
  for (const auto& frame : {syn_frame(), echo_frame()}) {
    ParseContext other = apple();
    other.address = 0x0a000203;
    EXPECT_EQ(drop_of(frame, 0, other), drop_not_for_us);
  }
  Bytes to_broadcast = echo_frame();
  to_broadcast[kDestinationAt + 3] = std::byte{0xff};
  fix_ip_checksum(to_broadcast);
  EXPECT_EQ(drop_of(to_broadcast), drop_not_for_us);
}

// IEEE 802.1Q: the tag behind the addresses, `tci` its priority and VLAN.
Bytes tagged(Bytes frame, unsigned tci) {
  const Bytes tag{std::byte{0x81}, std::byte{0}, std::byte(tci >> 8), std::byte(tci)};
  frame.insert(frame.begin() + kEtherTypeAt, tag.begin(), tag.end());
  return frame;
}

TEST(ParseFrame, TakesFramesOfItsVlanAlone) {
  ParseContext in_vlan = apple();
  in_vlan.vlan = 10;
  for (const Bytes& frame : {syn_frame(), echo_frame(), arp_frame()}) {
    for (const unsigned priority : {0u, 7u << 13, 1u << 12}) {
      EXPECT_EQ(drop_of(tagged(frame, priority | 10), 0, in_vlan), DropReason::kNone);
      EXPECT_EQ(drop_of(tagged(frame, priority | 11), 0, in_vlan), drop_vlan);
      EXPECT_EQ(drop_of(tagged(frame, priority), 0, in_vlan), drop_vlan);
      EXPECT_EQ(drop_of(tagged(frame, priority)), DropReason::kNone) << "a priority, no VLAN";
      EXPECT_EQ(drop_of(tagged(frame, priority | 10)), drop_vlan);
    }
    EXPECT_EQ(drop_of(frame, 0, in_vlan), drop_vlan) << "no tag";
    EXPECT_EQ(drop_of(tagged(tagged(frame, 10), 10), 0, in_vlan), drop_vlan) << "two";
    EXPECT_EQ(drop_of(tagged(tagged(frame, 0), 0)), drop_vlan);
  }
}

TEST(ParseFrame, ATaggedFrameIsWhatItIsWithoutTheTag) {
  ParseContext in_vlan = apple();
  in_vlan.vlan = 10;
  Bytes frame = tagged(data_frame(), 10);
  ParsedFrame out;
  parse_frame({.data = frame.data(), .length = static_cast<std::uint32_t>(frame.size())}, in_vlan,
              out);
  ASSERT_EQ(out.kind, FrameKind::kTcp4);
  EXPECT_EQ(out.segment.payload, frame.data() + frame.size() - 4);
  EXPECT_EQ(out.segment.payload_length, 4U);
}

TEST(ParseFrameDrops, ATagThatIsCutOff) {
  ParseContext in_vlan = apple();
  in_vlan.vlan = 10;
  for (std::size_t length = 14; length < 18; ++length) {
    Bytes frame = tagged(syn_frame(), 10);
    frame.resize(length);
    EXPECT_EQ(drop_of(frame, 0, in_vlan), drop_truncated) << length;
  }
}

TEST(ParseFrameDrops, EtherType) {
  for (const unsigned type : {0x88a8u, 0x86ddu, 0x0000u, 0x0801u, 0x05dcu}) {
    Bytes frame = syn_frame();
    put_be16(frame, kEtherTypeAt, type);
    EXPECT_EQ(drop_of(frame), drop_ethertype) << type;
  }
}

TEST(ParseFrameDrops, IpHeader) {
  EXPECT_EQ(drop_of(with(syn_frame(), kIpAt, 0x65)), drop_ip_header);
  EXPECT_EQ(drop_of(with(syn_frame(), kIpAt, 0x44)), drop_ip_header);
  Bytes frame = syn_frame();
  put_be16(frame, kTotalAt, 19);
  EXPECT_EQ(drop_of(frame), drop_ip_header);
}

TEST(ParseFrameDrops, IpChecksum) {
  const Bytes wrong = with(syn_frame(), kIpAt + 8, 1);  // another TTL
  using namespace frame_flag;
  EXPECT_EQ(drop_of(wrong), drop_ip_checksum);
  EXPECT_EQ(drop_of(wrong, kRxIpChecksumGood), kNone);
  EXPECT_EQ(drop_of(wrong, kRxIpChecksumBad), drop_ip_checksum);
  EXPECT_EQ(drop_of(wrong, kRxIpChecksumBad | kRxIpChecksumGood), drop_ip_checksum);
  EXPECT_EQ(drop_of(syn_frame(), kRxIpChecksumBad), kNone) << "software decides";
}

TEST(ParseFrameDrops, IpOption) {
  for (const char* route : {"83070400", "89070400", "01018303"}) {
    const Bytes frame = frame_of(std::string("4600 0000 0000 4000 4006 0000 0a00 0102 0a00 0202") +
                                 route + "ba92 270f 00000001 00000002 5010 0400 0000 0000");
    EXPECT_EQ(drop_of(frame), drop_ip_option) << route;
  }
}

TEST(ParseFrameDrops, IpFragment) {
  // Beyond 65535; and of no fragment but the last a length that is no multiple of 8.
  for (const unsigned word : {0x1fffu, 0x3fffu}) {
    Bytes frame = syn_frame();
    put_be16(frame, kFragmentAt, word);
    fix_ip_checksum(frame);
    EXPECT_EQ(drop_of(frame), drop_ip_fragment) << word;
  }
  for (const auto& [word, bytes] : {std::pair{0x2000u, 20u + 9u}, std::pair{0x0001u, 20u}}) {
    Bytes frame = syn_frame();
    put_be16(frame, 16, bytes);
    put_be16(frame, kFragmentAt, word);
    fix_ip_checksum(frame);
    EXPECT_EQ(drop_of(frame), drop_ip_fragment) << word;
  }
}

TEST(ParseFrameDrops, IpSource) {
  for (const std::uint32_t source :
       {0x00000000u, 0xe0000001u, 0xefffffffu, 0xf0000000u, 0xf0000007u, 0xffffffffu, 0x7f000001u,
        0x7fffffffu, 0x0a0002ffu, 0x0a000202u /* our own: LAND */}) {
    EXPECT_EQ(drop_of(with_source(source)), drop_ip_source) << std::hex << source;
  }
  for (const std::uint32_t source :
       {0x0a0003ffu, 0xdfffffffu, 0x7effffffu, 0x80000000u, 0x0a000201u, 1u}) {
    EXPECT_EQ(drop_of(with_source(source)), kNone) << std::hex << source;
  }
}

TEST(ParseFrameDrops, IpProtocol) {
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    if (protocol == 6 || protocol == 1) continue;
    EXPECT_EQ(drop_of(with(syn_frame(), kProtocolAt, protocol), kBothGood), drop_ip_protocol);
  }
}

TEST(ParseFrameDrops, TcpHeader) {
  for (unsigned offset = 0; offset < 16; ++offset) {  // the segment has 40 bytes, 10 words
    const bool fits = offset >= 5 && offset <= 10;
    EXPECT_EQ(drop_of(with(syn_frame(), kOffsetAt, offset << 4), kBothGood) == drop_tcp_header,
              !fits)
        << offset;
  }
  for (const std::size_t port : {kTcpAt, kTcpAt + 2}) {
    Bytes frame = syn_frame();
    put_be16(frame, port, 0);
    fix_l4_checksum(frame);
    EXPECT_EQ(drop_of(frame), drop_tcp_header);
  }
  for (unsigned total = 20; total < 40; ++total) {
    Bytes frame = syn_frame();
    put_be16(frame, kTotalAt, total);
    EXPECT_EQ(drop_of(frame, kBothGood), drop_tcp_header) << total;
  }
}

TEST(ParseFrameDrops, TcpChecksumByEveryVerdict) {
  using namespace frame_flag;
  const Bytes right = data_frame();
  const Bytes wrong = with(right, right.size() - 1, 'x');
  ParseContext trusting = apple();
  trusting.trust_missing_checksum = true;
  struct Row {
    std::uint64_t flags;
    bool wrong_passes;
    bool wrong_passes_trusting;
  };
  for (const Row& row : {Row{0, false, false}, Row{kRxL4ChecksumGood, true, true},
                         Row{kRxL4ChecksumBad, false, false},
                         Row{kRxL4ChecksumGood | kRxL4ChecksumBad, false, true}}) {
    EXPECT_EQ(drop_of(right, row.flags), kNone) << row.flags;
    EXPECT_EQ(drop_of(right, row.flags, trusting), kNone) << row.flags;
    EXPECT_EQ(drop_of(wrong, row.flags), row.wrong_passes ? kNone : drop_tcp_checksum);
    EXPECT_EQ(drop_of(wrong, row.flags, trusting),
              row.wrong_passes_trusting ? kNone : drop_tcp_checksum);
  }
}

TEST(ParseFrameDrops, TcpChecksumCoversThePseudoHeader) {
  Bytes frame = data_frame();
  frame[kSourceAt + 3] = std::byte{0x03};  // as a NAT that forgot TCP would
  fix_ip_checksum(frame);
  EXPECT_EQ(drop_of(frame), drop_tcp_checksum);
}

TEST(ParseFrameDrops, EveryFlippedBitOfASegment) {
  Bytes frame = data_frame();
  for (std::size_t bit = 8 * kTcpAt; bit < 8 * frame.size(); ++bit) {
    frame[bit / 8] ^= std::byte{1} << (bit % 8);
    const DropReason drop = drop_of(frame);
    EXPECT_TRUE(drop == drop_tcp_checksum || drop == drop_tcp_header) << bit;
    frame[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST(ParseFrameDrops, TcpFlagsAllSets) {
  using namespace tcp_flag;
  for (unsigned flags = 0; flags < 256; ++flags) {
    const bool syn_and_end = (flags & kSyn) != 0 && (flags & (kFin | kRst)) != 0;
    const bool says_nothing = (flags & (kSyn | kAck | kRst | kFin)) == 0;
    EXPECT_EQ(drop_of(with_flags(flags), kBothGood),
              syn_and_end || says_nothing ? drop_tcp_flags : kNone)
        << flags;
  }
}

TEST(ParseFrameDrops, TcpOptionsOnASynOnly) {
  Bytes frame = syn_frame();
  frame[kTcpAt + 21] = std::byte{0};  // MSS of length 0
  EXPECT_EQ(drop_of(frame, kBothGood), drop_tcp_options);
  EXPECT_EQ(drop_of(with(frame, kFlagsAt, 0x12), kBothGood), drop_tcp_options);

  const ExactBlock block(with(frame, kFlagsAt, tcp_flag::kAck));
  ParsedFrame out;
  parse_frame(as_frame(block, kBothGood), apple(), out);
  ASSERT_EQ(out.kind, FrameKind::kTcp4);
  EXPECT_FALSE(out.segment.options_ok);
}

TEST(ParseFrameDrops, Arp) {
  const Bytes frame = arp_frame();
  for (std::size_t length = 14; length < frame.size(); ++length) {
    EXPECT_EQ(drop_of(Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length))),
              drop_arp);
  }
}

TEST(ParseFrameDrops, Icmp) {
  EXPECT_EQ(drop_of(with(echo_frame(), 49, 'x')), drop_icmp);
  EXPECT_EQ(drop_of(with(echo_frame(), 49, 'x'), kBothGood), drop_icmp) << "no device checks ICMP";
  for (unsigned total = 20; total < 28; ++total) {
    Bytes frame = echo_frame();
    put_be16(frame, kTotalAt, total);
    EXPECT_EQ(drop_of(frame, kBothGood), drop_icmp) << total;
  }
}

}  // namespace
}  // namespace tern::wire
