// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "support/segment.h"

namespace tern::test {

/// A part of a datagram's payload.
struct Part {
  std::size_t begin = 0, end = 0;  ///< bytes of the datagram's payload
  std::optional<bool> more{};      ///< what the fragment says; by default what is true
};

/// The fragment of `whole`, an Ethernet frame with an IPv4 or IPv6 packet without extension
/// headers, that has this part of its payload. Written from the RFCs without any of lib/, as
/// segment.h.
Bytes fragment_of(std::span<const std::byte> whole, const Part& part, std::uint32_t id = 1);

/// All of `whole` in fragments of at most so many bytes of payload, a multiple of 8, in order.
std::vector<Bytes> cut(std::span<const std::byte> whole, std::size_t bytes, std::uint32_t id = 1);

/// The IP payload's length of a frame without extension headers.
std::size_t payload_bytes_of(std::span<const std::byte> frame);

/// The number of the datagram that a fragment is of.
std::uint32_t fragment_id_of(std::span<const std::byte> fragment);

/// Puts frames that are fragments of one datagram together, in whatever order: the Ethernet frame
/// of the whole. Nothing if they are not exactly one datagram's, each byte once.
std::optional<Bytes> join(const std::vector<Bytes>& fragments);

/// The checksum of the ICMP or ICMPv6 message in a frame without extension headers: 0 if the one
/// that it has is right; if it has 0, the right one.
std::uint16_t icmp_checksum_of(std::span<const std::byte> frame);

/// An ICMP or ICMPv6 echo request's frame from Path's peer, with `bytes` of data from stream(0).
Bytes echo_request(std::size_t bytes, std::uint16_t sequence = 1);

}  // namespace tern::test
