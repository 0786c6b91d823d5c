// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/receive_buffer.h"

#include <gtest/gtest.h>

#include <string>

#include "unit/tcp/heap_frames.h"

namespace tern::tcp {
namespace {

using wire::SeqNum;

class ReceiveBufferTest : public testing::Test {
 protected:
  std::string text(const ReceiveBuffers& buffers, std::uint32_t node) {
    return {reinterpret_cast<const char*>(buffers[node].data), buffers[node].length};
  }

  test::HeapFrames port_;
  FrameBin bin_{port_};
  Counters counters_;
};

TEST_F(ReceiveBufferTest, KeepsTheFrameWhileItMay) {
  ReceiveBuffers buffers(8, 2, 4 * 2048, bin_, counters_);
  Frame frame = port_.make(100, 'x');
  const std::uint32_t node = buffers.hold(frame, frame.bytes().subspan(54), SeqNum(7));
  ASSERT_NE(node, kNoIndex);
  EXPECT_EQ(buffers[node].data, frame.data + 54);
  EXPECT_EQ(buffers[node].length, 46u);
  EXPECT_EQ(buffers[node].end(), SeqNum(53));
  EXPECT_EQ(buffers[node].room(), 0u);
  EXPECT_EQ(buffers.held_frames(), 1u);
  EXPECT_EQ(buffers.chunks_in_use(), 0u);
  EXPECT_EQ(counters_.rx_held_copied, 0u);
  buffers.release(node);
  EXPECT_EQ(buffers.held_frames(), 0u);
  EXPECT_EQ(buffers.nodes_in_use(), 0u);
  EXPECT_EQ(bin_.size(), 1u);
}

TEST_F(ReceiveBufferTest, CopiesBeyondTheLimitOfHeldFrames) {
  ReceiveBuffers buffers(8, 1, 4 * 2048, bin_, counters_);
  Frame first = port_.make(10, 'a'), second = port_.make(10, 'b');
  const std::uint32_t a = buffers.hold(first, first.bytes(), SeqNum(0));
  const std::uint32_t b = buffers.hold(second, second.bytes(), SeqNum(10));
  bin_.flush();
  EXPECT_EQ(port_.outstanding(), 1u);
  EXPECT_EQ(buffers.held_frames(), 1u);
  EXPECT_EQ(buffers.chunks_in_use(), 1u);
  EXPECT_EQ(counters_.rx_held_copied, 1u);
  EXPECT_EQ(text(buffers, b), "bbbbbbbbbb");
  EXPECT_EQ(buffers[b].room(), 2038u);
  buffers.release(a);
  buffers.release(b);
  EXPECT_EQ(buffers.chunks_in_use(), 0u);
  EXPECT_EQ(buffers.nodes_in_use(), 0u);
}

TEST_F(ReceiveBufferTest, GivesTheFrameBackWhenAllIsExhausted) {
  ReceiveBuffers no_nodes(0, 5, 4 * 2048, bin_, counters_);
  ReceiveBuffers no_memory(5, 0, 2047, bin_, counters_);
  ReceiveBuffers chunks(5, 0, 2048, bin_, counters_);
  Frame f = port_.make(10, 'a');
  EXPECT_EQ(no_nodes.hold(f, f.bytes(), SeqNum(0)), kNoIndex);
  f = port_.make(10, 'a');
  EXPECT_EQ(no_memory.hold(f, f.bytes(), SeqNum(0)), kNoIndex);
  f = port_.make(2049, 'a');
  EXPECT_EQ(chunks.hold(f, f.bytes(), SeqNum(0)), kNoIndex);
  EXPECT_EQ(chunks.nodes_in_use(), 0u);
  EXPECT_EQ(chunks.chunks_in_use(), 0u);
  bin_.flush();
  EXPECT_EQ(port_.outstanding(), 0u);
  EXPECT_EQ(counters_.rx_held_copied, 0u);
}

TEST_F(ReceiveBufferTest, AppendsToChunksOnlyAndUpToTheirRoom) {
  ReceiveBuffers buffers(8, 1, 4 * 2048, bin_, counters_);
  Frame frame = port_.make(10, 'a');
  const std::uint32_t held = buffers.hold(frame, frame.bytes(), SeqNum(0));
  const std::vector<std::byte> more(1500, std::byte{'c'});
  EXPECT_EQ(buffers.append(held, more), 0u);
  const std::uint32_t copied = buffers.copy(more, SeqNum(0));
  EXPECT_EQ(buffers.append(copied, more), 548u);
  EXPECT_EQ(buffers.append(copied, more), 0u);
  EXPECT_EQ(text(buffers, copied), std::string(2048, 'c'));
  buffers.release(held);
  buffers.release(copied);
}

TEST_F(ReceiveBufferTest, TrimsTheFrontAndKeepsTheRoomRight) {
  ReceiveBuffers buffers(8, 1, 4 * 2048, bin_, counters_);
  const std::vector<std::byte> bytes(2000, std::byte{'c'});
  const std::uint32_t node = buffers.copy(bytes, SeqNum(0xffffffff));
  buffers.trim_front(node, 5);
  EXPECT_EQ(buffers[node].seq, SeqNum(4));
  EXPECT_EQ(buffers[node].length, 1995u);
  EXPECT_EQ(buffers[node].room(), 48u);
  EXPECT_EQ(buffers.append(node, bytes), 48u);
  buffers.release(node);
}

TEST_F(ReceiveBufferTest, MovesFromFrameToChunk) {
  ReceiveBuffers buffers(8, 2, 2048, bin_, counters_);
  Frame a = port_.make(10, 'a'), b = port_.make(10, 'b'), large = port_.make(2049, 'c');
  const std::uint32_t first = buffers.hold(a, a.bytes(), SeqNum(0));
  const std::uint32_t second = buffers.hold(b, b.bytes(), SeqNum(10));
  EXPECT_TRUE(buffers.move_to_chunk(first));
  EXPECT_FALSE(buffers.move_to_chunk(second));  // the only chunk is taken
  EXPECT_TRUE(buffers.move_to_chunk(first));    // nothing to do
  EXPECT_EQ(counters_.rx_held_copied, 1u);
  bin_.flush();
  EXPECT_EQ(port_.outstanding(), 2u);
  EXPECT_EQ(text(buffers, first), "aaaaaaaaaa");
  buffers.release(first);
  const std::uint32_t third = buffers.hold(large, large.bytes(), SeqNum(10));
  EXPECT_FALSE(buffers.move_to_chunk(third));
  buffers.release(second);
  buffers.release(third);
}

TEST_F(ReceiveBufferTest, SaysWhenTheLastEighthIsReached) {
  ReceiveBuffers by_nodes(16, 100, 0, bin_, counters_);
  ReceiveBuffers by_memory(100, 0, 16 * 2048, bin_, counters_);
  for (ReceiveBuffers* buffers : {&by_nodes, &by_memory}) {
    std::vector<std::uint32_t> nodes;
    for (int i = 0; i < 15; ++i) {
      EXPECT_FALSE(buffers->is_scarce());
      Frame f = port_.make(10, 'a');
      nodes.push_back(buffers->hold(f, f.bytes(), SeqNum(0)));
    }
    EXPECT_TRUE(buffers->is_scarce());
    for (std::uint32_t node : nodes) buffers->release(node);
    EXPECT_FALSE(buffers->is_scarce());
  }
  EXPECT_FALSE(ReceiveBuffers(0, 0, 0, bin_, counters_).is_scarce());
}

}  // namespace
}  // namespace tern::tcp
