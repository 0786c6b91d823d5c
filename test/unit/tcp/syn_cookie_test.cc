// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/syn_cookie.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace tern::tcp {
namespace {

using namespace std::chrono_literals;
using wire::SeqNum;

constexpr SipKey kKey{11, 22};
constexpr flow::FourTuple4 kTuple{0x0a000001, 0x0a000002, 80, 40000};
constexpr Instant kNow{std::chrono::hours(1000)};  // at the beginning of a minute

TEST(SynCookies, TellWhatTheyWereMadeOf) {
  SynCookies cookies(kKey);
  for (const std::uint16_t mss : SynCookies::kMss) {
    const SeqNum cookie = cookies.make(kTuple, SeqNum(0xfffffffe), mss, kNow);
    EXPECT_EQ(cookies.check(kTuple, SeqNum(0xfffffffe), cookie, kNow), mss);
  }
}

TEST(SynCookies, AreOfOneTupleOneSynAndOneKey) {
  SynCookies cookies(kKey), others({11, 23});
  const SeqNum irs(1000);
  const SeqNum cookie = cookies.make(kTuple, irs, 1460, kNow);
  EXPECT_FALSE(others.check(kTuple, irs, cookie, kNow));
  for (std::uint32_t off = 1; off < 2000; ++off) {
    EXPECT_FALSE(cookies.check(kTuple, irs + off, cookie, kNow)) << off;
    EXPECT_FALSE(cookies.check(kTuple, irs - off, cookie, kNow)) << off;
  }
  for (const auto& other : {flow::FourTuple4{0x0a000003, 0x0a000002, 80, 40000},
                            flow::FourTuple4{0x0a000001, 0x0a000003, 80, 40000},
                            flow::FourTuple4{0x0a000001, 0x0a000002, 81, 40000},
                            flow::FourTuple4{0x0a000001, 0x0a000002, 80, 40001}})
    EXPECT_FALSE(cookies.check(other, irs, cookie, kNow));
}

// RFC 4987 3.6, Linux's MAX_SYNCOOKIE_AGE: this minute's and the last one's. Across a change of
// keys, too.
TEST(SynCookies, AgeByTheMinute) {
  for (const auto start : {kNow, kNow + 59s, Instant(16min - 1s), Instant(0min)}) {
    SynCookies cookies(kKey);
    const SeqNum cookie = cookies.make(kTuple, SeqNum(5), 1300, start);
    const Instant minute =
        Instant(std::chrono::floor<std::chrono::minutes>(start.time_since_epoch()));
    EXPECT_TRUE(cookies.check(kTuple, SeqNum(5), cookie, minute + 2min - 1ns));
    EXPECT_FALSE(cookies.check(kTuple, SeqNum(5), cookie, minute + 2min));
  }
}

// The counter has only a byte on the wire, but all its bits go into the hash.
TEST(SynCookies, DoNotComeAgainWhenTheByteWraps) {
  SynCookies cookies(kKey);
  const SeqNum cookie = cookies.make(kTuple, SeqNum(5), 1300, kNow);
  EXPECT_FALSE(cookies.check(kTuple, SeqNum(5), cookie, kNow + 256min));
}

TEST(SynCookies, ThoseOfNoMssAreWrong) {
  SynCookies cookies(kKey);
  const SeqNum cookie = cookies.make(kTuple, SeqNum(5), SynCookies::kMss[0], kNow);
  for (std::uint32_t index = 0; index < 100; ++index)
    EXPECT_EQ(cookies.check(kTuple, SeqNum(5), cookie + index, kNow).has_value(),
              index < SynCookies::kMss.size())
        << index;
}

// Each key is derived from the one before, so what was used along the way matters.
TEST(SynCookies, KeysTurn) {
  SynCookies busy(kKey), rested(kKey);
  for (auto at = kNow; at < kNow + 24h; at += 10min)
    EXPECT_TRUE(busy.check(kTuple, SeqNum(5), busy.make(kTuple, SeqNum(5), 1460, at), at));
  EXPECT_NE(busy.make(kTuple, SeqNum(5), 1460, kNow + 24h),
            rested.make(kTuple, SeqNum(5), 1460, kNow + 24h));
}

TEST(SynCookies, ChangeWithTheMinute) {
  SynCookies cookies(kKey);
  const SeqNum first = cookies.make(kTuple, SeqNum(5), 1300, kNow);
  const SeqNum second = cookies.make(kTuple, SeqNum(5), 1300, kNow + 1min);
  EXPECT_NE(first, second);
  EXPECT_NE((second - first) & 0xffffff, 0u) << "not only in the counter";
}

// 2^24 values for the data, of which four are right: one guess in 2^22, and of those in the right
// two of 256 minutes.
TEST(SynCookies, GuessesFail) {
  SynCookies cookies(kKey);
  Prng random(20261127);
  int accepted = 0;
  constexpr int kGuesses = 2'000'000;
  for (int i = 0; i < kGuesses; ++i) {
    const SeqNum guess(static_cast<std::uint32_t>(random.next()));
    if (cookies.check(kTuple, SeqNum(5), guess, kNow)) ++accepted;
  }
  EXPECT_LE(accepted, 1);  // 2 million x 2/256 / 2^22 = 0.004 are expected
}

TEST(SynCookies, LookRandom) {
  SynCookies cookies(kKey);
  std::uint64_t ones[24] = {};
  constexpr std::uint32_t kCount = 20'000;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    flow::FourTuple4 tuple = kTuple;
    tuple.remote_address += i;
    const std::uint32_t data = cookies.make(tuple, SeqNum(5), 1460, kNow).value();
    for (unsigned bit = 0; bit < 24; ++bit) ones[bit] += data >> bit & 1;
  }
  for (const std::uint64_t count : ones) {  // five standard deviations
    EXPECT_GT(count, kCount / 2 - 354);
    EXPECT_LT(count, kCount / 2 + 354);
  }
}

TEST(CookieTimestamp, SaysTheOptionsAndIsNeverAheadOfTheClock) {
  for (std::uint32_t clock : {0u, 1u, 63u, 64u, 100u, 0x7fffffffu, 0xffffffffu}) {
    for (unsigned bits = 0; bits < 64; ++bits) {
      CookieOptions options;
      if ((bits & 0xf) < 15) options.window_scale = static_cast<std::uint8_t>(bits & 0xf);
      options.sack_permitted = (bits & 16) != 0;
      options.ecn = (bits & 32) != 0;
      const std::uint32_t timestamp = encode_cookie_timestamp(clock, options);
      EXPECT_LT(clock - timestamp, 64u);
      const CookieOptions told = decode_cookie_timestamp(timestamp);
      EXPECT_EQ(told.window_scale, options.window_scale);
      EXPECT_EQ(told.sack_permitted, options.sack_permitted);
      EXPECT_EQ(told.ecn, options.ecn);
    }
  }
}

}  // namespace
}  // namespace tern::tcp
