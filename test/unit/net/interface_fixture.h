// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "fake_port.h"
#include "net/interface.h"

namespace tern::net {

using namespace std::chrono_literals;

inline constexpr std::uint32_t ip(std::uint8_t last) { return Ipv4Address(10, 0, 2, last).value(); }

inline constexpr MacAddress kOwnMac{{0x02, 0, 0, 0, 0, 0x01}};
inline constexpr MacAddress kGatewayMac{{0x02, 0, 0, 0, 0, 0xfe}};
inline constexpr MacAddress kPeerMac{{0x02, 0, 0, 0, 0, 0x07}};
inline constexpr MacAddress kOtherMac{{0x02, 0, 0, 0, 0, 0x08}};
inline constexpr MacAddress kNoMac{};
inline constexpr std::uint32_t kOwn = ip(2);
inline constexpr std::uint32_t kPeer = ip(7);
inline constexpr std::uint32_t kGateway = ip(254);
inline constexpr std::uint32_t kFar = Ipv4Address(192, 0, 2, 1).value();

inline void append(Bytes& out, const MacAddress& mac) {
  for (std::uint8_t octet : mac.octets) out.push_back(octet);
}
inline void append(Bytes& out, std::uint32_t address) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(address >> shift));
}

inline Bytes ethernet_header(const MacAddress& to, const MacAddress& from, std::uint16_t type) {
  Bytes out;
  append(out, to);
  append(out, from);
  out.push_back(static_cast<std::uint8_t>(type >> 8));
  out.push_back(static_cast<std::uint8_t>(type));
  return out;
}

/// An ARP packet's 28 bytes, written out here rather than by the code under test.
inline Bytes arp_packet(std::uint8_t operation, const MacAddress& sender_mac, std::uint32_t sender,
                        const MacAddress& target_mac, std::uint32_t target) {
  Bytes out{0, 1, 8, 0, 6, 4, 0, operation};
  append(out, sender_mac);
  append(out, sender);
  append(out, target_mac);
  append(out, target);
  return out;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// The frames that the interface is expected to send.
inline Bytes arp_request_frame(std::uint32_t target, const MacAddress& to = MacAddress::broadcast(),
                               const MacAddress& target_mac = kNoMac) {
  return ethernet_header(to, kOwnMac, 0x0806) + arp_packet(1, kOwnMac, kOwn, target_mac, target);
}
inline Bytes arp_reply_frame(const MacAddress& to, std::uint32_t target) {
  return ethernet_header(to, kOwnMac, 0x0806) + arp_packet(2, kOwnMac, kOwn, to, target);
}
inline Bytes announcement_frame() { return arp_request_frame(kOwn); }

using Sent = std::vector<Bytes>;

/// One interface, 10.0.2.2/24 with gateway 10.0.2.254, on virtual time that starts at 1 s. At the
/// end every frame must have been transmitted or given back (FakePort's destructor).
class InterfaceTest : public testing::Test {
 protected:
  InterfaceTest() {
    config_.address = {Ipv4Address(kOwn), 24};
    config_.gateway = Ipv4Address(kGateway);
    config_.max_neighbours = 8;
    restart();
  }
  ~InterfaceTest() override {
    interface_.reset();
    egress_->flush();
    EXPECT_EQ(egress_->handed_out(), 0U) << "the interface kept frames";
  }

  /// After a change of config_ or of the port's settings.
  void restart() {
    interface_.reset();
    egress_.reset();
    counters_ = {};
    egress_ = std::make_unique<Egress>(port_, bin_, counters_);
    book_ = std::make_unique<flow::AddressBook>(config_.max_neighbours + 64, SipKey{3, 4});
    interface_ = std::make_unique<Interface>(config_, *egress_, counters_, SipKey{1, 2}, *book_);
  }

  Interface& net() { return *interface_; }

  /// A block of exactly the bytes' size, so that ASan sees a read beyond it.
  static std::unique_ptr<std::byte[]> exact_block(const Bytes& bytes) {
    auto block = std::make_unique<std::byte[]>(bytes.size());
    std::ranges::copy(std::as_bytes(std::span(bytes)), block.get());
    return block;
  }
  void receive_arp(const Bytes& packet) {
    const auto block = exact_block(packet);
    wire::ParsedFrame frame;
    frame.kind = wire::FrameKind::kArp;
    frame.payload = {block.get(), packet.size()};
    net().receive_arp(frame, now_);
  }
  void receive_reply(std::uint32_t sender, const MacAddress& mac) {
    receive_arp(arp_packet(2, mac, sender, kOwnMac, kOwn));
  }
  void receive_request(std::uint32_t sender, const MacAddress& mac, std::uint32_t target = kOwn) {
    receive_arp(arp_packet(1, mac, sender, kNoMac, target));
  }

  /// Hands an IPv4 packet of one byte that says `tag` to send_ip.
  void send_ip(std::uint32_t destination, std::uint8_t tag) {
    Frame frame;
    ASSERT_TRUE(egress_->allocate(frame));
    frame.data[14] = std::byte{tag};
    frame.length = 15;
    net().send_ip(frame, destination, now_);
  }
  static Bytes ip_frame(const MacAddress& to, std::uint8_t tag) {
    return ethernet_header(to, kOwnMac, 0x0800) + Bytes{tag};
  }

  LinkState link_state(std::uint32_t destination) {
    std::byte header[14];
    return net().link_header(destination, header, now_);
  }
  /// The 14 bytes, or nothing if they are not known.
  std::optional<Bytes> link_header(std::uint32_t destination) {
    auto header = std::make_unique<std::byte[]>(14);
    if (net().link_header(destination, header.get(), now_) != LinkState::kReady) return {};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(header.get());
    return Bytes(bytes, bytes + 14);
  }
  /// Makes a neighbour known, as a peer that is talked to.
  void resolve(std::uint32_t address, const MacAddress& mac) {
    link_state(address);
    receive_reply(address, mac);
    ASSERT_EQ(link_state(address), LinkState::kReady);
    sent();
  }

  /// What has gone out since the last call.
  Sent sent() {
    egress_->flush();
    return port_.take_sent();
  }
  /// Nothing is due up to one nanosecond before now + step; goes to now + step and does what is.
  void advance_exactly(Duration step) {
    now_ += step - 1ns;
    EXPECT_EQ(net().expire(now_), 0U) << "something was due early";
    now_ += 1ns;
    EXPECT_EQ(net().next_deadline(), now_);
    EXPECT_GT(net().expire(now_), 0U);
  }
  /// Goes on in steps to every deadline on the way.
  void advance(Duration step) {
    const Instant end = now_ + step;
    while (net().next_deadline() <= end) {
      now_ = std::max(now_, net().next_deadline());
      net().expire(now_);
    }
    now_ = end;
  }

  std::vector<NeighbourInfo> neighbours() {
    std::vector<NeighbourInfo> out;
    net().list_neighbours(now_, out);
    return out;
  }
  std::optional<NeighbourInfo> neighbour(std::uint32_t address) {
    for (const NeighbourInfo& info : neighbours())
      if (info.address.v4().value() == address) return info;
    return {};
  }

  FakePort port_;
  FrameBin bin_{port_};
  StackConfig config_;
  Counters counters_;
  Instant now_{1s};
  std::unique_ptr<Egress> egress_;
  std::unique_ptr<flow::AddressBook> book_;
  std::unique_ptr<Interface> interface_;
};

}  // namespace tern::net
