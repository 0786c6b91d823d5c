// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/sent_log.h"

#include <gtest/gtest.h>

#include <map>

#include "base/prng.h"

namespace tern::tcp {
namespace {

using wire::SeqNum;

constexpr SeqNum kUna(0xffffff00);
constexpr std::uint32_t kClock = 0xfffffff0;  // wraps too

TEST(SentLog, JoinsWhatWasSentAtOneInstant) {
  SentLog log;
  log.begin(kUna, kUna, kClock, false);
  EXPECT_TRUE(log.runs().empty());
  log.on_sent(kUna, kUna + 100, kClock);
  log.on_sent(kUna + 100, kUna + 200, kClock);
  log.on_sent(kUna + 200, kUna + 300, kClock + 20);
  ASSERT_EQ(log.runs().size(), 2u);
  EXPECT_EQ(log.runs()[0].end, kUna + 200);
  EXPECT_EQ(log.in_flight(), 300u);
}

TEST(SentLog, SettlesWhatHadOnlyABound) {
  SentLog log;
  log.begin(kUna, kUna + 1000, kClock, false);
  log.take_out(kUna + 300, kUna + 400, [](const SentLog::Run& r) { EXPECT_FALSE(r.timed); });
  log.settle(kUna + 400, kClock - 50);
  EXPECT_EQ(log.runs()[0].sent_us, kClock - 50);
  EXPECT_EQ(log.runs()[1].sent_us, kClock) << "what lies above is as unknown as before";
  log.settle(kUna + 1000, kClock + 50);
  EXPECT_EQ(log.runs()[0].sent_us, kClock - 50);
  EXPECT_EQ(log.runs()[1].sent_us, kClock) << "not after the bound";
}

TEST(SentLog, ForgetsALossThatIsSentAgain) {
  SentLog log;
  log.begin(kUna, kUna + 1000, kClock, false);
  std::uint32_t heard = 0;
  const auto all = [](const SentLog::Run&) { return true; };
  EXPECT_EQ(log.mark_lost(all, [&](const SentLog::Run& r) { heard += r.end - r.begin; }), 1000u);
  EXPECT_EQ(heard, 1000u);
  EXPECT_EQ(log.mark_lost(all, [](const SentLog::Run&) { FAIL(); }), 0u);
  EXPECT_EQ(log.in_flight(), 0u);
  log.on_sent(kUna, kUna + 100, kClock + 1);
  EXPECT_EQ(log.in_flight(), 100u);
  ASSERT_NE(log.lowest_lost(), nullptr);
  EXPECT_EQ(log.lowest_lost()->begin, kUna + 100);
}

// Against a map of every byte, with few runs: what is in the log, lost and again agree exactly.
TEST(SentLog, AgreesWithAMapOfBytes) {
  struct Byte {
    std::uint32_t sent_us;
    bool again, lost;
    bool operator==(const Byte&) const = default;
  };
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    SentLog log;
    std::map<std::uint32_t, Byte> bytes;
    std::uint32_t sent = 0;
    log.begin(kUna, kUna, kClock, false);
    for (std::uint32_t step = 1; step < 60; ++step) {
      const std::uint32_t now = kClock + step;
      const std::uint32_t begin = prng.below(sent + 1), length = 1 + prng.below(40);
      const std::uint32_t top = log.runs().empty() ? 0 : log.runs().back().end - kUna;
      const std::uint32_t end =
          std::min(begin + length, top);  // what has arrived is not sent again
      switch (prng.below(4)) {
        case 0:  // new
          log.on_sent(kUna + sent, kUna + sent + length, now);
          for (std::uint32_t i = 0; i < length; ++i) bytes[sent++] = {now, false, false};
          break;
        case 1:  // again, of what is there
          if (begin < end) log.on_sent(kUna + begin, kUna + end, now);
          for (std::uint32_t i = begin; i < end; ++i)
            if (bytes.count(i) > 0) bytes[i] = {now, true, false};
          break;
        case 2:  // arrived
          log.take_out(kUna + begin, kUna + begin + length, [](const SentLog::Run&) {});
          for (std::uint32_t i = begin; i < begin + length; ++i) bytes.erase(i);
          break;
        default:  // lost
          log.mark_lost([&](const SentLog::Run& r) { return is_later(now - 20, r.sent_us); },
                        [](const SentLog::Run&) {});
          for (auto& [i, b] : bytes) b.lost |= is_later(now - 20, b.sent_us);
      }
      std::map<std::uint32_t, Byte> said;
      for (const SentLog::Run& r : log.runs())
        for (SeqNum s = r.begin; s != r.end; s += 1) said[s - kUna] = {r.sent_us, r.again, r.lost};
      ASSERT_EQ(said == bytes, true);
      ASSERT_LE(log.runs().size(), SentLog::kMaxRuns);
    }
  }
}

// Where there are too many, what is joined counts as sent when the later was, and as not lost.
TEST(SentLog, IsBounded) {
  SentLog log;
  log.begin(kUna, kUna, kClock, false);
  for (std::uint32_t i = 0; i < 1000; ++i) log.on_sent(kUna + i, kUna + i + 1, kClock + i);
  EXPECT_LE(log.runs().size(), SentLog::kMaxRuns);
  EXPECT_EQ(log.in_flight(), 1000u);
  for (const SentLog::Run& r : log.runs())
    EXPECT_EQ(r.sent_us, kClock + (r.end - kUna) - 1) << "when its last byte was";
  for (std::uint32_t i = 0; i < 126; i += 2)
    log.take_out(kUna + i, kUna + i + 1, [](const SentLog::Run&) {});
  EXPECT_EQ(log.in_flight(), 1000u - 63) << "a scoreboard's ranges";
}

}  // namespace
}  // namespace tern::tcp
