// SPDX-License-Identifier: BSD-3-Clause
// A peer that SACKs whatever comes to its mind: a million option blocks, most of them absurd, some
// plausible, between honest ACKs. The stack never sends beyond the window, never loses count of its
// memory, never lets a block free a byte of its queue; and when the peer becomes honest, every byte
// arrives.
#include <gtest/gtest.h>

#include <string>

#include "base/prng.h"
#include "conservation.h"
#include "script.h"
#include "support/rounds.h"

namespace tern::test {
namespace {

constexpr std::uint64_t kSeeds = rounds(250);
constexpr int kAcks = 1200;  // of each seed, with four blocks each

Given hostile_given(bool timestamps) {
  Given given;
  given.stack.max_connections = 4;
  given.stack.max_time_wait = 4;
  given.stack.tcp.msl = 1s;
  given.peer_syn.mss = 1000;
  given.peer_syn.sack_permitted = true;
  if (timestamps) given.peer_syn.ts = {1'000'000, 0};
  return given;
}

class Liar {
 public:
  Liar(std::uint64_t seed, Script& script) : prng_(seed), t_(script) {}

  void run() {
    for (int i = 0; i < kAcks && !testing::Test::HasFailure(); ++i) {
      if (t_.connection().send_space() > 20'000) t_.write(1 + prng_.below(20'000));
      note_sent();
      t_.in(next_ack());
      note_sent();
      if (prng_.chance(0.02)) t_.run_for(std::chrono::milliseconds(prng_.below(300)));
      EXPECT_EQ(t_.info().bytes_acked, acked_ - 1) << "no block acknowledges";
      EXPECT_LE(t_.info().cwnd_bytes, 1u << 30);
      if (i % 16 == 0) expect_conserved(t_.stack(), t_.port());
    }
  }

  // Acknowledges all that comes until nothing is left.
  void become_honest() {
    for (int i = 0; i < 2000 && t_.info().send_queue_bytes > 0; ++i) {
      t_.run_for(10ms);
      note_sent();
      acked_ = sent_;
      t_.in(ack(1, acked_));
    }
    EXPECT_EQ(t_.info().send_queue_bytes, 0u);
    EXPECT_EQ(t_.stack().usage().sack_senders, 0u);
  }

 private:
  void note_sent() {
    for (const Segment& s : t_.take()) sent_ = std::max(sent_, s.seq + s.length());
  }

  Segment next_ack() {
    if (prng_.chance(0.2)) acked_ += prng_.below(std::min(sent_ - acked_, 3000u) + 1);
    Segment s = ack(1, acked_);
    for (unsigned i = 0; i < (t_.given.peer_syn.ts.present ? 3u : 4u); ++i)
      s.sack.push_back(next_block());
    return s;
  }

  SackRange next_block() {
    const std::uint32_t in_flight = std::max(sent_ - acked_, 1u);
    const std::uint32_t begin = acked_ + prng_.below(in_flight);
    switch (prng_.below(8)) {
      case 0:
        return {static_cast<std::uint32_t>(prng_.next()), static_cast<std::uint32_t>(prng_.next())};
      case 1:
        return {begin, begin - prng_.below(5000)};
      case 2:
        return {begin - prng_.below(5000), begin};
      case 3:
        return {begin, begin + (1u << 31) - prng_.below(3)};
      case 4:
        return {begin, sent_ + prng_.below(3)};
      default:
        return {begin, begin + prng_.below(prng_.chance(0.5) ? 3000 : 10)};
    }
  }

  Prng prng_;
  Script& t_;
  std::uint32_t acked_ = 1, sent_ = 1;
};

TEST(SackBlocks, AMillionLies) {
  for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Established t(hostile_given(seed % 2 == 0));
    Liar liar(seed, t);
    liar.run();
    liar.become_honest();
    EXPECT_GT(t.counters().sack_blocks_refused, 100u);
  }
}

}  // namespace
}  // namespace tern::test
