// SPDX-License-Identifier: BSD-3-Clause
#include <absl/container/flat_hash_map.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/prng.h"
#include "flow/connection_table.h"
#include "flow/four_tuple.h"

namespace tern::flow {
namespace {

// Runs random operations on a table and on absl::flat_hash_map, and compares every answer.
class TableAndOracle {
 public:
  TableAndOracle(std::uint32_t max_entries, std::uint64_t seed) : table_(max_entries), rng_(seed) {
    while (slots_ < 2 * max_entries) slots_ *= 2;
    at_home_.resize(slots_);
  }

  void insert(std::uint32_t hash) {
    const std::uint32_t index = next_index_++;
    if (table_.insert(hash, index)) {
      add(hash, index);
    } else {
      ASSERT_TRUE(table_.size() == table_.capacity() || is_crowded(hash)) << hash;
    }
  }

  void erase_any() {
    if (live_.empty()) return;
    const std::uint32_t index = live_[rng_.below(static_cast<std::uint32_t>(live_.size()))];
    const std::uint32_t hash = oracle_.at(index);
    ASSERT_FALSE(table_.erase(hash + 1, index));
    ASSERT_TRUE(table_.erase(hash, index));
    ASSERT_FALSE(table_.erase(hash, index));
    remove(index);
  }

  void replace_any() {
    if (live_.empty()) return;
    const std::uint32_t index = live_[rng_.below(static_cast<std::uint32_t>(live_.size()))];
    const std::uint32_t hash = oracle_.at(index);
    ASSERT_TRUE(table_.replace(hash, index, next_index_));
    ASSERT_FALSE(table_.replace(hash, index, next_index_ + 1));
    remove(index);
    add(hash, next_index_++);
  }

  void find_any() {
    if (live_.empty()) return;
    const std::uint32_t index = live_[rng_.below(static_cast<std::uint32_t>(live_.size()))];
    check_found(oracle_.at(index), index);
  }

  // A hash that is perhaps not in: its candidate must bear it, and be missing only if none does.
  void probe(std::uint32_t hash) {
    const std::uint32_t candidate = table_.candidate(hash);
    const bool present = with_hash_.contains(hash);
    ASSERT_EQ(candidate != kNoIndex, present);
    if (present) {
      ASSERT_EQ(oracle_.at(candidate), hash);
    }
    std::uint32_t asked = 0;
    ASSERT_EQ(table_.find(hash, [&](std::uint32_t) { return ++asked == 0; }), kNoIndex);
    ASSERT_EQ(asked, present ? with_hash_.at(hash) : 0);  // each that bears it, once
  }

  void check_all() {
    ASSERT_EQ(table_.size(), oracle_.size());
    for (const auto& [index, hash] : oracle_) check_found(hash, index);
  }

  Prng& rng() { return rng_; }
  std::uint32_t slots() const { return slots_; }
  std::uint32_t size() const { return table_.size(); }

 private:
  void check_found(std::uint32_t hash, std::uint32_t index) {
    ASSERT_EQ(table_.find(hash, [index](std::uint32_t i) { return i == index; }), index);
  }

  void add(std::uint32_t hash, std::uint32_t index) {
    oracle_[index] = hash;
    ++with_hash_[hash];
    ++at_home_[hash % slots_];
    place_[index] = static_cast<std::uint32_t>(live_.size());
    live_.push_back(index);
    ASSERT_EQ(table_.size(), live_.size());
  }

  void remove(std::uint32_t index) {
    const std::uint32_t hash = oracle_.at(index);
    if (--with_hash_[hash] == 0) with_hash_.erase(hash);
    --at_home_[hash % slots_];
    oracle_.erase(index);
    const std::uint32_t place = place_.at(index);
    place_[live_.back()] = place;
    live_[place] = live_.back();
    live_.pop_back();
    place_.erase(index);
  }

  // Whether the entries that can lie in the slots within the probe bound would fill them.
  bool is_crowded(std::uint32_t hash) const {
    std::uint32_t near = 0;
    const std::uint32_t span = std::min(slots_, 2 * ConnectionTable::kMaxProbe - 1);
    const std::uint32_t first = hash - (ConnectionTable::kMaxProbe - 1);
    for (std::uint32_t i = 0; i < span; ++i) near += at_home_[(first + i) % slots_];
    return near >= std::min(slots_, ConnectionTable::kMaxProbe);
  }

  ConnectionTable table_;
  Prng rng_;
  std::uint32_t slots_ = 8;
  std::uint32_t next_index_ = 0;
  std::vector<std::uint32_t> live_;
  std::vector<std::uint32_t> at_home_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> oracle_;     // index -> hash
  absl::flat_hash_map<std::uint32_t, std::uint32_t> place_;      // index -> place in live_
  absl::flat_hash_map<std::uint32_t, std::uint32_t> with_hash_;  // hash -> entries that bear it
};

template <class HashOf>
void run(std::uint32_t max_entries, int operations, std::uint64_t seed, HashOf&& hash_of) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  TableAndOracle both(max_entries, seed);
  std::uint32_t fullest = 0;
  for (int i = 0; i < operations; ++i) {
    // Growing and shrinking by turns, so that it is full at times and nearly empty at others.
    const bool growing = i / (4 * static_cast<int>(max_entries)) % 2 == 0;
    const std::uint32_t dice = both.rng().below(100);
    if (dice < (growing ? 40U : 20U)) {
      both.insert(hash_of(both.rng(), both.slots()));
    } else if (dice < 60) {
      both.erase_any();
    } else if (dice < 65) {
      both.replace_any();
    } else if (dice < 90) {
      both.find_any();
    } else {
      both.probe(hash_of(both.rng(), both.slots()));
    }
    if (i % 50000 == 0) both.check_all();
    fullest = std::max(fullest, both.size());
    if (testing::Test::HasFatalFailure()) FAIL() << "operation " << i;
  }
  both.check_all();
  EXPECT_GT(fullest, max_entries / 4);
}

TEST(ConnectionTablePropertyTest, AgreesWithAMapOnSpreadHashes) {
  run(1000, 1000000, 1,
      [](Prng& rng, std::uint32_t) { return static_cast<std::uint32_t>(rng.next()); });
}

TEST(ConnectionTablePropertyTest, AgreesWithAMapOnEqualHashes) {
  run(500, 1000000, 2, [](Prng& rng, std::uint32_t) { return rng.below(7) * 0x01010101; });
}

// Few homes in a row, around the end of the slots, with a few tags each.
TEST(ConnectionTablePropertyTest, AgreesWithAMapOnClusteredHomes) {
  run(300, 1000000, 3, [](Prng& rng, std::uint32_t slots) {
    return rng.below(20) * slots + (slots - 20 + rng.below(40)) % slots;
  });
}

TEST(ConnectionTablePropertyTest, AgreesWithAMapInTheSmallestTable) {
  run(4, 200000, 4, [](Prng& rng, std::uint32_t) { return rng.below(64); });
}

// What an attacker does who knows the key: tuples whose hash lands on a few homes.
TEST(ConnectionTablePropertyTest, AgreesWithAMapOnTuplesChosenForAKnownKey) {
  constexpr SipKey kKnown{1, 2};
  std::vector<std::uint32_t> hashes;
  for (std::uint32_t port = 0; hashes.size() < 300; ++port) {
    const FourTuple4 tuple{0x0a000202, 0x0a000102 + (port >> 16), 9999,
                           static_cast<std::uint16_t>(port)};
    const std::uint32_t hash = table_hash(kKnown, tuple);
    if (hash % 1024 < 3) hashes.push_back(hash);
  }
  run(512, 300000, 5, [&hashes](Prng& rng, std::uint32_t slots) {
    EXPECT_EQ(slots, 1024U);
    return hashes[rng.below(static_cast<std::uint32_t>(hashes.size()))];
  });
}

// What kMaxProbe rests on: with keyed hashes an insert is not refused at full capacity.
TEST(ConnectionTablePropertyTest, AMillionKeyedTuplesAllFit) {
  constexpr std::uint32_t kMillion = 1U << 20;
  static constexpr SipKey kKey{0x243f6a8885a308d3, 0x13198a2e03707344};
  ConnectionTable table(kMillion);
  const auto hash_of = [](std::uint32_t i) {
    return table_hash(kKey, FourTuple4{0x0a000202, 0x0a000000 + (i >> 14), 9999,
                                       static_cast<std::uint16_t>(i & 0x3fff)});
  };
  std::uint32_t refused = 0, lost = 0;
  for (std::uint32_t i = 0; i < kMillion; ++i) refused += !table.insert(hash_of(i), i);
  for (std::uint32_t i = 0; i < kMillion; ++i)
    lost += table.find(hash_of(i), [i](std::uint32_t index) { return index == i; }) != i;
  EXPECT_EQ(refused, 0U);
  EXPECT_EQ(lost, 0U);
  EXPECT_EQ(table.size(), kMillion);
}

}  // namespace
}  // namespace tern::flow
