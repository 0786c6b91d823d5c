// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/user_timeout.h"

#include <algorithm>

namespace tern::tcp {
namespace {

constexpr std::uint16_t kMinutes = 0x8000;  // the granularity bit
constexpr std::int64_t kMost = 0x7fff;

Tick now_tick(const Engine& e) { return static_cast<Tick>(e.tick); }
Duration duration_of(Tick ticks) { return timer::kTick * ticks; }

std::int64_t rounded_up(Duration d, Duration unit) { return (d + unit - Duration(1)) / unit; }

}  // namespace

Tick ticks_of(Duration d) {
  const Duration most = std::chrono::hours(48);
  return static_cast<Tick>(std::clamp(d, Duration::zero(), most) / timer::kTick);
}

void set_user_timeout(Engine& e, Tcb& c, Duration timeout) {
  c.user_timeout = ticks_of(timeout);
  if (!e.config.user_timeout_option) return;
  Extras& extras = extras_of(e, c);
  extras.fixed_timeout = true;
  extras.adopted_timeout = false;
  if (is_synchronized(c.state)) tell_user_timeout(e, c);
}

Duration within_user_timeout(const Engine& e, const Tcb& c, Duration rto) {
  if (c.user_timeout == 0 || (c.retransmits == 0 && c.persist_probes == 0)) return rto;
  const Tick waited = now_tick(e) - c.stalled_since;
  const Tick left = waited < c.user_timeout ? c.user_timeout - waited : 1;
  return std::min(rto, duration_of(left));
}

bool user_timeout_is_over(Engine& e, Tcb& c, unsigned time_outs, Duration rto) {
  if (c.user_timeout == 0) return false;
  // The timer of the first time-out began when the byte was sent, or what was before it
  // acknowledged; unless a loss probe has begun it anew, which then noted that moment.
  if (time_outs == 1 && !c.has(flag::kLossProbe)) c.stalled_since = now_tick(e) - ticks_of(rto);
  return now_tick(e) - c.stalled_since >= c.user_timeout;
}

bool gives_up_by_number(const Engine& e, const Tcb& c) {
  return !c.has(flag::kExtras) || !e.extras[e.index_of(c)].adopted_timeout;
}

std::uint16_t encode_user_timeout(Duration timeout) {
  const std::int64_t seconds = rounded_up(timeout, std::chrono::seconds(1));
  if (seconds <= kMost) return static_cast<std::uint16_t>(std::max<std::int64_t>(seconds, 1));
  const std::int64_t minutes = std::min(rounded_up(timeout, std::chrono::minutes(1)), kMost);
  return static_cast<std::uint16_t>(kMinutes | minutes);
}

Duration decode_user_timeout(std::uint16_t option) {
  const Duration unit = (option & kMinutes) != 0 ? Duration(std::chrono::minutes(1))
                                                 : Duration(std::chrono::seconds(1));
  return unit * (option & kMost);
}

bool tells_user_timeout(const Engine& e, const Tcb& c) {
  return e.config.user_timeout_option && c.user_timeout != 0;
}

std::uint16_t told_user_timeout(const Tcb& c) {
  return encode_user_timeout(duration_of(c.user_timeout));
}

void tell_user_timeout(Engine& e, Tcb& c) {
  if (!tells_user_timeout(e, c)) return;
  extras_of(e, c).tell_timeout = true;
  c.set(flag::kSpecial);
}

void take_user_timeout(Engine& e, Tcb& c, std::uint16_t option) {
  const Duration wanted = decode_user_timeout(option);
  if (!e.config.user_timeout_option || wanted == Duration::zero()) return;
  Extras& extras = extras_of(e, c);
  if (extras.fixed_timeout) return;
  const Duration least = std::max({e.config.user_timeout, wanted, e.config.user_timeout_least});
  c.user_timeout = ticks_of(std::min(e.config.user_timeout_most, least));
  extras.adopted_timeout = true;
}

}  // namespace tern::tcp
