// SPDX-License-Identifier: BSD-3-Clause
#include "wire/fragment.h"

#include <cstring>

#include "base/bytes.h"
#include "wire/ipv6_extension.h"

namespace tern::wire {
namespace {

constexpr std::uint16_t kMoreFragments = 0x2000, kOffsetMask = 0x1fff;
constexpr std::uint16_t kMore6 = 1, kOffset6Mask = 0xfff8;
constexpr std::uint8_t kEcnMask = 3;

Fragment read4(std::span<std::byte> packet) {
  const Ipv4View ip(packet.first<kIpv4HeaderBytes>());
  const std::uint16_t word = load_be16(&packet[6]);
  return {.more = (word & kMoreFragments) != 0,
          .ecn = static_cast<std::uint8_t>(ip.traffic_class() & kEcnMask),
          .protocol = ip.protocol(),
          .offset = (word & kOffsetMask) * std::uint32_t{kFragmentUnit},
          .id = ip.id(),
          .header = packet.first(ip.header_bytes()),
          .payload = packet.subspan(ip.header_bytes())};
}

Fragment read6(std::span<std::byte> packet) {
  const Ipv6View ip(packet.first<kIpv6HeaderBytes>());
  const Ipv6Extensions extensions =
      walk_extensions(ip.next_header(), packet.subspan(kIpv6HeaderBytes));
  const std::size_t at = kIpv6HeaderBytes + extensions.offset;
  const std::byte* fragment = &packet[at];
  const std::uint16_t word = load_be16(fragment + 2);
  return {.is_v6 = true,
          .more = (word & kMore6) != 0,
          .ecn = static_cast<std::uint8_t>(ip.traffic_class() & kEcnMask),
          .protocol = load_u8(fragment),
          .offset = static_cast<std::uint32_t>(word & kOffset6Mask),
          .id = load_be32(fragment + 4),
          .header = packet.first(at + kFragmentHeaderBytes),
          .payload = packet.subspan(at + kFragmentHeaderBytes),
          .next_header_at = extensions.next_header_at};
}

void write_whole4(std::span<std::byte> header, std::size_t payload_bytes, bool marked) {
  store_be16(&header[2], static_cast<std::uint16_t>(header.size() + payload_bytes));
  store_be16(&header[6], 0);
  if (marked) header[1] |= std::byte{kEcnMask};
  store_checksum(&header[kIpv4ChecksumOffset], 0);
  store_checksum(&header[kIpv4ChecksumOffset], checksum_finish(checksum_partial(header)));
}

// The fragment header goes, and what was before it closes up to the payload.
std::span<std::byte> write_whole6(std::span<std::byte> header, std::uint32_t next_header_at,
                                  std::size_t payload_bytes, bool marked) {
  const std::size_t kept = header.size() - kFragmentHeaderBytes;
  header[next_header_at] = header[kept];
  std::memmove(header.data() + kFragmentHeaderBytes, header.data(), kept);
  const auto whole = header.subspan(kFragmentHeaderBytes);
  store_be16(&whole[4], static_cast<std::uint16_t>(kept - kIpv6HeaderBytes + payload_bytes));
  if (marked) whole[1] |= std::byte{kEcnMask << 4};
  return whole;
}

}  // namespace

bool fragment4_is_sane(std::span<const std::byte> packet) {
  const Ipv4View ip(packet.first<kIpv4HeaderBytes>());
  const std::uint16_t word = load_be16(&packet[6]);
  const std::size_t bytes = packet.size() - ip.header_bytes();
  const bool more = (word & kMoreFragments) != 0;
  return bytes > 0 && (!more || bytes % kFragmentUnit == 0) &&
         (word & kOffsetMask) * kFragmentUnit + packet.size() <= kMaxDatagramBytes;
}

Fragment read_fragment(std::span<std::byte> packet) {
  return load_u8(packet.data()) >> 4 == 4 ? read4(packet) : read6(packet);
}

std::span<std::byte> make_whole(const Fragment& first, std::span<std::byte> header,
                                std::size_t payload_bytes, bool marked) {
  if (first.is_v6) return write_whole6(header, first.next_header_at, payload_bytes, marked);
  write_whole4(header, payload_bytes, marked);
  return header;
}

void write_fragment4(std::byte* out, Ipv4Header header, const FragmentCut& cut) {
  header.id = static_cast<std::uint16_t>(cut.id);
  header.dont_fragment = false;
  write_ipv4(out, header);
  store_be16(out + 6, static_cast<std::uint16_t>((cut.more ? kMoreFragments : 0) |
                                                 cut.offset / kFragmentUnit));
  store_checksum(out + kIpv4ChecksumOffset, 0);
  store_checksum(out + kIpv4ChecksumOffset,
                 checksum_finish(checksum_partial({out, kIpv4HeaderBytes})));
}

void write_fragment6(std::byte* out, Ipv6Header header, const FragmentCut& cut) {
  const std::uint8_t next = header.next_header;
  header.next_header = next_header::kFragment;
  header.payload_bytes = static_cast<std::uint16_t>(header.payload_bytes + kFragmentHeaderBytes);
  write_ipv6(out, header);
  out += kIpv6HeaderBytes;
  store_be16(out, static_cast<std::uint16_t>(next << 8));
  store_be16(out + 2, static_cast<std::uint16_t>(cut.offset | (cut.more ? kMore6 : 0)));
  store_be32(out + 4, cut.id);
}

}  // namespace tern::wire
