// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/time_wait.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "base/prng.h"

namespace tern::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration d) { return Instant(d); }

TimeWaitRecord record(std::uint16_t port) {
  TimeWaitRecord r;
  r.tuple.remote_port = port;
  r.hash = port * 31u;
  return r;
}

class TimeWaitTest : public testing::Test {
 protected:
  std::uint32_t add(TimeWaitTable& table, std::uint16_t port, Instant now) {
    return table.add(record(port), now,
                     [&](std::uint32_t i) { evicted_.push_back(table[i].tuple.remote_port); });
  }
  std::size_t expire(TimeWaitTable& table, Instant now, std::size_t max = 1000) {
    return table.expire(now, max, [&](std::uint32_t i) {
      EXPECT_TRUE(table.is_in_use(i));
      expired_.push_back(table[i].tuple.remote_port);
    });
  }
  using Ports = std::vector<std::uint16_t>;
  Ports evicted_, expired_;
};

TEST_F(TimeWaitTest, StartsEmpty) {
  TimeWaitTable table(4, 60s);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.next_deadline(), kNever);
  EXPECT_EQ(expire(table, at(1000h)), 0u);
}

TEST_F(TimeWaitTest, ExpiresExactlyAfterTwoMsl) {
  TimeWaitTable table(4, 60s);
  const std::uint32_t index = add(table, 1, at(5s));
  EXPECT_EQ(table[index].hash, 31u);
  EXPECT_EQ(table[index].deadline, at(65s));
  EXPECT_EQ(table.next_deadline(), at(65s));
  EXPECT_EQ(expire(table, at(65s - 1ns)), 0u);
  EXPECT_EQ(expire(table, at(65s)), 1u);
  EXPECT_EQ(expired_, Ports{1});
  EXPECT_EQ(table.size(), 0u);
  EXPECT_FALSE(table.is_in_use(index));
}

TEST_F(TimeWaitTest, ExpiresInOrderOfArrivalWithinTheBound) {
  TimeWaitTable table(10, 60s);
  for (std::uint16_t i = 0; i < 6; ++i) add(table, i, at(i * 1s));
  EXPECT_EQ(expire(table, at(100s), 2), 2u);
  EXPECT_EQ(expired_, (Ports{0, 1}));
  EXPECT_EQ(table.next_deadline(), at(62s));
  EXPECT_EQ(expire(table, at(63s)), 2u);
  EXPECT_EQ(expired_, (Ports{0, 1, 2, 3}));
  EXPECT_EQ(expire(table, at(63s)), 0u);
  EXPECT_EQ(table.size(), 2u);
}

TEST_F(TimeWaitTest, ARepeatedFinBeginsAgain) {
  TimeWaitTable table(4, 60s);
  const std::uint32_t a = add(table, 1, at(0s));
  add(table, 2, at(1s));
  table.restart(a, at(10s));
  EXPECT_EQ(table[a].deadline, at(70s));
  EXPECT_EQ(table.next_deadline(), at(61s));
  expire(table, at(1000s));
  EXPECT_EQ(expired_, (Ports{2, 1}));
}

TEST_F(TimeWaitTest, RestartOfTheOnlyRecord) {
  TimeWaitTable table(4, 60s);
  const std::uint32_t a = add(table, 1, at(0s));
  table.restart(a, at(59s));
  EXPECT_EQ(table.next_deadline(), at(119s));
  EXPECT_EQ(table.size(), 1u);
}

TEST_F(TimeWaitTest, AFullTableGivesUpTheOldest) {
  TimeWaitTable table(3, 60s);
  const std::uint32_t first = add(table, 1, at(0s));
  add(table, 2, at(1s));
  add(table, 3, at(2s));
  EXPECT_EQ(add(table, 4, at(3s)), first);
  EXPECT_EQ(evicted_, Ports{1});
  EXPECT_EQ(table.size(), 3u);
  expire(table, at(1000s));
  EXPECT_EQ(expired_, (Ports{2, 3, 4}));
}

TEST_F(TimeWaitTest, NoCapacityNoRecord) {
  TimeWaitTable table(0, 60s);
  EXPECT_EQ(add(table, 1, at(0s)), kNoIndex);
  EXPECT_TRUE(evicted_.empty());
}

TEST_F(TimeWaitTest, AnyRecordCanBeRemoved) {
  TimeWaitTable table(4, 60s);
  std::uint32_t index[4];
  for (std::uint16_t i = 0; i < 4; ++i) index[i] = add(table, i, at(i * 1s));
  table.remove(index[1]);
  table.remove(index[3]);
  table.remove(index[0]);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.next_deadline(), at(62s));
  table.remove(index[2]);
  EXPECT_EQ(table.next_deadline(), kNever);
  EXPECT_DEATH(table.remove(index[2]), "assertion failed");
}

TEST_F(TimeWaitTest, AWalkSeesTheLiveRecordsOnly) {
  TimeWaitTable table(8, 60s);
  for (std::uint16_t i = 0; i < 5; ++i) add(table, i, at(0s));
  table.remove(2);
  Ports live;
  for (std::uint32_t i = 0; i < table.touched(); ++i) {
    if (table.is_in_use(i)) live.push_back(table[i].tuple.remote_port);
  }
  EXPECT_EQ(live, (Ports{0, 1, 3, 4}));
}

TEST_F(TimeWaitTest, AgreesWithADequeUnderAnyOrderOfCalls) {
  constexpr std::uint64_t kSeed = 4711;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng prng(kSeed);
  struct Expected {
    std::uint16_t port;
    Instant deadline;
    std::uint32_t index;
  };
  std::deque<Expected> oracle;
  TimeWaitTable table(20, 1s);
  Instant now{};
  for (int step = 0; step < 50000; ++step) {
    now += std::chrono::milliseconds(prng.below(60));
    const auto port = static_cast<std::uint16_t>(step);
    const auto pick = oracle.empty() ? 0 : prng.below(static_cast<std::uint32_t>(oracle.size()));
    const std::uint32_t action = prng.below(6);
    if (action < 3) {
      evicted_.clear();
      const std::uint32_t index = add(table, port, now);
      if (oracle.size() == 20) {
        ASSERT_EQ(evicted_, Ports{oracle.front().port});
        oracle.pop_front();
      } else {
        ASSERT_TRUE(evicted_.empty());
      }
      oracle.push_back({port, now + 1s, index});
    } else if (action == 3 && !oracle.empty()) {
      Expected moved = oracle[pick];
      table.restart(moved.index, now);
      oracle.erase(oracle.begin() + pick);
      moved.deadline = now + 1s;
      oracle.push_back(moved);
    } else if (action == 4 && !oracle.empty()) {
      table.remove(oracle[pick].index);
      oracle.erase(oracle.begin() + pick);
    } else if (action == 5) {
      expired_.clear();
      expire(table, now, 3);
      Ports expected;
      while (expected.size() < 3 && !oracle.empty() && oracle.front().deadline <= now) {
        expected.push_back(oracle.front().port);
        oracle.pop_front();
      }
      ASSERT_EQ(expired_, expected);
    }
    ASSERT_EQ(table.size(), oracle.size());
    ASSERT_EQ(table.next_deadline(), oracle.empty() ? kNever : oracle.front().deadline);
  }
}

}  // namespace
}  // namespace tern::tcp
