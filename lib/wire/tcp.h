// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/seq_num.h"

namespace tern::wire {

inline constexpr std::size_t kTcpHeaderBytes = 20;
inline constexpr std::size_t kTcpMaxOptionBytes = 40;

/// RFC 9293 3.1, the control bits.
namespace tcp_flag {
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10,
                              kUrg = 0x20, kEce = 0x40, kCwr = 0x80;
}

struct SackBlock {
  SeqNum begin, end;  // [begin, end)
};

/// The options of one segment, as found. Of an option that appears twice the first counts.
struct TcpOptions {
  std::uint32_t ts_value = 0;        // if has_timestamp (RFC 7323)
  std::uint32_t ts_echo_reply = 0;
  std::uint16_t mss = 0;             // if has_mss
  std::uint8_t window_scale = 0;     // if has_window_scale; clamped to 14
  std::uint8_t sack_count = 0;       // blocks in `sack` (RFC 2018)
  bool has_timestamp = false;
  bool has_mss = false;
  bool has_window_scale = false;
  bool sack_permitted = false;
  std::array<SackBlock, 4> sack{};
};

/// Parses the option bytes after the fixed header. Never fails the segment as a whole: at an option
/// whose length is illegal (0, 1, or past the end) parsing stops, what came before stands, and the
/// answer is false (MUST-7). Always advances.
bool parse_tcp_options(std::span<const std::byte> bytes, TcpOptions& options);

/// Writes the options in the order that Linux uses, with NOP padding to a multiple of 4, and
/// returns the bytes written (0..40). Writes MSS, SACK-permitted and window scale if their has_/
/// flags are set (callers set them on SYNs only), then timestamp, then as many SACK blocks as fit.
std::size_t write_tcp_options(const TcpOptions& options, std::byte* out);

/// A received TCP segment that has passed parsing: the facts of its headers in host byte order.
/// `payload` points into the frame.
struct TcpSegment {
  std::uint32_t source_address = 0;       // IPv4
  std::uint32_t destination_address = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  SeqNum seq;
  SeqNum ack;                             // meaningful if flags & kAck
  std::uint16_t window = 0;               // as on the wire, unscaled
  std::uint16_t urgent = 0;
  std::uint8_t flags = 0;                 // tcp_flag bits
  bool options_ok = true;                 // false: an illegal option length was met
  std::uint32_t payload_length = 0;
  std::byte* payload = nullptr;
  TcpOptions options;

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
  /// Sequence space used: data, SYN and FIN (RFC 9293 3.4).
  std::uint32_t length() const {
    return payload_length + (has(tcp_flag::kSyn) ? 1 : 0) + (has(tcp_flag::kFin) ? 1 : 0);
  }
};

}  // namespace tern::wire
