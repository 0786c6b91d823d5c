// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/socket_pager.h"

#include <algorithm>
#include <thread>

namespace tern::runtime {

AskResult SocketPager::next(std::uint64_t& position, std::size_t limit,
                            std::vector<ConnectionInfo>& page, std::chrono::milliseconds patience) {
  const std::lock_guard lock(mutex_);
  std::this_thread::sleep_until(next_page_);
  // By the worker, so that the asker's own waiting does not count.
  Clock::duration took{};
  const auto take = [&] {
    const Clock::time_point begin = Clock::now();
    position = stack_.list(position, limit, page);
    took = Clock::now() - begin;
  };
  const AskResult result = mailbox_.ask(take, patience);
  // A worker that was put off its CPU meanwhile makes nobody wait for that.
  constexpr std::chrono::microseconds kLongest{200};
  if (result == AskResult::kDone)
    next_page_ = Clock::now() + kShare * std::min<Clock::duration>(took, kLongest);
  return result;
}

}  // namespace tern::runtime
