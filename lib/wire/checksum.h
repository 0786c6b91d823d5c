// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tern::wire {

/// The Internet checksum (RFC 1071), for IPv4, ICMP, TCP and ICMPv6.
///
/// One convention: a sum is taken over 16-bit words *as a little-endian load finds them*, and the
/// result is stored by a plain memcpy. The ones'-complement sum does not depend on byte order (RFC
/// 1071 2(B)): swapping the bytes of every word swaps the bytes of the sum. So neither data nor
/// result is ever swapped, and sums, checks and stores agree as long as they all go through here.
/// A checksum loaded with load_be16 is in the other order; do not mix the two.
///
/// A *partial* sum is 32 bits, not yet folded. Partial sums of consecutive pieces are chained by
/// passing one as the `initial` of the next; every piece but the last must have an even length.
static_assert(std::endian::native == std::endian::little, "the pseudo-header sums swap bytes");

namespace checksum_internal {

/// 2^16 = 1 (mod 2^16 - 1), so halves may be added at any width. Never makes zero of non-zero.
/// The upper half of a number and its halves' exchange has both and the carry.
constexpr std::uint32_t fold_to_32(std::uint64_t sum) {
  return static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32);
}

/// From now on pieces are summed in vectors of so many bits at most, of those that the processor
/// has (256, 512): for tests, which are to see all ways. Not while anybody else sums.
void use_vectors(unsigned bits);

template <class Word>
std::uint64_t load(const std::byte* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

inline std::uint64_t load_32(const std::byte* p) { return load<std::uint32_t>(p); }

/// Shorter pieces are not worth a call, nor vectors.
inline constexpr std::size_t kLongFrom = 256;

/// Adds up words whose carries it counts: 2^64 = 1 as well. Copies what it adds if kCopies.
template <bool kCopies>
class Adder {
 public:
  Adder(std::byte* to, const std::byte* from, std::uint64_t initial)
      : to_(to), from_(from), sum_(initial) {}

  template <class Word>
  [[gnu::always_inline]] void take() {
    take_into<Word>(sum_);
  }
  /// Two sums, since each waits for the carry of the word before.
  [[gnu::always_inline]] void take_pair() {
    take_into<std::uint64_t>(sum_);
    take_into<std::uint64_t>(other_);
  }
  std::uint32_t partial() const {
    const unsigned __int128 sum = sum_ + other_;
    return fold_to_32(std::uint64_t{fold_to_32(static_cast<std::uint64_t>(sum))} +
                      static_cast<std::uint64_t>(sum >> 64));
  }

 private:
  template <class Word>
  [[gnu::always_inline]] void take_into(unsigned __int128& sum) {
    const std::uint64_t word = load<Word>(from_);
    if constexpr (kCopies) {
      std::memcpy(to_, &word, sizeof(Word));  // little-endian
      to_ += sizeof(Word);
    }
    from_ += sizeof(Word);
    sum += word;
  }

  std::byte* to_;
  const std::byte* from_;
  unsigned __int128 sum_, other_ = 0;
};

/// An odd last byte is the low one of a word.
template <bool kCopies>
std::uint32_t sum_short(std::byte* to, std::span<const std::byte> bytes, std::uint32_t initial) {
  Adder<kCopies> adder(to, bytes.data(), initial);
  const std::size_t length = bytes.size();
  for (std::size_t left = length / 16; left > 0; --left) adder.take_pair();
  if ((length & 8) != 0) adder.template take<std::uint64_t>();
  if ((length & 4) != 0) adder.template take<std::uint32_t>();
  if ((length & 2) != 0) adder.template take<std::uint16_t>();
  if ((length & 1) != 0) adder.template take<std::uint8_t>();
  return adder.partial();
}

std::uint32_t sum_long(std::span<const std::byte> bytes, std::uint32_t initial);
std::uint32_t copy_long(std::byte* to, std::span<const std::byte> bytes, std::uint32_t initial);

}  // namespace checksum_internal

/// Adds `bytes` to a partial sum. Any alignment, any length up to 16 GB; an odd last byte counts as
/// if a zero byte followed it.
inline std::uint32_t checksum_partial(std::span<const std::byte> bytes, std::uint32_t initial = 0) {
  using namespace checksum_internal;
  if (bytes.size() >= kLongFrom) return sum_long(bytes, initial);
  return sum_short<false>(nullptr, bytes, initial);
}

/// The same, and copies them to `to`, which must not overlap them: text that is read once for both.
inline std::uint32_t checksum_copy(std::byte* to, std::span<const std::byte> bytes,
                                   std::uint32_t initial = 0) {
  using namespace checksum_internal;
  if (bytes.size() >= kLongFrom) return copy_long(to, bytes, initial);
  return sum_short<true>(to, bytes, initial);
}

/// The sum in 16 bits, not complemented: what the TCP checksum field holds when a device is to
/// complete the checksum of the segment (given the pseudo-header sum).
constexpr std::uint16_t checksum_fold(std::uint32_t partial) {
  return static_cast<std::uint16_t>((partial + std::rotl(partial, 16)) >> 16);
}

/// The checksum to store: the complement of the folded sum over bytes whose checksum field is zero.
constexpr std::uint16_t checksum_finish(std::uint32_t partial) {
  return static_cast<std::uint16_t>(~checksum_fold(partial));
}

/// The verdict on a sum over bytes with their checksum field included (RFC 1071 1(3)).
constexpr bool checksum_is_valid(std::uint32_t partial) { return checksum_fold(partial) == 0xffff; }

inline std::uint16_t load_checksum(const std::byte* field) {
  std::uint16_t checksum;
  std::memcpy(&checksum, field, sizeof checksum);
  return checksum;
}

inline void store_checksum(std::byte* field, std::uint16_t checksum) {
  std::memcpy(field, &checksum, sizeof checksum);
}

/// The partial sum of an IPv4 header without options: the common length, without a loop.
inline std::uint32_t checksum_partial_20(std::span<const std::byte, 20> header) {
  using checksum_internal::load_32;
  const std::byte* p = header.data();
  return checksum_internal::fold_to_32(load_32(p) + load_32(p + 4) + load_32(p + 8) +
                                       load_32(p + 12) + load_32(p + 16));
}

/// The partial sum of TCP's pseudo-header over IPv4 (RFC 9293 3.1). Addresses and length (bytes of
/// TCP header and data) in host order. A device that cuts segments itself (TSO) wants the sum with
/// length 0.
constexpr std::uint32_t checksum_pseudo_ipv4(std::uint32_t source, std::uint32_t destination,
                                             std::uint8_t protocol, std::uint16_t length) {
  return checksum_internal::fold_to_32(std::uint64_t{__builtin_bswap32(source)} +
                                       __builtin_bswap32(destination) +
                                       (std::uint64_t{protocol} << 8) + __builtin_bswap16(length));
}

/// The partial sum of the pseudo-header over IPv6 (RFC 8200 8.1). Addresses in network order,
/// length in host order, bytes of the upper-layer packet.
std::uint32_t checksum_pseudo_ipv6(const std::array<std::uint8_t, 16>& source,
                                   const std::array<std::uint8_t, 16>& destination,
                                   std::uint8_t next_header, std::uint32_t length);

/// The same with both addresses as they lie in the IPv6 header, source first.
std::uint32_t checksum_pseudo_ipv6(std::span<const std::byte, 32> addresses,
                                   std::uint8_t next_header, std::uint32_t length);

/// What a partial sum of bytes that began at an even offset is when they begin at an odd one: every
/// byte is the other of its word (RFC 1071 2(B)).
constexpr std::uint32_t checksum_at_odd_offset(std::uint32_t partial) {
  return __builtin_bswap16(checksum_fold(partial));
}

}  // namespace tern::wire
