// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "test_bytes.h"
#include "wire/parse.h"

namespace tern::wire {

// Where the fields of these frames lie: Ethernet 0, IPv4 14, TCP or ICMP 34.
inline constexpr std::size_t kEtherTypeAt = 12, kIpAt = 14, kTotalAt = 16, kFragmentAt = 20,
                             kProtocolAt = 23, kIpChecksumAt = 24, kSourceAt = 26,
                             kDestinationAt = 30, kTcpAt = 34, kOffsetAt = 46, kFlagsAt = 47;

inline constexpr std::uint64_t kBothGood =
    frame_flag::kRxIpChecksumGood | frame_flag::kRxL4ChecksumGood;

/// We are apple, 10.0.2.2, of the capture in the project's documents; ant is 10.0.1.2.
inline ParseContext apple() {
  return {.mac = {{0x02, 0, 0, 0, 0, 0x02}}, .address = 0x0a000202, .subnet_broadcast = 0x0a0002ff};
}

inline void fix_ip_checksum(Bytes& frame) {
  const std::size_t header = std::to_integer<std::size_t>(frame[kIpAt] & std::byte{0x0f}) * 4;
  put_be16(frame, kIpChecksumAt, 0);
  put_be16(frame, kIpChecksumAt,
           textbook_checksum(std::span<const std::byte>(frame).subspan(kIpAt, header)));
}

/// Completes the TCP or ICMP checksum of what follows a header of `ip_header` bytes up to the end
/// of the frame.
inline void fix_l4_checksum(Bytes& frame, std::size_t ip_header = 20) {
  const std::size_t start = kIpAt + ip_header;
  const auto whole = std::span<const std::byte>(frame);
  const auto l4 = whole.subspan(start);
  if (frame[kProtocolAt] == std::byte{6}) {
    const std::uint64_t pseudo = textbook_sum(whole.subspan(kSourceAt, 8), 6 + l4.size());
    put_be16(frame, start + 16, 0);
    put_be16(frame, start + 16, textbook_checksum(l4, pseudo));
  } else {
    put_be16(frame, start + 2, 0);
    put_be16(frame, start + 2, textbook_checksum(l4));
  }
}

/// An IPv4 packet in hexadecimal as a frame from ant to apple, its lengths and checksums completed.
inline Bytes frame_of(std::string_view packet) {
  Bytes frame = from_hex("020000000002 020000000001 0800");
  const Bytes ip = from_hex(packet);
  frame.insert(frame.end(), ip.begin(), ip.end());
  put_be16(frame, kTotalAt, static_cast<std::uint32_t>(ip.size()));
  fix_ip_checksum(frame);
  fix_l4_checksum(frame, std::to_integer<std::size_t>(ip[0] & std::byte{0x0f}) * 4);
  return frame;
}

/// The capture's SYN.
inline Bytes syn_frame() {
  return frame_of(
      "4500 003c e6af 4000 3d06 4009 0a00 0102 0a00 0202 ba92 270f 52a8 f43f 0000 0000"
      "a002 7210 1732 0000 0204 05b4 0402 080a fc84 7d27 0000 0000 0103 0307");
}

/// The capture's "abc\n".
inline Bytes data_frame() {
  return frame_of(
      "4500 0038 e6b1 4000 3d06 400b 0a00 0102 0a00 0202 ba92 270f 52a8 f440 17e9 98b8"
      "8018 00e5 172e 0000 0101 080a fc86 cdb0 17bb de1a 6162 630a");
}

/// An echo request of 8 bytes.
inline Bytes echo_frame() {
  return frame_of(
      "4500 0024 0000 4000 4001 0000 0a00 0102 0a00 0202 0800 0000 1234 0001 61626364 65666768");
}

/// Who has 10.0.2.2? Broadcast.
inline Bytes arp_frame() {
  return from_hex(
      "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000201 000000000000"
      "0a000202");
}

}  // namespace tern::wire
