// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/reassembly.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/tcp/heap_frames.h"

namespace tern::tcp {
namespace {

using wire::SackBlock;
using wire::SeqNum;
using Outcome = Reassembly::Outcome;

/// Positions in the tests are offsets from rcv_nxt, which lies just before the numbers wrap.
constexpr SeqNum kBase(0xffffff00);

class ReassemblyTest : public testing::Test {
 protected:
  explicit ReassemblyTest(std::uint32_t nodes = 600, std::uint32_t frames = 100,
                          std::uint32_t chunks = 600)
      : buffers_(nodes, frames, chunks * 2048ull, bin_, counters_) {}
  ~ReassemblyTest() override {
    held_.clear(buffers_);
    queue_.clear(buffers_);
    EXPECT_EQ(held_.bytes(), 0u);
    EXPECT_EQ(held_.nodes(), 0u);
    EXPECT_EQ(buffers_.nodes_in_use(), 0u);
    EXPECT_EQ(buffers_.held_frames(), 0u);
    EXPECT_EQ(buffers_.chunks_in_use(), 0u);
  }

  Outcome insert(std::uint32_t begin, std::uint32_t end, char fill) {
    const Frame frame = port_.make(end - begin + 54, fill);
    const Outcome outcome =
        held_.insert(buffers_, frame, frame.bytes().subspan(54), kBase + begin, kBase);
    bin_.flush();
    EXPECT_EQ(port_.outstanding(), buffers_.held_frames());
    return outcome;
  }

  /// All that is held, '.' where nothing is, one character for `scale` bytes.
  std::string picture(std::uint32_t size, std::uint32_t scale) {
    std::string text(size * scale, '.');
    std::vector<SackBlock> blocks(100);
    blocks.resize(held_.ranges(buffers_, blocks));
    for (const SackBlock& block : blocks) {
      EXPECT_EQ(held_.take_ready(buffers_, queue_, block.begin), block.end - block.begin);
      std::uint32_t at = block.begin - kBase;
      for (std::uint32_t n = queue_.pop(buffers_); n != kNoIndex; n = queue_.pop(buffers_)) {
        text.replace(at, buffers_[n].length, reinterpret_cast<const char*>(buffers_[n].data),
                     buffers_[n].length);
        at += buffers_[n].length;
        buffers_.release(n);
      }
    }
    EXPECT_TRUE(held_.empty());
    std::string shrunk;
    for (std::size_t i = 0; i < text.size(); i += scale) {
      EXPECT_EQ(text.substr(i, scale), std::string(scale, text[i]));
      shrunk += text[i];
    }
    return shrunk;
  }

  test::HeapFrames port_;
  FrameBin bin_{port_};
  Counters counters_;
  ReceiveBuffers buffers_;
  Reassembly held_;
  ReceiveQueue queue_;
};

TEST_F(ReassemblyTest, StartsEmpty) {
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase), 0u);
  EXPECT_FALSE(held_.drop_last(buffers_));
  EXPECT_EQ(insert(5, 5, 'a'), Outcome::kDuplicate);
}

/// Allen's thirteen relations of an arriving segment to the one held, [4, 8): the first bytes win.
struct Relation {
  const char* name;
  std::uint32_t begin, end;
  Outcome outcome;
  const char* picture;
};
constexpr Relation kRelations[] = {
    {"before", 1, 3, Outcome::kKept, ".BB.AAAA...."},
    {"meets", 1, 4, Outcome::kKept, ".BBBAAAA...."},
    {"overlaps", 2, 6, Outcome::kKept, "..BBAAAA...."},
    {"finished_by", 2, 8, Outcome::kKept, "..BBAAAA...."},
    {"contains", 2, 10, Outcome::kKept, "..BBAAAABB.."},
    {"starts", 4, 6, Outcome::kDuplicate, "....AAAA...."},
    {"equals", 4, 8, Outcome::kDuplicate, "....AAAA...."},
    {"started_by", 4, 10, Outcome::kKept, "....AAAABB.."},
    {"during", 5, 7, Outcome::kDuplicate, "....AAAA...."},
    {"finishes", 6, 8, Outcome::kDuplicate, "....AAAA...."},
    {"overlapped_by", 6, 10, Outcome::kKept, "....AAAABB.."},
    {"met_by", 8, 10, Outcome::kKept, "....AAAABB.."},
    {"after", 9, 11, Outcome::kKept, "....AAAA.BB."},
};

class ReassemblyRelationTest
    : public ReassemblyTest,
      public testing::WithParamInterface<std::tuple<Relation, std::uint32_t>> {};

TEST_P(ReassemblyRelationTest, TheFirstBytesWin) {
  const auto& [relation, scale] = GetParam();
  EXPECT_EQ(insert(4 * scale, 8 * scale, 'A'), Outcome::kKept);
  EXPECT_EQ(insert(relation.begin * scale, relation.end * scale, 'B'), relation.outcome);
  EXPECT_EQ(picture(12, scale), relation.picture);
}

// 1: copied into chunks; 40: about the wrap of the sequence numbers; 400: held in their frames.
INSTANTIATE_TEST_SUITE_P(AllThirteen, ReassemblyRelationTest,
                         testing::Combine(testing::ValuesIn(kRelations),
                                          testing::Values(1u, 40u, 400u)),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param).name) + "_x" +
                                  std::to_string(std::get<1>(p.param));
                         });

TEST_F(ReassemblyTest, OneSegmentFillsSeveralHoles) {
  for (std::uint32_t at : {2u, 5u, 9u}) insert(at * 600, at * 600 + 600, 'A');
  EXPECT_EQ(buffers_.held_frames(), 3u);
  EXPECT_EQ(insert(600, 11 * 600, 'B'), Outcome::kKept);
  EXPECT_EQ(buffers_.held_frames(), 4u);  // one piece keeps the frame, three are copied
  EXPECT_EQ(buffers_.chunks_in_use(), 3u);
  EXPECT_EQ(counters_.rx_held_copied, 0u);
  EXPECT_EQ(picture(12, 600), ".BABBABBBAB.");
}

TEST_F(ReassemblyTest, CountsBytesAndNodes) {
  insert(1000, 2000, 'a');
  insert(3000, 4000, 'b');
  EXPECT_EQ(held_.bytes(), 2000u);
  EXPECT_EQ(held_.nodes(), 2u);
  insert(1500, 3500, 'c');
  EXPECT_EQ(held_.bytes(), 3000u);
  EXPECT_EQ(held_.nodes(), 3u);
  EXPECT_EQ(insert(1000, 4000, 'd'), Outcome::kDuplicate);
  EXPECT_EQ(held_.bytes(), 3000u);
}

TEST_F(ReassemblyTest, SmallSegmentsInARowShareAChunk) {
  for (std::uint32_t i = 0; i < 2048; ++i) insert(100 + i, 101 + i, 'a');
  EXPECT_EQ(held_.nodes(), 1u);
  EXPECT_EQ(buffers_.chunks_in_use(), 1u);
  EXPECT_EQ(buffers_.held_frames(), 0u);
  EXPECT_EQ(counters_.rx_held_copied, 2048u);
  insert(2148, 2149, 'a');
  EXPECT_EQ(held_.nodes(), 2u);
}

TEST_F(ReassemblyTest, TakesWhatHasBecomeReady) {
  insert(100, 200, 'a');
  insert(200, 900, 'b');
  insert(1000, 1100, 'c');
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase + 99), 0u);
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase + 100), 800u);
  EXPECT_EQ(queue_.bytes(), 800u);
  EXPECT_EQ(held_.bytes(), 100u);
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase + 900), 0u);
}

TEST_F(ReassemblyTest, TakesNothingTwice) {  // rcv_nxt has gone past what is held
  insert(100, 200, 'a');
  insert(300, 400, 'b');
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase + 350), 50u);
  EXPECT_TRUE(held_.empty());
  const std::uint32_t node = queue_.pop(buffers_);
  EXPECT_EQ(buffers_[node].seq, kBase + 350);
  EXPECT_EQ(buffers_[node].length, 50u);
  buffers_.release(node);
  EXPECT_EQ(queue_.pop(buffers_), kNoIndex);
}

TEST_F(ReassemblyTest, AnInOrderSegmentDoesNotOverwriteWhatCameBefore) {
  insert(4, 8, 'A');
  EXPECT_EQ(insert(0, 10, 'B'), Outcome::kKept);
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase), 10u);
  std::string text;
  for (std::uint32_t n = queue_.pop(buffers_); n != kNoIndex; n = queue_.pop(buffers_)) {
    text.append(reinterpret_cast<const char*>(buffers_[n].data), buffers_[n].length);
    buffers_.release(n);
  }
  EXPECT_EQ(text, "BBBBAAAABB");
}

TEST_F(ReassemblyTest, RangesAreAscendingAndCoalesced) {
  insert(500, 600, 'c');
  insert(100, 200, 'a');
  insert(200, 300, 'b');
  insert(700, 800, 'd');
  SackBlock blocks[4];
  ASSERT_EQ(held_.ranges(buffers_, blocks), 3u);
  EXPECT_EQ(blocks[0].begin, kBase + 100);
  EXPECT_EQ(blocks[0].end, kBase + 300);
  EXPECT_EQ(blocks[1].begin, kBase + 500);
  EXPECT_EQ(blocks[2].end, kBase + 800);
  ASSERT_EQ(held_.ranges(buffers_, std::span(blocks, 1)), 1u);
  EXPECT_EQ(blocks[0].end, kBase + 300);
  EXPECT_EQ(held_.ranges(buffers_, {}), 0u);
}

TEST_F(ReassemblyTest, DropsTheFarthestFirst) {
  insert(100, 200, 'a');
  insert(300, 400, 'b');
  EXPECT_TRUE(held_.drop_last(buffers_));
  EXPECT_EQ(held_.bytes(), 100u);
  insert(250, 260, 'c');  // the tail is right again
  SackBlock blocks[4];
  ASSERT_EQ(held_.ranges(buffers_, blocks), 2u);
  EXPECT_EQ(blocks[1].begin, kBase + 250);
  EXPECT_TRUE(held_.drop_last(buffers_));
  EXPECT_TRUE(held_.drop_last(buffers_));
  EXPECT_TRUE(held_.empty());
}

TEST_F(ReassemblyTest, TinyPiecesWithHolesStopAtTheBound) {
  for (std::uint32_t i = 0; i < 512; ++i)
    EXPECT_EQ(insert(2 * i + 1, 2 * i + 2, 'a'), Outcome::kKept);
  EXPECT_EQ(insert(2000, 2001, 'a'), Outcome::kNoBuffer);
  EXPECT_EQ(insert(2 * 511 + 2, 2 * 511 + 3, 'a'), Outcome::kKept);  // fits the last one's chunk
  EXPECT_EQ(insert(1, 2, 'a'), Outcome::kDuplicate);
  EXPECT_EQ(held_.nodes(), 512u);
  EXPECT_EQ(insert(0, 1, 'b'), Outcome::kKept);  // in order: always
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase), 2u);
}

TEST_F(ReassemblyTest, TinyPiecesInReverseAreCopiedTogetherAtTheBound) {
  for (std::uint32_t i = 5000; i > 1; --i) ASSERT_EQ(insert(i, i + 1, 'a'), Outcome::kKept) << i;
  EXPECT_EQ(held_.bytes(), 4999u);
  EXPECT_LE(held_.nodes(), 512u);
  SackBlock blocks[4];
  EXPECT_EQ(held_.ranges(buffers_, blocks), 1u);
}

class ReassemblyShortOfMemoryTest : public ReassemblyTest {
 protected:
  ReassemblyShortOfMemoryTest() : ReassemblyTest(16, 0, 100) {}
};

TEST_F(ReassemblyShortOfMemoryTest, LeavesTheLastEighthToInOrderData) {
  for (std::uint32_t i = 0; i < 15; ++i)
    EXPECT_EQ(insert(10 + 20 * i, 20 + 20 * i, 'a'), Outcome::kKept);
  EXPECT_EQ(insert(1000, 1010, 'a'), Outcome::kNoBuffer);
  EXPECT_EQ(insert(0, 10, 'b'), Outcome::kKept);
  EXPECT_EQ(held_.take_ready(buffers_, queue_, kBase), 20u);
}

TEST_F(ReassemblyShortOfMemoryTest, CutsLongPiecesIntoChunks) {
  EXPECT_EQ(insert(100, 5100, 'a'), Outcome::kKept);
  EXPECT_EQ(held_.bytes(), 5000u);
  EXPECT_EQ(held_.nodes(), 3u);
  EXPECT_EQ(counters_.rx_held_copied, 1u);
  EXPECT_EQ(picture(51, 100), "." + std::string(50, 'a'));
}

class ReassemblyWithoutMemoryTest : public ReassemblyTest {
 protected:
  ReassemblyWithoutMemoryTest() : ReassemblyTest(0, 0, 0) {}
};

TEST_F(ReassemblyWithoutMemoryTest, RefusesAndGivesTheFrameBack) {
  EXPECT_EQ(insert(100, 200, 'a'), Outcome::kNoBuffer);
  EXPECT_EQ(insert(0, 2000, 'a'), Outcome::kNoBuffer);
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(counters_.rx_held_copied, 0u);
}

}  // namespace
}  // namespace tern::tcp
