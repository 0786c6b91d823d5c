// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

#include "runtime/mailbox.h"
#include "tern/stack.h"

namespace tern::runtime {

/// Takes a worker's socket list in pages, at a pace that leaves the worker its time: after a page
/// that took t, the next one waits for kShare * t. So who lists a million sockets, or several who
/// do, slow the worker down by one per cent at most, and the list takes the longer. Any thread.
class SocketPager {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kShare = 100;

  SocketPager(Mailbox& mailbox, const Stack& stack) : mailbox_(mailbox), stack_(stack) {}

  /// Appends the sockets from `position` on, `limit` at most, and moves it; 0 = the end.
  AskResult next(std::uint64_t& position, std::size_t limit, std::vector<ConnectionInfo>& page,
                 std::chrono::milliseconds patience);

  /// When next() waits no more. Not while another thread is in next().
  Clock::time_point ready() const { return next_page_; }

 private:
  Mailbox& mailbox_;
  const Stack& stack_;
  std::mutex mutex_;  // askers take turns, also in waiting
  Clock::time_point next_page_{};
};

}  // namespace tern::runtime
