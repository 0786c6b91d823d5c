// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "io/dpdk/rx_interrupt.h"
#include "runtime/idle_watch.h"
#include "runtime/mailbox.h"
#include "runtime/stop_requests.h"
#include "runtime/tsc_clock.h"
#include "tern/runtime.h"
#include "tern/stack.h"

namespace tern::runtime {

struct WorkerConfig {
  bool pauses = false;  ///< between polls without work
  bool may_nap = false;
  /// Where it may nap: the queue whose interrupt ends a nap; nothing: naps are short.
  std::optional<io::RxInterrupt> interrupt = {};
  Duration longest_nap = IdleWatch::kLongestNap;
  Duration linger{};                                        ///< of a drain
  std::function<void(std::uint32_t)> on_drain = {};         ///< when one begins: connections
  std::function<void(Stack&, Instant)> between_polls = {};  ///< see RuntimeConfig
  std::function<void()> housekeeping = {};  ///< once in every idle period, e.g. to flush a capture
};

/// How a worker's run ended.
struct DrainResult {
  std::uint32_t connections = 0;  ///< when it began
  std::uint32_t reset = 0;  ///< connections that were given a RST when the linger time was over
  std::uint32_t abandoned =
      0;  ///< connections left without a word: a second request, or no way out
  Duration took{};
};

/// One core's loop over its own stack and clock. Workers share nothing but the requests to stop and
/// the order in which they leave.
/// Thread: whoever calls run(); nobody else may touch the stack meanwhile.
class Worker {
 public:
  Worker(std::unique_ptr<Stack> stack, std::unique_ptr<TscClock> clock, WorkerConfig config);

  Stack& stack() { return *stack_; }
  /// Through it others have functions run by this worker's thread. Any thread.
  Mailbox& mailbox() { return mailbox_; }
  /// Thread: that of run(); others ask for it through the mailbox.
  const WorkerUsage& usage() const { return usage_; }
  Instant now() const { return clock_->peek(); }
  /// Turns of the loop so far. Any thread.
  std::uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }

  /// Polls until a stop is requested, then drains. Afterwards nobody can ask it any more.
  DrainResult run(SharedByWorkers& shared);

 private:
  DrainResult drain(SharedByWorkers& shared);
  void turn();
  void rest(Duration duration);
  void account(std::size_t work, Instant now);
  bool turn_until(bool (*done)(const StackUsage&), Departure& departure, Duration limit,
                  const StopRequests& stop);

  std::unique_ptr<TscClock> clock_;
  std::unique_ptr<Stack> stack_;
  WorkerConfig config_;
  IdleWatch idle_;
  Mailbox mailbox_;
  WorkerUsage usage_;
  std::atomic<std::uint64_t> turns_{0};  // usage_.polls, for others
  Instant turn_began_{};
  bool turn_was_busy_ = false;
};

}  // namespace tern::runtime
