// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>

#include "tcp/engine.h"
#include "tcp/timers.h"

namespace tern::tcp {

// TimerKind::kRetransmit, which Tcb::loss_timer says the meaning of: the retransmission time-out
// (RFC 6298), the probe time-out that comes before it where nothing seems lost (RFC 8985 7.2), or
// the reordering timer (6.2 step 5).

/// RFC 8985 7.2: in the open state only (nothing SACKed, no recovery, no time-out, no probe under
/// way), with a peer that SACKs.
inline bool may_probe(const Tcb& c) {
  constexpr std::uint32_t kClosed =
      flag::kInRecovery | flag::kDupAcks | flag::kBackedOff | flag::kSackSender | flag::kLossProbe;
  const bool in_repair = c.has(flag::kRecoverValid) && c.snd_una.before(c.recover);
  return (c.flags & (kClosed | flag::kSack)) == flag::kSack && c.rtt.has_sample() && !in_repair &&
         c.snd_nxt == c.snd_max;
}

/// The PTO: two round trips; a lone segment's ACK may also be delayed (TLP.max_ack_delay), and
/// everybody's by what Linux allows for too.
inline Duration probe_delay(const Tcb& c) {
  constexpr Duration kMaxAckDelay = std::chrono::milliseconds(200);
  constexpr Duration kLeast = std::chrono::milliseconds(2);
  return 2 * c.rtt.srtt() + (c.snd_max - c.snd_una <= c.snd_mss ? kMaxAckDelay : kLeast);
}

/// What is in flight begins to be waited for now: by a PTO where one may come before the RTO.
inline void start_loss_timer(Engine& e, Tcb& c, Duration rto) {
  c.loss_timer = LossTimer::kTimeOut;
  if (may_probe(c)) {
    const Duration pto = probe_delay(c);
    if (pto < rto) {
      c.loss_timer = LossTimer::kProbe;
      rto = pto;
    }
  }
  start_timer(e, c, TimerKind::kRetransmit, rto);
}

/// By the RTO alone, from now on or at a tick.
inline void start_time_out(Engine& e, Tcb& c) {
  c.loss_timer = LossTimer::kTimeOut;
  start_timer(e, c, TimerKind::kRetransmit, c.rtt.rto());
}
void start_time_out_at(Engine& e, Tcb& c, Tick at);

/// In a SackSender's care: the RTO begins anew, be it behind the reordering timer.
void restart_time_out(Engine& e, Tcb& c, SackSender& sender);

/// Something may be lost after `delay`, if that comes before the RTO; zero: nothing may.
void wait_for_reordering(Engine& e, Tcb& c, SackSender& sender, Duration delay);

/// The timer expired.
void on_loss_timer(Engine& e, Tcb& c);

}  // namespace tern::tcp
