// SPDX-License-Identifier: BSD-3-Clause
// The send queue against a std::deque of bytes, with every operation in any order and pools that
// run dry at any allocation.
#include "tcp/send_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "base/prng.h"

namespace tern::tcp {
namespace {

class Sweep {
 public:
  Sweep(std::uint64_t seed, std::uint64_t pool_bytes) : prng_(seed), pool_(pool_bytes) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      step();
      ASSERT_EQ(queue_.size(), oracle_.size());
      check_memory();
    }
    queue_.clear(pool_);
    ASSERT_EQ(queue_.size(), 0u);
    ASSERT_EQ(pool_.in_use(), 0u) << "chunks leaked";
  }

 private:
  std::size_t random_size() {
    switch (prng_.below(4)) {
      case 0:
        return prng_.below(8);
      case 1:
        return prng_.below(300);
      case 2:
        return prng_.below(2100);
      default:
        return prng_.below(9000);
    }
  }

  void step() {
    switch (prng_.below(10)) {
      case 0:
      case 1:
        return append();
      case 2:
        return reserve();
      case 3:
        return commit();
      case 4:
      case 5:
        return drop();
      case 6:
      case 7:
      case 8:
        return read();
      default:
        if (prng_.chance(0.05)) {
          queue_.clear(pool_);
          oracle_.clear();
          room_ = {};
        } else if (prng_.chance(0.2)) {
          queue_.cancel_reservation(pool_);
          room_ = {};
        }
    }
  }

  void append() {
    std::vector<std::byte> bytes(random_size());
    for (std::byte& b : bytes) b = static_cast<std::byte>(prng_.next());
    const std::size_t taken = queue_.append(pool_, bytes);
    ASSERT_LE(taken, bytes.size());
    if (taken < bytes.size()) {
      ASSERT_EQ(pool_.in_use(), pool_.capacity()) << "refused without need";
    }
    oracle_.insert(oracle_.end(), bytes.begin(), bytes.begin() + taken);
    room_ = {};
  }

  void reserve() {
    const std::size_t asked = random_size();
    room_ = queue_.reserve(pool_, asked);
    ASSERT_LE(room_.size(), asked);
    if (room_.empty() && asked > 0) {
      ASSERT_EQ(pool_.in_use(), pool_.capacity());
    }
    for (std::byte& b : room_) b = static_cast<std::byte>(prng_.next());
  }

  void commit() {
    const auto n = prng_.chance(0.5) ? room_.size()
                                     : prng_.below(static_cast<std::uint32_t>(room_.size()) + 1);
    oracle_.insert(oracle_.end(), room_.begin(), room_.begin() + n);
    queue_.commit(pool_, n);
    room_ = {};
  }

  void drop() {
    const auto n = std::min<std::size_t>(random_size(), oracle_.size());
    queue_.drop_front(pool_, static_cast<std::uint32_t>(n));
    oracle_.erase(oracle_.begin(), oracle_.begin() + n);
    next_read_ -= std::min(next_read_, n);
  }

  /// Mostly where the last read ended, as a sender does.
  void read() {
    std::size_t offset = prng_.chance(0.7) ? next_read_ : prng_.below(20000);
    offset = std::min(offset, oracle_.size());
    const std::size_t size = std::min(random_size(), oracle_.size() - offset);
    std::vector<std::byte> out(size);
    if (prng_.chance(0.5)) {
      queue_.copy_out(pool_, static_cast<std::uint32_t>(offset), out);
    } else {
      const std::uint32_t sum =
          queue_.copy_out_summed(pool_, static_cast<std::uint32_t>(offset), out);
      ASSERT_EQ(wire::checksum_fold(sum), wire::checksum_fold(wire::checksum_partial(out)));
    }
    ASSERT_TRUE(std::equal(out.begin(), out.end(), oracle_.begin() + offset));
    next_read_ = offset + size;
  }

  /// An empty queue holds at most its reservation's chunk.
  void check_memory() {
    if (oracle_.empty()) {
      ASSERT_LE(pool_.in_use(), room_.empty() ? 0u : 1u);
    }
  }

  Prng prng_;
  SendChunkPool pool_;
  SendQueue queue_;
  std::deque<std::byte> oracle_;
  std::span<std::byte> room_;
  std::size_t next_read_ = 0;
};

TEST(SendQueueProperty, AgreesWithADeque) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Sweep(seed, 512 * 1024).run(2000);
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
}

TEST(SendQueueProperty, SurvivesPoolsThatRunDryAtAnyAllocation) {
  for (std::uint64_t chunks = 0; chunks <= 40; ++chunks) {
    SCOPED_TRACE(testing::Message() << "seed and pool " << chunks);
    Sweep(1000 + chunks, chunks * 1024).run(1000);
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
}

TEST(SendQueueProperty, QueuesThatShareAPoolDoNotMix) {
  Prng prng(77);
  SendChunkPool pool(64 * 1024);
  std::vector<SendQueue> queues(8);
  std::vector<std::deque<std::byte>> oracles(8);
  for (int i = 0; i < 20000; ++i) {
    const std::uint32_t k = prng.below(8);
    const auto fill = static_cast<std::byte>(k << 5 | prng.below(32));
    const std::vector<std::byte> bytes(prng.below(3000), fill);
    const std::size_t taken = queues[k].append(pool, bytes);
    oracles[k].insert(oracles[k].end(), taken, fill);
    const auto n = prng.below(static_cast<std::uint32_t>(oracles[k].size()) + 1);
    std::vector<std::byte> out(n);
    queues[k].copy_out(pool, 0, out);
    ASSERT_TRUE(std::equal(out.begin(), out.end(), oracles[k].begin()));
    queues[k].drop_front(pool, n);
    oracles[k].erase(oracles[k].begin(), oracles[k].begin() + n);
  }
  for (SendQueue& queue : queues) queue.clear(pool);
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace tern::tcp
