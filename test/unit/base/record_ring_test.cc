// SPDX-License-Identifier: BSD-3-Clause
#include "base/record_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>
#include <vector>

#include "base/prng.h"

namespace tern {
namespace {

using Bytes = std::vector<std::byte>;

Bytes record_of(std::size_t size, std::uint8_t value) {
  return Bytes(size, static_cast<std::byte>(value));
}

Bytes front_of(RecordRing& ring) {
  const auto record = ring.front();
  return {record.begin(), record.end()};
}

TEST(RecordRing, GivesBackWhatWasPutIn) {
  RecordRing ring(4096);
  EXPECT_TRUE(ring.front().empty());
  EXPECT_TRUE(ring.push(record_of(3, 1), record_of(2, 2)));
  EXPECT_TRUE(ring.push(record_of(1, 3), {}));
  EXPECT_EQ(front_of(ring),
            (Bytes{std::byte{1}, std::byte{1}, std::byte{1}, std::byte{2}, std::byte{2}}));
  ring.pop();
  EXPECT_EQ(front_of(ring), record_of(1, 3));
  ring.pop();
  EXPECT_TRUE(ring.front().empty());
}

TEST(RecordRing, RefusesWhatDoesNotFit) {
  RecordRing ring(4096);
  EXPECT_FALSE(ring.push(record_of(4096, 1), {}));
  int count = 0;
  while (ring.push(record_of(100, 1), {})) ++count;
  EXPECT_EQ(count, 4096 / 112);  // eight bytes of length, a multiple of eight
  ring.pop();
  EXPECT_TRUE(ring.front().size() == 100);
}

// Against a deque: every size, many times around the memory.
TEST(RecordRing, AgreesWithADeque) {
  RecordRing ring(4096);
  std::deque<Bytes> model;
  Prng random(7);
  for (int i = 0; i < 100'000; ++i) {
    if (random.next() % 2 == 0) {
      const Bytes record = record_of(1 + random.next() % 700, static_cast<std::uint8_t>(i));
      const std::size_t cut = random.next() % (record.size() + 1);
      if (ring.push(std::span(record).first(cut), std::span(record).subspan(cut)))
        model.push_back(record);
      else
        ASSERT_FALSE(model.empty());
    } else if (!model.empty()) {
      ASSERT_EQ(front_of(ring), model.front());
      ring.pop();
      model.pop_front();
    } else {
      ASSERT_TRUE(ring.front().empty());
    }
  }
}

TEST(RecordRing, CarriesRecordsFromOneThreadToAnother) {
  RecordRing ring(8192);
  constexpr std::uint32_t kRecords = 50'000;
  std::thread producer([&] {
    for (std::uint32_t i = 0; i < kRecords;) {
      const Bytes body(i % 300, static_cast<std::byte>(i));
      if (ring.push(std::as_bytes(std::span(&i, 1)), body))
        ++i;
      else
        std::this_thread::yield();
    }
  });
  for (std::uint32_t i = 0; i < kRecords;) {
    const auto record = ring.front();
    if (record.empty()) {
      std::this_thread::yield();
      continue;
    }
    std::uint32_t number = 0;
    std::memcpy(&number, record.data(), sizeof number);
    ASSERT_EQ(number, i);
    ASSERT_EQ(record.size(), sizeof number + i % 300);
    ring.pop();
    ++i;
  }
  producer.join();
}

}  // namespace
}  // namespace tern
