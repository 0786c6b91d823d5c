// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/timers.h"

#include "tcp/close.h"
#include "tcp/keepalive.h"
#include "tcp/loss_timer.h"
#include "tcp/retransmit.h"

namespace tern::tcp {
namespace {

bool is_due(const Tick deadline, const Tick now) {
  return static_cast<std::int32_t>(now - deadline) >= 0;
}
bool is_earlier(Tick a, Tick b) { return static_cast<std::int32_t>(a - b) < 0; }

void expire(Engine& e, Tcb& c, TimerKind kind) {
  switch (kind) {
    case TimerKind::kRetransmit:
      return on_loss_timer(e, c);
    case TimerKind::kPersist:
      return on_persist_timeout(e, c);
    case TimerKind::kDelayedAck:
      return on_delayed_ack_timeout(e, c);
    case TimerKind::kState:
      return on_state_timeout(e, c);
    case TimerKind::kKeepalive:
      return on_keepalive_timeout(e, c);
  }
}

[[gnu::noinline]] void arm_node(Engine& e, Tcb& c, Tick at) {
  c.armed_at = at;
  c.timer_armed = true;
  e.wheel.arm(e.index_of(c), at);
}

void rearm_for_remaining(Engine& e, Tcb& c) {
  for (std::size_t kind = 0; kind < kTimerKinds; ++kind) {
    if (!is_running(c, static_cast<TimerKind>(kind))) continue;
    if (!c.timer_armed || is_earlier(c.deadline[kind], c.armed_at))
      arm_node(e, c, c.deadline[kind]);
  }
}

}  // namespace

void start_timer(Engine& e, Tcb& c, TimerKind kind, Duration delay) {
  const Duration at = e.now.time_since_epoch() + delay;
  const Tick deadline =
      static_cast<Tick>((at.count() + timer::kTick.count() - 1) / timer::kTick.count());
  c.deadline[static_cast<std::size_t>(kind)] = deadline;
  c.timers |= static_cast<std::uint8_t>(1u << static_cast<unsigned>(kind));
  if (!c.timer_armed || is_earlier(deadline, c.armed_at)) arm_node(e, c, deadline);
}

void cancel_timers(Engine& e, Tcb& c) {
  c.timers = 0;
  if (c.timer_armed) e.wheel.cancel(e.index_of(c));
  c.timer_armed = false;
}

void on_timer_node(Engine& e, std::uint32_t index) {
  Tcb& c = e.tcbs[index];
  c.timer_armed = false;
  const Tick now = static_cast<Tick>(e.tick);
  for (std::size_t kind = 0; kind < kTimerKinds; ++kind) {
    const TimerKind timer = static_cast<TimerKind>(kind);
    if (!is_running(c, timer) || !is_due(c.deadline[kind], now)) continue;
    stop_timer(c, timer);
    expire(e, c, timer);
  }
  rearm_for_remaining(e, c);
}

}  // namespace tern::tcp
