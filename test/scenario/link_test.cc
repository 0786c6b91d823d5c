// SPDX-License-Identifier: BSD-3-Clause
// What the link brings along: a VLAN's tag, packets of up to 9000 bytes, and others who may have an
// IPv6 address already.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/sender.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;

// What goes over the wire, by its headers.
struct Wire {
  std::vector<std::uint32_t> lengths;
  std::size_t untagged = 0;
  std::vector<std::uint16_t> vlans;

  io::FrameObserver observer() {
    return [this](Instant, io::FrameDirection, std::span<const std::byte> frame) {
      lengths.push_back(static_cast<std::uint32_t>(frame.size()));
      if (load_be16(&frame[12]) == 0x8100)
        vlans.push_back(load_be16(&frame[14]));
      else
        ++untagged;
    };
  }
  std::uint32_t longest() const { return *std::ranges::max_element(lengths); }
};

struct LinkConfigs {
  std::uint16_t client_vlan = 0, server_vlan = 0;
  std::uint16_t client_mtu = 1500, server_mtu = 1500;
};

class LinkTest : public testing::Test {
 protected:
  static bool has_ended(Sender& sender) {
    return sender.records().size() == 1 && sender.records()[0].closed == 1;
  }
  void build(const LinkConfigs& configs) {
    HostConfig a = numbered_host(1), b = numbered_host(2);
    a.stack.vlan = configs.client_vlan;
    b.stack.vlan = configs.server_vlan;
    a.port.mtu = configs.client_mtu;
    b.port.mtu = configs.server_mtu;
    for (HostConfig* host : {&a, &b})
      host->port.blocks.frame_capacity = std::max<std::uint32_t>(2048, host->port.mtu + 18U);
    client_ = &sim_.add_host(a);
    server_ = &sim_.add_host(b);
    sim_.connect(*client_, *server_);
    client_->port().observe(wire_.observer());
    ASSERT_TRUE(server_->stack().listen({.port = kPort}, from_server_));
    ASSERT_TRUE(client_->stack().connect({.remote = {server_->address(), kPort}}, from_client_));
  }
  void expect_transfer() {
    ASSERT_TRUE(
        sim_.run_until([&] { return has_ended(from_client_) && has_ended(from_server_); }, 1min));
    EXPECT_TRUE(from_server_.only().received == from_client_.text());
    EXPECT_TRUE(from_client_.only().received == from_server_.text());
    sim_.expect_quiescent();
  }

  Simulation sim_;
  Host* client_ = nullptr;
  Host* server_ = nullptr;
  Wire wire_;
  Sender from_client_{random_text(300'000, 1)}, from_server_{random_text(100'000, 2)};
};

TEST_F(LinkTest, EveryFrameOfAVlanIsTagged) {
  build({.client_vlan = 300, .server_vlan = 300});
  expect_transfer();
  EXPECT_EQ(wire_.untagged, 0U);
  EXPECT_TRUE(std::ranges::all_of(wire_.vlans, [](std::uint16_t vlan) { return vlan == 300; }));
  EXPECT_EQ(wire_.longest(), 1500U + 18U) << "the tag takes nothing from the MTU";
}

TEST_F(LinkTest, AnotherVlanIsAnotherLink) {
  build({.client_vlan = 300, .server_vlan = 301});
  EXPECT_TRUE(sim_.run_until([&] { return has_ended(from_client_); }, 5min));
  EXPECT_EQ(from_client_.only().reason, CloseReason::kUnreachable);
  EXPECT_GT(server_->stack().counters().drop_vlan, 0U);
  EXPECT_EQ(server_->stack().counters().arp_in, 0U);
}

TEST_F(LinkTest, WhoHasNoVlanDoesNotTakeTaggedFrames) {
  build({.client_vlan = 300, .server_vlan = 0});
  EXPECT_TRUE(sim_.run_until([&] { return has_ended(from_client_); }, 5min));
  EXPECT_GT(server_->stack().counters().drop_vlan, 0U);
  EXPECT_GT(client_->stack().counters().drop_vlan, 0U) << "the announcements had no tag";
}

TEST_F(LinkTest, SegmentsFillPacketsOf9000Bytes) {
  build({.client_mtu = 9000, .server_mtu = 9000});
  expect_transfer();
  EXPECT_EQ(wire_.longest(), 9014U);
  EXPECT_GT(std::ranges::count(wire_.lengths, 9014U), 20) << "full ones are the rule";
}

TEST_F(LinkTest, ABigPacketAndATag) {
  build({.client_vlan = 7, .server_vlan = 7, .client_mtu = 9000, .server_mtu = 9000});
  expect_transfer();
  EXPECT_EQ(wire_.longest(), 9018U);
}

// Each end says by its MSS what it can take (RFC 9293 3.7.1).
TEST_F(LinkTest, TheSmallerMtuOfTheTwoEndsCounts) {
  build({.client_mtu = 9000, .server_mtu = 1500});
  expect_transfer();
  EXPECT_EQ(wire_.longest(), 1514U);
}

// --- Own IPv6 addresses --------------------------------------------------------------------------

HostConfig host6(std::uint8_t n, const char* address) {
  HostConfig config = numbered_host(n);
  config.stack.ip6 = Ipv6Prefix{Ipv6Address::parse(address).value(), 64};
  config.stack.dad_transmits6 = 1;
  return config;
}

TEST(OwnAddress6, NobodyIsAskedForADuplicateWhileTheLinkIsDown) {
  Simulation sim;
  Host& a = sim.add_host(host6(1, "fd00::1"));
  Host& b = sim.add_host(host6(2, "fd00::2"));
  sim.run_for(3s);  // no link yet
  EXPECT_EQ(a.stack().counters().nd_solicitations_out, 0U);
  sim.connect(a, b);
  sim.run_for(100ms);
  EXPECT_EQ(a.stack().counters().nd_solicitations_out, 2U);
  EXPECT_EQ(a.stack().counters().nd_advertisements_out, 0U);
  sim.run_for(1s);
  EXPECT_EQ(a.stack().counters().nd_advertisements_out, 2U) << "both addresses are its own now";
}

TEST(OwnAddress6, AnOpeningFromAnAddressThatIsAnothersEnds) {
  Simulation sim;
  Host& a = sim.add_host(host6(1, "fd00::9"));
  Host& b = sim.add_host(host6(2, "fd00::9"));
  sim.connect(a, b);
  RecordingHandler handler;
  const Endpoint remote{IpAddress(Ipv6Address::parse("fd00::3").value()), kPort};
  ASSERT_TRUE(a.stack().connect({.remote = remote}, handler));
  sim.run_for(500ms);
  EXPECT_GT(a.stack().counters().nd_conflicts, 0U);
  EXPECT_EQ(handler.only().reason, CloseReason::kUnreachable);
  RecordingHandler again;
  EXPECT_EQ(a.stack().connect({.remote = remote}, again).error(), Errc::kUnreachable);
}

}  // namespace
}  // namespace tern::test
