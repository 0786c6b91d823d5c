// SPDX-License-Identifier: BSD-3-Clause
#include "wire/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "test_bytes.h"

namespace tern::wire {
namespace {

constexpr std::uint64_t kSeed = 0x1071;

/// What checksum_finish gives, in host order as the textbook has it.
std::uint16_t our_checksum(std::span<const std::byte> bytes, std::uint32_t initial = 0) {
  return swapped(checksum_finish(checksum_partial(bytes, initial)));
}

TEST(Checksum, Rfc1071Example) {
  const Bytes bytes = from_hex("0001 f203 f4f5 f6f7");
  EXPECT_EQ(swapped(checksum_fold(checksum_partial(bytes))), 0xddf2);
  EXPECT_EQ(our_checksum(bytes), 0x220d);
}

/// In no vectors, in those of 256 bits and of 512, as far as this processor has them.
class ChecksumInVectors : public testing::TestWithParam<unsigned> {
 protected:
  ChecksumInVectors() { checksum_internal::use_vectors(GetParam()); }
  ~ChecksumInVectors() override { checksum_internal::use_vectors(512); }
};
INSTANTIATE_TEST_SUITE_P(Bits, ChecksumInVectors, testing::Values(0u, 256u, 512u));

TEST_P(ChecksumInVectors, EveryLengthAtEveryAlignment) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng prng(kSeed);
  for (std::size_t alignment = 0; alignment < 8; ++alignment) {
    for (std::size_t length = 0; length <= 450; ++length) {
      const ExactBlock block(random_bytes(prng, alignment + length));
      const auto bytes = block.bytes().subspan(alignment);
      ASSERT_EQ(our_checksum(bytes), textbook_checksum(bytes)) << alignment << " " << length;
    }
  }
}

TEST_P(ChecksumInVectors, CopiesAndSumsEveryLengthAtEveryAlignment) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng prng(kSeed);
  for (std::size_t alignment = 0; alignment < 4; ++alignment) {
    for (std::size_t length = 0; length <= 450; ++length) {
      const ExactBlock block(random_bytes(prng, alignment + length));
      const auto bytes = block.bytes().subspan(alignment);
      Bytes to(1 + length + 1, std::byte{0xa5});
      const auto initial = static_cast<std::uint32_t>(prng.next());
      ASSERT_EQ(checksum_fold(checksum_copy(to.data() + 1, bytes, initial)),
                checksum_fold(checksum_partial(bytes, initial)));
      ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), to.begin() + 1));
      ASSERT_TRUE(to.front() == std::byte{0xa5} && to.back() == std::byte{0xa5}) << "beyond it";
    }
  }
}

TEST(Checksum, PiecesAtOddOffsets) {
  Prng prng(kSeed);
  const Bytes bytes = random_bytes(prng, 301);
  const std::span<const std::byte> whole(bytes);
  for (std::size_t split = 1; split <= whole.size(); split += 2) {
    const std::uint64_t sum = std::uint64_t{checksum_partial(whole.first(split))} +
                              checksum_at_odd_offset(checksum_partial(whole.subspan(split)));
    EXPECT_EQ(swapped(checksum_finish(checksum_internal::fold_to_32(sum))),
              textbook_checksum(whole))
        << split;
  }
}

TEST_P(ChecksumInVectors, BigBlocks) {
  Prng prng(kSeed);
  for (const std::size_t length : {1460u, 1461u, 4096u, 9001u, 65534u, 65535u, 1u << 20}) {
    const Bytes bytes = random_bytes(prng, length);
    EXPECT_EQ(our_checksum(bytes), textbook_checksum(bytes)) << length;
  }
}

// So long that a vector's 32-bit lanes overflow unless they are emptied in between.
TEST_P(ChecksumInVectors, LongerThanTheLanesOfAVectorHold) {
  constexpr std::size_t kLength = (5u << 20) + 13;
  Bytes bytes(kLength);
  EXPECT_EQ(our_checksum(bytes), 0xffff);
  for (const std::byte value : {std::byte{0xff}, std::byte{0x80}, std::byte{0x7f}}) {
    std::fill(bytes.begin(), bytes.end(), value);
    EXPECT_EQ(our_checksum(bytes), textbook_checksum(bytes));
    Bytes to(kLength);
    EXPECT_EQ(swapped(checksum_finish(checksum_copy(to.data(), bytes))), textbook_checksum(bytes));
    EXPECT_EQ(to, bytes);
  }
}

TEST_P(ChecksumInVectors, EveryCarry) {
  for (const std::size_t length : {0u, 2u, 3u, 4u, 8u, 12u, 31u, 32u, 33u, 65535u}) {
    const Bytes ones(length, std::byte{0xff});
    for (const std::uint32_t initial : {1u, 2u, 3u, 4u, 0xfffeu, 0x10000u, 0xfffffffeu}) {
      const auto in_host_order = swapped(static_cast<std::uint16_t>(initial % 0xffff));
      EXPECT_EQ(our_checksum(ones, initial), textbook_checksum(ones, in_host_order))
          << length << " " << initial;
    }
    EXPECT_EQ(our_checksum(ones), textbook_checksum(ones)) << length;
    EXPECT_EQ(our_checksum(ones, 0xffffffff), textbook_checksum(ones, 0xffff)) << length;
    EXPECT_EQ(our_checksum(Bytes(length)), 0xffff) << length;
  }
}

TEST(Checksum, FoldIsTheRemainder) {
  Prng prng(kSeed);
  EXPECT_EQ(checksum_fold(0), 0);
  for (int i = 0; i < 100'000; ++i) {
    const auto partial = static_cast<std::uint32_t>(prng.next() | 1);
    const std::uint32_t remainder = partial % 0xffff;
    ASSERT_EQ(checksum_fold(partial), remainder == 0 ? 0xffff : remainder) << partial;
  }
  EXPECT_EQ(checksum_fold(0xffffffff), 0xffff);
  EXPECT_EQ(checksum_fold(0xffff0001), 0x0001);
  EXPECT_EQ(checksum_fold(0x00010000), 0x0001);
}

TEST(Checksum, PiecesChain) {
  Prng prng(kSeed);
  const Bytes bytes = random_bytes(prng, 301);
  const std::span<const std::byte> whole(bytes);
  for (std::size_t split = 0; split <= whole.size(); split += 2) {
    const std::uint32_t first = checksum_partial(whole.first(split));
    EXPECT_EQ(our_checksum(whole.subspan(split), first), textbook_checksum(whole)) << split;
  }
}

TEST(Checksum, Ipv4HeaderOfTheCapture) {
  Bytes header = from_hex("4500 003c e6af 4000 3d06 4009 0a00 0102 0a00 0202");
  const std::span<const std::byte, 20> fixed(header.data(), 20);
  EXPECT_TRUE(checksum_is_valid(checksum_partial_20(fixed)));
  EXPECT_TRUE(checksum_is_valid(checksum_partial(header)));
  put_be16(header, 10, 0);
  EXPECT_EQ(swapped(checksum_finish(checksum_partial_20(fixed))), 0x4009);
}

TEST(Checksum, TwentyBytesAgreeWithAnyLength) {
  Prng prng(kSeed);
  for (int i = 0; i < 10'000; ++i) {
    const Bytes bytes = random_bytes(prng, 20);
    const std::span<const std::byte, 20> fixed(bytes.data(), 20);
    ASSERT_EQ(checksum_fold(checksum_partial_20(fixed)), checksum_fold(checksum_partial(bytes)));
  }
  const Bytes ones(20, std::byte{0xff});
  EXPECT_EQ(checksum_fold(checksum_partial_20(std::span<const std::byte, 20>(ones.data(), 20))),
            0xffff);
}

TEST(Checksum, EveryFlippedBitIsSeen) {
  Prng prng(kSeed);
  Bytes bytes = random_bytes(prng, 65);
  put_be16(bytes, 4, 0);
  put_be16(bytes, 4, textbook_checksum(bytes));
  ASSERT_TRUE(checksum_is_valid(checksum_partial(bytes)));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(checksum_is_valid(checksum_partial(bytes))) << bit;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

// The capture was taken before the device completed the checksums, so its TCP checksum fields hold
// the folded pseudo-header sums: 40, 32 and 36 bytes of TCP between 10.0.1.2 and 10.0.2.2.
TEST(Checksum, PseudoHeaderSumsOfTheCapture) {
  constexpr std::uint32_t kAnt = 0x0a000102, kApple = 0x0a000202;
  EXPECT_EQ(swapped(checksum_fold(checksum_pseudo_ipv4(kAnt, kApple, 6, 40))), 0x1732);
  EXPECT_EQ(swapped(checksum_fold(checksum_pseudo_ipv4(kApple, kAnt, 6, 32))), 0x172a);
  EXPECT_EQ(swapped(checksum_fold(checksum_pseudo_ipv4(kAnt, kApple, 6, 36))), 0x172e);
}

TEST(Checksum, PseudoHeadersAreTheirBytes) {
  Prng prng(kSeed);
  for (int i = 0; i < 10'000; ++i) {
    const Bytes b = random_bytes(prng, 40);
    const auto be32 = [&](std::size_t at) {
      return std::to_integer<std::uint32_t>(b[at]) << 24 |
             std::to_integer<std::uint32_t>(b[at + 1]) << 16 |
             std::to_integer<std::uint32_t>(b[at + 2]) << 8 |
             std::to_integer<std::uint32_t>(b[at + 3]);
    };
    Bytes v4(b.begin(), b.begin() + 12);
    v4[8] = std::byte{0};
    ASSERT_EQ(swapped(checksum_fold(checksum_pseudo_ipv4(be32(0), be32(4),
                                                         std::to_integer<std::uint8_t>(b[9]),
                                                         static_cast<std::uint16_t>(be32(8))))),
              textbook_sum(v4));
    Bytes v6 = b;
    v6[36] = v6[37] = v6[38] = std::byte{0};
    std::array<std::uint8_t, 16> source, destination;
    std::memcpy(source.data(), b.data(), 16);
    std::memcpy(destination.data(), b.data() + 16, 16);
    ASSERT_EQ(swapped(checksum_fold(checksum_pseudo_ipv6(
                  source, destination, std::to_integer<std::uint8_t>(b[39]), be32(32)))),
              textbook_sum(v6));
  }
}

}  // namespace
}  // namespace tern::wire
