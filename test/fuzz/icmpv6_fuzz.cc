// SPDX-License-Identifier: BSD-3-Clause
//
// Neighbour discovery and multicast listener queries. The input's first byte chooses the addresses
// (bit 0: from ::, bit 1: to a solicited-node group, bit 2: to all nodes) and the hop limit (bit 3:
// 1 instead of 255); the rest is the ICMPv6 message, whose checksum is put right here: a fuzzer
// would take long to find it.
#include <array>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "wire/ipv6_scope.h"
#include "wire/mld.h"
#include "wire/neighbour_discovery.h"

namespace tern::wire {
namespace {

const Ipv6Address kOwn({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
const Ipv6Address kPeer({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

Icmpv6Packet packet_of(unsigned choice, std::span<std::byte> message) {
  Icmpv6Packet packet{.source = (choice & 1) != 0 ? Ipv6Address() : kPeer,
                      .destination = (choice & 2) != 0   ? solicited_node(kOwn)
                                     : (choice & 4) != 0 ? ipv6_group::kAllNodes
                                                         : kOwn,
                      .hop_limit = (choice & 8) != 0 ? std::uint8_t{1} : kNdHopLimit,
                      .message = message};
  if (message.size() >= kIcmpHeaderBytes)
    write_icmpv6(message, packet.source, packet.destination,
                 {load_u8(message.data()), load_u8(&message[1]), load_be32(&message[4])});
  return packet;
}

void assert_rules(const Icmpv6Packet& packet) {
  std::array<std::byte, kNdMaxBytes> out;
  if (const auto said = parse_neighbour_solicitation(packet)) {
    TERN_ASSERT(packet.hop_limit == kNdHopLimit && !said->target.is_multicast());
    TERN_ASSERT(!(packet.source.is_unspecified() && said->source_mac));
    const std::size_t bytes =
        write_neighbour_solicitation(out.data(), packet.source, packet.destination, *said);
    TERN_ASSERT(parse_neighbour_solicitation({packet.source, packet.destination, kNdHopLimit,
                                              std::span(out).first(bytes)}) == said);
  }
  if (const auto said = parse_neighbour_advertisement(packet)) {
    TERN_ASSERT(packet.hop_limit == kNdHopLimit && !said->target.is_multicast());
    const std::size_t bytes =
        write_neighbour_advertisement(out.data(), packet.source, packet.destination, *said);
    TERN_ASSERT(parse_neighbour_advertisement({packet.source, packet.destination, kNdHopLimit,
                                               std::span(out).first(bytes)}) == said);
  }
  if (const auto said = parse_router_advertisement(packet)) {
    TERN_ASSERT(packet.hop_limit == kNdHopLimit);
    TERN_ASSERT(said->prefix_count <= RouterAdvertisement::kMaxPrefixes);
    for (const PrefixInformation& prefix : said->prefix_list()) TERN_ASSERT(prefix.length <= 128);
  }
  if (const auto said = parse_listener_query(packet)) {
    TERN_ASSERT(packet.hop_limit == 1 && said->response_time >= Duration::zero());
    TERN_ASSERT(!said->group || said->group->is_multicast());
  }
}

}  // namespace
}  // namespace tern::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // An exact-size block of its own: ASan sees a read past the message.
  const std::unique_ptr<std::byte[]> block(new std::byte[size - 1]);
  if (size > 1) std::memcpy(block.get(), data + 1, size - 1);
  tern::wire::assert_rules(tern::wire::packet_of(data[0], {block.get(), size - 1}));
  return 0;
}
