// SPDX-License-Identifier: BSD-3-Clause
#include "net/egress.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/bytes.h"
#include "base/prng.h"
#include "fake_port.h"

namespace tern::net {
namespace {

class EgressTest : public testing::Test {
 protected:
  // A frame of 4 bytes that says `number`.
  static void finish(Frame& frame, std::uint32_t number) {
    store_be32(frame.data, number);
    frame.length = 4;
  }
  void send(Egress& egress, std::uint32_t number) {
    Frame frame;
    ASSERT_TRUE(egress.allocate(frame));
    finish(frame, number);
    egress.send(frame);
  }
  std::vector<std::uint32_t> sent_numbers() {
    std::vector<std::uint32_t> numbers;
    for (const Bytes& bytes : port_.take_sent())
      numbers.push_back(load_be32(reinterpret_cast<const std::byte*>(bytes.data())));
    return numbers;
  }

  FakePort port_;
  FrameBin bin_{port_};
  Counters counters_;
};

using Numbers = std::vector<std::uint32_t>;

TEST_F(EgressTest, SendsNothingBeforeTheFlushAndThenOneBurst) {
  Egress egress(port_, bin_, counters_);
  for (std::uint32_t i = 0; i < 3; ++i) send(egress, i);
  EXPECT_EQ(egress.staged(), 3U);
  EXPECT_EQ(port_.bursts().size(), 0U);
  EXPECT_EQ(egress.flush(), 3U);
  EXPECT_EQ(port_.bursts(), std::vector<std::size_t>{3});
  EXPECT_EQ(sent_numbers(), (Numbers{0, 1, 2}));
  EXPECT_EQ(egress.staged(), 0U);
  EXPECT_EQ(counters_.tx_frames, 3U);
  EXPECT_EQ(counters_.tx_bytes, 12U);
  EXPECT_EQ(counters_.tx_bursts, 1U);
  EXPECT_EQ(counters_.tx_deferred, 0U);
  EXPECT_EQ(egress.flush(), 0U);
  EXPECT_EQ(port_.bursts().size(), 1U) << "an empty stage must not reach the port";
}

TEST_F(EgressTest, WhatThePortDoesNotTakeGoesLaterInOrderAndIsCountedOnce) {
  Egress egress(port_, bin_, counters_);
  for (std::uint32_t i = 0; i < 5; ++i) send(egress, i);
  port_.set_tx_room(2);
  EXPECT_EQ(egress.flush(), 2U);
  EXPECT_EQ(counters_.tx_deferred, 3U);
  EXPECT_EQ(egress.flush(), 0U);  // no room at all
  EXPECT_EQ(counters_.tx_deferred, 3U);
  send(egress, 5);
  port_.set_tx_room(1);
  EXPECT_EQ(egress.flush(), 1U);
  EXPECT_EQ(counters_.tx_deferred, 4U);  // 5 is deferred for the first time
  EXPECT_EQ(egress.staged(), 3U);
  port_.set_tx_room(SIZE_MAX);
  EXPECT_EQ(egress.flush(), 3U);
  EXPECT_EQ(sent_numbers(), (Numbers{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(counters_.tx_deferred, 4U);
  EXPECT_EQ(counters_.tx_frames, 6U);
  EXPECT_EQ(counters_.tx_bursts, 3U);
}

TEST_F(EgressTest, AnEmptiedStageStartsOverSoThatABurstStaysWhole) {
  Egress egress(port_, bin_, counters_);
  for (std::uint32_t round = 0; round < 200; ++round) {
    for (std::uint32_t i = 0; i < 30; ++i) send(egress, i);
    egress.flush();
  }
  EXPECT_EQ(port_.bursts(), std::vector<std::size_t>(200, 30));
}

TEST_F(EgressTest, AllocatesInBulkAndKeepsSpares) {
  Egress egress(port_, bin_, counters_);
  Frame frame;
  ASSERT_TRUE(egress.allocate(frame));
  EXPECT_EQ(port_.out(), Egress::kSpares);
  EXPECT_EQ(egress.spare(), Egress::kSpares - 1);
  EXPECT_EQ(egress.handed_out(), 1U);
  EXPECT_EQ(frame.length, 0U);
  egress.discard(frame);
  EXPECT_EQ(egress.handed_out(), 0U);
  EXPECT_EQ(port_.released(), 0U) << "given back in bulk, when the bin is emptied";
  bin_.flush();
  EXPECT_EQ(port_.released(), 1U);
}

// An echo goes out in the frames that requests came in: neither way leads through the pool.
TEST_F(EgressTest, WhatIsInTheBinIsSentBeforeAnythingIsAllocated) {
  Egress egress(port_, bin_, counters_);
  std::vector<Frame> received(40);
  ASSERT_EQ(port_.allocate(received), received.size());
  for (const Frame& frame : received) bin_.add(frame);
  for (std::uint32_t i = 0; i < 40; ++i) send(egress, i);
  EXPECT_EQ(bin_.size(), 0U);
  EXPECT_EQ(port_.out(), 40U) << "nothing was allocated besides";
  EXPECT_EQ(port_.recycled(), 40U);
  EXPECT_EQ(egress.flush(), 40U);
  EXPECT_EQ(port_.released(), 0U);
}

// Between polls, so that the next answer finds its frame at hand.
TEST_F(EgressTest, RestockingTakesAsManyOutOfTheBinAsThereAreSparesMissing) {
  Egress egress(port_, bin_, counters_);
  std::vector<Frame> received(40);
  ASSERT_EQ(port_.allocate(received), received.size());
  for (const Frame& frame : received) bin_.add(frame);
  egress.restock();
  EXPECT_EQ(egress.spare(), Egress::kSpares);
  EXPECT_EQ(bin_.size(), 40 - Egress::kSpares);
  for (std::uint32_t i = 0; i < 3; ++i) send(egress, i);
  egress.restock();
  EXPECT_EQ(egress.spare(), Egress::kSpares);
  EXPECT_EQ(bin_.size(), 40 - Egress::kSpares - 3);
  EXPECT_EQ(port_.out(), 40U) << "nothing was allocated besides";
  EXPECT_EQ(egress.flush(), 3U);
}

// A port that cannot use them again has released them.
TEST_F(EgressTest, WithoutRecyclingFramesAreAllocated) {
  Egress egress(port_, bin_, counters_);
  port_.set_recycles(false);
  std::vector<Frame> received(3);
  ASSERT_EQ(port_.allocate(received), received.size());
  for (const Frame& frame : received) bin_.add(frame);
  send(egress, 1);
  EXPECT_EQ(port_.released(), 3U);
  EXPECT_EQ(port_.out(), Egress::kSpares);
}

TEST_F(EgressTest, DryPoolIsRefusedCountedAndRecovers) {
  Egress egress(port_, bin_, counters_);
  port_.set_pool_size(2);
  send(egress, 0);
  send(egress, 1);
  Frame frame;
  EXPECT_FALSE(egress.allocate(frame));
  EXPECT_FALSE(egress.allocate(frame));
  EXPECT_EQ(counters_.tx_no_frame, 2U);
  egress.flush();
  send(egress, 2);
  egress.flush();
  EXPECT_EQ(sent_numbers(), (Numbers{0, 1, 2}));
  EXPECT_EQ(counters_.tx_no_frame, 2U);
}

TEST_F(EgressTest, FullStageRefusesNewFramesButTakesThoseAllocatedBefore) {
  Egress egress(port_, bin_, counters_);
  port_.set_tx_room(0);
  std::vector<Frame> held(512);
  for (Frame& frame : held) ASSERT_TRUE(egress.allocate(frame));
  std::uint32_t staged = 0;
  for (Frame frame; egress.allocate(frame); ++staged) {
    finish(frame, staged);
    egress.send(frame);
  }
  EXPECT_EQ(staged, Egress::kStageLimit);
  EXPECT_EQ(counters_.tx_no_frame, 1U);
  for (Frame& frame : held) {
    finish(frame, staged++);
    egress.send(frame);
  }
  EXPECT_EQ(egress.staged(), Egress::kStageLimit + held.size());
  port_.set_tx_room(SIZE_MAX);
  egress.flush();
  const Numbers numbers = sent_numbers();
  ASSERT_EQ(numbers.size(), staged);
  for (std::uint32_t i = 0; i < staged; ++i) ASSERT_EQ(numbers[i], i);
}

TEST_F(EgressTest, HoldersOfTooManyFramesAreRefusedBeforeTheStageCouldOverflow) {
  Egress egress(port_, bin_, counters_);
  std::vector<Frame> held;
  for (Frame frame; egress.allocate(frame);) held.push_back(frame);
  EXPECT_EQ(held.size(), Egress::kCapacity);
  std::uint32_t number = 0;
  for (Frame& frame : held) {
    finish(frame, number++);
    egress.send(frame);
  }
  EXPECT_EQ(egress.flush(), Egress::kCapacity);
}

TEST_F(EgressTest, DestructorGivesEverythingBack) {
  {
    Egress egress(port_, bin_, counters_);
    port_.set_tx_room(1);
    for (std::uint32_t i = 0; i < 40; ++i) send(egress, i);  // 24 spares are left
    Frame frame;
    ASSERT_TRUE(egress.allocate(frame));
    egress.discard(frame);
    EXPECT_EQ(egress.flush(), 1U);
    bin_.flush();
    EXPECT_EQ(port_.out(), 39U + 23U);
  }
  bin_.flush();
  EXPECT_EQ(port_.out(), 0U);
}

// Any mix of what callers and the port may do keeps the order and loses nothing, wherever the stage
// wraps around.
TEST_F(EgressTest, RandomUseKeepsOrderAndFrames) {
  constexpr std::uint64_t kSeed = 20260;
  RecordProperty("seed", static_cast<int>(kSeed));
  Prng prng(kSeed);
  std::uint32_t next = 0, expected = 0;
  {
    Egress egress(port_, bin_, counters_);
    std::deque<Frame> held;
    for (int step = 0; step < 20'000; ++step) {
      for (std::uint32_t n = prng.below(40); n > 0; --n) {
        Frame frame;
        if (!egress.allocate(frame)) break;
        held.push_back(frame);
      }
      for (std::uint32_t n = prng.below(40); n > 0 && !held.empty(); --n) {
        if (prng.chance(0.1)) {
          egress.discard(held.front());
        } else {
          finish(held.front(), next++);
          egress.send(held.front());
        }
        held.pop_front();
      }
      port_.set_tx_room(prng.below(36));
      port_.set_recycles(prng.chance(0.5));
      egress.flush();
      ASSERT_EQ(port_.out(), egress.staged() + egress.spare() + egress.handed_out() + bin_.size());
      ASSERT_LE(port_.out(), Egress::kCapacity);
      for (std::uint32_t number : sent_numbers())
        ASSERT_EQ(number, expected++) << "seed " << kSeed << " step " << step;
    }
    EXPECT_EQ(egress.handed_out(), held.size());
    for (const Frame& frame : held) egress.discard(frame);
  }
  EXPECT_GT(expected, 100'000U);
  EXPECT_GT(counters_.tx_no_frame, 0U) << "the limit was never met";
}

}  // namespace
}  // namespace tern::net
