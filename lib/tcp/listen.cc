// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/listen.h"

#include <algorithm>

#include "tcp/close.h"
#include "tcp/half_open.h"
#include "tcp/icmp_error.h"
#include "tcp/mss.h"
#include "tcp/reset.h"
#include "tcp/timestamp.h"
#include "tcp/window.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

constexpr std::uint16_t kMinMss = 48;  // a smaller one would make us send headers only

// RFC 1122 4.2.2.13 (a) and RFC 6191: the new incarnation's numbers cannot meet the old one's.
bool is_new_incarnation(const Engine& e, const TimeWaitRecord& r, const wire::TcpSegment& s) {
  if ((s.flags & (kSyn | kAck | kRst | kFin)) != kSyn) return false;
  if ((r.flags & TimeWaitRecord::kTimestamps) != 0 && s.options.has_timestamp)
    return static_cast<std::int32_t>(s.options.ts_value - r.ts_recent) > 0 ||
           (s.options.ts_value == r.ts_recent && s.seq.after(r.rcv_nxt));
  // Timestamps where there were none: PAWS will know the old segments by their having none.
  if ((r.flags & TimeWaitRecord::kTimestamps) == 0 && s.options.has_timestamp &&
      e.config.timestamps)
    return true;
  return s.seq.after(r.rcv_nxt);
}

// The new connection takes the record's place; not if it could not be remembered, since a cookie's
// number may lie among the old one's.
bool take_over(Engine& e, std::uint32_t record, std::uint32_t hash, const flow::FourTuple4& tuple,
               const wire::TcpSegment& s) {
  const std::uint32_t listener = e.listener_table.find(tuple.local_address, tuple.local_port);
  if (listener == kNoIndex || !has_room(e, e.listeners[listener])) return false;
  ++e.counters.time_wait_reused;
  const SeqNum old_end = e.time_wait[record].snd_nxt;
  leave_time_wait(e, record);
  e.time_wait.remove(record);
  receive_syn(e, listener, hash, tuple, s, old_end);
  return true;
}

}  // namespace

void negotiate_options(Engine& e, Tcb& c, const wire::TcpOptions& options) {
  c.peer_mss = options.has_mss ? std::max(options.mss, kMinMss) : default_mss(c.tuple);
  c.snd_mss = std::min(c.peer_mss, path_mss(e, c.tuple.remote_address));
  if (e.config.timestamps && options.has_timestamp) {
    c.set(flag::kTimestamps);
    c.snd_mss = static_cast<std::uint16_t>(c.snd_mss - kTimestampBytes);
    c.ts_recent = options.ts_value;
    c.ts_recent_age = timestamp_age(e);
  }
  if (e.config.sack && options.sack_permitted) c.set(flag::kSack);
  if (e.config.window_scaling && options.has_window_scale) {
    c.set(flag::kWindowScaling);
    c.snd_wscale = options.window_scale;
    c.rcv_wscale = window_scale_for(e.config.max_receive_buffer);
  }
}

bool receive_opening(Engine& e, std::uint32_t hash, const flow::FourTuple4& tuple, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  const std::uint32_t listener = e.listener_table.find(tuple.local_address, tuple.local_port);
  if (listener == kNoIndex || s.has(kRst)) return false;                // first, check for a RST
  if (s.has(kAck)) return receive_cookie(e, listener, hash, tuple, a);  // second, for an ACK
  if (!s.has(kSyn)) return false;                                       // fourth, anything else
  receive_syn(e, listener, hash, tuple, s, std::nullopt);               // third, check for a SYN
  return true;
}

void refuse_unconnected(Engine& e, const flow::FourTuple4& tuple, const wire::TcpSegment& s) {
  const bool listening = e.listener_table.find(tuple.local_address, tuple.local_port) != kNoIndex;
  if (listening && (s.has(kRst) || !s.has(kAck)))
    ++e.counters.drop_tcp_stray;
  else
    send_reset_for(e, s);
}

void receive_in_time_wait(Engine& e, std::uint32_t record, std::uint32_t hash,
                          const flow::FourTuple4& tuple, const wire::TcpSegment& s) {
  TimeWaitRecord& r = e.time_wait[record];
  if (s.has(kRst)) return;  // RFC 1337: a RST does not end TIME-WAIT early
  if (is_new_incarnation(e, r, s) && take_over(e, record, hash, tuple, s)) return;
  if (s.length() == 0) return;  // two ends in TIME-WAIT would answer each other's ACKs for ever
  // The peer repeats its FIN, or text before it, since our ACK was lost: it needs as long again.
  if (!s.has(kSyn) && s.seq.before(r.rcv_nxt)) e.time_wait.restart(record, e.now);
  send_time_wait_ack(e, r);
}

}  // namespace tern::tcp
