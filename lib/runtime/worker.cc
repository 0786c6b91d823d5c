// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/worker.h"

#include <rte_pause.h>
#include <sys/prctl.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace tern::runtime {

namespace {

// The last ACKs and RSTs are on their way out for so long at most, e.g. if the link is down.
constexpr Duration kFlushLimit = std::chrono::milliseconds(100);
constexpr Duration kResetLimit = std::chrono::microseconds(2);  // more for each RST to be sent
// The kernel may wake a napping thread this much late; its default, 50 us, is a nap of its own.
constexpr unsigned long kTimerSlackNs = 1000;

// Ends early when a signal arrives; net_tap sends one for each packet.
void nap(Duration duration) {
  const auto ns = duration.count();
  const std::timespec time{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  ::nanosleep(&time, nullptr);
}

// Some hundred nanoseconds, as one pause is between 10 and 140 cycles.
void pause() {
  for (int i = 0; i < 8; ++i) rte_pause();
}

bool nobody_is_left(const StackUsage& usage) { return usage.connections == 0; }
bool nothing_waits(const StackUsage& usage) {
  return usage.connections == 0 && usage.staged_frames == 0;
}

}  // namespace

Worker::Worker(std::unique_ptr<Stack> stack, std::unique_ptr<TscClock> clock, WorkerConfig config)
    : clock_(std::move(clock)),
      stack_(std::move(stack)),
      config_(std::move(config)),
      idle_(config_.may_nap, config_.interrupt ? config_.longest_nap : IdleWatch::kShortestNap,
            config_.longest_nap),
      turn_began_(clock_->now()) {}

DrainResult Worker::run(SharedByWorkers& shared) {
  if (config_.may_nap) ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);
  mailbox_.open();
  turn_began_ = clock_->now();
  while (!shared.stop.drain()) turn();
  const DrainResult result = drain(shared);
  mailbox_.close();
  return result;
}

DrainResult Worker::drain(SharedByWorkers& shared) {
  DrainResult result{.connections = stack_->usage().connections};
  const Instant began = clock_->now();
  if (config_.on_drain) config_.on_drain(result.connections);
  stack_->drain();
  if (!turn_until(nobody_is_left, shared.without_connections, config_.linger, shared.stop) &&
      !shared.stop.at_once()) {
    result.reset = stack_->usage().connections;
    stack_->abort_all();
  }
  turn_until(nothing_waits, shared.without_frames, kFlushLimit + result.reset * kResetLimit,
             shared.stop);
  result.abandoned = stack_->usage().connections;
  result.took = clock_->now() - began;
  result.reset -= result.abandoned < result.reset ? result.abandoned : result.reset;
  return result;
}

void Worker::turn() {
  const Instant now = clock_->now();
  if (config_.between_polls) config_.between_polls(*stack_, now);
  const std::size_t work = stack_->poll(now) + mailbox_.serve();
  account(work, now);
  const IdleWatch::Verdict verdict =
      idle_.after_poll(work, now, [this] { return stack_->next_deadline(); });
  if (verdict.became_idle && config_.housekeeping) config_.housekeeping();
  if (verdict.nap > Duration::zero())
    rest(verdict.nap);
  else if (work == 0 && config_.pauses)
    pause();
}

// A frame that has arrived before the interrupt was armed is not announced by it: one more poll.
void Worker::rest(Duration duration) {
  if (!config_.interrupt || !config_.interrupt->arm())
    return nap(std::min(duration, IdleWatch::kLongestNap));
  if (stack_->poll(clock_->now()) == 0) config_.interrupt->sleep(duration);
  config_.interrupt->disarm();
}

// A turn lasts until the next one begins, so that one look at the clock serves for both.
void Worker::account(std::size_t work, Instant now) {
  (turn_was_busy_ ? usage_.busy : usage_.idle) += now - turn_began_;
  turn_began_ = now;
  turn_was_busy_ = work > 0;
  ++usage_.polls;
  turns_.store(usage_.polls, std::memory_order_relaxed);
  usage_.busy_polls += turn_was_busy_ ? 1 : 0;
}

// At least one turn, so that what was just asked for happens; and until all workers are done, since
// what arrives here may be for another one's last connection. False: the limit or a second request
// came first.
bool Worker::turn_until(bool (*done)(const StackUsage&), Departure& departure, Duration limit,
                        const StopRequests& stop) {
  const Instant end = clock_->now() + limit;
  bool is_done = false;
  do {
    if (stop.at_once()) return false;
    turn();
    if (!is_done && done(stack_->usage())) {
      is_done = true;
      departure.leave();
    }
    if (is_done && departure.everybody_left()) return true;
  } while (clock_->now() < end);
  return is_done;
}

}  // namespace tern::runtime
