// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/close.h"

#include <algorithm>

#include "tcp/path_probe.h"
#include "tcp/reset.h"
#include "tcp/sack_recovery.h"
#include "tcp/timers.h"
#include "tcp/transmit.h"
#include "tcp/user_timeout.h"

namespace tern::tcp {
namespace {

void leave_table(Engine& e, Tcb& c) {
  if (!c.has(flag::kInTable)) return;
  c.clear(flag::kInTable);
  e.table.erase(c.hash, e.index_of(c));
}

// What a connection no longer needs when the protocol is through.
void retire_sender(Engine& e, Tcb& c) {
  cancel_timers(e, c);
  c.send_queue.clear(e.send_chunks);
  release_sack_sender(e, c);
  release_reassembly(e, c);
  c.clear(flag::kSynPending | flag::kRetransmitHead | flag::kProbe | flag::kFinQueued);
}

void announce_end(Engine& e, Tcb& c, CloseReason reason) {
  c.close_reason = reason;
  c.set(flag::kClosePending);
  if (reason != CloseReason::kFinished || c.has(flag::kInputClosed)) {
    c.receive_queue.clear(e.receive_buffers);
    c.events &= event::kEstablished;  // whoever hears of the end has heard of the beginning
  }
  e.raise(c, event::kClosed);
}

// The oldest TIME-WAIT record gives way when there is no room.
void on_time_wait_evicted(Engine& e, std::uint32_t record) {
  ++e.counters.time_wait_evicted;
  leave_time_wait(e, record);
}

TimeWaitRecord make_record(const Tcb& c) {
  TimeWaitRecord r;
  r.tuple = c.tuple;
  r.hash = c.hash;
  r.snd_nxt = c.snd_max;
  r.rcv_nxt = c.rcv_nxt;
  r.ts_recent = c.ts_recent;
  r.ts_offset = c.ts_offset;
  r.window = static_cast<std::uint16_t>(c.advertised_window() >> c.rcv_wscale);
  r.flags = c.has(flag::kTimestamps) ? TimeWaitRecord::kTimestamps : std::uint8_t{0};
  return r;
}

// How long the peer may keep a connection that has sent FIN, or is to, without progress; 0 = as far
// as R2 goes. Where the application still reads, it is there to give up by itself (MUST-37); a
// connection that nobody waits for is the stack's to end (RFC 6429 4).
Duration closing_time_limit(const Engine& e, const Tcb& c) {
  const bool reading = !c.has(flag::kInputClosed);
  switch (c.state) {
    case TcpState::kFinWait1:
      return reading ? Duration::zero() : e.config.orphan_timeout;
    case TcpState::kFinWait2:
      return reading ? e.config.half_close_timeout : e.config.fin_wait_2_timeout;
    case TcpState::kClosing:
    case TcpState::kLastAck:
      return e.config.orphan_timeout;
    default:
      return Duration::zero();
  }
}

}  // namespace

void shutdown_send(Engine& e, Tcb& c) {
  switch (c.state) {
    case TcpState::kSynSent:
    case TcpState::kSynReceived:
      break;  // queued: the FIN follows the handshake (RFC 9293 3.10.4)
    case TcpState::kEstablished:
      set_state(e, c, TcpState::kFinWait1);
      break;
    case TcpState::kCloseWait:
      set_state(e, c, TcpState::kLastAck);
      break;
    default:
      return;
  }
  c.set(flag::kFinQueued);
  c.clear(flag::kCork);
  // Whoever waits for room to send waits in vain now, and may have received data to give up.
  if (c.has(flag::kWantWritable)) e.raise(c, event::kWritable);
  e.schedule_output(c);
}

void close_connection(Engine& e, Tcb& c) {
  if (c.has(flag::kClosePending)) {  // nothing left but what the application did not read
    if (!c.receive_queue.empty()) c.close_reason = CloseReason::kAborted;
    c.receive_queue.clear(e.receive_buffers);
    c.events &=
        event::kEstablished;  // what is thrown away must not look like the end of the stream
    e.raise(c, event::kClosed);
    return;
  }
  if (c.state == TcpState::kSynSent) return finish(e, c, CloseReason::kAborted);
  if (c.receive_queue.bytes() > 0 || c.has(flag::kHasGap)) return abort_connection(e, c);
  c.set(flag::kInputClosed);
  c.events = 0;
  // From now on its end has another limit, which begins with the next poll: this call may come long
  // after the last one.
  if (c.state == TcpState::kFinWait2) stop_timer(c, TimerKind::kState);
  e.schedule_output(c);
  shutdown_send(e, c);
}

void close_lingering(Engine& e, Tcb& c, Duration linger) {
  if (linger <= Duration::zero()) return abort_connection(e, c);
  close_connection(e, c);
  c.lingering = 1;
  c.keepalive_idle = 0;
  c.keepalive_interval = std::max<Tick>(ticks_of(linger), 1);
  if (c.state != TcpState::kSynReceived) stop_timer(c, TimerKind::kState);
}

void abort_connection(Engine& e, Tcb& c) {
  if (c.has(flag::kClosePending)) return close_connection(e, c);
  if (c.state != TcpState::kSynSent) send_reset(e, c);
  finish(e, c, CloseReason::kAborted);
}

void finish(Engine& e, Tcb& c, CloseReason reason) {
  if (reason == CloseReason::kTimedOut) ++e.counters.timed_out;
  if (reason == CloseReason::kTimedOut && c.unreachable_seen) reason = CloseReason::kUnreachable;
  leave_table(e, c);
  retire_sender(e, c);
  set_state(e, c, TcpState::kClosed);
  announce_end(e, c, reason);
}

void enter_time_wait(Engine& e, Tcb& c) {
  ++e.counters.time_wait_entered;
  e.book.retain(c.tuple.remote_address);
  const std::uint32_t record = e.time_wait.add(
      make_record(c), e.now, [&](std::uint32_t evicted) { on_time_wait_evicted(e, evicted); });
  e.table.replace(c.hash, e.index_of(c), record | kTimeWaitBit);
  c.clear(flag::kInTable);
  retire_sender(e, c);
  set_state(e, c, TcpState::kTimeWait);
  announce_end(e, c, CloseReason::kFinished);
}

void leave_time_wait(Engine& e, std::uint32_t record) {
  e.table.erase(e.time_wait[record].hash, record | kTimeWaitBit);
  e.book.release(e.time_wait[record].tuple.remote_address);
}

[[gnu::noinline]] void start_closing_timer(Engine& e, Tcb& c) {
  if (c.state == TcpState::kFinWait2) c.lingering = 0;  // all is acknowledged
  if (c.lingering != 0) {  // counts from close(), whatever the progress
    if (!is_running(c, TimerKind::kState))
      start_timer(e, c, TimerKind::kState, timer::kTick * c.keepalive_interval);
    return;
  }
  const Duration limit = closing_time_limit(e, c);
  if (limit > Duration::zero()) start_timer(e, c, TimerKind::kState, limit);
}

void on_state_timeout(Engine& e, Tcb& c) {
  if (c.state == TcpState::kEstablished) return on_path_timer(e, c);
  if (c.lingering != 0) {
    ++e.counters.lingers_expired;
    return abort_connection(e, c);
  }
  if (c.state == TcpState::kFinWait2) {
    ++e.counters.fin_wait_2_expired;
  } else if (closing_time_limit(e, c) > Duration::zero()) {
    const bool probing = is_running(c, TimerKind::kPersist) || c.has(flag::kProbe);
    if (!probing) return start_closing_timer(e, c);  // of what is in flight, R2 decides
    ++e.counters.orphans_expired;
    send_reset(e, c);  // the peer may live, and has not got everything (SHLD-3)
  }
  finish(e, c, CloseReason::kTimedOut);
}

}  // namespace tern::tcp
