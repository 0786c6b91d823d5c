// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/transmit.h"

#include <algorithm>

#include "tcp/close.h"
#include "tcp/ecn.h"
#include "tcp/loss_probe.h"
#include "tcp/loss_timer.h"
#include "tcp/path_probe.h"
#include "tcp/sack_recovery.h"
#include "tcp/segment_builder.h"
#include "tcp/timers.h"
#include "tcp/user_timeout.h"
#include "wire/ethernet.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

// Where the next byte to send lies in the send queue.
std::uint32_t send_offset(const Tcb& c) { return c.snd_nxt - c.snd_una; }

// cwnd, and RFC 3042's allowance: each of the first two duplicate ACKs says that a segment has
// left.
std::uint32_t congestion_window(const Tcb& c) {
  const bool limited_transmit = c.has(flag::kDupAcks) && !c.has(flag::kInRecovery) &&
                                c.snd_nxt == c.snd_max;  // new data only
  return c.congestion.cwnd() +
         (limited_transmit ? std::min<std::uint32_t>(c.dup_acks, 2) * c.snd_mss : 0);
}

// Sender SWS avoidance and Nagle (RFC 9293 3.8.6.2.1): whether `length` bytes, up to the end of the
// queue if `is_last`, are worth a segment now.
bool is_worth_sending(const Tcb& c, std::uint32_t length, bool is_last) {
  if (length == c.snd_mss) return true;
  if (c.snd_nxt.before(c.snd_max)) return true;  // a repetition: it was worth it before
  if (is_last && c.has(flag::kFinQueued)) return true;
  if (is_last && c.has(flag::kCork)) return false;
  if (is_last && (c.has(flag::kNoDelay) || c.snd_nxt == c.snd_una)) return true;
  return c.max_snd_wnd > 0 && length >= c.max_snd_wnd / 2;
}

struct Plan {
  std::uint32_t length = 0;
  bool fin = false;
  bool exists() const { return length > 0 || fin; }
};

// What may be sent at snd_nxt under the peer's window, the congestion window and SWS avoidance.
Plan plan_segment(Tcb& c, std::uint32_t cwnd) {
  const std::uint32_t offset = send_offset(c);
  const std::uint32_t queued = c.send_queue.size();
  if (offset > queued || (offset == queued && !c.has(flag::kFinQueued))) return {};
  const std::uint32_t window = std::min(c.snd_wnd, cwnd);
  const std::uint32_t usable = window > offset ? window - offset : 0;
  const std::uint32_t unsent = queued - offset;
  const std::uint32_t length = std::min({unsent, usable, std::uint32_t{c.snd_mss}});
  if (length < std::min<std::uint32_t>(unsent, c.snd_mss) && cwnd < c.snd_wnd)
    c.set(flag::kCwndLimited);
  // A FIN takes a sequence number and so needs window, but no congestion window: it is no data.
  const bool fin = c.has(flag::kFinQueued) && length == unsent && offset + length < c.snd_wnd;
  if (length > 0 && !is_worth_sending(c, length, length == unsent)) return {};
  return {length, fin};
}

void time_segment(Engine& e, Tcb& c, SeqNum end) {
  if (c.has(flag::kTiming) || end.at_or_before(c.snd_max)) return;  // Karn: only what is new
  if (c.has(flag::kInRecovery | flag::kDupAcks))
    return;  // its ACK will wait for a hole to be filled
  c.set(flag::kTiming);
  c.rtt_seq = end;
  c.rtt_start_us = e.now_us;
}

// Sends [seq, seq + length) and perhaps the FIN behind it, by send_segment or send_large_segment.
bool send_text(Engine& e, Tcb& c, SeqNum seq, const Plan& plan,
               bool (*send)(Engine&, Tcb&, const SegmentSpec&) = send_segment) {
  const std::uint32_t offset = seq - c.snd_una;
  const bool last = offset + plan.length == c.send_queue.size();
  std::uint8_t flags = kAck;
  if (last && plan.length > 0) flags |= kPsh;  // SHLD-27, MUST-61
  if (plan.fin) flags |= kFin;
  if (!send(e, c, {.seq = seq, .flags = flags, .queue_offset = offset, .length = plan.length}))
    return false;
  if (seq.before(c.snd_max)) {
    ++e.counters.retransmitted;
    ++c.segments_retransmitted;
    note_probe_repeated(e, c, seq, plan.length);
  }
  c.last_sent = static_cast<Tick>(e.tick);
  return true;
}

void note_sent(Engine& e, Tcb& c, SeqNum end) {
  time_segment(e, c, end);
  c.snd_max = later_of(c.snd_max, end);
}

// Sends the plan at snd_nxt.
bool send_next(Engine& e, Tcb& c, const Plan& plan, SentLog* log) {
  const SeqNum begin = c.snd_nxt;
  if (!send_text(e, c, begin, plan)) return false;
  c.snd_nxt += plan.length + (plan.fin ? 1 : 0);
  note_sent(e, c, c.snd_nxt);
  if (log != nullptr) log->on_sent(begin, c.snd_nxt, e.now_us);
  return true;
}

// TSO: as many full segments as the windows allow and the device cuts, if there are two at least.
// Only of text that has never been sent: a repetition is a single segment, that SACK may tell of.
// False: nothing was sent.
[[gnu::noinline]] bool send_large(Engine& e, Tcb& c, std::uint32_t cwnd) {
  if (c.snd_nxt != c.snd_max) return false;
  const std::uint32_t offset = send_offset(c), unsent = c.send_queue.size() - offset;
  const std::uint32_t usable = std::min(c.snd_wnd, cwnd) - offset;
  const std::uint32_t segments = std::min({unsent, usable, large_segment_room(e, c)}) / c.snd_mss;
  if (segments < 2) return false;
  Plan plan{.length = segments * c.snd_mss, .fin = false};
  plan.fin = c.has(flag::kFinQueued) && plan.length == unsent && offset + unsent < c.snd_wnd;
  if (!send_text(e, c, c.snd_nxt, plan, send_large_segment)) return false;
  time_segment(e, c, c.snd_nxt + c.snd_mss);  // the first one, as if it had gone by itself
  c.snd_nxt += plan.length + (plan.fin ? 1 : 0);
  c.snd_max = c.snd_nxt;
  return true;
}

// Before new text of any kind.
void restart_after_idle(const Engine& e, Tcb& c) {
  if (send_offset(c) == 0 && timer::kTick * (static_cast<Tick>(e.tick) - c.last_sent) > c.rtt.rto())
    c.congestion.on_idle_restart();
}

bool send_new_text(Engine& e, Tcb& c) {
  c.clear(flag::kCwndLimited);
  restart_after_idle(e, c);
  for (Plan plan = plan_segment(c, congestion_window(c)); plan.exists();
       plan = plan_segment(c, congestion_window(c))) {
    const bool is_full = plan.length == c.snd_mss && e.tso_bytes != 0;
    if (is_full && send_large(e, c, congestion_window(c))) continue;
    if (!send_next(e, c, plan, nullptr)) return false;
  }
  return true;
}

// Text of [seq, seq + length) that has been sent before, with the FIN if that is its last number.
Plan plan_again(const Tcb& c, SeqNum seq, std::uint32_t length) {
  const std::uint32_t queued = c.send_queue.size() - (seq - c.snd_una);
  const std::uint32_t text = std::min({length, queued, std::uint32_t{c.snd_mss}});
  return {text, length > queued && text == queued};
}

bool send_again(Engine& e, Tcb& c, SackSender& sender, const NextSegment& next,
                std::uint32_t& in_flight) {
  const Plan plan = plan_again(c, next.seq, next.length);
  if (!send_text(e, c, next.seq, plan)) return false;
  sender.rescued |= next.kind == NextSegment::Kind::kRescue;
  sender.log.on_sent(next.seq, next.seq + plan.length + (plan.fin ? 1 : 0), e.now_us);
  in_flight += plan.length;
  sender.prr.on_sent(plan.length);
  return true;
}

// RFC 6675 5 step C: a full segment at a time, as long as the window has room for one.
bool send_in_sack_recovery(Engine& e, Tcb& c, SackSender& sender) {
  using Kind = NextSegment::Kind;
  c.clear(flag::kCwndLimited);
  const std::uint32_t cwnd = c.congestion.cwnd();
  for (std::uint32_t in_flight = sender.log.in_flight(); cwnd >= in_flight + c.snd_mss;) {
    const Plan fresh = plan_segment(c, send_offset(c) + cwnd - in_flight);
    const NextSegment next = next_segment(c, sender, fresh.exists());
    if (next.kind == Kind::kNothing) return true;
    if (next.kind != Kind::kNewData) {
      if (!send_again(e, c, sender, next, in_flight)) return false;
      continue;
    }
    if (!send_next(e, c, fresh, &sender.log)) return false;
    in_flight += fresh.length;
    sender.prr.on_sent(fresh.length);
  }
  return true;
}

// Before recovery, where what was SACKed makes room for new data (RFC 3042); and after a time-out,
// where it need not be sent again.
bool send_around_sacked(Engine& e, Tcb& c, const SackScoreboard& board, SentLog& log) {
  c.clear(flag::kCwndLimited);
  while (true) {
    if (c.snd_nxt.before(c.snd_max)) c.snd_nxt = board.past_sacked(c.snd_nxt);
    Plan plan = plan_segment(c, c.congestion.cwnd() + board.bytes_below(c.snd_nxt));
    const std::uint32_t room = board.room_before_sacked(c.snd_nxt);
    if (plan.length > room) plan = {room, false};
    if (!plan.exists()) return true;
    if (!send_next(e, c, plan, &log)) return false;
  }
}

// Fast retransmit, or the hole that a partial ACK shows: one segment at snd_una.
bool send_head_again(Engine& e, Tcb& c) {
  Plan plan;
  plan.length = std::min({c.send_queue.size(), c.snd_max - c.snd_una, std::uint32_t{c.snd_mss}});
  plan.fin = c.has(flag::kFinQueued) && plan.length == c.send_queue.size() &&
             c.snd_max == c.snd_una + plan.length + 1;
  if (plan.exists() && !send_text(e, c, c.snd_una, plan)) return false;
  c.clear(flag::kRetransmitHead | flag::kTiming);
  return true;
}

// RFC 9293 3.8.6.1: one byte beyond a shut window, or what a window too small to be worth sending
// into will take (the SWS override). Where only a FIN waits, the FIN.
bool send_probe(Engine& e, Tcb& c) {
  const std::uint32_t room = std::max<std::uint32_t>(c.snd_wnd, 1);
  Plan plan;
  plan.length = std::min({c.send_queue.size(), room, std::uint32_t{c.snd_mss}});
  plan.fin = c.has(flag::kFinQueued) && c.send_queue.size() == 0;
  if (plan.exists()) {
    if (!send_text(e, c, c.snd_una, plan)) return false;
    ++e.counters.persist_probes;
    const SeqNum end = c.snd_una + plan.length + (plan.fin ? 1 : 0);
    c.snd_max = later_of(c.snd_max, end);
    if (c.snd_wnd > 0) c.snd_nxt = later_of(c.snd_nxt, end);
  }
  c.clear(flag::kProbe);
  return true;
}

// RFC 8985 7.3: a new segment, whatever cwnd says, or the last one once more.
bool send_loss_probe(Engine& e, Tcb& c) {
  const Plan fresh = c.snd_nxt == c.snd_max ? plan_segment(c, UINT32_MAX) : Plan{};
  if (fresh.exists()) {
    if (!send_next(e, c, fresh, nullptr)) return false;
    on_probe_sent(e, c, false);
    return true;
  }
  const std::uint32_t length = std::min<std::uint32_t>(c.snd_max - c.snd_una, c.snd_mss);
  const SeqNum seq = c.snd_max - length;
  if (!send_text(e, c, seq, plan_again(c, seq, length))) return false;
  on_probe_sent(e, c, true);
  return true;
}

// One that had to wait for a frame is needless when a SACK has come meanwhile.
bool send_due_probe(Engine& e, Tcb& c) {
  if (c.has(flag::kSackSender | flag::kDupAcks | flag::kInRecovery)) c.clear(flag::kLossProbe);
  return !c.has(flag::kLossProbe) || c.snd_una == c.snd_max || send_loss_probe(e, c);
}

// RFC 4821 7: new text in a segment larger than the others. `held`: new text is to wait for it.
bool send_path_probe(Engine& e, Tcb& c, bool& held) {
  restart_after_idle(e, c);
  const std::uint32_t size = path_probe_size(e, c);
  held = size == kHoldText;
  if (held || size == 0) return true;
  const SeqNum seq = c.snd_nxt;
  if (!send_next(e, c, {size, false}, nullptr)) {
    c.set(flag::kProbe);
    return false;
  }
  on_path_probe_sent(e, c, seq, size);
  return true;
}

// What is not plain sending of new text.
[[gnu::noinline]] bool send_out_of_turn(Engine& e, Tcb& c) {
  if (c.has(flag::kRetransmitHead) && !send_head_again(e, c)) return false;
  if (c.has(flag::kProbe)) {
    bool held = false;
    const bool of_path = is_path_probe_due(e, c);
    if (!(of_path ? send_path_probe(e, c, held) : send_probe(e, c))) return false;
    if (held) return true;
  }
  if (c.has(flag::kLossProbe) && c.probe_due && !send_due_probe(e, c)) return false;
  if (!c.has(flag::kSackSender)) return send_new_text(e, c);
  SackSender& sender = e.sack_senders[c.sack_sender];
  return c.has(flag::kInRecovery) ? send_in_sack_recovery(e, c, sender)
                                  : send_around_sacked(e, c, sender.board, sender.log);
}

bool send_syn(Engine& e, Tcb& c) {
  const bool passive = c.state == TcpState::kSynReceived;
  std::uint8_t flags = static_cast<std::uint8_t>(passive ? kSyn | kAck : kSyn);
  if (syn_asks_for_ecn(e, c)) flags |= kEce | kCwr;
  if (!send_segment(e, c, {.seq = c.iss, .flags = flags})) return false;
  if (c.snd_max != c.iss) {
    ++e.counters.retransmitted;
    ++c.segments_retransmitted;
  } else if (!passive) {
    // R2 of the SYN (MUST-23), from here on: connect() may have come long after the last poll.
    start_timer(e, c, TimerKind::kState, e.config.connect_timeout);
  }
  c.snd_nxt = c.iss + 1;
  if (!c.syn_retransmitted) time_segment(e, c, c.snd_nxt);
  c.snd_max = c.snd_nxt;
  c.clear(flag::kSynPending);
  return true;
}

[[gnu::noinline, gnu::flatten, gnu::hot]] bool send_pure_ack(Engine& e, Tcb& c) {
  return send_segment(e, c, {.seq = ack_sequence(c), .flags = kAck});
}

// Pure ACKs: one for each out-of-order segment, since the peer counts them, and one for all the
// rest; none if data has carried it.
bool send_owed_acks(Engine& e, Tcb& c) {
  for (; c.acks_owed > 0; --c.acks_owed)
    if (!send_pure_ack(e, c)) return false;
  if (c.has(flag::kAckNow) && !send_pure_ack(e, c)) return false;
  if (c.has(flag::kAckDelayed) && !is_running(c, TimerKind::kDelayedAck))
    start_timer(e, c, TimerKind::kDelayedAck, e.config.delayed_ack);
  return true;
}

// Exactly one of the two sending timers runs while something waits for the peer: for an ACK of what
// is in flight, or for the window to open.
void arrange_timers(Engine& e, Tcb& c) {
  const bool in_flight = c.snd_nxt != c.snd_una;
  if (in_flight) {
    stop_timer(c, TimerKind::kPersist);
    if (!is_running(c, TimerKind::kRetransmit))
      start_loss_timer(e, c, within_user_timeout(e, c, c.rtt.rto()));
    return;
  }
  const bool waiting = c.send_queue.size() > 0 || c.has(flag::kFinQueued);
  stop_timer(c, TimerKind::kRetransmit);
  if (!waiting)
    stop_timer(c, TimerKind::kPersist);
  else if (!is_running(c, TimerKind::kPersist))
    start_timer(e, c, TimerKind::kPersist, within_user_timeout(e, c, c.rtt.rto()));
}

// Since the SYN was first sent, which also started its R2.
Duration syn_age(const Engine& e, const Tcb& c) {
  const Instant r2 = e.instant_of(c.deadline[static_cast<std::size_t>(TimerKind::kState)]);
  return e.config.connect_timeout - (r2 - e.now);
}

// A next hop that does not answer ARP ends an active open at once; later it is only a delay. The
// failure is remembered for a second, which the SYN's repetitions may miss: but who has no address
// after a whole round of questions and that second has failed as well.
bool is_unreachable(Engine& e, const Tcb& c) {
  using net::LinkState;
  constexpr Duration kRoundAndMemory = std::chrono::seconds(4);
  if (c.state != TcpState::kSynSent) return false;
  std::byte link_header[wire::kEthernetHeaderBytes];
  const LinkState state = e.net.link_header(c.tuple.remote_address, link_header, e.now);
  if (state == LinkState::kReady) return false;
  return state == LinkState::kFailed || (c.retransmits > 0 && syn_age(e, c) > kRoundAndMemory);
}

[[gnu::noinline]] bool transmit_in_handshake(Engine& e, Tcb& c) {
  if (c.has(flag::kSynPending) && is_unreachable(e, c)) {
    finish(e, c, CloseReason::kUnreachable);
    return true;
  }
  if (c.has(flag::kSynPending) && !send_syn(e, c)) return false;
  if (!send_owed_acks(e, c)) return false;
  if (!is_running(c, TimerKind::kRetransmit)) start_time_out(e, c);
  return true;
}

}  // namespace

bool transmit(Engine& e, Tcb& c) {
  if (c.state == TcpState::kSynSent || c.state == TcpState::kSynReceived)
    return transmit_in_handshake(e, c);
  if (c.state == TcpState::kClosed) return true;
  if (!c.has(flag::kClosePending)) {
    const bool plain =
        !c.has(flag::kRetransmitHead | flag::kProbe | flag::kSackSender | flag::kLossProbe);
    if (!(plain ? send_new_text(e, c) : send_out_of_turn(e, c))) return false;
  }
  if (!send_owed_acks(e, c)) return false;
  if (!c.has(flag::kClosePending)) arrange_timers(e, c);
  // A close's limit begins here, where it is known what time it is.
  if (c.state != TcpState::kEstablished && !is_running(c, TimerKind::kState))
    start_closing_timer(e, c);
  return true;
}

[[gnu::flatten, gnu::hot]] std::size_t transmit_all(Engine& e) {
  const std::size_t listed = e.output.size();
  for (std::size_t visited = 0; visited < listed; ++visited) {
    Tcb& c = e.tcbs[e.output.front()];
    if (!transmit(e, c)) return visited;
    e.output.pop_front(e.tcbs);
    if (!c.has(flag::kCork)) continue;
    c.clear(flag::kCork);  // it held a partial segment back for one poll; the next one sends it
    e.schedule_output(c);
  }
  return listed;
}

}  // namespace tern::tcp
