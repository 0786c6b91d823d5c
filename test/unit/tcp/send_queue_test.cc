// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/send_queue.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace tern::tcp {
namespace {

using Pool = SendChunkPool;

std::vector<std::byte> pattern(std::size_t size, unsigned first = 0) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((first + i) * 7 >> 2);
  return bytes;
}

std::vector<std::byte> read(SendQueue& queue, const Pool& pool, std::uint32_t offset,
                            std::size_t size) {
  std::vector<std::byte> out(size);
  queue.copy_out(pool, offset, out);
  return out;
}

TEST(SendChunkPool, SplitsTheMemoryOneQuarterToSmallChunks) {
  Pool pool(64 * 1024);
  EXPECT_EQ(pool.capacity(), 64u + 24u);  // 16 KB / 256, 48 KB / 2048
  EXPECT_EQ(Pool(0).capacity(), 0u);
  EXPECT_EQ(Pool::kSmallCapacity, 240u);
  EXPECT_EQ(Pool::kLargeCapacity, 2032u);
}

TEST(SendChunkPool, TakesTheOtherSizeWhenOneIsOut) {
  Pool pool(8 * 1024);  // 8 small, 3 large
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(Pool::is_large(pool.acquire(240)));
  EXPECT_TRUE(Pool::is_large(pool.acquire(240)));
  EXPECT_TRUE(Pool::is_large(pool.acquire(241)));
  EXPECT_TRUE(Pool::is_large(pool.acquire(1)));
  EXPECT_EQ(pool.acquire(1), kNoIndex);
  EXPECT_EQ(pool.acquire(2000), kNoIndex);
  EXPECT_EQ(pool.in_use(), pool.capacity());
}

TEST(SendChunkPool, ReusesTheLastReleasedFirst) {
  Pool pool(8 * 1024);
  const std::uint32_t a = pool.acquire(1000), b = pool.acquire(1000);
  pool.release(a);
  pool.release(b);
  EXPECT_EQ(pool.acquire(1000), b);
  EXPECT_EQ(pool.acquire(1000), a);
}

class SendQueueTest : public testing::Test {
 protected:
  ~SendQueueTest() override {
    queue_.clear(pool_);
    EXPECT_EQ(pool_.in_use(), 0u) << "chunks leaked";
  }
  Pool pool_{256 * 1024};
  SendQueue queue_;
};

TEST_F(SendQueueTest, StartsEmpty) {
  EXPECT_EQ(queue_.size(), 0u);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.append(pool_, {}), 0u);
  queue_.drop_front(pool_, 0);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(SendQueueTest, ASmallReplyPinsASmallChunk) {
  EXPECT_EQ(queue_.append(pool_, pattern(64)), 64u);
  EXPECT_EQ(pool_.small_in_use(), 1u);
  EXPECT_EQ(pool_.large_in_use(), 0u);
}

TEST_F(SendQueueTest, FillsTheTailsRoomFirst) {
  queue_.append(pool_, pattern(200));
  queue_.append(pool_, pattern(40, 200));
  EXPECT_EQ(pool_.in_use(), 1u);
  queue_.append(pool_, pattern(1, 240));
  EXPECT_EQ(pool_.in_use(), 2u);
  EXPECT_EQ(read(queue_, pool_, 0, 241), pattern(241));
}

TEST_F(SendQueueTest, ChoosesTheChunkByTheBytesThatRemain) {
  queue_.append(pool_, pattern(2032 + 2032 + 240));
  EXPECT_EQ(pool_.large_in_use(), 2u);
  EXPECT_EQ(pool_.small_in_use(), 1u);
  EXPECT_EQ(read(queue_, pool_, 0, 4304), pattern(4304));
}

TEST_F(SendQueueTest, DropFrontFreesWholeChunksOnly) {
  queue_.append(pool_, pattern(5000));
  queue_.drop_front(pool_, 2031);
  EXPECT_EQ(pool_.in_use(), 3u);
  queue_.drop_front(pool_, 1);
  EXPECT_EQ(pool_.in_use(), 2u);
  EXPECT_EQ(read(queue_, pool_, 0, 2968), [] {
    auto all = pattern(5000);
    return std::vector<std::byte>(all.begin() + 2032, all.end());
  }());
  queue_.drop_front(pool_, 2968);
  EXPECT_EQ(pool_.in_use(), 0u);
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(SendQueueTest, ReservedBytesCountFromCommitOn) {
  std::span<std::byte> room = queue_.reserve(pool_, 1000);
  ASSERT_EQ(room.size(), 1000u);
  EXPECT_EQ(queue_.size(), 0u);
  const auto bytes = pattern(900);
  std::memcpy(room.data(), bytes.data(), 900);
  EXPECT_TRUE(queue_.commit(pool_, 900));
  EXPECT_EQ(queue_.size(), 900u);
  EXPECT_EQ(read(queue_, pool_, 0, 900), bytes);
}

TEST_F(SendQueueTest, AReservationIsContiguousAndAtMostAChunk) {
  EXPECT_EQ(queue_.reserve(pool_, 100000).size(), 2032u);
  EXPECT_EQ(queue_.reserve(pool_, 0).size(), 0u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(SendQueueTest, AReservationThatFitsTheTailTakesNoChunk) {
  queue_.append(pool_, pattern(300));
  std::span<std::byte> room = queue_.reserve(pool_, 1732);
  ASSERT_EQ(room.size(), 1732u);
  EXPECT_EQ(pool_.in_use(), 1u);
  room[0] = std::byte{0x55};
  queue_.commit(pool_, 1);
  EXPECT_EQ(read(queue_, pool_, 300, 1)[0], std::byte{0x55});
}

TEST_F(SendQueueTest, ReservingMuchAndCommittingLittlePinsLittle) {
  for (unsigned i = 0; i < 300; ++i) {
    std::span<std::byte> room = queue_.reserve(pool_, 2032);
    ASSERT_EQ(room.size(), 2032u);
    const auto bytes = pattern(8, i * 8);
    std::memcpy(room.data(), bytes.data(), 8);
    queue_.commit(pool_, 8);
  }
  EXPECT_EQ(queue_.size(), 2400u);
  EXPECT_EQ(pool_.small_in_use(), 10u);
  EXPECT_EQ(pool_.large_in_use(), 0u);
  EXPECT_EQ(read(queue_, pool_, 0, 2400), pattern(2400));
}

TEST_F(SendQueueTest, ALargeChunkServesASmallCommitWhenSmallOnesAreOut) {
  std::vector<std::uint32_t> taken;
  for (std::uint32_t i = pool_.acquire_small(); i != kNoIndex; i = pool_.acquire_small())
    taken.push_back(i);
  ASSERT_EQ(taken.size(), 256u);
  ASSERT_EQ(queue_.reserve(pool_, 2000).size(), 2000u);
  queue_.commit(pool_, 10);
  EXPECT_EQ(queue_.size(), 10u);
  EXPECT_EQ(pool_.large_in_use(), 1u);
  for (std::uint32_t i : taken) pool_.release(i);
}

TEST_F(SendQueueTest, CommittingNothingOrAnotherReservationGivesTheMemoryBack) {
  queue_.reserve(pool_, 1000);
  EXPECT_EQ(pool_.in_use(), 1u);
  queue_.commit(pool_, 0);
  EXPECT_EQ(pool_.in_use(), 0u);
  queue_.reserve(pool_, 1000);
  queue_.reserve(pool_, 100);
  EXPECT_EQ(pool_.in_use(), 1u);
  EXPECT_EQ(pool_.small_in_use(), 1u);
  queue_.append(pool_, pattern(10));
  EXPECT_EQ(pool_.in_use(), 1u);
  EXPECT_FALSE(queue_.commit(pool_, 5));  // the append ended the reservation
  EXPECT_EQ(queue_.size(), 10u);
}

TEST_F(SendQueueTest, AReservationInTheTailOutlivesItsAcknowledgment) {
  queue_.append(pool_, pattern(100));
  std::span<std::byte> room = queue_.reserve(pool_, 50);
  queue_.drop_front(pool_, 100);
  EXPECT_EQ(queue_.size(), 0u);
  EXPECT_EQ(pool_.in_use(), 1u);
  const auto bytes = pattern(50, 9);
  std::memcpy(room.data(), bytes.data(), 50);
  queue_.commit(pool_, 50);
  EXPECT_EQ(read(queue_, pool_, 0, 50), bytes);
  queue_.drop_front(pool_, 50);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(SendQueueTest, ACancelledReservationInAnEmptyTailFreesIt) {
  queue_.append(pool_, pattern(100));
  queue_.reserve(pool_, 50);
  queue_.drop_front(pool_, 100);
  queue_.cancel_reservation(pool_);
  EXPECT_EQ(pool_.in_use(), 0u);
  queue_.append(pool_, pattern(100));
  EXPECT_EQ(read(queue_, pool_, 0, 100), pattern(100));
}

TEST_F(SendQueueTest, ADryPoolLeavesTheTailsRoom) {
  Pool pool(0);
  EXPECT_EQ(queue_.append(pool, pattern(10)), 0u);
  EXPECT_TRUE(queue_.reserve(pool, 10).empty());

  Pool one(1024);  // one small chunk, no large one
  EXPECT_EQ(one.capacity(), 1u);
  EXPECT_EQ(queue_.append(one, pattern(200)), 200u);
  EXPECT_EQ(queue_.reserve(one, 100).size(), 40u);
  EXPECT_EQ(queue_.append(one, pattern(100)), 40u);
  EXPECT_TRUE(queue_.reserve(one, 100).empty());
  queue_.clear(one);
  EXPECT_EQ(one.in_use(), 0u);
}

TEST_F(SendQueueTest, AppendsAllOrNothing) {
  Pool dry(0);
  EXPECT_FALSE(queue_.append_all(dry, pattern(10)));

  Pool one(1024);
  EXPECT_FALSE(queue_.append_all(one, pattern(241)));
  EXPECT_TRUE(queue_.append_all(one, pattern(200)));
  EXPECT_FALSE(queue_.append_all(one, pattern(41)));
  EXPECT_EQ(queue_.size(), 200u);
  EXPECT_TRUE(queue_.append_all(one, pattern(40, 200)));
  EXPECT_EQ(read(queue_, one, 0, 240), pattern(240));
  queue_.clear(one);
  EXPECT_EQ(one.in_use(), 0u);
}

TEST_F(SendQueueTest, ReadsInAnyOrder) {
  const auto bytes = pattern(20000);
  queue_.append(pool_, bytes);
  auto expect = [&](std::uint32_t offset, std::size_t size) {
    EXPECT_EQ(read(queue_, pool_, offset, size),
              std::vector<std::byte>(bytes.begin() + offset, bytes.begin() + offset + size));
  };
  for (std::uint32_t offset = 0; offset + 1448 <= 20000; offset += 1448) expect(offset, 1448);
  expect(0, 1448);      // a retransmission
  expect(18000, 2000);  // and on with new data
  expect(4000, 10000);
  expect(3000, 1);
  expect(20000, 0);
}

TEST_F(SendQueueTest, StreamPositionsWrap) {
  const std::vector<std::byte> block(Pool::kLargeCapacity * 64);
  Pool pool(1024 * 1024);
  std::uint64_t total = 0;
  while (total + block.size() + 4000 < (std::uint64_t{1} << 32)) {
    ASSERT_EQ(queue_.append(pool, block), block.size());
    queue_.drop_front(pool, static_cast<std::uint32_t>(block.size()));
    total += block.size();
  }
  const auto bytes = pattern(static_cast<std::size_t>((std::uint64_t{1} << 32) - total) + 9000);
  queue_.append(pool, bytes);
  EXPECT_EQ(read(queue_, pool, 0, bytes.size()), bytes);
  for (std::uint32_t left = queue_.size(); left >= 1000; left -= 1000) {
    EXPECT_EQ(read(queue_, pool, 0, left), std::vector<std::byte>(bytes.end() - left, bytes.end()));
    queue_.drop_front(pool, 1000);
  }
  queue_.clear(pool);
  EXPECT_EQ(pool.in_use(), 0u);
}

using SendQueueDeathTest = SendQueueTest;

TEST_F(SendQueueDeathTest, RefusesWhatIsNotThere) {
  queue_.append(pool_, pattern(10));
  EXPECT_DEATH(queue_.drop_front(pool_, 11), "assertion failed");
  EXPECT_DEATH(read(queue_, pool_, 10, 1), "assertion failed");
  EXPECT_DEATH(read(queue_, pool_, 11, 0), "assertion failed");
}

}  // namespace
}  // namespace tern::tcp
