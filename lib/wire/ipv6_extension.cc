// SPDX-License-Identifier: BSD-3-Clause
#include "wire/ipv6_extension.h"

#include "base/bytes.h"
#include "wire/fragment.h"
#include "wire/ipv6.h"

namespace tern::wire {
namespace {

constexpr std::uint8_t kPad1 = 0, kPadN = 1;
constexpr std::size_t kUnit = 8;  // header lengths count in these, without the first

void drop(Ipv6Extensions& out, DropReason reason) { out.drop = reason; }

void drop_with_problem(Ipv6Extensions& out, DropReason reason, std::uint8_t code,
                       std::size_t pointer) {
  out.drop = reason;
  out.is_problem = true;
  out.problem_code = code;
  out.problem_pointer = static_cast<std::uint32_t>(pointer);
}

// RFC 8200 4.2: the two highest bits of an option's type say what becomes of the packet where it is
// not known.
void refuse_option(Ipv6Extensions& out, std::uint8_t type, std::size_t at) {
  if (type >> 6 == 1) return drop(out, DropReason::drop_ip_extension);
  drop_with_problem(out, DropReason::drop_ip_extension, parameter_problem::kOption,
                    kIpv6HeaderBytes + at);
  out.to_multicast_too = type >> 6 == 2;
}

void walk_options(std::span<const std::byte> payload, std::size_t at, std::size_t end,
                  Ipv6Extensions& out) {
  while (at < end) {
    const std::uint8_t type = load_u8(&payload[at]);
    if (type == kPad1) {
      ++at;
      continue;
    }
    const std::size_t bytes = end - at < 2 ? 0 : 2 + std::size_t{load_u8(&payload[at + 1])};
    if (bytes == 0 || bytes > end - at) return drop(out, DropReason::drop_ip_extension);
    if (type != kPadN && type >> 6 != 0) return refuse_option(out, type, at);
    at += bytes;
  }
}

// A route with segments left leads on from here: not through a host (RFC 5095, RFC 8200 4.4).
void walk_routing(std::span<const std::byte> payload, std::size_t at, Ipv6Extensions& out) {
  constexpr std::size_t kType = 2, kSegmentsLeft = 3;
  if (load_u8(&payload[at + kSegmentsLeft]) != 0)
    drop_with_problem(out, DropReason::drop_ip_extension, parameter_problem::kField,
                      kIpv6HeaderBytes + at + kType);
}

std::size_t header_bytes(std::uint8_t type, std::span<const std::byte> header) {
  if (type == next_header::kFragment) return kUnit;
  return kUnit * (1 + std::size_t{load_u8(&header[1])});
}

bool is_extension(std::uint8_t type) {
  return type == next_header::kHopByHop || type == next_header::kDestinationOptions ||
         type == next_header::kRouting || type == next_header::kFragment;
}

// Where the value of a next-header field was found: in the fixed header, or at the start of an
// extension header.
struct Next {
  std::uint8_t type;
  std::uint32_t pointer;  // from the start of the IPv6 header
  bool in_fixed_header() const { return pointer < kIpv6HeaderBytes; }
};

// RFC 8200 4.1: hop-by-hop options come first or are not known.
bool is_walked(const Next& next) {
  return is_extension(next.type) && (next.type != next_header::kHopByHop || next.in_fixed_header());
}

// The size of the header at the start of `rest`, 0 if it does not fit.
std::size_t size_of(std::uint8_t type, std::span<const std::byte> rest) {
  if (rest.size() < kUnit) return 0;
  const std::size_t bytes = header_bytes(type, rest);
  return bytes <= rest.size() ? bytes : 0;
}

// Bytes of an upper layer's header that a first fragment must hold (RFC 7112 3, RFC 8200 4.5).
std::size_t least_header_bytes(std::uint8_t upper_layer) {
  constexpr std::size_t kTcpBytes = 20, kIcmpBytes = 8;
  if (upper_layer == next_header::kTcp) return kTcpBytes;
  return upper_layer == next_header::kIcmpv6 ? kIcmpBytes : 0;
}

// Whether a first fragment, whose data is `rest`, has every header down to the upper layer's. What
// is wrong with them, or that there is more than is walked, is for the whole packet's walk to find.
bool holds_header_chain(std::uint8_t type, std::span<const std::byte> rest) {
  std::size_t at = 0;
  for (unsigned count = 0; is_extension(type); ++count) {
    if (count == kMaxExtensionHeaders || at >= kMaxExtensionBytes) return true;
    const std::size_t bytes = size_of(type, rest.subspan(at));
    if (bytes == 0) return false;
    type = load_u8(&rest[at]);
    at += bytes;
  }
  return rest.size() - at >= least_header_bytes(type);
}

// RFC 6946: offset 0 and no more to come is a packet, not a part of one. Else RFC 8200 4.5.
void walk_fragment(const Next& next, std::span<const std::byte> payload, std::size_t at,
                   Ipv6Extensions& out) {
  constexpr std::uint16_t kMore = 1, kOffsetMask = 0xfff8;
  constexpr std::uint32_t kPayloadLengthField = 4, kOffsetField = 2;
  const std::uint16_t word = load_be16(&payload[at + 2]);
  out.has_fragment_header = true;
  if ((word & (kMore | kOffsetMask)) == 0) return;
  const auto data = payload.subspan(at + kFragmentHeaderBytes);
  const auto problem = [&](std::uint8_t code, std::size_t pointer) {
    drop_with_problem(out, DropReason::drop_ip_fragment, code, pointer);
  };
  drop(out, DropReason::drop_ip_fragment);
  if (data.empty()) return;
  if ((word & kMore) != 0 && data.size() % kFragmentUnit != 0)
    return problem(parameter_problem::kField, kPayloadLengthField);
  if (at + (word & kOffsetMask) + data.size() > kMaxDatagramBytes)
    return problem(parameter_problem::kField, kIpv6HeaderBytes + at + kOffsetField);
  if ((word & kOffsetMask) == 0 && !holds_header_chain(load_u8(&payload[at]), data))
    return problem(parameter_problem::kHeaderChain, 0);
  out.is_fragment = true;
  out.next_header_at = next.pointer;
  out.offset = static_cast<std::uint32_t>(at);
}

// What an extension header holds; `end`: where it ends.
void walk_header(const Next& next, std::span<const std::byte> payload, std::size_t at,
                 std::size_t end, Ipv6Extensions& out) {
  if (next.type == next_header::kRouting) return walk_routing(payload, at, out);
  if (next.type == next_header::kFragment) return walk_fragment(next, payload, at, out);
  walk_options(payload, at + 2, end, out);
}

void take_upper_layer(const Next& next, std::size_t at, Ipv6Extensions& out) {
  out.upper_layer = next.type;
  out.offset = static_cast<std::uint32_t>(at);
  if (next.type == next_header::kTcp || next.type == next_header::kIcmpv6) return;
  if (next.type == next_header::kNone) return drop(out, DropReason::drop_ip_protocol);
  drop_with_problem(out, DropReason::drop_ip_protocol, parameter_problem::kNextHeader,
                    next.pointer);
}

}  // namespace

Ipv6Extensions walk_extensions(std::uint8_t first, std::span<const std::byte> payload) {
  constexpr std::uint32_t kNextHeaderField = 6;
  Ipv6Extensions out;
  Next next{first, kNextHeaderField};
  std::size_t at = 0;
  for (unsigned count = 0; is_walked(next); ++count) {
    const std::size_t bytes = size_of(next.type, payload.subspan(at));
    if (bytes == 0 || count == kMaxExtensionHeaders || at + bytes > kMaxExtensionBytes)
      drop(out, DropReason::drop_ip_extension);
    else
      walk_header(next, payload, at, at + bytes, out);
    if (out.drop != DropReason::kNone) return out;
    next = {load_u8(&payload[at]), static_cast<std::uint32_t>(kIpv6HeaderBytes + at)};
    at += bytes;
  }
  take_upper_layer(next, at, out);
  return out;
}

}  // namespace tern::wire
