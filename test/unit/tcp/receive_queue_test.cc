// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/receive_queue.h"

#include <gtest/gtest.h>

#include <string>

#include "unit/tcp/heap_frames.h"

namespace tern::tcp {
namespace {

using wire::SeqNum;

class ReceiveQueueTest : public testing::Test {
 protected:
  ~ReceiveQueueTest() override {
    queue_.clear(buffers_);
    EXPECT_EQ(queue_.bytes(), 0u);
    EXPECT_EQ(buffers_.nodes_in_use(), 0u);
    EXPECT_EQ(buffers_.held_frames(), 0u);
    EXPECT_EQ(buffers_.chunks_in_use(), 0u);
  }

  bool push(std::size_t size, char fill) {
    const Frame frame = port_.make(size + 54, fill);
    const bool taken = queue_.push(buffers_, frame, frame.bytes().subspan(54), next_);
    if (taken) next_ += static_cast<std::uint32_t>(size);
    bin_.flush();
    EXPECT_EQ(port_.outstanding(), buffers_.held_frames());
    return taken;
  }
  std::string pop() {
    const std::uint32_t node = queue_.pop(buffers_);
    if (node == kNoIndex) return "";
    std::string text{reinterpret_cast<const char*>(buffers_[node].data), buffers_[node].length};
    EXPECT_EQ(buffers_[node].seq, read_);
    read_ += buffers_[node].length;
    buffers_.release(node);
    return text;
  }

  test::HeapFrames port_;
  FrameBin bin_{port_};
  Counters counters_;
  ReceiveBuffers buffers_{8, 3, 3 * 2048, bin_, counters_};
  ReceiveQueue queue_;
  SeqNum next_{0xfffffff0}, read_{0xfffffff0};
};

TEST_F(ReceiveQueueTest, StartsEmpty) {
  EXPECT_EQ(queue_.pop(buffers_), kNoIndex);
  EXPECT_EQ(queue_.front_length(buffers_), 0u);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ReceiveQueueTest, FirstInFirstOut) {
  push(1000, 'a');
  push(1001, 'b');
  EXPECT_EQ(queue_.bytes(), 2001u);
  EXPECT_EQ(queue_.front_length(buffers_), 1000u);
  EXPECT_EQ(pop(), std::string(1000, 'a'));
  push(1002, 'c');
  EXPECT_EQ(pop(), std::string(1001, 'b'));
  EXPECT_EQ(pop(), std::string(1002, 'c'));
  EXPECT_EQ(pop(), "");
  EXPECT_EQ(queue_.bytes(), 0u);
}

TEST_F(ReceiveQueueTest, AReaderThatKeepsUpGetsTheFramesThemselves) {
  for (int i = 0; i < 10; ++i) {
    push(64, 'a');
    EXPECT_EQ(buffers_.held_frames(), 1u);
    EXPECT_EQ(pop(), std::string(64, 'a'));
  }
  EXPECT_EQ(counters_.rx_held_copied, 0u);
}

TEST_F(ReceiveQueueTest, BehindAReaderThatLagsSmallSegmentsAreCopiedTogether) {
  push(10, 'a');
  for (int i = 0; i < 60; ++i) push(64, 'b');
  EXPECT_EQ(buffers_.held_frames(), 1u);
  EXPECT_EQ(buffers_.chunks_in_use(), 2u);
  EXPECT_EQ(counters_.rx_held_copied, 60u);
  EXPECT_EQ(queue_.bytes(), 10u + 60 * 64);
  EXPECT_EQ(pop(), std::string(10, 'a'));
  EXPECT_EQ(pop(), std::string(2048, 'b'));
  EXPECT_EQ(pop(), std::string(60 * 64 - 2048, 'b'));
}

TEST_F(ReceiveQueueTest, SmallEndsAt512Bytes) {
  push(10, 'a');
  push(512, 'b');
  EXPECT_EQ(buffers_.held_frames(), 1u);
  push(513, 'c');
  EXPECT_EQ(buffers_.held_frames(), 2u);
}

TEST_F(ReceiveQueueTest, BeyondTheHeldFramesLargeSegmentsAreCopiedToo) {
  for (char fill : {'a', 'b', 'c', 'd', 'e', 'f', 'g'}) EXPECT_TRUE(push(1448, fill)) << fill;
  EXPECT_EQ(buffers_.held_frames(), 3u);
  EXPECT_EQ(buffers_.chunks_in_use(), 3u);  // 4 x 1448 = 2.8 chunks
  EXPECT_FALSE(push(1448, 'h'));
  EXPECT_EQ(queue_.bytes(), 7u * 1448);
  EXPECT_TRUE(push(352, 'i'));  // the tail's room
  EXPECT_FALSE(push(1, 'j'));
  std::string all;
  for (std::string s = pop(); !s.empty(); s = pop()) all += s;
  EXPECT_EQ(all.size(), 7u * 1448 + 352);
  EXPECT_EQ(all[4 * 1448 - 1], 'd');
  EXPECT_EQ(all[4 * 1448], 'e');
}

TEST_F(ReceiveQueueTest, ASmallSegmentTakesAFrameWhenNoChunkIsLeft) {
  ReceiveBuffers buffers(8, 2, 0, bin_, counters_);
  ReceiveQueue queue;
  for (int i = 0; i < 3; ++i) {
    const Frame frame = port_.make(10, 'a');
    EXPECT_EQ(queue.push(buffers, frame, frame.bytes(), SeqNum(i * 10u)), i < 2);
  }
  EXPECT_EQ(queue.bytes(), 20u);
  queue.clear(buffers);
}

TEST_F(ReceiveQueueTest, JumboSegmentsSpreadOverChunksOrAreRefusedWhole) {
  for (int i = 0; i < 3; ++i) push(1000, 'a');
  EXPECT_FALSE(push(3 * 2048 + 1, 'b'));
  EXPECT_EQ(queue_.bytes(), 3000u);
  EXPECT_EQ(buffers_.chunks_in_use(), 0u);
  EXPECT_TRUE(push(3 * 2048, 'c'));
  EXPECT_EQ(buffers_.chunks_in_use(), 3u);
  for (int i = 0; i < 3; ++i) pop();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pop(), std::string(2048, 'c'));
}

TEST_F(ReceiveQueueTest, APushAfterTheLastPopStartsAfresh) {
  push(10, 'a');
  push(10, 'b');
  pop();
  const std::uint32_t loaned = queue_.pop(buffers_);
  push(10, 'c');  // must not land in the chunk on loan
  EXPECT_EQ(buffers_[loaned].length, 10u);
  buffers_.release(loaned);
  read_ += 10;
  EXPECT_EQ(pop(), std::string(10, 'c'));
}

}  // namespace
}  // namespace tern::tcp
