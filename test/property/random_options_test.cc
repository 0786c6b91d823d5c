// SPDX-License-Identifier: BSD-3-Clause
// Ten million random option blocks through the parser, each in heap memory of exactly its size, and
// ten million random SACK blocks through what a sender keeps of them: nothing is read beyond the
// end, and what is kept stays ordered, bounded and true.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "tcp/sack_scoreboard.h"
#include "tcp/sent_log.h"
#include "wire/tcp.h"

namespace tern::test {
namespace {

using tcp::SackScoreboard;
using tcp::SentLog;
using wire::SeqNum;

constexpr std::uint64_t kBlocks = 10'000'000;  // under the sanitizers, too

// Known kinds and short lengths come often, so that many options are whole ones.
std::byte random_byte(Prng& prng) {
  const std::uint64_t r = prng.next();
  return static_cast<std::byte>((r & 0x300) != 0 ? r % 11 : r & 0xff);
}

TEST(RandomOptions, NeverReadBeyondTheirEnd) {
  Prng prng(1);
  std::vector<std::unique_ptr<std::byte[]>> blocks;
  for (std::size_t size = 0; size <= wire::kTcpMaxOptionBytes; ++size)
    blocks.push_back(std::make_unique<std::byte[]>(size));
  std::uint64_t whole = 0, with_sack = 0;
  for (std::uint64_t i = 0; i < kBlocks; ++i) {
    const std::size_t size = i % blocks.size();
    std::byte* bytes = blocks[size].get();
    for (std::size_t n = 0; n < size; ++n) bytes[n] = random_byte(prng);
    wire::TcpOptions options;
    whole += wire::parse_tcp_options({bytes, size}, options);
    with_sack += options.sack_count > 0;
    ASSERT_LE(options.sack_count, options.sack.size());
    ASSERT_LE(options.window_scale, wire::kMaxWindowScale);
  }
  EXPECT_GT(whole, kBlocks / 100);
  EXPECT_GT(with_sack, kBlocks / 100'000);
}

void expect_ordered(const SackScoreboard& board, const SentLog& log) {
  std::uint32_t bytes = 0;
  for (std::size_t i = 0; i < board.ranges().size(); ++i) {
    const auto& r = board.ranges()[i];
    ASSERT_TRUE(r.begin.before(r.end));
    ASSERT_TRUE(i == 0 || board.ranges()[i - 1].end.before(r.begin));
    bytes += r.end - r.begin;
  }
  ASSERT_EQ(bytes, board.bytes());
  ASSERT_LE(log.runs().size(), SentLog::kMaxRuns);
  for (std::size_t i = 0; i < log.runs().size(); ++i) {
    ASSERT_TRUE(log.runs()[i].begin.before(log.runs()[i].end));
    ASSERT_TRUE(i == 0 || log.runs()[i - 1].end.at_or_before(log.runs()[i].begin));
  }
}

// The log holds exactly what the board does not, as long as the board has had room for all.
TEST(RandomSackBlocks, KeepBoardAndLogInOrder) {
  constexpr std::uint32_t kFlight = 100'000;
  Prng prng(2);
  SackScoreboard board;
  SentLog log;
  SeqNum una(0xffff0000);
  std::uint32_t now_us = 0;
  log.begin(una, una, now_us, false);
  log.on_sent(una, una + kFlight, now_us);
  for (std::uint64_t i = 0; i < kBlocks; ++i) {
    ++now_us;
    const std::uint32_t begin = 1 + prng.below(kFlight - 1);
    const std::uint32_t end = begin + 1 + prng.below(std::min(kFlight - begin, 3000u));
    if (board.add({una + begin, una + end}))
      log.take_out(una + begin, una + end, [](const SentLog::Run&) {});
    if (i % 16 == 0)
      log.mark_lost([&](const SentLog::Run& r) { return now_us - r.sent_us > 100; },
                    [](const SentLog::Run&) {});
    if (const SentLog::Run* lost = log.lowest_lost(); lost != nullptr && i % 4 == 0) {
      const SeqNum from = lost->begin;
      log.on_sent(from, from + std::min<std::uint32_t>(lost->end - from, 1448), now_us);
    }
    if (i % 64 == 0) {  // the ACK moves on, and as much is sent anew
      const std::uint32_t acked = prng.below(kFlight);
      log.take_out(una, una + acked, [](const SentLog::Run&) {});
      board.advance(una + acked);
      log.on_sent(una + kFlight, una + kFlight + acked, now_us);
      una += acked;
    }
    if (i % 256 == 0) expect_ordered(board, log);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tern::test
