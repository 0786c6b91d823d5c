// SPDX-License-Identifier: BSD-3-Clause
#include "net/address_index.h"

#include <absl/container/flat_hash_map.h>
#include <gtest/gtest.h>

#include "base/prng.h"

namespace tern::net {
namespace {

TEST(AddressIndexTest, FindsWhatWasInsertedUntilItIsErased) {
  AddressIndex index(2, SipKey{1, 2});
  EXPECT_EQ(index.find(10), kNoIndex);
  index.insert(10, 0);
  index.insert(11, 1);
  EXPECT_EQ(index.find(10), 0U);
  EXPECT_EQ(index.find(11), 1U);
  index.erase(10);
  EXPECT_EQ(index.find(10), kNoIndex);
  EXPECT_EQ(index.find(11), 1U);
}

TEST(AddressIndexTest, NoCapacityAtAllFindsNothing) {
  const AddressIndex index(0, SipKey{1, 2});
  EXPECT_EQ(index.find(10), kNoIndex);
}

TEST(AddressIndexDeathTest, TwiceTheSameAddressIsAnError) {
  AddressIndex index(2, SipKey{1, 2});
  index.insert(10, 0);
  EXPECT_DEATH(index.insert(10, 1), "kNoIndex");
  EXPECT_DEATH(index.erase(11), "kNoIndex");
}

// Few addresses and small tables make runs that wrap around and overlap.
TEST(AddressIndexTest, AgreesWithAHashMap) {
  constexpr std::uint64_t kSeed = 4711;
  RecordProperty("seed", static_cast<int>(kSeed));
  Prng prng(kSeed);
  for (std::uint32_t round = 0; round < 300; ++round) {
    const std::uint32_t capacity = 1 + prng.below(40);
    AddressIndex index(capacity, SipKey{prng.next(), prng.next()});
    absl::flat_hash_map<std::uint32_t, std::uint32_t> oracle;
    const std::uint32_t addresses = 2 * capacity;
    for (std::uint32_t step = 0; step < 400; ++step) {
      const std::uint32_t address = prng.below(addresses);
      if (oracle.erase(address) > 0) {
        index.erase(address);
      } else if (oracle.size() < capacity) {
        oracle[address] = step;
        index.insert(address, step);
      }
      for (std::uint32_t a = 0; a < addresses; ++a) {
        const auto it = oracle.find(a);
        ASSERT_EQ(index.find(a), it == oracle.end() ? kNoIndex : it->second)
            << "seed " << kSeed << " round " << round << " step " << step << " address " << a;
      }
    }
  }
}

}  // namespace
}  // namespace tern::net
