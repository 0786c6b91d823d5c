// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/keepalive.h"

#include <algorithm>

#include "tcp/close.h"
#include "tcp/reset.h"
#include "tcp/segment_builder.h"
#include "tcp/timers.h"
#include "tcp/user_timeout.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

Tick now_tick(const Engine& e) { return static_cast<Tick>(e.tick); }
Duration duration_of(Tick ticks) { return timer::kTick * ticks; }

// Only the peer can speak; where something of ours is on its way, its own timers watch over it.
bool waits_for_the_peer(const Tcb& c) {
  return (c.state == TcpState::kEstablished || c.state == TcpState::kCloseWait) &&
         c.snd_una == c.snd_max && c.send_queue.size() == 0;
}

// Something came after the probe that this time-out followed. The deadline was rounded up to a
// whole tick, so the probe may have gone out, and been answered, in the tick before. Nothing else
// came in that one: there had been silence.
bool was_answered(const Tcb& c) {
  const Tick rounded_up =
      c.deadline[static_cast<std::size_t>(TimerKind::kKeepalive)] - c.keepalive_interval;
  return !timer::is_after(rounded_up - 1, c.last_received);
}

// RFC 9293 3.8.4: without text, since the peer answers whatever is not its next number.
void send_keepalive(Engine& e, Tcb& c) {
  if (!send_segment(e, c, {.seq = c.snd_max - 1, .flags = kAck}))
    return start_timer(e, c, TimerKind::kKeepalive, timer::kTick);
  ++c.keepalive_probes;
  ++e.counters.keepalive_probes;
  start_timer(e, c, TimerKind::kKeepalive, duration_of(c.keepalive_interval));
}

}  // namespace

void set_keepalive(Engine& e, Tcb& c, Duration idle, Duration interval, unsigned count) {
  c.keepalive_idle = ticks_of(idle);
  c.keepalive_interval = std::max<Tick>(ticks_of(interval), 1);
  c.keepalive_count = static_cast<std::uint8_t>(std::min(count, 255u));
  stop_timer(c, TimerKind::kKeepalive);
  if (is_synchronized(c.state)) start_keepalive(e, c);
}

void start_keepalive(Engine& e, Tcb& c) {
  c.keepalive_probes = 0;
  if (c.keepalive_idle == 0) return;
  start_timer(e, c, TimerKind::kKeepalive, duration_of(c.keepalive_idle));
}

void on_keepalive_timeout(Engine& e, Tcb& c) {
  if (c.keepalive_idle == 0 || !is_synchronized(c.state)) return;
  if (!waits_for_the_peer(c)) return start_keepalive(e, c);
  if (c.keepalive_probes > 0 && was_answered(c)) c.keepalive_probes = 0;
  const Tick silence = now_tick(e) - c.last_received;
  if (c.keepalive_probes == 0 && silence < c.keepalive_idle)
    return start_timer(e, c, TimerKind::kKeepalive, duration_of(c.keepalive_idle - silence));
  if (c.keepalive_probes < c.keepalive_count) return send_keepalive(e, c);
  send_reset(e, c);
  finish(e, c, CloseReason::kTimedOut);
}

}  // namespace tern::tcp
