// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "tern/runtime.h"

namespace tern::runtime {

/// Lets other threads have a function run by a worker's thread, between two of its polls: so they
/// may read and change the worker's stack, which nobody else may touch. One request at a time is
/// before the worker; those who ask meanwhile queue up at a lock that the worker never takes. While
/// nobody asks it costs the loop one relaxed load.
class Mailbox {
 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Waits until the worker has run `function`, and answers kDone; otherwise it has not been run
  /// and never will be. Any thread but a signal handler; in the worker's own it runs at once.
  AskResult ask(const std::function<void()>& function, std::chrono::milliseconds patience);

  /// The worker, between two polls: runs what is asked, if anything. Returns the number of requests
  /// served, so that a worker with an eager visitor does not nap.
  std::size_t serve() { return request_.load(std::memory_order_relaxed) == nullptr ? 0 : run(); }

  /// The worker, when it begins: from now on its own thread's questions are answered at once.
  void open() { owner_.store(std::this_thread::get_id(), std::memory_order_relaxed); }
  /// The worker, when it serves no longer: who waits is refused, and so is everyone after.
  void close();

 private:
  enum class Progress : std::uint8_t { kWaiting, kDone, kRefused };
  struct Request {
    const std::function<void()>& function;
    std::atomic<Progress> progress{Progress::kWaiting};
  };

  std::size_t run();
  static void finish(Request& request, Progress progress);
  bool withdraw(Request& request);

  // The asker puts its request here, and whoever takes it out (the worker to run or refuse it, the
  // asker to withdraw it) is alone with it.
  alignas(64) std::atomic<Request*> request_{nullptr};
  std::atomic<bool> closed_{false};
  std::atomic<std::thread::id> owner_{};
  std::timed_mutex askers_;
};

}  // namespace tern::runtime
