// SPDX-License-Identifier: BSD-3-Clause
#include "conservation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace tern::test {
namespace {

constexpr std::uint32_t kReceiveChunkBytes = 2048, kSmallSendChunkBytes = 256;

std::size_t sockets_in_table(const Stack& stack) {
  std::vector<ConnectionInfo> sockets;
  stack.list(0, SIZE_MAX, sockets);
  return static_cast<std::size_t>(std::count_if(
      sockets.begin(), sockets.end(), [](const auto& s) { return s.state != TcpState::kListen; }));
}

}  // namespace

void expect_conserved(const Stack& stack, const io::ModelPort& port) {
  const StackUsage u = stack.usage();
  const StackConfig& config = stack.config();
  EXPECT_EQ(port.outstanding(), u.spare_frames + u.staged_frames + u.waiting_frames +
                                    u.held_frames + u.returning_frames);
  EXPECT_EQ(u.table_entries, sockets_in_table(stack));
  EXPECT_LE(u.table_entries, u.connections + u.time_wait + u.half_open);
  EXPECT_LE(u.half_open, config.syn_cache_entries);
  EXPECT_LE(u.connections, config.max_connections);
  EXPECT_LE(u.time_wait, config.max_time_wait);
  EXPECT_LE(u.timers, u.connections);
  EXPECT_LE(std::uint64_t{u.send_chunks} * kSmallSendChunkBytes, config.send_memory);
  EXPECT_LE(std::uint64_t{u.receive_chunks} * kReceiveChunkBytes, config.receive_memory);
  if (const std::uint32_t rx_frames = port.info().rx_frames; rx_frames > 0) {
    EXPECT_LE(u.held_frames, rx_frames / 2) << "received frames that starve reception";
  }
}

void expect_nothing_left(const Stack& stack, const io::ModelPort& port) {
  const StackUsage u = stack.usage();
  EXPECT_EQ(u.connections, 0u);
  EXPECT_EQ(u.half_open, 0u);
  EXPECT_EQ(u.table_entries, u.time_wait);
  EXPECT_EQ(u.timers, 0u);
  EXPECT_EQ(u.held_frames + u.waiting_frames + u.staged_frames, 0u);
  EXPECT_EQ(u.send_chunks, 0u);
  EXPECT_EQ(u.receive_chunks, 0u);
  EXPECT_EQ(port.outstanding(), u.spare_frames);
}

}  // namespace tern::test
