// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/half_open.h"

#include <algorithm>

#include "tcp/ack.h"
#include "tcp/ecn.h"
#include "tcp/isn.h"
#include "tcp/listen.h"
#include "tcp/mss.h"
#include "tcp/receive.h"
#include "tcp/reset.h"
#include "tcp/segment_check.h"
#include "tcp/timestamp.h"
#include "tcp/window.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

constexpr Duration kCookieLifetime = std::chrono::minutes(2);

// The lists of the cache: those whose SYN,ACK found no frame, then by the number of time-outs.
constexpr std::size_t kUnsent = 0, kFirstWait = 1;

// RFC 6191 2, RFC 1122 4.2.2.13: the ISN clock may not have caught up with a fast old incarnation.
SeqNum beyond(SeqNum iss, SeqNum old_end) {
  constexpr std::uint32_t kGap =
      1u << 17;  // what an unscaled window could still have in the network, twice
  return iss.after(old_end + kGap) ? iss : old_end + kGap;
}

wire::TcpOptions offered_by(const HalfOpen& h) {
  wire::TcpOptions o;
  o.has_mss = (h.flags & HalfOpen::kMss) != 0;
  o.mss = h.mss;
  o.has_timestamp = (h.flags & HalfOpen::kTimestamps) != 0;
  o.ts_value = h.ts_recent;
  o.has_window_scale = (h.flags & HalfOpen::kWindowScale) != 0;
  o.window_scale = h.window_scale;
  o.sack_permitted = (h.flags & HalfOpen::kSackPermitted) != 0;
  return o;
}

// Only what the peer has offered and we want.
wire::TcpOptions answer_to(const Engine& e, const flow::FourTuple4& tuple,
                           const wire::TcpOptions& offered, std::uint32_t timestamp) {
  wire::TcpOptions o;
  o.has_mss = true;
  o.mss = own_mss(e, tuple);
  o.has_timestamp = e.config.timestamps && offered.has_timestamp;
  o.ts_value = timestamp;
  o.ts_echo_reply = offered.ts_value;
  o.has_window_scale = e.config.window_scaling && offered.has_window_scale;
  o.window_scale = window_scale_for(e.config.max_receive_buffer);
  o.sack_permitted = e.config.sack && offered.sack_permitted;
  return o;
}

bool accepts_ecn(const Engine& e, const wire::TcpSegment& s) {
  return e.config.ecn != EcnMode::kOff && asks_for_ecn(s);
}

HalfOpen make_record(const Engine& e, std::uint32_t listener, std::uint32_t hash,
                     const flow::FourTuple4& tuple, const wire::TcpSegment& s) {
  const flow::FlowName name = e.book.name(tuple);
  HalfOpen h;
  h.tuple = tuple;
  h.hash = hash;
  h.listener = listener;
  h.irs = s.seq;
  h.iss = initial_sequence(e.keys.sequence, name, e.now);
  h.ts_offset = timestamp_offset(e.keys.timestamps, name);
  h.ts_recent = s.options.ts_value;
  h.window = s.window;
  h.mss = s.options.mss;
  h.window_scale = s.options.window_scale;
  const auto bit = [](bool set, std::uint8_t flag) { return set ? flag : std::uint8_t{0}; };
  h.flags = static_cast<std::uint8_t>(bit(s.options.has_timestamp, HalfOpen::kTimestamps) |
                                      bit(s.options.has_window_scale, HalfOpen::kWindowScale) |
                                      bit(s.options.sack_permitted, HalfOpen::kSackPermitted) |
                                      bit(s.options.has_mss, HalfOpen::kMss) |
                                      bit(accepts_ecn(e, s), HalfOpen::kEcn));
  h.answered = e.now;
  h.next_challenge = e.now;
  return h;
}

void remove_record(Engine& e, std::uint32_t index) {
  e.book.release(e.syn_cache[index].tuple.remote_address);
  e.syn_cache.remove(index);
}

void forget(Engine& e, std::uint32_t index) {
  HalfOpen& h = e.syn_cache[index];
  --e.listeners[h.listener].half_open;
  e.table.erase(h.hash, index | kHalfOpenBit);
  remove_record(e, index);
}

bool send_syn_ack(Engine& e, const HalfOpen& h) {
  wire::TcpHeader header;
  header.seq = h.iss;
  header.ack = h.irs + 1;
  header.flags = kSyn | kAck;
  if ((h.flags & HalfOpen::kEcn) != 0) header.flags |= kEce;
  header.window = syn_window(e);
  return send_bare(e, h.tuple, header,
                   answer_to(e, h.tuple, offered_by(h), timestamp_at(e.now, h.ts_offset)));
}

// The SYN,ACK, first or by time-out; if there is no frame for it, in a tick.
void answer(Engine& e, std::uint32_t index) {
  HalfOpen& h = e.syn_cache[index];
  if (!send_syn_ack(e, h)) return e.syn_cache.schedule(index, kUnsent, e.now + timer::kTick);
  const Duration wait =
      std::min(e.config.initial_rto * (std::int64_t{1} << h.retransmits), e.config.max_rto);
  e.syn_cache.schedule(index, kFirstWait + h.retransmits, e.now + wait);
}

void on_due(Engine& e, std::uint32_t index) {
  HalfOpen& h = e.syn_cache[index];
  if (h.list == kUnsent) return answer(e, index);
  ++e.counters.rto_timeouts;
  if (h.retransmits >= e.config.max_syn_ack_retransmits) {
    ++e.counters.half_open_expired;
    return forget(e, index);
  }
  ++h.retransmits;
  h.flags |= HalfOpen::kRepeated;
  ++e.counters.retransmitted;
  answer(e, index);
}

bool wants_cookie(const Engine& e, const Listener& l) {
  return e.config.syn_cookies == SynCookieMode::kAlways || !has_room(e, l);
}

void send_cookie(Engine& e, const flow::FourTuple4& tuple, const wire::TcpSegment& s) {
  const std::uint16_t mss = s.options.has_mss ? s.options.mss : default_mss(tuple);
  const flow::FlowName name = e.book.name(tuple);
  wire::TcpOptions offered = s.options;
  if (!offered.has_timestamp || !e.config.timestamps)
    offered.has_window_scale = offered.sack_permitted = false;  // nowhere to remember them
  wire::TcpOptions reply = answer_to(e, tuple, offered, 0);
  CookieOptions told;
  if (reply.has_window_scale) told.window_scale = offered.window_scale;
  told.sack_permitted = reply.sack_permitted;
  told.ecn = reply.has_timestamp && accepts_ecn(e, s);
  reply.ts_value = encode_cookie_timestamp(timestamp_at(e.now, 0), told) +
                   timestamp_offset(e.keys.timestamps, name);
  wire::TcpHeader header;
  header.flags = kSyn | kAck;
  if (told.ecn) header.flags |= kEce;
  header.ack = s.seq + 1;
  header.window = syn_window(e);
  // A cookie cannot tell so small an MSS, and sending more than that is forbidden (MUST-16).
  if (mss >= SynCookies::kMss[0]) {
    header.seq = e.syn_cookies.make(name, s.seq, mss, e.now);
    if (send_bare(e, tuple, header, reply)) {
      ++e.counters.syn_cookies_sent;
      return;
    }
  }
  ++e.counters.drop_tcp_half_open_full;
}

void refuse_or_send_cookie(Engine& e, Listener& l, const flow::FourTuple4& tuple,
                           const wire::TcpSegment& s) {
  const bool routine = e.config.syn_cookies == SynCookieMode::kAlways;
  if (routine) {
    e.flood_watch.on_routine_cookie(e.now);
  } else {
    e.flood_watch.on_overflow(e.now);
    l.last_overflow = e.now;
  }
  if (e.config.syn_cookies == SynCookieMode::kOff) {
    ++e.counters.drop_tcp_half_open_full;
    return;
  }
  send_cookie(e, tuple, s);
}

// The TCB of a handshake that is through but for its third packet, which complete() takes.
void resume(Engine& e, Tcb& c, const HalfOpen& h) {
  c.iss = h.iss;
  c.snd_una = c.recover = c.snd_wl2 = h.iss;
  c.snd_nxt = c.snd_max = h.iss + 1;
  c.irs = c.rcv_up = c.snd_wl1 = h.irs;
  c.rcv_nxt = c.last_ack_sent = h.irs + 1;
  c.rcv_adv = c.rcv_nxt + syn_window(e);
  c.snd_wnd = c.max_snd_wnd = h.window;  // a SYN's window is not scaled
  c.ts_offset = h.ts_offset;
  c.retransmits = h.retransmits;
  c.syn_retransmitted = h.retransmits > 0;
  negotiate_options(e, c, offered_by(h));
  c.set(flag::kSynUnacked);
  if ((h.flags & HalfOpen::kEcn) != 0) start_ecn(e, c);
  if ((h.flags & HalfOpen::kRepeated) == 0) {  // Karn (MUST-18)
    c.set(flag::kTiming);
    c.rtt_seq = c.snd_max;
    c.rtt_start_us = Engine::microseconds_of(h.answered);
  }
  set_state(e, c, TcpState::kSynReceived);
}

// Of answers that went out more than once, and of cookies, nobody knows which one is echoed.
void distrust_echoes(const Engine& e, Tcb& c) {
  c.timed_out = true;
  c.time_out_timestamp = timestamp_now(e, c) + 1;
}

// What arrived acknowledges our SYN and nothing else; the rest of it is as in ESTABLISHED.
void complete(Engine& e, Tcb& c, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  if (!c.has(flag::kTiming)) distrust_echoes(e, c);
  become_established(e, c);
  update_ts_recent(e, c, s);
  note_mark(e, c, s);
  if (check_ack(e, c, a)) process_text_and_fin(e, c, a);
}

void accept(Engine& e, std::uint32_t index, Arrival& a) {
  const HalfOpen h = e.syn_cache[index];
  Tcb* c = take_tcb(e, h.tuple, h.hash, *e.listeners[h.listener].handler);
  if (c == nullptr) {  // the record stays: there may be one when the peer comes again
    ++e.counters.drop_tcp_no_connection;
    return;
  }
  e.table.replace(h.hash, index | kHalfOpenBit, e.index_of(*c));
  c->set(flag::kInTable);
  --e.listeners[h.listener].half_open;
  remove_record(e, index);
  resume(e, *c, h);
  complete(e, *c, a);
}

// The steps of receive.cc for the one state in which there is no TCB.

void send_ack(Engine& e, const HalfOpen& h) {
  wire::TcpHeader header;
  header.seq = h.iss + 1;
  header.ack = h.irs + 1;
  header.flags = kAck;
  const wire::TcpOptions agreed =
      answer_to(e, h.tuple, offered_by(h), timestamp_at(e.now, h.ts_offset));
  header.window = static_cast<std::uint16_t>(syn_window(e) >>
                                             (agreed.has_window_scale ? agreed.window_scale : 0));
  wire::TcpOptions options = agreed;
  options.has_mss = options.has_window_scale = options.sack_permitted = false;
  send_bare(e, h.tuple, header, options);
}

void send_limited_ack(Engine& e, HalfOpen& h) {
  if (e.now < h.next_challenge) {
    ++e.counters.challenge_acks_suppressed;
    return;
  }
  h.next_challenge = e.now + limited_ack_interval(e, h.tuple);
  ++e.counters.challenge_acks;
  send_ack(e, h);
}

void refuse(Engine& e, HalfOpen& h, const wire::TcpSegment& s) {
  if (s.has(kRst)) return;
  if (s.payload_length > 0 || s.has(kFin))
    send_ack(e, h);
  else
    send_limited_ack(e, h);
}

bool is_too_old(const HalfOpen& h, const wire::TcpSegment& s) {
  return static_cast<std::int32_t>(s.options.ts_value - h.ts_recent) < 0;
}

// First, check sequence number.
bool check_sequence(Engine& e, HalfOpen& h, const wire::TcpSegment& s) {
  const bool timestamps = e.config.timestamps && (h.flags & HalfOpen::kTimestamps) != 0;
  if (timestamps && !s.has(kRst)) {
    if (!s.options.has_timestamp) {
      ++e.counters.drop_tcp_missing_timestamp;
      return false;
    }
    if (is_too_old(h, s)) {
      ++e.counters.rx_paws_rejected;
      refuse(e, h, s);
      return false;
    }
  }
  if (is_acceptable(s.seq, s.length(), h.irs + 1, syn_window(e))) return true;
  ++e.counters.rx_out_of_window;
  refuse(e, h, s);
  return false;
}

// The peer repeats its SYN, since our answer was lost; or it clings to an ACK of ours. The time-out
// stays where it is: whoever repeats a SYN for ever does not keep the record for ever.
bool check_repeated_syn(Engine& e, HalfOpen& h, Arrival& a) {
  wire::TcpSegment& s = a.segment;
  if (!s.has(kSyn) || s.has(kRst) || s.seq != h.irs) return true;
  if (!s.has(kAck)) {
    if (s.options.has_timestamp && !is_too_old(h, s)) h.ts_recent = s.options.ts_value;
    h.flags |= HalfOpen::kRepeated;
    if (!asks_for_ecn(s)) h.flags &= static_cast<std::uint8_t>(~HalfOpen::kEcn);
    if (send_syn_ack(e, h)) ++e.counters.retransmitted;
    return false;
  }
  s.flags &= static_cast<std::uint16_t>(~kSyn);
  s.seq += 1;
  a.was_syn = true;
  return true;
}

// Second, the RST bit: only at exactly rcv_nxt (RFC 5961 3.2).
void receive_reset(Engine& e, std::uint32_t index, const wire::TcpSegment& s) {
  HalfOpen& h = e.syn_cache[index];
  if (s.seq != h.irs + 1) return send_limited_ack(e, h);
  ++e.counters.rst_in;
  forget(e, index);
}

}  // namespace

bool has_room(const Engine& e, const Listener& l) {
  return l.half_open < l.backlog && !e.syn_cache.is_full();
}

void receive_syn(Engine& e, std::uint32_t listener, std::uint32_t hash,
                 const flow::FourTuple4& seen, const wire::TcpSegment& s,
                 std::optional<SeqNum> old_end) {
  Listener& l = e.listeners[listener];
  if (e.draining || e.tcbs.available() == 0) {
    ++e.counters.drop_tcp_no_connection;
    return;
  }
  flow::FourTuple4 tuple = seen;
  if ((!old_end && wants_cookie(e, l)) || !hold_address(e, tuple, hash))
    return refuse_or_send_cookie(e, l, tuple, s);
  HalfOpen record = make_record(e, listener, hash, tuple, s);
  if (old_end) record.iss = beyond(record.iss, *old_end);
  const std::uint32_t index = e.syn_cache.add(record);
  TERN_ASSERT(index != kNoIndex);  // there was room
  if (!e.table.insert(hash, index | kHalfOpenBit)) {
    ++e.counters.table_crowded;
    remove_record(e, index);
    return refuse_or_send_cookie(e, l, tuple, s);
  }
  ++e.counters.passive_opens;
  ++l.half_open;
  answer(e, index);
}

bool receive_cookie(Engine& e, std::uint32_t listener, std::uint32_t hash,
                    const flow::FourTuple4& tuple, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  const Listener& l = e.listeners[listener];
  if (e.config.syn_cookies == SynCookieMode::kOff || s.has(kSyn | kRst)) return false;
  if (e.config.syn_cookies == SynCookieMode::kAuto && e.now - l.last_overflow > kCookieLifetime)
    return false;
  HalfOpen h;
  h.irs = s.seq - 1;
  h.iss = s.ack - 1;
  const flow::FlowName name = e.book.name(tuple);
  const auto mss = e.syn_cookies.check(name, h.irs, h.iss, e.now);
  if (!mss) {
    ++e.counters.syn_cookies_rejected;
    return false;
  }
  Tcb* c = e.draining ? nullptr : create_tcb(e, tuple, hash, *l.handler);
  if (c == nullptr) {
    ++e.counters.drop_tcp_no_connection;
    return true;
  }
  ++e.counters.syn_cookies_accepted;
  ++e.counters.passive_opens;
  h.mss = *mss;
  h.ts_offset = timestamp_offset(e.keys.timestamps, name);
  h.flags = HalfOpen::kMss | HalfOpen::kRepeated;
  if (e.config.timestamps && s.options.has_timestamp) {
    const CookieOptions told = decode_cookie_timestamp(s.options.ts_echo_reply - h.ts_offset);
    h.flags |= HalfOpen::kTimestamps;
    h.ts_recent = s.options.ts_value;
    if (told.window_scale) h.flags |= HalfOpen::kWindowScale;
    h.window_scale = told.window_scale.value_or(0);
    if (told.sack_permitted) h.flags |= HalfOpen::kSackPermitted;
    if (told.ecn && e.config.ecn != EcnMode::kOff) h.flags |= HalfOpen::kEcn;
  }
  resume(e, *c, h);
  complete(e, *c, a);
  return true;
}

void receive_half_open(Engine& e, std::uint32_t index, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  HalfOpen& h = e.syn_cache[index];
  ++e.counters.rx_slow;
  if (!check_repeated_syn(e, h, a)) return;
  if (!check_sequence(e, h, s)) return;
  if (s.has(kRst)) return receive_reset(e, index, s);
  if (s.has(kSyn)) return forget(e, index);  // fourth: back to LISTEN
  if (!s.has(kAck)) return;                  // fifth
  if (s.ack != h.iss + 1) return send_reset_for(e, s);
  accept(e, index, a);
}

std::size_t expire_half_open(Engine& e, std::size_t max) {
  return e.syn_cache.expire(e.now, max, [&e](std::uint32_t index) { on_due(e, index); });
}

void abort_half_open(Engine& e, std::uint32_t index) {
  const HalfOpen& h = e.syn_cache[index];
  wire::TcpHeader header;
  header.seq = h.iss + 1;
  header.ack = h.irs + 1;
  header.flags = kRst | kAck;
  if (send_bare(e, h.tuple, header, {})) ++e.counters.rst_out;
  forget(e, index);
}

}  // namespace tern::tcp
