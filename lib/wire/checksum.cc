// SPDX-License-Identifier: BSD-3-Clause
#include "wire/checksum.h"

#include <algorithm>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tern::wire {
namespace {

// Eight bytes as two 32-bit words: their sum needs no carry handling, since a 64-bit accumulator
// holds 2^32 of them. Compilers turn the loop below into vector adds; a chain of add-with-carry is
// slower for long pieces (g++ 12: 106 ns against 62 ns for 1460 bytes).
inline std::uint64_t halves(const std::byte* p) {
  const std::uint64_t word = checksum_internal::load<std::uint64_t>(p);
  return (word & 0xffffffff) + (word >> 32);
}

#if defined(__x86_64__)
constexpr std::size_t kWideStep = 64;
constexpr std::size_t kWideFrom = checksum_internal::kLongFrom;

// Processors before Ice Lake have no VBMI2; those of them that know AVX-512 slow down for it.
unsigned widest_vectors() {
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2")) return 512;
  return __builtin_cpu_supports("avx2") ? 256 : 0;
}

// In bits. What is summed up before the processor has been asked takes the narrow way.
unsigned vectors = widest_vectors();

// Longer pieces would overflow a lane: it takes two words of 16 bits each step.
constexpr std::size_t kWideMost = kWideStep << 13;

// Each word is made 2^15 less, see WideSum: what that makes of so many bytes.
constexpr std::int64_t bias_of(std::size_t bytes) {
  return static_cast<std::int64_t>(bytes / 2) << 15;
}

// The sum of 16-bit words in vectors of 256 bits, which the compiler may not use unasked: a binary
// runs on every x86-64. The instruction that adds neighbours takes its words for signed ones, so
// each is made 2^15 less. A quarter less time than adding 32-bit halves to 64-bit lanes.
struct WideSum {
  __m256i lanes[2] = {};

  [[gnu::target("avx2"), gnu::always_inline]] void add(int i, __m256i words) {
    const __m256i less = _mm256_xor_si256(words, _mm256_set1_epi16(-0x8000));
    lanes[i] = _mm256_add_epi32(lanes[i], _mm256_madd_epi16(less, _mm256_set1_epi16(1)));
  }
  [[gnu::target("avx2"), gnu::always_inline]] std::uint64_t total(std::size_t bytes) const {
    const __m256i both = _mm256_add_epi32(lanes[0], lanes[1]);
    const __m256i wide = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(both)),
                                          _mm256_cvtepi32_epi64(_mm256_extracti128_si256(both, 1)));
    alignas(32) std::int64_t each[4];
    _mm256_store_si256(reinterpret_cast<__m256i*>(each), wide);
    return static_cast<std::uint64_t>(each[0] + each[1] + each[2] + each[3] + bias_of(bytes));
  }
};

// Copies what it sums up if kCopies. `length` is a multiple of kWideStep, and at most kWideMost.
template <bool kCopies>
[[gnu::target("avx2")]] std::uint64_t pass_256(std::byte* to, const std::byte* p,
                                               std::size_t length) {
  WideSum sum;
  for (std::size_t at = 0; at != length; at += sizeof(__m256i) * 2) {
    for (int i = 0; i < 2; ++i) {
      const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + at) + i);
      if constexpr (kCopies) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at) + i, words);
      sum.add(i, words);
    }
  }
  return sum.total(length);
}

// The same in vectors of 512 bits, of any length up to kWideMost: the last vector is masked, so
// that nothing is left for the narrow way.
template <bool kCopies>
[[gnu::target("avx512bw")]] std::uint64_t pass_512(std::byte* to, const std::byte* p,
                                                   std::size_t length) {
  const __m512i top = _mm512_set1_epi16(-0x8000), ones = _mm512_set1_epi16(1);
  __m512i lanes = _mm512_setzero_si512();
  std::size_t at = 0;
  for (; length - at >= kWideStep; at += kWideStep) {
    const __m512i words = _mm512_loadu_si512(p + at);
    if constexpr (kCopies) _mm512_storeu_si512(to + at, words);
    lanes = _mm512_add_epi32(lanes, _mm512_madd_epi16(_mm512_xor_si512(words, top), ones));
  }
  if (at != length) {
    const __mmask64 rest = (__mmask64{1} << (length - at)) - 1;
    const __m512i words = _mm512_maskz_loadu_epi8(rest, p + at);
    if constexpr (kCopies) _mm512_mask_storeu_epi8(to + at, rest, words);
    lanes = _mm512_add_epi32(lanes, _mm512_madd_epi16(_mm512_xor_si512(words, top), ones));
    at += kWideStep;
  }
  alignas(64) std::int32_t each[16];
  _mm512_store_si512(each, lanes);
  std::int64_t sum = bias_of(at);
  for (const std::int32_t lane : each) sum += lane;
  return static_cast<std::uint64_t>(sum);
}

// Adds a prefix of `bytes` to `sum`, as far as vectors are worth it, and returns its length. Copies
// it if kCopies.
template <bool kCopies>
std::size_t pass_wide(std::byte* to, std::span<const std::byte> bytes, std::uint64_t& sum) {
  const std::size_t length = std::min(bytes.size(), kWideMost);
  if (vectors >= 512 && length >= kWideFrom) {
    sum += pass_512<kCopies>(to, bytes.data(), length);
    return length;
  }
  if (vectors >= 256 && length >= kWideFrom) {
    const std::size_t whole = length & ~(kWideStep - 1);
    sum += pass_256<kCopies>(to, bytes.data(), whole);
    return whole;
  }
  return 0;
}
#else
template <bool>
std::size_t pass_wide(std::byte*, std::span<const std::byte>, std::uint64_t&) {
  return 0;
}
#endif

}  // namespace

void checksum_internal::use_vectors([[maybe_unused]] unsigned bits) {
#if defined(__x86_64__)
  vectors = std::min(bits, widest_vectors());
#endif
}

std::uint32_t checksum_internal::sum_long(std::span<const std::byte> bytes, std::uint32_t initial) {
  std::uint64_t a = initial, b = 0, c = 0, d = 0;
  while (const std::size_t wide = pass_wide<false>(nullptr, bytes, a)) bytes = bytes.subspan(wide);
  const std::byte* p = bytes.data();
  std::size_t length = bytes.size();
  for (; length >= 32; length -= 32, p += 32) {
    a += halves(p);
    b += halves(p + 8);
    c += halves(p + 16);
    d += halves(p + 24);
  }
  return sum_short<false>(nullptr, {p, length}, fold_to_32(a + b + c + d));
}

std::uint32_t checksum_internal::copy_long(std::byte* to, std::span<const std::byte> bytes,
                                           std::uint32_t initial) {
  std::uint64_t sum = initial;
  while (const std::size_t wide = pass_wide<true>(to, bytes, sum)) {
    to += wide;
    bytes = bytes.subspan(wide);
  }
  if (bytes.empty()) return fold_to_32(sum);
  copy_bytes(to, bytes.data(), bytes.size());
  return checksum_partial(bytes, fold_to_32(sum));
}

std::uint32_t checksum_pseudo_ipv6(std::span<const std::byte, 32> addresses,
                                   std::uint8_t next_header, std::uint32_t length) {
  const std::uint64_t rest =
      std::uint64_t{__builtin_bswap32(length)} + (std::uint64_t{next_header} << 24);
  return checksum_partial(addresses, checksum_internal::fold_to_32(rest));
}

std::uint32_t checksum_pseudo_ipv6(const std::array<std::uint8_t, 16>& source,
                                   const std::array<std::uint8_t, 16>& destination,
                                   std::uint8_t next_header, std::uint32_t length) {
  std::array<std::byte, 32> addresses;
  std::memcpy(addresses.data(), source.data(), source.size());
  std::memcpy(addresses.data() + source.size(), destination.data(), destination.size());
  return checksum_pseudo_ipv6(addresses, next_header, length);
}

}  // namespace tern::wire
