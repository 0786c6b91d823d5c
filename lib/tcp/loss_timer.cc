// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/loss_timer.h"

#include "tcp/loss_probe.h"
#include "tcp/rack.h"
#include "tcp/retransmit.h"

namespace tern::tcp {
namespace {

Tick& deadline_of(Tcb& c) { return c.deadline[static_cast<std::size_t>(TimerKind::kRetransmit)]; }

Tick in_ticks(Duration d) { return static_cast<Tick>(d / timer::kTick); }

// When the RTO is due that the timer stands for or precedes.
Tick time_out_of(const Engine& e, Tcb& c) {
  const Tick rto = in_ticks(c.rtt.rto());
  if (!is_running(c, TimerKind::kRetransmit)) return static_cast<Tick>(e.tick) + rto;
  if (c.loss_timer == LossTimer::kTimeOut) return deadline_of(c);
  return deadline_of(c) + rto - std::min(in_ticks(probe_delay(c)), rto);
}

}  // namespace

void start_time_out_at(Engine& e, Tcb& c, Tick at) {
  c.loss_timer = LossTimer::kTimeOut;
  start_timer(e, c, TimerKind::kRetransmit, std::max(e.instant_of(at) - e.now, Duration::zero()));
}

void restart_time_out(Engine& e, Tcb& c, SackSender& sender) {
  if (c.loss_timer != LossTimer::kReordering) return start_time_out(e, c);
  sender.time_out_at = static_cast<Tick>(e.tick) + in_ticks(c.rtt.rto());
}

void wait_for_reordering(Engine& e, Tcb& c, SackSender& sender, Duration delay) {
  if (c.snd_una == c.snd_max) {  // handle_new_ack() has stopped the timer
    c.loss_timer = LossTimer::kTimeOut;
    return;
  }
  const bool waiting = c.loss_timer == LossTimer::kReordering;
  if (!waiting) sender.time_out_at = time_out_of(e, c);
  if (delay == Duration::zero() || e.instant_of(sender.time_out_at) - e.now <= delay) {
    if (waiting) start_time_out_at(e, c, sender.time_out_at);
    return;
  }
  c.loss_timer = LossTimer::kReordering;
  start_timer(e, c, TimerKind::kRetransmit, delay);
}

void on_loss_timer(Engine& e, Tcb& c) {
  switch (c.loss_timer) {
    case LossTimer::kTimeOut:
      return on_retransmit_timeout(e, c);
    case LossTimer::kProbe:
    case LossTimer::kLateProbe:
      return on_probe_timeout(e, c);
    case LossTimer::kReordering:
      return on_reordering_timeout(e, c);
  }
}

}  // namespace tern::tcp
