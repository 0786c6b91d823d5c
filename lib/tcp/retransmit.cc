// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/retransmit.h"

#include "tcp/close.h"
#include "tcp/icmp_error.h"
#include "tcp/loss_timer.h"
#include "tcp/path_probe.h"
#include "tcp/rack.h"
#include "tcp/sack_recovery.h"
#include "tcp/timers.h"
#include "tcp/timestamp.h"
#include "tcp/user_timeout.h"

namespace tern::tcp {
namespace {

constexpr std::uint8_t kDupAckThreshold = 3;  // RFC 5681 3.2

bool in_handshake(const Tcb& c) {
  return c.state == TcpState::kSynSent || c.state == TcpState::kSynReceived;
}

// R2 (MUST-20). An active SYN's is a time, kept by TimerKind::kState.
bool has_given_up(const Engine& e, const Tcb& c) {
  if (c.state == TcpState::kSynSent || !gives_up_by_number(e, c)) return false;
  return c.retransmits > e.config.max_retransmits;
}

void give_up(Engine& e, Tcb& c) { finish(e, c, CloseReason::kTimedOut); }

// R1 (MUST-20, SHLD-9): the way may be dead, says TCP to IP and to the application.
void advise(Engine& e, Tcb& c) {
  e.net.note_no_progress(c.tuple.remote_address, e.now);
  e.raise(c, event::kStalled);
}

void enter_recovery(Engine& e, Tcb& c) {
  note_recovery_point(c);
  c.partial_ack_seen = false;
  const bool of_probe = is_probe_outstanding(e, c) && lies_in_probe(e, c, c.snd_una, c.snd_una + 1);
  set_probe_repair(e, c, of_probe);
  c.congestion.on_loss({.flight_bytes = c.dup_ack_flight, .now = e.now, .congestion = !of_probe});
  c.set(flag::kInRecovery | flag::kRetransmitHead);
  c.clear(flag::kTiming);
  ++e.counters.fast_retransmits;
  start_time_out(e, c);
  e.schedule_output(c);
}

}  // namespace

void note_recovery_point(Tcb& c) {
  c.recover = c.snd_max;
  c.set(flag::kRecoverValid);
  c.clear(flag::kLossProbe);  // whose end it was
}

void go_back(Engine& e, Tcb& c) {
  forget_sacked(e, c);
  note_recovery_point(c);
  c.dup_acks = 0;
  c.clear(flag::kInRecovery | flag::kDupAcks | flag::kRetransmitHead | flag::kTiming);
  c.snd_nxt = c.snd_una;
  e.schedule_output(c);
}

void on_retransmit_timeout(Engine& e, Tcb& c) {
  if (c.snd_una == c.snd_max) return;
  ++e.counters.rto_timeouts;
  if (c.retransmits < 0xff) ++c.retransmits;
  if (has_given_up(e, c) || user_timeout_is_over(e, c, c.retransmits, c.rtt.rto()))
    return give_up(e, c);
  suspect_black_hole(e, c);
  c.rtt.back_off(e.config);
  c.time_out_timestamp = timestamp_now(e, c);
  c.timed_out = true;
  c.set(flag::kBackedOff);
  c.clear(flag::kTiming);
  e.schedule_output(c);
  if (in_handshake(c)) {
    c.syn_retransmitted = true;
    c.set(flag::kSynPending);
    return;
  }
  if (c.retransmits == e.config.advise_after) advise(e, c);
  c.congestion.on_rto(c.snd_max - c.snd_una, c.retransmits == 1);
  narrow_reordering_window(c);
  c.rtt.forget_minimum();  // the path may be another
  go_back(e, c);
}

void on_persist_timeout(Engine& e, Tcb& c) {
  if (c.send_queue.size() == 0 && !c.has(flag::kFinQueued)) return;
  if (c.persist_probes < 0xff) ++c.persist_probes;
  const bool given_up = c.persist_probes > e.config.max_persist_probes && gives_up_by_number(e, c);
  if (given_up || user_timeout_is_over(e, c, c.persist_probes, c.rtt.rto()))
    return finish(e, c, CloseReason::kTimedOut);
  c.rtt.back_off(e.config);
  c.set(flag::kProbe | flag::kBackedOff);
  e.schedule_output(c);
}

void on_delayed_ack_timeout(Engine& e, Tcb& c) {
  if (!c.has(flag::kAckDelayed)) return;
  ++e.counters.delayed_acks;
  c.set(flag::kAckNow);
  e.schedule_output(c);
}

void on_duplicate_ack(Engine& e, Tcb& c) {
  ++e.counters.dup_acks_in;
  if (c.has(flag::kInRecovery)) {
    c.congestion.on_duplicate_ack();
    e.schedule_output(c);
    return;
  }
  if (c.dup_acks == 0)
    c.dup_ack_flight = c.flight();  // before limited transmit adds to it (RFC 5681 3.2)
  if (c.dup_acks < 0xff) ++c.dup_acks;
  c.set(flag::kDupAcks);
  e.schedule_output(c);  // limited transmit (RFC 3042): a new segment for each of the first two
  if (c.dup_acks != kDupAckThreshold) return;
  // RFC 6582 3.2 step 2: these may be echoes of our own repetition of what was already there.
  if (c.has(flag::kRecoverValid) && !c.snd_una.after(c.recover)) return;
  enter_recovery(e, c);
}

}  // namespace tern::tcp
