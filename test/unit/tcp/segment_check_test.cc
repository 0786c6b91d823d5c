// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/segment_check.h"

#include <gtest/gtest.h>

namespace tern::tcp {
namespace {

// RFC 9293 3.4: some number of the segment lies in the window; without text, the segment's own. At
// a shut window nothing with text does.
bool textbook(int seq, int length, int window) {
  if (length == 0) return window == 0 ? seq == 0 : seq >= 0 && seq < window;
  for (int i = seq; i < seq + length; ++i)
    if (i >= 0 && i < window) return true;
  return false;
}

TEST(IsAcceptable, AgreesWithTheTextbookAroundTheWindow) {
  for (const std::uint32_t base : {1000u, 0u, 0xfffffffeu})
    for (int seq = -6; seq <= 8; ++seq)
      for (int length = 0; length <= 8; ++length)
        for (int window = 0; window <= 5; ++window)
          EXPECT_EQ(is_acceptable(SeqNum(base + static_cast<std::uint32_t>(seq)),
                                  static_cast<std::uint32_t>(length), SeqNum(base),
                                  static_cast<std::uint32_t>(window)),
                    textbook(seq, length, window))
              << "seq " << seq << ", length " << length << ", window " << window;
}

TEST(ChallengeClock, WaitsForTheNearFutureOnly) {
  const Instant now(std::chrono::hours(1000));
  const std::uint32_t clock = challenge_clock(now);
  EXPECT_TRUE(challenge_is_due(clock, now));
  EXPECT_FALSE(challenge_is_due(clock + 1, now));
  EXPECT_FALSE(challenge_is_due(clock + 1, now + kChallengeUnit - Duration(1)));
  EXPECT_FALSE(challenge_is_due(clock + 751, now)) << "750 ms, from within a millisecond";
  EXPECT_TRUE(challenge_is_due(clock + 752, now)) << "49 days ago, or never set";
  EXPECT_TRUE(challenge_is_due(clock - 1, now));
}

TEST(ChallengeClock, IsNeverEarly) {
  const Instant now(std::chrono::hours(1000));
  EXPECT_EQ(challenge_clock(now + Duration(1)), challenge_clock(now) + 1);
  EXPECT_EQ(challenge_clock(now + kChallengeUnit), challenge_clock(now) + 1);
}

}  // namespace
}  // namespace tern::tcp
