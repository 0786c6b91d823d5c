// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/prr.h"

#include <gtest/gtest.h>

namespace tern::tcp {
namespace {

constexpr std::uint32_t kMss = 1000;

// RFC 9937 7: 20 segments in flight, one lost, ssthresh 10 (the RFC's figure has NewReno's half).
TEST(Prr, ReducesEvenly) {
  Prr prr;
  prr.start(20 * kMss);
  std::uint32_t pipe = 19 * kMss, sent = 0;
  for (int ack = 1; ack <= 16; ++ack) {
    const std::uint32_t window = prr.window_after({kMss, pipe, false}, 10 * kMss, kMss);
    if (window >= pipe + kMss) {
      prr.on_sent(kMss);
      ++sent;
      pipe += kMss;
    }
    pipe -= kMss;
  }
  EXPECT_EQ(sent, 8u) << "one for every two ACKs";
}

TEST(Prr, TheFirstRetransmissionIsAlwaysPossible) {
  Prr prr;
  prr.start(100 * kMss);
  EXPECT_EQ(prr.window_after({1, 90 * kMss, false}, 50 * kMss, kMss), 91u * kMss);
  prr.on_sent(kMss);
  EXPECT_EQ(prr.window_after({1, 90 * kMss, false}, 50 * kMss, kMss), 90u * kMss);
}

// Heavy losses: no burst, as much as was delivered; one more while nothing else is lost.
TEST(Prr, BelowTheTarget) {
  Prr prr;
  prr.start(20 * kMss);
  EXPECT_EQ(prr.window_after({kMss, 4 * kMss, false}, 10 * kMss, kMss), 5u * kMss);
  prr.on_sent(kMss);
  EXPECT_EQ(prr.window_after({kMss, 4 * kMss, false}, 10 * kMss, kMss), 5u * kMss);
  prr.on_sent(kMss);
  EXPECT_EQ(prr.window_after({kMss, 4 * kMss, true}, 10 * kMss, kMss), 6u * kMss);
  prr.on_sent(2 * kMss);
  EXPECT_EQ(prr.window_after({9 * kMss, 9 * kMss, true}, 10 * kMss, kMss), 10u * kMss)
      << "never beyond ssthresh";
}

}  // namespace
}  // namespace tern::tcp
