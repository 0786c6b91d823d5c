// SPDX-License-Identifier: BSD-3-Clause
// Datagrams cut at random, in random order, doubled, overlapping, missing: what comes out is the
// whole, to the byte, or nothing; and a flood of fragments leaves everything else as it was.
#include "support/fragments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"
#include "conservation.h"
#include "script.h"
#include "support/rounds.h"

namespace tern::test {
namespace {

// Cut where it falls; in IPv6 the first one holds TCP's header.
std::vector<Part> random_parts(Prng& random, std::size_t bytes) {
  std::vector<Part> parts;
  for (std::size_t at = 0; at < bytes;) {
    const std::size_t least = at == 0 ? 24 : 8;
    const std::size_t end = std::min(bytes, at + least + 8 * random.below(40));
    parts.push_back({at, end});
    at = end;
  }
  return parts;
}

void shuffle(Prng& random, std::vector<Bytes>& frames) {
  for (std::size_t i = frames.size(); i > 1; --i)
    std::swap(frames[i - 1], frames[random.below(static_cast<std::uint32_t>(i))]);
}

enum class Harm { kNone, kMissing, kOverlap };

TEST(FragmentsProperty, WholeOrNothing) {
  constexpr std::uint64_t kSeed = 31;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng random(kSeed);
  Given given;
  given.monitored = false;
  given.stack.tcp_fragments = true;
  Established t(given);
  std::uint32_t seq = 1;
  std::string expected;
  for (std::uint32_t id = 1; id <= 400; ++id) {
    const std::size_t bytes = 100 + random.below(1300);
    const Bytes frame = build(t.absolute(data(seq, bytes, 1, "P.")));
    const std::vector<Part> parts = random_parts(random, payload_bytes_of(frame));
    std::vector<Bytes> frames;
    for (const Part& part : parts) {
      frames.push_back(fragment_of(frame, part, id));
      if (random.chance(0.1)) frames.push_back(frames.back());
    }
    // What is harmed is so before its last fragment can have come.
    auto harm = static_cast<Harm>(random.below(3));
    if (parts.size() < 3) harm = Harm::kNone;
    if (harm == Harm::kMissing) {
      const Bytes missing = fragment_of(frame, parts[1], id);
      std::erase(frames, missing);
    }
    shuffle(random, frames);
    if (harm == Harm::kOverlap) {
      const Bytes over = fragment_of(frame, {parts[1].begin, parts[1].end + 8}, id);
      const Bytes kept = fragment_of(frame, parts[1], id);
      frames.insert(frames.begin(), {over, kept});
    }
    for (const Bytes& f : frames) ASSERT_TRUE(t.port().inject(f));
    t.poll();
    if (harm == Harm::kNone) {
      expected += stream(seq - 1, bytes);
      seq += static_cast<std::uint32_t>(bytes);
    }
    ASSERT_EQ(t.record().received.size(), expected.size()) << id << " harm " << int(harm);
    ASSERT_EQ(t.record().received, expected);
  }
  t.take();
  t.run_for(61s);
  EXPECT_EQ(t.stack().usage().reassembling, 0u);
  EXPECT_GT(t.counters().drop_ip_fragment_duplicate, 50u);
  EXPECT_GT(t.counters().drop_ip_fragment_overlap, 50u);
  EXPECT_GT(t.counters().datagrams_reassembled, 100u);
  t.take();
}

// 10^5 fragments of nothing, damaged as it falls: the receive pool is not smaller, nothing is told
// to anybody beyond the limit of errors, and the connection beside them goes on.
TEST(FragmentsProperty, AFloodLeavesEverythingAsItWas) {
  constexpr std::uint64_t kSeed = 32;
  constexpr std::uint32_t kFragments = 100'000, kEvery = 1000;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng random(kSeed);
  Given given;
  given.monitored = false;
  given.stack.tcp_fragments = true;
  Established t(given);
  std::uint32_t seq = 1;
  std::string expected;
  for (std::uint32_t i = 1; i <= kFragments; ++i) {
    Segment s = data(1, 1400, 1, "P.");
    if (random.chance(0.5))
      s.path.source = numbered_address(static_cast<std::uint8_t>(random.below(256)));
    s.dont_fragment = false;
    const Bytes frame = build(s);
    const std::size_t begin = 8 * random.below(170);
    const Part part{begin, std::min(begin + 8 * (1 + random.below(100)), payload_bytes_of(frame)),
                    random.chance(0.8)};
    Bytes fragment = fragment_of(frame, part, static_cast<std::uint32_t>(random.next()) % 500);
    const auto headers =
        static_cast<std::uint32_t>(std::min<std::size_t>(40, fragment.size() - 14));
    if (random.chance(0.3)) fragment[14 + random.below(headers)] = std::byte(random.next());
    if (random.chance(0.1))
      fragment.resize(random.below(static_cast<std::uint32_t>(fragment.size())));
    t.port().inject(fragment);
    if (i % 16 == 0) t.poll();
    ASSERT_LE(t.stack().usage().reassembling, t.stack().config().max_reassembly);
    if (i % kEvery != 0) continue;
    t.in(data(seq, 1000, 1, "P."));
    expected += stream(seq - 1, 1000);
    seq += 1000;
    ASSERT_EQ(t.record().received, expected);
    expect_conserved(t.stack(), t.port());
    t.run_for(10ms);
    t.take();
  }
  EXPECT_GT(t.counters().reassembly_evicted, 1000u);
  EXPECT_GT(t.counters().fragments_in, 10'000u);
  EXPECT_LE(t.counters().icmp_problems_out, 30u);
  t.run_for(61s);
  EXPECT_EQ(t.stack().usage().reassembling, 0u);
  t.take();
  t.port().take_frames();
}

}  // namespace
}  // namespace tern::test
