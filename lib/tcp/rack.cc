// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/rack.h"

#include <algorithm>

#include "tcp/loss_timer.h"
#include "tcp/sack_recovery.h"
#include "tcp/timestamp.h"

namespace tern::tcp {
namespace {

constexpr std::uint32_t kTickUs = timer::kTick / std::chrono::microseconds(1);
constexpr unsigned kMaxSteps = 15, kPersist = 16;

std::uint32_t in_us(Duration d) {
  return static_cast<std::uint32_t>(d / std::chrono::microseconds(1));
}

// A repetition whose ACK may be that of an earlier transmission says nothing (step 2).
bool is_ambiguous(const Engine& e, const Tcb& c, const wire::TcpSegment& s,
                  const SentLog::Run& run) {
  if (!run.again) return false;
  const std::uint32_t age_us = e.now_us - run.sent_us;
  // The ACK of what came out of order echoes something older (RFC 7323 4.3).
  if (run.end.at_or_before(s.ack) && c.has(flag::kTimestamps) && s.options.has_timestamp &&
      timestamp_now(e, c) - s.options.ts_echo_reply > age_us / 1000 + 1)
    return true;
  return age_us < in_us(c.rtt.minimum());
}

// RACK_sent_after, the other way round: `run` was sent before what arrived. Of one instant, what
// has the lower number; but what was sent again may have gone out after what was not.
bool was_sent_before(const SentLog::Run& run, const Rack& rack) {
  return is_later(rack.sent_us, run.sent_us) ||
         (rack.sent_us == run.sent_us && rack.end.after(run.end) && (rack.again || !run.again));
}

void note_run(const Engine& e, Tcb& c, Rack& rack, const wire::TcpSegment& s,
              const SentLog::Run& run) {
  if (run.end.before(rack.fack) && !run.again) c.reordering_seen = 1;
  rack.fack = later_of(rack.fack, run.end);
  if (is_ambiguous(e, c, s, run)) return;
  rack.rtt_us = e.now_us - run.sent_us;
  const bool later = is_later(run.sent_us, rack.sent_us) ||
                     (run.sent_us == rack.sent_us && run.end.after(rack.end));
  if (rack.valid && !later) return;
  rack.sent_us = run.sent_us;
  rack.end = run.end;
  rack.again = run.again;
  rack.valid = true;
}

// Step 4. Without reordering seen, RFC 6675's three segments are enough. At least a tick, which is
// all that the timer can tell.
std::uint32_t reordering_window_us(const Tcb& c, const SackSender& sender) {
  if (!c.reordering_seen && (c.has(flag::kInRecovery) || shows_three_segments(c, sender))) return 0;
  const std::uint32_t window = (c.reo_steps + 1u) * (in_us(c.rtt.minimum()) / 4);
  return std::max(std::min(window, in_us(c.rtt.srtt())), kTickUs);
}

}  // namespace

void note_arrived(const Engine& e, Tcb& c, SackSender& sender, const wire::TcpSegment& s,
                  SeqNum begin, SeqNum end) {
  sender.log.settle(end, e.now_us - in_us(c.rtt.srtt()));
  sender.log.take_out(begin, end,
                      [&](const SentLog::Run& run) { note_run(e, c, sender.rack, s, run); });
}

void widen_reordering_window(Tcb& c) {
  if (c.reo_window_raised) return;  // once a round trip
  c.reo_window_raised = 1;
  c.reo_steps = std::min(c.reo_steps + 1u, kMaxSteps) & kMaxSteps;
  c.reo_persist = kPersist;
}

void narrow_reordering_window(Tcb& c) {
  if (c.reo_persist == 0) return;
  c.reo_persist = (c.reo_persist - 1u) & 0x1f;
  if (c.reo_persist == 0) c.reo_steps = 0;
}

std::uint32_t detect_losses(Engine& e, Tcb& c, SackSender& sender) {
  if (!sender.rack.valid || repairs_time_out(c)) return 0;
  const std::uint32_t allowance = sender.rack.rtt_us + reordering_window_us(c, sender);
  std::uint32_t wait_us = 0;
  bool repetition = false;
  const auto is_lost = [&](const SentLog::Run& run) {
    if (!was_sent_before(run, sender.rack)) return false;
    const auto remaining = static_cast<std::int32_t>(run.sent_us + allowance - e.now_us);
    wait_us = std::max(wait_us, static_cast<std::uint32_t>(std::max(remaining, 0)));
    return remaining <= 0;
  };
  const std::uint32_t lost =
      sender.log.mark_lost(is_lost, [&](const SentLog::Run& run) { repetition |= run.again; });
  wait_for_reordering(e, c, sender, std::chrono::microseconds(wait_us));
  if (repetition && c.has(flag::kInRecovery)) on_lost_repetition(e, c, sender);
  return lost;
}

void on_reordering_timeout(Engine& e, Tcb& c) {
  TERN_ASSERT(c.has(flag::kSackSender));
  SackSender& sender = e.sack_senders[c.sack_sender];
  c.loss_timer = LossTimer::kTimeOut;
  start_time_out_at(e, c, sender.time_out_at);
  ++e.counters.reordering_timeouts;
  after_losses(e, c, sender, {.lost = detect_losses(e, c, sender)});
}

}  // namespace tern::tcp
