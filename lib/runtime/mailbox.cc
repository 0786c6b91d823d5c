// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/mailbox.h"

namespace tern::runtime {

namespace {

// How often an asker looks whether it has been answered: first at once again and again, since a
// busy worker needs microseconds, then with naps.
constexpr int kEagerLooks = 200;
constexpr std::chrono::microseconds kNap{50};

}  // namespace

AskResult Mailbox::ask(const std::function<void()>& function, std::chrono::milliseconds patience) {
  if (owner_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
    function();
    return AskResult::kDone;
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const std::unique_lock<std::timed_mutex> lock(askers_, deadline);
  if (!lock.owns_lock()) return AskResult::kTimedOut;

  Request request{function};
  request_.store(&request);
  // Either close() sees the request, or this sees that it is closed.
  if (closed_.load() && withdraw(request)) return AskResult::kStopped;
  for (int looks = 0;; ++looks) {
    const Progress progress = request.progress.load(std::memory_order_acquire);
    if (progress == Progress::kDone) return AskResult::kDone;
    if (progress == Progress::kRefused) return AskResult::kStopped;
    if (std::chrono::steady_clock::now() >= deadline && withdraw(request))
      return AskResult::kTimedOut;
    if (looks < kEagerLooks)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(kNap);
  }
}

// False: the worker has it, and will finish it.
bool Mailbox::withdraw(Request& request) {
  Request* expected = &request;
  return request_.compare_exchange_strong(expected, nullptr);
}

std::size_t Mailbox::run() {
  Request* request = request_.exchange(nullptr);
  if (request == nullptr) return 0;  // it was withdrawn just now
  request->function();
  finish(*request, Progress::kDone);
  return 1;
}

// The request is its asker's again, and may be gone, as soon as this is stored.
void Mailbox::finish(Request& request, Progress progress) {
  request.progress.store(progress, std::memory_order_release);
}

void Mailbox::close() {
  closed_.store(true);
  owner_.store(std::thread::id(), std::memory_order_relaxed);
  if (Request* request = request_.exchange(nullptr)) finish(*request, Progress::kRefused);
}

}  // namespace tern::runtime
