// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp6.h"

#include <gtest/gtest.h>

#include "interface6_fixture.h"
#include "wire/ipv6_extension.h"

namespace tern::net {
namespace {

using MessageBytes = std::vector<std::byte>;

class Icmp6Test : public Interface6Test {
 protected:
  Icmp6Test() {
    settle();
    state_of("fd00::7");
    receive_na("fd00::7", kPeerMac);
    lines();
  }
  void receive_echo(const char* source, const char* destination, std::size_t data_bytes = 4,
                    std::uint8_t code = 0) {
    MessageBytes message(8 + data_bytes, std::byte{'x'});
    wire::write_icmpv6(message, ip6(source), ip6(destination),
                       {.type = 128, .code = code, .rest = 0x12340001});
    receive({ip6(source), ip6(destination), 64, message}, kPeerMac);
  }
};

TEST_F(Icmp6Test, AnswersAnEchoRequest) {
  receive_echo("fd00::7", "fd00::2", 100);
  const Sent out = sent();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(describe(out[0]), "02:00:00:00:00:07 fd00::2 > fd00::7 hops 64 129/0 108 bytes");
  EXPECT_EQ(Bytes(out[0].begin() + 58, out[0].end()), (Bytes{0x12, 0x34, 0, 1} + Bytes(100, 'x')));
  EXPECT_EQ(counters_.icmp_echo_replies, 1U);
}

TEST_F(Icmp6Test, AGroupIsAnsweredForFromAnOwnAddress) {  // RFC 4443 4.2
  receive_echo("fd00::7", "ff02::1");
  EXPECT_EQ(lines(), Lines{"02:00:00:00:00:07 fd00::2 > fd00::7 hops 64 129/0 12 bytes"});
}

TEST_F(Icmp6Test, NobodyAndGroupsAreNotAnswered) {
  for (const char* source : {"::", "ff02::1", "::1", "fd00::2", "2001:db8::1"})
    receive_echo(source, "fd00::2");
  receive_echo("fd00::7", "fd00::2", 4, 1);
  EXPECT_EQ(lines(), Lines{});
  EXPECT_EQ(counters_.drop_icmp + counters_.drop_neighbour_unresolved, 6U);
}

TEST_F(Icmp6Test, RepliesAreLimited) {
  for (unsigned i = 0; i < 1000; ++i) receive_echo("fd00::7", "fd00::2");
  EXPECT_EQ(lines().size(), Icmp6Responder::kReplyBurst);
}

TEST_F(Icmp6Test, WhatDoesNotFitIsAnsweredInFragments) {
  receive_echo("fd00::7", "fd00::2", 1500 - 48);
  EXPECT_EQ(lines().size(), 1U);
  receive_echo("fd00::7", "fd00::2", 1500 - 47);
  const Sent out = sent();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].size(), 14U + 40U + 8U + 1448U) << "the most that is a multiple of 8";
  EXPECT_EQ(out[0][20], 44);
  EXPECT_EQ(Bytes(out[0].begin() + 54, out[0].begin() + 58), (Bytes{58, 0, 0, 1})) << "more";
  EXPECT_EQ(Bytes(out[1].begin() + 54, out[1].begin() + 58),
            (Bytes{58, 0, 1448 / 256, 1448 % 256}));
  EXPECT_EQ(Bytes(out[0].begin() + 58, out[0].begin() + 62),
            Bytes(out[1].begin() + 58, out[1].begin() + 62));
  const Bytes message(out[0].begin() + 62, out[0].end());
  const Bytes whole = message + Bytes(out[1].begin() + 62, out[1].end());
  EXPECT_TRUE(wire::parse_icmpv6(std::as_bytes(std::span(whole)), ip6("fd00::2"), ip6("fd00::7")));
  EXPECT_EQ(Bytes(whole.begin() + 4, whole.end()), (Bytes{0x12, 0x34, 0, 1} + Bytes(1453, 'x')));
}

// --- Parameter problems --------------------------------------------------------------------------

class ProblemTest : public Icmp6Test {
 protected:
  /// A frame with what follows the IPv6 header, through the parser.
  void receive_packet(std::uint8_t first, const MessageBytes& payload,
                      const char* source = "fd00::7", const char* destination = "fd00::2") {
    MessageBytes frame(54);
    const bool group = ip6(destination).is_multicast();
    wire::write_ethernet(
        frame.data(), {group ? wire::multicast_mac(ip6(destination)) : kOwnMac, kPeerMac, 0x86dd});
    wire::write_ipv6(&frame[14], {.source = ip6(source),
                                  .destination = ip6(destination),
                                  .payload_bytes = static_cast<std::uint16_t>(payload.size()),
                                  .next_header = first});
    frame.insert(frame.end(), payload.begin(), payload.end());
    const Frame buffer{.data = frame.data(), .length = static_cast<std::uint32_t>(frame.size())};
    wire::ParseContext context{.mac = kOwnMac, .own6_count = 1};
    context.own6[0] = ip6("fd00::2");
    wire::ParsedFrame parsed;
    wire::parse_frame(buffer, context, parsed);
    if (parsed.kind == wire::FrameKind::kProblem6) six().report_problem(parsed, buffer, now_);
  }
};

TEST_F(ProblemTest, AnUnknownNextHeaderIsReported) {  // RFC 8200 4, RFC 4443 3.4
  receive_packet(17, MessageBytes(20, std::byte{1}));
  const Sent out = sent();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(describe(out[0]), "02:00:00:00:00:07 fd00::2 > fd00::7 hops 64 4/1 68 bytes");
  EXPECT_EQ(Bytes(out[0].begin() + 58, out[0].begin() + 62), (Bytes{0, 0, 0, 6})) << "where";
  EXPECT_EQ(Bytes(out[0].begin() + 62 + 40, out[0].end()), Bytes(20, 1)) << "and what";
  EXPECT_EQ(counters_.icmp_problems_out, 1U);
}

TEST_F(ProblemTest, TheQuoteFitsIntoTheLeastMtu) {
  receive_packet(17, MessageBytes(1400));
  const Sent out = sent();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].size(), 14U + 1280U);
}

TEST_F(ProblemTest, NoAnswerToAnErrorNobodyOrAGroup) {  // RFC 4443 2.4 (e)
  const MessageBytes bad_option{std::byte{58}, std::byte{0}, std::byte{0x9e}, std::byte{4},
                                std::byte{0},  std::byte{0}, std::byte{0},    std::byte{0}};
  MessageBytes error = bad_option, request = bad_option;
  error.resize(16, std::byte{1});
  request.resize(16, std::byte{128});
  receive_packet(60, error);
  EXPECT_EQ(lines(), Lines{}) << "an error message";
  receive_packet(60, request);
  EXPECT_EQ(lines().size(), 1U);
  receive_packet(60, request, "fd00::7", "ff02::1");
  EXPECT_EQ(lines().size(), 1U) << "an option of this kind is reported even then";
  receive_packet(17, MessageBytes(8), "fd00::7", "ff02::1");
  receive_packet(17, MessageBytes(8), "::");
  EXPECT_EQ(lines(), Lines{});
}

// RFC 4443 2.4 (e): what a later fragment is a part of cannot be told.
TEST_F(ProblemTest, NoAnswerToALaterFragmentOfWhatMayBeAnError) {
  const auto odd_fragment = [&](std::uint8_t next, std::uint8_t offset) {
    MessageBytes bytes(8 + 9, std::byte{0xff});
    bytes[0] = std::byte{next}, bytes[1] = bytes[2] = std::byte{0};
    bytes[3] = static_cast<std::byte>(offset | 1);
    receive_packet(44, bytes);
    return lines().size();
  };
  EXPECT_EQ(odd_fragment(58, 0), 1U) << "no error's first one";
  EXPECT_EQ(odd_fragment(58, 8), 0U);
  EXPECT_EQ(odd_fragment(60, 8), 0U);
  EXPECT_EQ(odd_fragment(6, 8), 1U);
}

TEST_F(ProblemTest, ReportsAreLimited) {
  for (unsigned i = 0; i < 1000; ++i) receive_packet(17, MessageBytes(20));
  EXPECT_EQ(lines().size(), Icmp6Responder::kErrorBurst);
}

// --- Errors about segments of ours ---------------------------------------------------------------

class Icmp6ErrorTest : public Icmp6Test {
 protected:
  Icmp6ErrorTest() {
    own_ = book_->add_own(ip6("fd00::2"));
    peer_ = handle("2001:db8::1");
  }
  std::optional<IcmpError> parse(std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                                 std::size_t quoted = 48, const char* destination = "2001:db8::1",
                                 std::uint8_t next = 6) {
    std::vector<std::byte> message(8 + 60);
    wire::write_ipv6(&message[8], {.source = ip6("fd00::2"),
                                   .destination = ip6(destination),
                                   .payload_bytes = 20,
                                   .next_header = next});
    store_be16(&message[48], 9999);
    store_be16(&message[50], 40000);
    store_be32(&message[52], 0x01020304);
    message.resize(8 + quoted);
    wire::write_icmpv6(message, ip6("fe80::1"), ip6("fd00::2"), {type, code, rest});
    const auto block = std::make_unique<std::byte[]>(message.size());
    std::ranges::copy(message, block.get());
    return parse_icmp6_error({ip6("fe80::1"), ip6("fd00::2"), 64, {block.get(), message.size()}},
                             *book_);
  }
  std::uint32_t own_, peer_;
};

TEST_F(Icmp6ErrorTest, ReadsWhatIsQuoted) {
  const auto error = parse(2, 0, 1400);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, IcmpError::Kind::kTooBig);
  EXPECT_EQ(error->source, own_);
  EXPECT_EQ(error->destination, peer_);
  EXPECT_EQ(error->source_port, 9999);
  EXPECT_EQ(error->destination_port, 40000);
  EXPECT_EQ(error->seq, 0x01020304U);
  EXPECT_EQ(error->mtu, 1400);
}

TEST_F(Icmp6ErrorTest, AnMtuBelowTheLeastIsNoError) {  // RFC 8201 4
  EXPECT_FALSE(parse(2, 0, 1279));
  EXPECT_FALSE(parse(2, 0, 0));
  EXPECT_EQ(parse(2, 0, 1280)->mtu, 1280);
  EXPECT_EQ(parse(2, 0, 0xffffffff)->mtu, 0xffff);
}

TEST_F(Icmp6ErrorTest, KnowsHardErrorsFromSoftOnes) {
  using Kind = IcmpError::Kind;
  const Kind unreachable[] = {Kind::kSoft, Kind::kHard, Kind::kSoft, Kind::kSoft,
                              Kind::kHard, Kind::kHard, Kind::kHard};
  for (std::uint8_t code = 0; code < 7; ++code)
    EXPECT_EQ(parse(1, code, 0)->kind, unreachable[code]);
  EXPECT_EQ(parse(3, 0, 0)->kind, Kind::kSoft);
  EXPECT_EQ(parse(4, 0, 0)->kind, Kind::kSoft);
  EXPECT_EQ(parse(4, 1, 0)->kind, Kind::kHard);
  EXPECT_FALSE(parse(0, 0, 2000));
  for (unsigned type = 5; type < 256; ++type)
    EXPECT_FALSE(parse(static_cast<std::uint8_t>(type), 0, 2000)) << type;
}

TEST_F(Icmp6ErrorTest, TooShortAQuoteOrAnotherProtocolIsNothing) {
  for (std::size_t quoted = 0; quoted < 48; ++quoted)
    EXPECT_FALSE(parse(1, 4, 0, quoted)) << quoted;
  EXPECT_FALSE(parse(1, 4, 0, 48, "2001:db8::1", 17));
}

TEST_F(Icmp6ErrorTest, AnUnknownDestinationIsAStranger) {
  const auto error = parse(1, 4, 0, 48, "2001:db8::99");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->destination, flow::AddressBook::kStranger);
  EXPECT_EQ(book_->address(flow::AddressBook::kStranger), ip6("2001:db8::99"));
}

}  // namespace
}  // namespace tern::net
