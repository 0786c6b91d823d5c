// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/ipv4.h"
#include "wire/ipv6.h"

namespace tern::wire {

/// IPv4's and IPv6's length fields have 16 bits, so a datagram in fragments may be as long.
inline constexpr std::size_t kMaxDatagramBytes = 65535;
/// Fragments but the last are multiples of this (RFC 791 3.2, RFC 8200 4.5).
inline constexpr std::size_t kFragmentUnit = 8;
inline constexpr std::size_t kFragmentHeaderBytes = 8;  // IPv6's

/// A part of a datagram, of either family: what parse_frame calls kFragment.
struct Fragment {
  bool is_v6 = false;
  bool more = false;          // it is not the last
  std::uint8_t ecn = 0;       // RFC 3168 5's two bits
  std::uint8_t protocol = 0;  // what the datagram carries, as this fragment says
  std::uint32_t offset = 0;   // bytes, of the first byte of `payload` in the datagram's
  std::uint32_t id = 0;
  /// The headers that each fragment has: IPv4's with its options; IPv6's with the extension headers
  /// of each fragment (RFC 8200's "per-fragment headers"), the fragment header the last of them.
  std::span<std::byte> header;
  std::span<std::byte> payload;
  /// IPv6: where in `header` the number of the fragment header stands, in whose stead the
  /// reassembled packet has the fragment header's own next header.
  std::uint32_t next_header_at = 0;

  bool is_first() const { return offset == 0; }
  std::uint32_t end() const { return offset + static_cast<std::uint32_t>(payload.size()); }
};

/// Whether an IPv4 fragment can be one of a datagram: it has bytes, a multiple of 8 if more are to
/// come, and ends within 65535. `packet` is of exactly the length that its valid header says.
bool fragment4_is_sane(std::span<const std::byte> packet);

/// Reads what parse_frame has found to be a fragment: `packet` is ParsedFrame::payload.
Fragment read_fragment(std::span<std::byte> packet);

/// Makes the headers of a fragment those of a whole packet with `payload_bytes` behind them, in the
/// last bytes of `header`, and returns them: IPv6's lose their fragment header. `marked`: a router
/// has marked one of the fragments (RFC 3168 5.3).
std::span<std::byte> make_whole(const Fragment& first, std::span<std::byte> header,
                                std::size_t payload_bytes, bool marked);

/// Which part of a message a fragment to be sent is.
struct FragmentCut {
  std::uint32_t id = 0;      // IPv4 has room for its lower half
  std::uint16_t offset = 0;  // bytes, a multiple of kFragmentUnit
  bool more = false;         // it is not the last
};

/// write_ipv4 for a fragment, which may be cut again on its way; header.total_bytes is its own.
void write_fragment4(std::byte* out, Ipv4Header header, const FragmentCut& cut);

/// Writes an IPv6 header and a fragment header, 48 bytes. header.next_header is the whole packet's,
/// header.payload_bytes without the fragment header.
void write_fragment6(std::byte* out, Ipv6Header header, const FragmentCut& cut);

}  // namespace tern::wire
