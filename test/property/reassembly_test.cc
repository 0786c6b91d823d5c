// SPDX-License-Identifier: BSD-3-Clause
// Reassembly against a map of bytes: random segments that overlap at will and disagree about the
// bytes, a window that moves over the wrap of the sequence numbers, pools that run dry anywhere.
#include "tcp/reassembly.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/prng.h"
#include "support/rounds.h"
#include "unit/tcp/heap_frames.h"

namespace tern::tcp {
namespace {

using wire::SackBlock;
using wire::SeqNum;
using Outcome = Reassembly::Outcome;

struct Pools {
  std::uint32_t nodes, frames, chunks;
};
constexpr Pools kAmple{100000, 1000, 100000};

class Sweep {
 public:
  Sweep(std::uint64_t seed, const Pools& pools, std::uint32_t longest, std::uint32_t window)
      : prng_(seed),
        ample_(pools.nodes == kAmple.nodes),
        longest_(longest),
        window_(window),
        buffers_(pools.nodes, pools.frames, pools.chunks * 2048ull, bin_, counters_),
        rcv_nxt_(static_cast<std::uint32_t>(0) - prng_.below(3 * window)),
        oracle_(window) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      arrive();
      if (prng_.chance(0.3)) read();
      if (!ample_ && prng_.chance(0.1)) drop_last();
      bin_.flush();
      ASSERT_EQ(port_.outstanding(), buffers_.held_frames());
    }
    held_.clear(buffers_);
    queue_.clear(buffers_);
    bin_.flush();
    ASSERT_EQ(port_.outstanding(), 0u);
    ASSERT_EQ(buffers_.nodes_in_use(), 0u);
    ASSERT_EQ(buffers_.chunks_in_use(), 0u);
    if (ample_) {
      ASSERT_GT(delivered_, window_ / 4) << "the sweep must get somewhere";
    }
  }

 private:
  /// Which bytes of the window are held, according to ranges().
  std::vector<bool> held() {
    std::vector<SackBlock> blocks(Reassembly::kMaxNodes + 1);
    blocks.resize(held_.ranges(buffers_, blocks));
    std::vector<bool> map(window_);
    std::size_t bytes = 0;
    for (const SackBlock& b : blocks) {
      for (SeqNum s = b.begin; s.before(b.end); s += 1, ++bytes) map.at(s - rcv_nxt_) = true;
    }
    EXPECT_EQ(held_.bytes(), bytes);
    EXPECT_LE(held_.nodes(), Reassembly::kMaxNodes + 1);
    return map;
  }

  void arrive() {
    const std::uint32_t begin = prng_.chance(0.25) ? 0 : prng_.below(window_);
    const std::uint32_t end = std::min(begin + 1 + prng_.below(longest_), window_);
    std::vector<std::byte> bytes(end - begin);
    for (std::byte& b : bytes) b = static_cast<std::byte>(prng_.next());
    const Frame frame = port_.make(bytes);
    if (begin == 0 && held_.empty()) return push(frame);

    const Outcome outcome =
        held_.insert(buffers_, frame, frame.bytes(), rcv_nxt_ + begin, rcv_nxt_);
    const std::vector<bool> now = held();
    std::uint32_t fresh = 0, missed = 0;
    for (std::uint32_t i = 0; i < window_; ++i) {
      const bool covered = begin <= i && i < end;
      if (oracle_[i]) {
        ASSERT_TRUE(now[i]) << "lost " << i;
      } else if (now[i]) {
        ASSERT_TRUE(covered) << "made up " << i;
        oracle_[i] = bytes[i - begin];
        ++fresh;
      } else if (covered) {
        ++missed;
      }
    }
    if (ample_ && held_.nodes() < Reassembly::kMaxNodes - 64) {
      ASSERT_EQ(missed, 0u);
    }
    ASSERT_EQ(outcome, fresh > 0    ? Outcome::kKept
                       : missed > 0 ? Outcome::kNoBuffer
                                    : Outcome::kDuplicate);
    take_ready();
  }

  void push(const Frame& frame) {
    const std::vector<std::byte> bytes(frame.data, frame.data + frame.length);
    if (!queue_.push(buffers_, frame, frame.bytes(), rcv_nxt_)) {
      ASSERT_FALSE(ample_);
      return;
    }
    unread_.insert(unread_.end(), bytes.begin(), bytes.end());
    advance(static_cast<std::uint32_t>(bytes.size()));
  }

  void take_ready() {
    const auto ready = static_cast<std::uint32_t>(
        std::find(oracle_.begin(), oracle_.end(), std::nullopt) - oracle_.begin());
    ASSERT_EQ(held_.take_ready(buffers_, queue_, rcv_nxt_), ready);
    for (std::uint32_t i = 0; i < ready; ++i) unread_.push_back(*oracle_[i]);
    advance(ready);
  }

  void advance(std::uint32_t bytes) {
    rcv_nxt_ += bytes;
    oracle_.erase(oracle_.begin(), oracle_.begin() + bytes);
    oracle_.resize(window_);
    ASSERT_EQ(queue_.bytes(), unread_.size());
  }

  void read() {
    const std::uint32_t length = queue_.front_length(buffers_);
    const std::uint32_t node = queue_.pop(buffers_);
    if (node == kNoIndex) return;
    ASSERT_EQ(buffers_[node].length, length);
    ASSERT_EQ(buffers_[node].seq + static_cast<std::uint32_t>(unread_.size()), rcv_nxt_);
    ASSERT_TRUE(std::equal(buffers_[node].data, buffers_[node].data + length, unread_.begin()));
    unread_.erase(unread_.begin(), unread_.begin() + length);
    delivered_ += length;
    buffers_.release(node);
  }

  void drop_last() {
    if (!held_.drop_last(buffers_)) return;
    const std::vector<bool> now = held();
    bool above_all = true;  // what is dropped lies above everything that stays
    for (std::uint32_t i = window_; i-- > 0;) {
      if (now[i]) above_all = false;
      if (oracle_[i] && !now[i]) {
        ASSERT_TRUE(above_all);
        oracle_[i].reset();
      }
    }
  }

  Prng prng_;
  const bool ample_;
  const std::uint32_t longest_, window_;
  test::HeapFrames port_;
  FrameBin bin_{port_};
  Counters counters_;
  ReceiveBuffers buffers_;
  Reassembly held_;
  ReceiveQueue queue_;
  SeqNum rcv_nxt_;
  std::vector<std::optional<std::byte>> oracle_;  // from rcv_nxt on
  std::vector<std::byte> unread_;
  std::size_t delivered_ = 0;
};

void sweep(std::uint64_t seed, const Pools& pools, std::uint32_t longest, std::uint32_t window,
           int steps) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", segments up to " << longest);
  Sweep(seed, pools, longest, window).run(steps);
}

TEST(ReassemblyProperty, AgreesWithAMapOfBytes) {
  for (std::uint64_t seed = 1; seed <= test::rounds(8) && !testing::Test::HasFatalFailure();
       ++seed) {
    sweep(seed, kAmple, 12, 300, 1500);     // many holes, byte by byte
    sweep(seed, kAmple, 700, 6000, 1000);   // copied and held ones side by side
    sweep(seed, kAmple, 5000, 20000, 300);  // longer than a chunk
    sweep(seed, {kAmple.nodes, 0, kAmple.chunks}, 3000, 20000, 300);  // no frame may be held
  }
}

TEST(ReassemblyProperty, SurvivesPoolsThatRunDryAtAnyAllocation) {
  for (std::uint32_t n = 0; n <= 24 && !testing::Test::HasFatalFailure(); ++n) {
    if (!test::is_tried(n)) continue;
    sweep(100 + n, {n, 1000, 1000}, 700, 6000, 250);
    sweep(200 + n, {1000, n, 0}, 700, 6000, 250);
    sweep(300 + n, {1000, 0, n}, 3000, 10000, 250);
    sweep(400 + n, {1000, n / 2, n / 2}, 60, 600, 250);
  }
}

TEST(ReassemblyProperty, HoldsTheBoundOfNodes) {
  for (std::uint64_t seed = 1; seed <= 3 && !testing::Test::HasFatalFailure(); ++seed) {
    sweep(seed, kAmple, 3, 3000, 2500);
  }
}

}  // namespace
}  // namespace tern::tcp
