// SPDX-License-Identifier: BSD-3-Clause
// What is IPv6's own: sizes, header fields, hosts that are not in the address book, and that no
// state is ever another host's. The other scenario tests run over IPv6, too: see meson.build.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/bytes.h"
#include "script.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// Before anything asks.
const bool kSpeakV6 = setenv("TERN_TEST_FAMILY", "6", 1) == 0;

Segment from(std::uint8_t host, Segment segment, std::uint16_t port = Path{}.source_port) {
  segment.path.source = numbered_address(host);
  segment.path.source_port = port;
  return segment;
}

Datagram icmp6(const IpAddress& source, const IpAddress& destination, Bytes message) {
  Datagram datagram;
  datagram.path.source = source;
  datagram.path.destination = destination;
  datagram.protocol = 58;
  datagram.ttl = 255;
  Bytes summed(40);
  for (std::size_t i = 0; i < 16; ++i) {
    summed[i] = std::byte(source.v6().octets()[i]);
    summed[16 + i] = std::byte(destination.v6().octets()[i]);
  }
  store_be32(&summed[32], static_cast<std::uint32_t>(message.size()));
  summed[39] = std::byte{58};
  summed.insert(summed.end(), message.begin(), message.end());
  store_be16(&message[2], textbook_checksum(summed));
  datagram.payload = std::move(message);
  return datagram;
}

// They leave as their neighbours are found.
auto AnswerTo(std::uint8_t host, const std::string& flags) {
  return testing::AllOf(
      testing::Field(&Segment::flags, flags),
      testing::Field(&Segment::path, testing::Field(&Path::destination, numbered_address(host))));
}

TEST(Ipv6, TheMssIsTheMtuLess60) {
  SynReceived t;  // which expects 1460
  EXPECT_EQ(t.port().info().mtu, 1520);
}

TEST(Ipv6, APeerThatNamesNoMssGets1220) {
  Given given;
  given.peer_syn.mss.reset();
  Established t(given);
  t.write(2440);
  t.out({data(1, 1220, 1), data(1221, 1220, 1, "P.")});
}

TEST(Ipv6, APeersMssIsCutToThePath) {
  Given given;
  given.peer_syn.mss = 9000;
  Established t(given);
  t.write(2920);
  t.out({data(1, 1460, 1), data(1461, 1460, 1, "P.")});
}

TEST(Ipv6, ConnectsAndIsSeen) {
  SynSent t;
  EXPECT_EQ(to_string(t.connection().remote()), "[fd00::2]:40000");
  EXPECT_EQ(to_string(t.connection().local()), "[fd00::1]:7000");
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1440;
  t.in(answer);
  t.out({ack(1, 1)});
  EXPECT_EQ(t.state(), kEstablished);
  EXPECT_TRUE(t.stack().find({numbered_address(1), 7000}, {numbered_address(2), 40000}));
  EXPECT_FALSE(t.stack().find({numbered_address(1), 7000}, {numbered_address(3), 40000}));
}

TEST(Ipv6, ConnectsFromTheAddressThatIsAskedFor) {
  Script t;
  const IpAddress own = *IpAddress::parse("fe80::ff:fe00:1");
  const auto c =
      t.stack().connect({.remote = {numbered_address(2), 80}, .local_address = own}, t.app);
  ASSERT_TRUE(c);
  t.poll();
  EXPECT_EQ(c->local().address, own);
  const std::vector<Segment> sent = t.take();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].path.source, own);
}

TEST(Ipv6, AddressesThatNoHostHasAreRefused) {
  Script t;
  for (const char* bad : {"::", "::1", "ff02::1", "::ffff:10.0.0.2", "fd00::1"}) {
    const auto c = t.stack().connect({.remote = {*IpAddress::parse(bad), 80}}, t.app);
    EXPECT_EQ(c.error(), Errc::kInvalidArgument) << bad;
  }
  EXPECT_EQ(t.stack().connect({.remote = {Ipv4Address(240, 0, 0, 2), 80}}, t.app).error(),
            Errc::kInvalidArgument)
      << "which is a handle inside";
  EXPECT_EQ(t.stack().connect({.remote = {*IpAddress::parse("2001:db8::1"), 80}}, t.app).error(),
            Errc::kUnreachable)
      << "without a router";
}

TEST(Ipv6, AWildcardTakesItsOwnFamilyOnly) {
  Listening t;  // on [::]
  Segment four = t.given.peer_syn;
  four.path.source = Ipv4Address(10, 0, 0, 2);
  four.path.destination = Ipv4Address(10, 0, 0, 1);
  t.in(four);
  EXPECT_THAT(t.take(), testing::ElementsAre(testing::Field(&Segment::flags, "R.")));
  ASSERT_TRUE(t.stack().listen({.address = Ipv4Address(), .port = 7000}, t.app));
  t.in(four);
  t.in(t.given.peer_syn);
  const std::vector<Segment> answers = t.take();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_TRUE(answers[0].path.source.is_v4());
  EXPECT_FALSE(answers[1].path.source.is_v4());
}

TEST(Ipv6, HopLimitAndTrafficClass) {
  Established t;
  t.connection().set_ttl(7);
  t.connection().set_dscp(46);
  t.write(10);
  const std::vector<Segment> sent = t.take();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].ttl, 7);
  EXPECT_EQ(sent[0].tos, 46 << 2);
  EXPECT_TRUE(sent[0].tcp_checksum_ok);
}

// RFC 6437: the same for all of a connection, from the SYN,ACK on, and another for another one.
TEST(Ipv6, AConnectionHasAFlowLabel) {
  std::vector<std::vector<std::uint32_t>> labels(2);
  Listening t;
  const auto watch = [&](Instant, io::FrameDirection direction, std::span<const std::byte> frame) {
    const auto segment = parse_segment(frame);
    if (direction != io::FrameDirection::kSent || !segment) return;
    labels[segment->path.destination_port == 1001].push_back(load_be32(&frame[14]) & 0xfffff);
  };
  t.port().observe(watch);
  for (const std::uint16_t port : {std::uint16_t{1001}, std::uint16_t{1002}}) {
    t.in(from(2, t.given.peer_syn, port));
    t.in(from(2, ack(1, 1), port));
    t.in(from(2, data(1, 1, 1), port));
    t.run_for(100ms);
  }
  for (const auto& all : labels) {
    ASSERT_GE(all.size(), 2u);
    EXPECT_THAT(all, testing::Each(all[0]));
  }
  EXPECT_NE(labels[0][0], labels[1][0]);
  t.take();
}

// Nobody knows these hosts before their SYNs come, all in one burst; each is answered for itself.
TEST(Ipv6, StrangersOfOneBurst) {
  Listening t;
  t.in_burst({from(3, t.given.peer_syn, 1001), from(4, t.given.peer_syn, 1002),
              from(3, t.given.peer_syn, 1003)});
  t.poll();
  EXPECT_THAT(t.take(),
              UnorderedElementsAre(AnswerTo(3, "S."), AnswerTo(4, "S."), AnswerTo(3, "S.")));
  t.in_burst({from(3, ack(1, 1), 1001), from(4, ack(1, 1), 1002), from(3, ack(1, 1), 1003)});
  EXPECT_EQ(t.stack().usage().connections, 3u);
  EXPECT_EQ(t.app.records().size(), 3u);
}

TEST(Ipv6, AStraysAnswerGoesToWhoSentIt) {
  Script t;
  t.in_burst({from(3, ack(1, 77)), from(4, ack(1, 77))});
  EXPECT_THAT(t.take(), UnorderedElementsAre(AnswerTo(3, "R"), AnswerTo(4, "R")));
}

// A record goes, and another host's begins, between two segments of the first host.
TEST(Ipv6, AHandleIsNobodyElsesWithinABurst) {
  Listening t;
  t.in(from(3, t.given.peer_syn, 1001));
  t.take();
  Segment reset = from(3, seg("R", 1, 0), 1001);
  t.in_burst({reset, from(4, t.given.peer_syn, 1001), from(3, ack(1, 1), 1001)});
  EXPECT_THAT(t.take(), UnorderedElementsAre(AnswerTo(3, "R"), AnswerTo(4, "S.")));
  EXPECT_EQ(t.stack().usage().connections, 0u);
}

// RFC 6528: what the numbers follow from is the host, not what it is called here at the time.
TEST(Ipv6, SequenceNumbersAreBoundToTheHost) {
  Listening t;
  const auto isn_for = [&t](std::uint8_t host) {
    t.in(from(host, t.given.peer_syn));
    t.take();
    const std::uint32_t isn = t.isn();
    t.in(from(host, seg("R", 1, 0)));
    return isn;
  };
  const std::uint32_t three = isn_for(3), four = isn_for(4);
  EXPECT_NE(three, four);
  EXPECT_EQ(isn_for(4), four);
  EXPECT_EQ(isn_for(3), three);
}

TEST(Ipv6, ACookieIsBoundToTheHost) {
  Given given;
  given.stack.tcp.syn_cookies = SynCookieMode::kAlways;
  given.monitored = false;
  Listening t(given);
  t.in(from(3, t.given.peer_syn));
  t.take();
  EXPECT_LE(t.stack().usage().addresses6, 2u) << "the neighbours'";
  t.in(from(4, ack(1, 1)));
  EXPECT_EQ(t.counters().syn_cookies_rejected, 1u);
  t.in(from(3, ack(1, 1)));
  EXPECT_EQ(t.counters().syn_cookies_accepted, 1u);
  EXPECT_EQ(t.stack().usage().connections, 1u);
}

// RFC 8201 4, RFC 8200 5: a router's word on an MTU below 1280 is not believed.
TEST(Ipv6, PacketTooBig) {
  Established t;
  const auto tell = [&t](std::uint32_t mtu) {
    Segment sent = ack(1, 1);
    sent.path = Path{}.reversed();
    sent.seq = t.isn() + 1;
    Bytes quote = build(sent);
    quote.erase(quote.begin(), quote.begin() + 14);
    Bytes message(8);
    message[0] = std::byte{2};
    store_be32(&message[4], mtu);
    message.insert(message.end(), quote.begin(), quote.end());
    const Datagram datagram = icmp6(numbered_address(254), numbered_address(1), std::move(message));
    ASSERT_TRUE(t.port().inject(datagram));
    t.poll();
  };
  t.write(2920);
  t.take();
  tell(1400);
  EXPECT_EQ(t.counters().path_mtu_reductions, 1u);
  const std::vector<Segment> smaller = t.take();
  ASSERT_GT(smaller.size(), 0u);
  EXPECT_EQ(smaller[0].payload.size(), 1340u);
  tell(600);
  t.silent();
  EXPECT_EQ(t.counters().path_mtu_reductions, 1u);
  tell(1280);
  const std::vector<Segment> again = t.take();
  ASSERT_GT(again.size(), 0u);
  EXPECT_EQ(again[0].payload.size(), 1220u);
}

// RFC 4862 5.4: an address that others are still asked for is not sent from.
TEST(Ipv6, NothingIsSentFromATentativeAddress) {
  Given given;
  given.stack.dad_transmits6 = 1;
  Script t(given);
  t.mark();
  const Instant begin = t.now();
  t.connect();
  t.run_for(5s);
  EXPECT_GT(t.counters().drop_neighbour_unresolved, 0u);
  const std::vector<Segment> sent = t.take();
  ASSERT_GT(sent.size(), 0u);
  EXPECT_EQ(sent[0].flags, "S");
  EXPECT_GE(sent[0].time - begin, 1s);
}

// Somebody has the configured address, and nobody the link-local one: that still serves the link.
TEST(Ipv6, ADuplicateIsNotUsedAndTheOtherAddressIs) {
  Given given;
  given.stack.dad_transmits6 = 1;
  given.monitored = false;
  Script t(given);
  t.run_for(100ms);
  Bytes message(32);  // an advertisement: "I have it", overriding
  message[0] = std::byte{136}, message[4] = std::byte{0x20};
  for (std::size_t i = 0; i < 16; ++i)
    message[8 + i] = std::byte(numbered_address(1).v6().octets()[i]);
  message[24] = std::byte{2}, message[25] = std::byte{1};
  message[26] = std::byte{2}, message[31] = std::byte{9};
  const IpAddress all_nodes = *IpAddress::parse("ff02::1");
  Datagram claim = icmp6(numbered_address(1), all_nodes, std::move(message));
  claim.path.destination_mac = MacAddress{{0x33, 0x33, 0, 0, 0, 1}};
  ASSERT_TRUE(t.port().inject(claim));
  t.run_for(3s);
  EXPECT_EQ(t.stack().connect({.remote = {numbered_address(2), 80}}, t.app).error(),
            Errc::kUnreachable);
  const IpAddress neighbour = *IpAddress::parse("fe80::2");
  ASSERT_TRUE(t.stack().connect({.remote = {neighbour, 80}}, t.app));
  t.run_for(3s);
  const std::vector<Segment> sent = t.take();
  ASSERT_GT(sent.size(), 0u);
  EXPECT_TRUE(sent[0].path.source.v6().is_link_local());
}

TEST(Ipv6, MoreAddressesThanThereAreNamesForAreRefused) {
  StackConfig config = numbered_host(1).stack;
  config.max_connections = 200'000'000;
  config.max_time_wait = 100'000'000;
  ScriptPort port(numbered_host(1).port);
  const auto stack = Stack::create(config, port);
  ASSERT_FALSE(stack.ok());
  EXPECT_THAT(std::string(stack.status().message()), testing::HasSubstr("max_connections"));
}

// A flood from as many addresses as there are: what it can take up is records, and their room.
TEST(Ipv6, AFloodOfStrangersTakesNoMoreThanTheCache) {
  Given given;
  given.monitored = false;
  given.stack.syn_cache_entries = 500;
  given.stack.max_half_open = 500;
  given.stack.max_neighbours = 16;
  Listening t(given);
  std::uint32_t host = 0;
  for (int burst = 0; burst < 300; ++burst) {
    std::vector<Segment> segments;
    for (int i = 0; i < 30; ++i) {
      Segment syn = i % 3 == 2 ? ack(1, 1) : given.peer_syn;
      std::array<std::uint8_t, 16> octets{0xfd};
      store_be32(reinterpret_cast<std::byte*>(&octets[12]), 0x10000 + ++host);
      syn.path.source = Ipv6Address(octets);
      segments.push_back(syn);
    }
    t.in_burst(segments);
    t.take();
    ASSERT_LE(t.stack().usage().addresses6, 500u + 2 * 16u);
  }
  EXPECT_EQ(t.stack().usage().half_open, 500u);
  EXPECT_GT(t.counters().syn_cookies_sent, 1000u);
  t.run_for(100s);
  EXPECT_EQ(t.stack().usage().half_open, 0u);
  EXPECT_LE(t.stack().usage().addresses6, 2 * 16u);
}

TEST(Ipv6, TimeWaitHoldsItsHost) {
  TimeWait t;
  t.run_for(1s);
  EXPECT_EQ(t.state(), kTimeWait);
  EXPECT_GE(t.stack().usage().addresses6, 1u);
  t.in(seg("F.", 1, 2));  // repeated
  t.out({ack(2, 2)});
}

}  // namespace
}  // namespace tern::test
