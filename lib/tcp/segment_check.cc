// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/segment_check.h"

#include "base/assert.h"
#include "tcp/timestamp.h"

namespace tern::tcp {
namespace {

constexpr Duration kTimestampLifetime = std::chrono::hours(24 * 24);  // RFC 7323 5.5
constexpr Duration kLimitedAckInterval = std::chrono::milliseconds(500);
constexpr Duration kLimitedAckJitter = std::chrono::milliseconds(250);

bool is_before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

}  // namespace

bool is_acceptable(SeqNum seq, std::uint32_t length, SeqNum rcv_nxt, std::uint32_t window) {
  if (length == 0) return window == 0 ? seq == rcv_nxt : seq.in_window(rcv_nxt, window);
  if (window == 0) return false;
  return seq.in_window(rcv_nxt, window) || (seq + (length - 1)).in_window(rcv_nxt, window) ||
         // Begins before and ends after the window: nothing in RFC 9293's two tests sees it.
         (seq.before(rcv_nxt) && (seq + (length - 1)).after(rcv_nxt + (window - 1)));
}

bool is_too_old(const Engine& e, const Tcb& c, const wire::TcpSegment& s) {
  if (!c.has(flag::kTimestamps) || !s.options.has_timestamp) return false;
  return is_before(s.options.ts_value, c.ts_recent) &&
         timestamp_age(e) - c.ts_recent_age <= kTimestampLifetime / kTimestampAgeUnit;
}

void update_ts_recent(const Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (c.has(flag::kTimestamps) && s.options.has_timestamp) take_ts_recent(e, c, s);
}

void take_ts_recent(const Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (s.seq.after(c.last_ack_sent)) return;
  c.ts_recent = s.options.ts_value;
  c.ts_recent_age = timestamp_age(e);
}

void trim_to_window(const Tcb& c, wire::TcpSegment& s) {
  using namespace wire::tcp_flag;
  if (s.seq.before(c.rcv_nxt)) {
    const std::uint32_t excess = c.rcv_nxt - s.seq;
    TERN_DASSERT(excess <= s.payload_length);  // it would not be acceptable else
    s.payload += excess;
    s.payload_length -= excess;
    s.seq = c.rcv_nxt;
  }
  const SeqNum edge = c.rcv_nxt + c.advertised_window();
  const SeqNum end = s.seq + s.payload_length;
  if (end.after(edge)) {
    s.payload_length = edge.after(s.seq) ? edge - s.seq : 0;
    s.flags &= static_cast<std::uint16_t>(~(kFin | kPsh));
  }
}

Duration limited_ack_interval(const Engine& e, const flow::FourTuple4& tuple) {
  SipHasher<2, 4> hasher(e.keys.limits);
  const flow::FlowName name = e.book.name(tuple);
  hasher.add(name.addresses);
  hasher.add(std::uint64_t{name.local_port} << 16 | name.remote_port);
  hasher.add(static_cast<std::uint64_t>(e.now.time_since_epoch().count()));
  return kLimitedAckInterval + kLimitedAckJitter * (hasher.finish() >> 48) / (1 << 16);
}

bool challenge_is_due(std::uint32_t next_challenge, Instant now) {
  const auto clock = static_cast<std::uint32_t>(now.time_since_epoch() / kChallengeUnit);
  const std::uint32_t wait = next_challenge - clock;
  return wait == 0 || wait > (kLimitedAckInterval + kLimitedAckJitter) / kChallengeUnit + 1;
}

void send_limited_ack(Engine& e, Tcb& c) {
  if (!challenge_is_due(c.next_challenge, e.now)) {
    ++e.counters.challenge_acks_suppressed;
    return;
  }
  c.next_challenge = challenge_clock(e.now + limited_ack_interval(e, c.tuple));
  ++e.counters.challenge_acks;
  c.set(flag::kAckNow);
  e.schedule_output(c);
}

void refuse_ack(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (s.seq == c.rcv_nxt - 1) return send_limited_ack(e, c);
  const std::uint32_t place = (c.rcv_nxt + c.snd_una.value()).value() * 0x9e3779b1u >> 24;
  if (c.refused_at != place) c.refused_acks = 0;
  c.refused_at = static_cast<std::uint8_t>(place);
  if (c.refused_acks >= kMaxRefusedAcks) {
    ++e.counters.challenge_acks_suppressed;
    return;
  }
  if (challenge_is_due(c.next_challenge, e.now)) ++c.refused_acks;
  send_limited_ack(e, c);
}

}  // namespace tern::tcp
