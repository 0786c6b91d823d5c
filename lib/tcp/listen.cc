// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/listen.h"

#include <algorithm>

#include "tcp/isn.h"
#include "tcp/reset.h"
#include "tcp/window.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

constexpr std::uint16_t kDefaultMss = 536;  // MUST-15
constexpr std::uint16_t kMinMss = 48;       // a smaller one would make us send headers only
constexpr std::uint16_t kTimestampBytes = 12;

// RFC 6191 2, RFC 1122 4.2.2.13: the ISN clock may not have caught up with a fast old incarnation.
void begin_beyond(Tcb& c, SeqNum old_end) {
  constexpr std::uint32_t kGap =
      1u << 17;  // what an unscaled window could still have in the network, twice
  if (c.iss.after(old_end + kGap)) return;
  c.iss = old_end + kGap;
  c.snd_una = c.snd_nxt = c.snd_max = c.recover = c.snd_wl2 = c.iss;
}

void accept_syn(Engine& e, std::uint32_t listener, const flow::FourTuple4& tuple,
                const wire::TcpSegment& s, std::optional<SeqNum> old_end) {
  Listener& l = e.listeners[listener];
  if (l.half_open >= l.backlog) {
    ++e.counters.drop_tcp_half_open_full;
    return;
  }
  Tcb* c = e.draining ? nullptr : create_tcb(e, tuple, *l.handler);
  if (c == nullptr) {
    ++e.counters.drop_tcp_no_connection;
    return;
  }
  ++e.counters.passive_opens;
  ++l.half_open;
  if (old_end) begin_beyond(*c, *old_end);
  c->listener = listener;
  c->irs = s.seq;
  c->rcv_nxt = c->rcv_adv = c->last_ack_sent = s.seq + 1;
  c->snd_wnd = c->max_snd_wnd = s.window;  // a SYN's window is not scaled
  c->snd_wl1 = s.seq;
  negotiate_options(e, *c, s.options);
  c->set(flag::kPassive | flag::kSynPending | flag::kSynUnacked);
  set_state(e, *c, TcpState::kSynReceived);
  e.schedule_output(*c);
}

// RFC 1122 4.2.2.13 (a) and RFC 6191: the new incarnation's numbers cannot meet the old one's.
bool is_new_incarnation(const TimeWaitRecord& r, const wire::TcpSegment& s) {
  if ((s.flags & (kSyn | kAck | kRst | kFin)) != kSyn) return false;
  if ((r.flags & TimeWaitRecord::kTimestamps) != 0 && s.options.has_timestamp)
    return static_cast<std::int32_t>(s.options.ts_value - r.ts_recent) > 0 ||
           (s.options.ts_value == r.ts_recent && s.seq.after(r.rcv_nxt));
  return s.seq.after(r.rcv_nxt);
}

}  // namespace

void negotiate_options(Engine& e, Tcb& c, const wire::TcpOptions& options) {
  c.peer_mss = options.has_mss ? std::max(options.mss, kMinMss) : kDefaultMss;
  c.snd_mss = std::min(c.peer_mss, e.mss);
  if (e.config.timestamps && options.has_timestamp) {
    c.set(flag::kTimestamps);
    c.snd_mss = static_cast<std::uint16_t>(c.snd_mss - kTimestampBytes);
    c.ts_recent = options.ts_value;
    c.ts_recent_time = e.now;
  }
  if (e.config.window_scaling && options.has_window_scale) {
    c.set(flag::kWindowScaling);
    c.snd_wscale = options.window_scale;
    c.rcv_wscale = window_scale_for(e.config.receive_buffer);
  }
}

void receive_unconnected(Engine& e, const flow::FourTuple4& tuple, const wire::TcpSegment& s,
                         std::optional<SeqNum> old_end) {
  const std::uint32_t listener =
      e.listener_table.find(Ipv4Address(tuple.local_address), tuple.local_port);
  if (listener == kNoIndex) {
    send_reset_for(e, s);
    return;
  }
  if (s.has(kRst)) {  // first, check for a RST
    ++e.counters.drop_tcp_stray;
    return;
  }
  if (s.has(kAck)) {  // second, check for an ACK
    send_reset_for(e, s);
    return;
  }
  if (s.has(kSyn)) return accept_syn(e, listener, tuple, s, old_end);  // third, check for a SYN
  ++e.counters.drop_tcp_stray;                                         // fourth, anything else
}

void receive_in_time_wait(Engine& e, std::uint32_t record, std::uint32_t hash,
                          const flow::FourTuple4& tuple, const wire::TcpSegment& s) {
  TimeWaitRecord& r = e.time_wait[record];
  if (s.has(kRst)) return;  // RFC 1337: a RST does not end TIME-WAIT early
  if (is_new_incarnation(r, s) &&
      e.listener_table.find(Ipv4Address(tuple.local_address), tuple.local_port) != kNoIndex) {
    ++e.counters.time_wait_reused;
    const SeqNum old_end = r.snd_nxt;
    e.table.erase(hash, record | kTimeWaitBit);
    e.time_wait.remove(record);
    return receive_unconnected(e, tuple, s, old_end);
  }
  if (s.length() == 0) return;  // two ends in TIME-WAIT would answer each other's ACKs for ever
  // The peer repeats its FIN, or text before it, since our ACK was lost: it needs as long again.
  if (!s.has(kSyn) && s.seq.before(r.rcv_nxt)) e.time_wait.restart(record, e.now);
  send_time_wait_ack(e, r);
}

}  // namespace tern::tcp
