// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/bytes.h"
#include "wire/seq_num.h"

namespace tern::wire {

inline constexpr std::size_t kTcpHeaderBytes = 20;
inline constexpr std::size_t kTcpMaxOptionBytes = 40;
inline constexpr std::size_t kTcpChecksumOffset = 16, kTcpUrgentOffset = 18;

/// RFC 9293 3.1, the control bits.
namespace tcp_flag {
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10,
                              kUrg = 0x20, kEce = 0x40, kCwr = 0x80;
}

/// IP's mark (RFC 3168 5), beside tcp_flag's bits in TcpSegment::flags.
inline constexpr std::uint16_t kCongestionExperienced = 0x100;

struct SackBlock {
  SeqNum begin, end;  // [begin, end)
};

/// The options of one segment, as found. Of an option that appears twice the first counts.
struct TcpOptions {
  // In the reverse of the wire's order: one load, one byte swap and one store for both.
  std::uint32_t ts_echo_reply = 0;
  std::uint32_t ts_value = 0;     // if has_timestamp (RFC 7323)
  std::uint8_t sack_count = 0;    // blocks in `sack` (RFC 2018)
  bool has_timestamp = false;     // these four stand together: see has_only_timestamp()
  bool has_user_timeout = false;  // RFC 5482
  std::uint8_t window_scale = 0;  // if has_window_scale; clamped to 14
  std::uint16_t mss = 0;          // if has_mss
  bool has_mss = false;
  bool has_window_scale : 1 = false;
  bool sack_permitted : 1 = false;
  std::uint8_t unused : 6 = 0;     // set too, and one store does for all from sack_count on
  std::uint16_t user_timeout = 0;  // as on the wire; meaningful if has_user_timeout
  std::array<SackBlock, 4> sack{};

  /// A timestamp, or not even that, and nothing else that a segment without SYN can say: one
  /// comparison.
  bool has_only_timestamp(bool timestamp) const {
    const std::uint8_t wanted[4] = {0, timestamp, 0, 0};
    std::uint32_t four;
    std::memcpy(&four, reinterpret_cast<const std::byte*>(this) + offsetof(TcpOptions, sack_count),
                sizeof four);
    return four == std::bit_cast<std::uint32_t>(wanted);
  }
};

/// IANA's TCP option kinds.
namespace tcp_option {
inline constexpr std::uint8_t kEnd = 0, kNop = 1, kMss = 2, kWindowScale = 3, kSackPermitted = 4,
                              kSack = 5, kTimestamp = 8, kUserTimeout = 28;
}

/// RFC 7323 2.3: a larger shift is used as 14.
inline constexpr std::uint8_t kMaxWindowScale = 14;

/// The options of nearly every segment between modern hosts: NOP, NOP, timestamp (RFC 7323 app. A).
inline constexpr std::uint32_t kAlignedTimestamp = 0x0101080a;
inline constexpr std::size_t kAlignedTimestampBytes = 12;

namespace tcp_internal {
bool parse_tcp_options_one_by_one(std::span<const std::byte> bytes, TcpOptions& options);
}

/// Parses the option bytes after the fixed header. Never fails the segment as a whole: at an option
/// whose length is illegal (0, 1, or past the end) parsing stops, what came before stands, and the
/// answer is false (MUST-7). Always advances. A known kind whose length is legal but not its own is
/// skipped, as an unknown kind is (MUST-6). Sets everything in `options`; a value whose flag is
/// clear is zero (but user_timeout's), and blocks of `sack` beyond sack_count mean nothing.
[[gnu::always_inline]] inline bool parse_tcp_options(std::span<const std::byte> bytes,
                                                     TcpOptions& options) {
  if (bytes.size() != kAlignedTimestampBytes || load_be32(bytes.data()) != kAlignedTimestamp)
    return tcp_internal::parse_tcp_options_one_by_one(bytes, options);
  const std::uint64_t both = load_be64(bytes.data() + 4);
  options.ts_value = static_cast<std::uint32_t>(both >> 32);
  options.ts_echo_reply = static_cast<std::uint32_t>(both);
  options.sack_count = 0;
  options.has_timestamp = true;
  options.has_user_timeout = false;
  options.window_scale = 0;
  options.mss = 0;
  options.has_mss = false;
  options.has_window_scale = false;
  options.sack_permitted = false;
  options.unused = 0;
  return true;
}

/// Writes the options in the order that Linux uses, with NOP padding to a multiple of 4, and
/// returns the bytes written (0..40). Writes MSS, SACK-permitted and window scale if their has_/
/// flags are set (callers set them on SYNs only), timestamp, user time-out, then as many SACK
/// blocks as fit. `out` has room for kTcpMaxOptionBytes.
///
/// Linux's order is: MSS; timestamp, which takes SACK-permitted in place of its two NOPs; SACK-
/// permitted if it is still to come; window scale; SACK blocks. (It has no user time-out.)
std::size_t write_tcp_options(const TcpOptions& options, std::byte* out);

/// Bytes that claim to be a TCP header (RFC 9293 3.1), its first 20.
class TcpView {
 public:
  explicit TcpView(std::span<const std::byte, kTcpHeaderBytes> bytes) : p_(bytes.data()) {}

  /// The first word of the header.
  struct Ports {
    std::uint32_t word;
    std::uint16_t source() const { return static_cast<std::uint16_t>(word >> 16); }
    std::uint16_t destination() const { return static_cast<std::uint16_t>(word); }
  };
  Ports ports() const { return {load_be32(p_)}; }
  /// The second and third.
  struct Numbers {
    std::uint64_t words;
    SeqNum seq() const { return SeqNum(static_cast<std::uint32_t>(words >> 32)); }
    SeqNum ack() const { return SeqNum(static_cast<std::uint32_t>(words)); }
  };
  Numbers numbers() const { return {load_be64(p_ + 4)}; }
  std::size_t header_bytes() const { return (load_u8(p_ + 12) >> 4) * std::size_t{4}; }  // 0..60
  std::uint8_t flags() const { return load_u8(p_ + 13); }
  std::uint16_t window() const { return load_be16(p_ + 14); }
  std::uint16_t urgent() const { return load_be16(p_ + kTcpUrgentOffset); }

 private:
  const std::byte* p_;
};

/// A TCP header to write: RFC 9293 3.1 but for the checksum.
struct TcpHeader {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  SeqNum seq{};
  SeqNum ack{};
  std::uint8_t flags = 0;                       // tcp_flag bits
  std::uint8_t header_bytes = kTcpHeaderBytes;  // with options; a multiple of 4, 20..60
  std::uint16_t window = 0;
  std::uint16_t urgent = 0;
};

/// Writes the kTcpHeaderBytes fixed bytes, checksum field 0: the caller puts options after them and
/// then the checksum at kTcpChecksumOffset.
inline void write_tcp_header(std::byte* out, const TcpHeader& header) {
  store_be16(out, header.source_port);
  store_be16(out + 2, header.destination_port);
  store_be32(out + 4, header.seq.value());
  store_be32(out + 8, header.ack.value());
  store_u8(out + 12, static_cast<std::uint8_t>(header.header_bytes / 4 << 4));
  store_u8(out + 13, header.flags);
  store_be16(out + 14, header.window);
  store_be16(out + kTcpChecksumOffset, 0);
  store_be16(out + kTcpUrgentOffset, header.urgent);
}

/// A received TCP segment that has passed parsing: the facts of its headers in host byte order.
/// `payload` points into the frame. Neighbours on the wire are neighbours here, in the reverse
/// order: a load, a byte swap and a store take two or three of them at once.
struct TcpSegment {
  std::uint32_t destination_address = 0;  // IPv4
  std::uint32_t source_address = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t source_port = 0;
  std::uint32_t payload_length = 0;
  SeqNum ack{};  // meaningful if flags & kAck
  SeqNum seq{};
  std::uint16_t window = 0;  // as on the wire, unscaled
  std::uint16_t flags = 0;   // tcp_flag bits, and kCongestionExperienced
  std::uint16_t urgent = 0;  // meaningful if flags & kUrg
  bool options_ok = true;    // false: an illegal option length was met
  std::byte* payload = nullptr;
  TcpOptions options;

  bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
  /// Sequence space used: data, SYN and FIN (RFC 9293 3.4).
  std::uint32_t length() const {
    return payload_length + (has(tcp_flag::kSyn) ? 1 : 0) + (has(tcp_flag::kFin) ? 1 : 0);
  }
};

}  // namespace tern::wire
