// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/ack.h"

#include "base/assert.h"
#include "tcp/close.h"
#include "tcp/ecn.h"
#include "tcp/keepalive.h"
#include "tcp/loss_probe.h"
#include "tcp/loss_timer.h"
#include "tcp/path_probe.h"
#include "tcp/reset.h"
#include "tcp/retransmit.h"
#include "tcp/sack_recovery.h"
#include "tcp/segment_check.h"
#include "tcp/timers.h"
#include "tcp/timestamp.h"
#include "tcp/user_timeout.h"
#include "tcp/window.h"

namespace tern::tcp {
namespace {

Duration end_timing(Engine& e, Tcb& c) {
  c.clear(flag::kTiming);
  c.reo_window_raised = false;
  const std::uint32_t rtt_us = e.now_us - c.rtt_start_us;
  c.rtt.sample_exact(rtt_us, e.rto_bounds);
  return std::chrono::microseconds(rtt_us);
}

// RFC 6298 3 and RFC 7323 4: one segment a round trip is timed to the microsecond; while
// retransmissions make that ambiguous (Karn), the echoed timestamp still tells, to the millisecond.
Duration sample_round_trip(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (c.has(flag::kTiming)) {
    if (!s.ack.before(c.rtt_seq)) return end_timing(e, c);
    // Backed off, any sample is better than to wait for this segment, which may be lost as well.
    if (c.rtt.back_off_count() == 0) return Duration::zero();
  }
  if (!c.has(flag::kTimestamps) || !s.options.has_timestamp) return Duration::zero();
  // After a time-out, an echo of something sent before it says little: the peer goes on echoing
  // what it first acknowledged while its ACKs get lost, and the sample would count the back-off as
  // delay.
  const bool predates_time_out =
      static_cast<std::int32_t>(s.options.ts_echo_reply - c.time_out_timestamp) < 0;
  if (c.timed_out && predates_time_out) return Duration::zero();
  c.timed_out = false;
  const std::uint32_t elapsed_ms = timestamp_now(e, c) - s.options.ts_echo_reply;
  if (elapsed_ms > 1u << 24) return Duration::zero();  // an echo of what we never sent
  const Duration rtt = std::chrono::milliseconds(elapsed_ms);
  c.rtt.sample(rtt, e.rto_bounds);
  return rtt;
}

// RFC 6582 3.2 step 3.
[[gnu::noinline]] void advance_recovery(Engine& e, Tcb& c, std::uint32_t bytes_acked) {
  if (c.snd_una.at_or_after(c.recover)) {
    if (is_probe_repair(e, c))
      end_probe_repair(e, c);
    else
      c.congestion.on_recovery_exit(c.flight());
    c.clear(flag::kInRecovery);
    return;
  }
  if (is_probe_repair(e, c) && !lies_in_probe(e, c, c.snd_una, c.snd_una + 1)) {
    set_probe_repair(e, c, false);  // what follows it has got lost as well
    c.congestion.on_loss({.flight_bytes = c.dup_ack_flight, .now = e.now});
  }
  c.congestion.on_partial_ack(bytes_acked);
  c.set(flag::kRetransmitHead);
  e.schedule_output(c);
  if (c.partial_ack_seen) return;
  c.partial_ack_seen = true;  // only the first partial ACK restarts the timer ("Impatient")
  start_time_out(e, c);
}

// HyStart++ wants many samples of a round trip, not one; to the millisecond they are good enough.
Duration echoed_delay(const Engine& e, const Tcb& c, const wire::TcpSegment& s) {
  constexpr std::uint32_t kOwn = flag::kTimestamps | flag::kCwndLimited;
  if ((c.flags & kOwn) != kOwn || c.congestion.ssthresh() != UINT32_MAX) return Duration::zero();
  const std::uint32_t elapsed_ms = timestamp_now(e, c) - s.options.ts_echo_reply;
  return elapsed_ms > 1u << 24 ? Duration::zero() : std::chrono::milliseconds(elapsed_ms);
}

void inform_congestion_control(Engine& e, Tcb& c, const wire::TcpSegment& s,
                               std::uint32_t bytes_acked, std::uint32_t flight_before,
                               Duration rtt) {
  if (c.has(flag::kInRecovery))
    return c.has(flag::kSackSender) ? void() : advance_recovery(e, c, bytes_acked);
  c.congestion.on_ack({.bytes_acked = bytes_acked,
                       .flight_bytes = flight_before,
                       .now = e.now,
                       .rtt = rtt > Duration::zero() ? rtt : echoed_delay(e, c, s),
                       .srtt = c.rtt.srtt(),
                       .cwnd_limited = c.has(flag::kCwndLimited)});
}

// RFC 6298 5.2, 5.3.
void restart_retransmission_timer(Engine& e, Tcb& c) {
  if (c.snd_una == c.snd_max)
    stop_timer(c, TimerKind::kRetransmit);
  else if (!c.has(flag::kInRecovery))
    start_loss_timer(e, c, c.rtt.rto());
}

// What of an ACK's progress is not text.
struct Progress {
  std::uint32_t syn = 0, fin = 0;  // 1: of ours, is acknowledged
  bool timed = true;               // it may tell a round trip
};

// Removes [snd_una, ack) from what is owed to the peer.
void retire(Engine& e, Tcb& c, SeqNum ack, const Progress& progress) {
  const std::uint32_t text = ack - c.snd_una - progress.syn - progress.fin;
  c.send_queue.drop_front(e.send_chunks, text);
  c.bytes_acked += text;
  c.snd_una = ack;
  if (c.snd_nxt.before(ack)) c.snd_nxt = ack;
}

// As soon as a quarter is free: a bulk sender who is left waiting for more runs out of work, since
// what it has queued is on its way by then.
void raise_writable(Engine& e, Tcb& c) {
  const std::uint32_t enough_free = e.config.send_buffer / 4;
  if (c.has(flag::kWantWritable) && can_send(c.state) &&
      c.send_queue.size() <= e.config.send_buffer - enough_free)
    e.raise(c, event::kWritable);
}

// All that follows from an ACK of something new, but for what our FIN's leads to.
void make_progress(Engine& e, Tcb& c, const wire::TcpSegment& s, const Progress& progress) {
  const std::uint32_t acked = s.ack - c.snd_una - progress.syn;
  const std::uint32_t flight_before = c.flight();
  retire(e, c, s.ack, progress);
  const Duration rtt = progress.timed ? sample_round_trip(e, c, s) : Duration::zero();
  c.retransmits = 0;
  c.unreachable_seen = false;
  c.persist_probes = 0;
  c.dup_acks = 0;
  c.clear(flag::kBackedOff | flag::kDupAcks);
  if (acked > 0) inform_congestion_control(e, c, s, acked, flight_before, rtt);
  // Forgotten in time: after 2^31 more bytes it would seem to lie ahead again.
  if ((c.flags & (flag::kRecoverValid | flag::kInRecovery)) == flag::kRecoverValid &&
      c.snd_una.after(c.recover))
    c.clear(flag::kRecoverValid);
  restart_retransmission_timer(e, c);
  raise_writable(e, c);
  if (c.send_queue.size() > 0 || c.snd_una != c.snd_max || c.has(flag::kFinQueued))
    e.schedule_output(c);
}

// RFC 5681 2: what makes an ACK a duplicate.
bool is_duplicate_ack(const Tcb& c, const wire::TcpSegment& s) {
  return s.ack == c.snd_una && s.payload_length == 0 && !s.has(wire::tcp_flag::kFin) &&
         c.flight() !=
             0 &&  // the answers to zero-window probes are all alike, and say nothing of loss
         (std::uint32_t{s.window} << c.snd_wscale) == c.snd_wnd;
}

bool check_ack_in_syn_received(Engine& e, Tcb& c, const Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  if (!s.ack.after(c.snd_una) || s.ack.after(c.snd_max)) {
    send_reset_for(e, s);
    return false;
  }
  become_established(e, c);
  return true;
}

// RFC 8985 6.2 step 4, 7.4: only what is not the echo of a probe says that RACK was too quick.
void note_duplicate_report(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  const bool duplicate = c.has(flag::kSack) && reports_duplicate(s);
  if (duplicate) ++e.counters.dsacks_in;
  if (c.has(flag::kLossProbe))
    judge_probe(e, c, s);
  else if (duplicate)
    widen_reordering_window(c);
}

// What the acknowledgment of our FIN leads to. False: the connection is through.
bool after_fin_acked(Engine& e, Tcb& c) {
  switch (c.state) {
    case TcpState::kFinWait1:
      set_state(e, c, TcpState::kFinWait2);
      start_closing_timer(e, c);
      return true;
    case TcpState::kClosing:
      enter_time_wait(e, c);
      return false;
    case TcpState::kLastAck:
      finish(e, c, CloseReason::kFinished);
      return false;
    default:
      return true;
  }
}

}  // namespace

void become_established(Engine& e, Tcb& c) {
  set_state(e, c, TcpState::kEstablished);
  stop_timer(c, TimerKind::kState);
  c.congestion.start(e.config.congestion, c.snd_mss, e.now);
  if (c.retransmits > 1) c.congestion.on_syn_losses();  // RFC 6928 2
  if (c.syn_retransmitted) c.rtt.on_syn_retransmitted(e.config);
  search_path_mtu_later(e, c);
  ++e.counters.established;
  c.last_received = static_cast<Tick>(e.tick);
  start_keepalive(e, c);
  tell_user_timeout(e, c);
  start_growth(e, c);
  c.announced = true;
  e.raise(c, event::kEstablished);
  // What the application queued, or closed, before there was a connection.
  if (c.has(flag::kFinQueued)) set_state(e, c, TcpState::kFinWait1);
  e.schedule_output(c);
}

bool handle_new_ack(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  Progress progress;
  if (c.has(flag::kSynUnacked)) {
    c.clear(flag::kSynUnacked);
    progress.syn = 1;
    // Of a repeated SYN nobody knows which one, or which of the peer's answers, this acknowledges.
    progress.timed = !c.syn_retransmitted;
  }
  if (s.ack - c.snd_una - progress.syn > c.send_queue.size()) {
    c.clear(flag::kFinQueued);
    progress.fin = 1;
  }
  make_progress(e, c, s, progress);
  return progress.fin != 0;
}

void handle_new_text_ack(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  TERN_DASSERT(!c.has(flag::kSynUnacked | flag::kFinQueued));
  make_progress(e, c, s, {});
}

bool check_ack(Engine& e, Tcb& c, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  if (!s.has(wire::tcp_flag::kAck)) return false;
  if (c.state == TcpState::kSynReceived && !check_ack_in_syn_received(e, c, a)) return false;
  // RFC 5961 5: what acknowledges the future, or the distant past, is answered and dropped.
  if (s.ack.after(c.snd_max) || s.ack.before(c.snd_una - c.max_snd_wnd)) {
    ++e.counters.rx_bad_ack;
    refuse_ack(e, c, s);
    return false;
  }
  c.persist_probes = 0;  // the peer lives, even if its window stays shut (MUST-37)
  const bool selective = uses_sack(e, c, s);
  note_duplicate_report(e, c, s);
  const SeqNum una = c.snd_una;
  bool fin_acked = false;
  if (s.ack.after(c.snd_una)) {
    fin_acked = handle_new_ack(e, c, s);
    start_closing_timer(e, c);  // progress: an orphan's time begins again
  } else if (!selective && is_duplicate_ack(c, s)) {
    on_duplicate_ack(e, c);
  }
  take_echo(e, c, s);
  if (selective) on_sack(e, c, s, c.snd_una - una);
  // RFC 7323 2.2: the window of a SYN,ACK is not scaled, and its SYN has told it already.
  if (s.ack.at_or_after(c.snd_una) && !a.was_syn) update_send_window(e, c, s);
  return fin_acked ? after_fin_acked(e, c) : true;
}

}  // namespace tern::tcp
