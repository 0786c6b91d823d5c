// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/loss_probe.h"

#include <algorithm>

#include "tcp/loss_timer.h"
#include "tcp/sack_recovery.h"

namespace tern::tcp {
namespace {

// The last segment got lost, and the probe in its place did not: as after a fast retransmit.
void reduce_window(Engine& e, Tcb& c) {
  ++e.counters.loss_probe_repairs;
  // What is out by now may be a small new answer.
  const std::uint32_t flight = std::max(c.flight(), c.dup_ack_flight);
  c.congestion.on_loss({.flight_bytes = flight, .now = e.now});
  c.congestion.end_recovery();
}

}  // namespace

void on_probe_timeout(Engine& e, Tcb& c) {
  if (c.snd_una == c.snd_max) return;
  const Duration pto = probe_delay(c);
  const Duration until_time_out = std::max(c.rtt.rto() - pto, timer::kTick);
  const Duration since_sent = timer::kTick * (static_cast<Tick>(e.tick) - c.last_sent);
  if (c.loss_timer == LossTimer::kProbe)  // which began when this wait did; for the user time-out
    c.stalled_since = static_cast<Tick>(e.tick) - static_cast<Tick>(pto / timer::kTick);
  if (c.loss_timer == LossTimer::kProbe && since_sent + timer::kTick < pto) {
    // 7.2: each transmission begins the PTO anew, which is not worth a timer's start each time; but
    // no further than once, lest one who sends now and then put the RTO off for ever.
    const Duration later = pto - since_sent;
    start_timer(e, c, TimerKind::kRetransmit, std::min(later, until_time_out));
    c.loss_timer = later < until_time_out ? LossTimer::kLateProbe : LossTimer::kTimeOut;
    return;
  }
  c.loss_timer = LossTimer::kTimeOut;
  start_timer(e, c, TimerKind::kRetransmit, until_time_out);
  if (!may_probe(c)) return;
  c.set(flag::kLossProbe);
  c.probe_due = true;
  e.schedule_output(c);
}

void on_probe_sent(Engine& e, Tcb& c, bool repeats) {
  c.probe_due = false;
  c.probe_repeats = repeats;
  c.recover = c.snd_max;
  c.dup_ack_flight = c.flight();
  c.clear(flag::kRecoverValid);
  if (repeats) c.clear(flag::kTiming);  // Karn
  ++e.counters.loss_probes;
  start_time_out(e, c);
}

void judge_probe(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (c.probe_due) {  // not sent yet, and no longer due if something is acknowledged
    if (s.ack.after(c.snd_una)) c.clear(flag::kLossProbe);
    return;
  }
  if (s.ack.after(c.snd_una)) c.stalled_since = static_cast<Tick>(e.tick);
  if (s.ack.before(c.recover)) return;
  const bool reported = reports_duplicate(s) && s.options.sack[0].end == c.recover;
  const bool same_window = std::uint32_t{s.window} << c.snd_wscale == c.snd_wnd;
  const bool duplicate = s.ack == c.snd_una && s.options.sack_count == 0 && s.payload_length == 0 &&
                         s.ack == c.recover && same_window;
  const bool beyond = s.ack.after(c.recover);
  if (c.probe_repeats && !reported && !duplicate && !beyond) return;  // the next ACK will tell
  c.clear(flag::kLossProbe);
  if (c.probe_repeats && beyond && !reported && !duplicate) reduce_window(e, c);
}

}  // namespace tern::tcp
