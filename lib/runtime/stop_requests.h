// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <csignal>

namespace tern::runtime {

/// How often somebody has asked for the end: once means drain, twice at once. Any thread, and
/// signal handlers.
class StopRequests {
 public:
  void add() { count_.fetch_add(1, std::memory_order_relaxed); }
  bool drain() const { return count_.load(std::memory_order_relaxed) >= 1; }
  bool at_once() const { return count_.load(std::memory_order_relaxed) >= 2; }

 private:
  std::atomic<unsigned> count_{0};
  static_assert(std::atomic<unsigned>::is_always_lock_free);
};

/// How many workers are still busy with their last connections. One that has none left polls on
/// until nobody has, since what arrives at its queue may be for another's. Any thread.
class Departure {
 public:
  explicit Departure(unsigned workers) : present_(workers) {}
  /// Once by each worker.
  void leave() { present_.fetch_sub(1, std::memory_order_relaxed); }
  bool everybody_left() const { return present_.load(std::memory_order_relaxed) == 0; }

 private:
  std::atomic<unsigned> present_;
};

/// What the workers of a runtime share.
struct SharedByWorkers {
  explicit SharedByWorkers(unsigned workers)
      : without_connections(workers), without_frames(workers) {}
  StopRequests stop;
  Departure without_connections, without_frames;
};

/// While it lives, SIGINT, SIGTERM and SIGHUP are requests to stop; afterwards they mean what they
/// meant before. A SIGHUP that is ignored (nohup) stays so. One at a time in a process.
class SignalScope {
 public:
  explicit SignalScope(StopRequests& requests);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  struct sigaction old_int_, old_term_, old_hup_;
};

}  // namespace tern::runtime
