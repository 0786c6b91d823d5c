// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// RFC 9293 3.10.7.4, "First, check sequence number", and what RFC 7323 puts before it.

/// RFC 9293 3.4 table 5: whether any part of the segment lies in the receive window.
bool is_acceptable(wire::SeqNum seq, std::uint32_t length, wire::SeqNum rcv_nxt,
                   std::uint32_t window);

/// RFC 7323 5.3 R1: whether the segment is older than what has been received (PAWS). A ts_recent
/// that has not been renewed for 24 days says nothing (5.5).
bool is_too_old(const Engine& e, const Tcb& c, const wire::TcpSegment& s);

/// RFC 7323 4.3: takes ts_recent from a segment that spans the last ACK sent. Only for acceptable
/// segments, so that a forged one cannot poison PAWS.
void update_ts_recent(const Engine& e, Tcb& c, const wire::TcpSegment& s);
/// The same where timestamps are negotiated, and the segment has one.
void take_ts_recent(const Engine& e, Tcb& c, const wire::TcpSegment& s);

/// Cuts an acceptable segment, whose SYN is dealt with, down to [rcv_nxt, right edge): text on both
/// sides, FIN behind; a FIN right at the edge stays, since it takes no room.
void trim_to_window(const Tcb& c, wire::TcpSegment& s);

/// How long a connection waits after a limited ACK: 500 ms and up to half as long again, which
/// nobody without the key can tell. The limit is each connection's own: one for all could be
/// measured from another (CVE-2016-5696).
Duration limited_ack_interval(const Engine& e, const flow::FourTuple4& tuple);

/// What Tcb::next_challenge counts. It wraps in 49 days, so only a near future means anything.
inline constexpr Duration kChallengeUnit = std::chrono::milliseconds(1);
inline std::uint32_t challenge_clock(Instant t) {
  return static_cast<std::uint32_t>((t.time_since_epoch() + kChallengeUnit - Duration(1)) /
                                    kChallengeUnit);
}

/// Whether the time has come that challenge_clock() gave. What lies further ahead than a limited
/// ACK's interval is long past.
bool challenge_is_due(std::uint32_t next_challenge, Instant now);

/// A limited ACK in answer to an ACK that cannot be right, or tells of what was never sent. Ends
/// after kMaxRefusedAcks while nothing moves on: where the round trip is longer than the limit, two
/// ends that disagree would go on for ever. What asks for an ACK by the number before rcv_nxt (a
/// keepalive, a window probe) always gets one.
void refuse_ack(Engine& e, Tcb& c, const wire::TcpSegment& s);
inline constexpr std::uint8_t kMaxRefusedAcks = 10;

/// A limited ACK in answer to what an attacker may have sent (RFC 5961 7): challenge ACKs, and ACKs
/// of unacceptable segments without text.
void send_limited_ack(Engine& e, Tcb& c);

}  // namespace tern::tcp
