// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/watchman.h"

#include <chrono>
#include <utility>

namespace tern::runtime {

namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr unsigned kLooksPerQuestion = 10;
// A worker that does not answer in time is asked again a second later.
constexpr std::chrono::milliseconds kPatience{50};

}  // namespace

Watchman::Watchman(const io::Device& device, std::vector<Worker*> workers, EventLog log)
    : device_(device), workers_(std::move(workers)), log_(std::move(log)) {
  thread_ = ControlThread("tern-watchman", [this] { walk(); });
}

Watchman::~Watchman() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchman::walk() {
  std::unique_lock lock(mutex_);
  for (unsigned looks = 0; !wake_.wait_for(lock, kInterval, [this] { return ending_; }); ++looks) {
    lock.unlock();
    log_.look(observe(looks % kLooksPerQuestion == 0));
    lock.lock();
  }
}

Observation Watchman::observe(bool with_counters) const {
  Observation seen{.now = workers_[0]->now(),
                   .link_up = device_.link_up(),
                   .turns = {},
                   .counters = std::nullopt,
                   .frames_missed = device_.frames_missed()};
  for (const Worker* worker : workers_) seen.turns.push_back(worker->turns());
  if (!with_counters) return seen;
  Counters sum;
  for (Worker* worker : workers_) {
    const auto add = [&] { sum += worker->stack().counters(); };
    if (worker->mailbox().ask(add, kPatience) != AskResult::kDone) return seen;
  }
  seen.counters = sum;
  return seen;
}

}  // namespace tern::runtime
