// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// Whether a segment is the one that an established connection expects next (Van Jacobson 1990):
/// ACK and perhaps PSH only, at rcv_nxt, inside the window, acknowledging something between snd_una
/// and snd_max, without SACK blocks, with no loss, gap or close in progress. A pure ACK must
/// acknowledge something new, since otherwise it may be a duplicate.
inline bool header_prediction_hits(const Tcb& c, const wire::TcpSegment& s) {
  using namespace wire::tcp_flag;
  if (c.state != TcpState::kEstablished || (s.flags & ~kPsh) != kAck || c.has(flag::kNotPlain))
    return false;
  const auto window = static_cast<std::int32_t>(c.rcv_adv - c.rcv_nxt);  // no text is beyond 64 KB
  if (s.seq != c.rcv_nxt || static_cast<std::int32_t>(s.payload_length) > window) return false;
  const std::uint32_t acked = s.ack - c.snd_una;
  if (acked > c.snd_max - c.snd_una || (acked == 0 && s.payload_length == 0)) return false;
  if (!c.has(flag::kTimestamps)) return s.options.sack_count == 0 && !s.options.has_user_timeout;
  return s.options.has_only_timestamp(true) &&
         static_cast<std::int32_t>(s.options.ts_value - c.ts_recent) >= 0;
}

}  // namespace tern::tcp
