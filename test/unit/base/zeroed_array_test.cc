// SPDX-License-Identifier: BSD-3-Clause
#include "base/zeroed_array.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <new>
#include <utility>

namespace tern {
namespace {

TEST(ZeroedArrayTest, IsZeroAndWritableToItsLastElement) {
  for (std::size_t size :
       {std::size_t{1}, std::size_t{1000}, std::size_t{262144}, std::size_t{300001}}) {
    ZeroedArray<std::uint64_t> array(size);
    EXPECT_EQ(array.size(), size);
    EXPECT_EQ(array.bytes(), size * 8);
    EXPECT_EQ(array[0] | array[size / 2] | array[size - 1], 0U);
    array[size - 1] = 1;
    EXPECT_EQ(array[size - 1], 1U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&array[0]) % 64, 0U);
  }
}

TEST(ZeroedArrayTest, ALargeOneIsAlignedForHugePages) {
  ZeroedArray<std::uint64_t> array(262144);  // 2 MB
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&array[0]) % (2 << 20), 0U);
}

TEST(ZeroedArrayTest, AnEmptyOneIsFine) {
  ZeroedArray<std::uint64_t> array(0);
  EXPECT_EQ(array.size(), 0U);
}

TEST(ZeroedArrayTest, MovesItsMemory) {
  ZeroedArray<int> a(10);
  a[3] = 4;
  const ZeroedArray<int> b(std::move(a));
  EXPECT_EQ(b[3], 4);
}

TEST(ZeroedArrayTest, ThrowsWhatCannotBeMapped) {
  EXPECT_THROW(ZeroedArray<std::uint64_t>(std::size_t{1} << 50), std::bad_alloc);
}

}  // namespace
}  // namespace tern
