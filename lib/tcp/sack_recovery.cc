// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/sack_recovery.h"

#include <algorithm>
#include <array>
#include <span>

#include "tcp/loss_timer.h"
#include "tcp/path_probe.h"
#include "tcp/rack.h"
#include "tcp/retransmit.h"

namespace tern::tcp {
namespace {

using wire::SackBlock;

SackSender& sender_of(Engine& e, const Tcb& c) { return e.sack_senders[c.sack_sender]; }

// What a peer may SACK: a part of what is in flight, and not its first byte, which it would have
// acknowledged. Anything else is a mistake, an attack, or an old ACK that others have overtaken.
// Counted from snd_una, since comparisons of numbers half the circle apart mean nothing.
bool is_plausible(const Tcb& c, const SackBlock& block) {
  const std::uint32_t begin = block.begin - c.snd_una;
  const std::uint32_t end = block.end - c.snd_una;
  return begin > 0 && begin < end && end <= c.snd_max - c.snd_una;
}

struct Blocks {
  std::array<SackBlock, 4> blocks;
  std::size_t count = 0;
};

// The plausible ones in ascending order, so that what a lost ACK would have said earlier does not
// look like reordering.
Blocks ordered_blocks(Engine& e, const Tcb& c, const wire::TcpSegment& s) {
  Blocks out;
  for (std::size_t i = reports_duplicate(s) ? 1 : 0; i < s.options.sack_count; ++i) {
    const SackBlock& block = s.options.sack[i];
    if (!is_plausible(c, block)) {
      if (!block.end.at_or_before(c.snd_una)) ++e.counters.sack_blocks_refused;
      continue;
    }
    std::size_t at = out.count++;
    for (; at > 0 && block.begin.before(out.blocks[at - 1].begin); --at)
      out.blocks[at] = out.blocks[at - 1];
    out.blocks[at] = block;
  }
  return out;
}

// What has arrived, cumulatively and selectively. Returns the bytes SACKed for the first time.
std::uint32_t take_news(Engine& e, Tcb& c, SackSender& sender, const wire::TcpSegment& s,
                        std::uint32_t acked) {
  if (acked > 0) note_arrived(e, c, sender, s, c.snd_una - acked, c.snd_una);
  sender.board.advance(c.snd_una);
  std::uint32_t news = 0;
  const Blocks ordered = ordered_blocks(e, c, s);
  for (const SackBlock& block : std::span(ordered.blocks).first(ordered.count)) {
    const auto added = sender.board.add(block);
    if (!added) ++e.counters.sack_blocks_forgotten;
    if (added.value_or(0) == 0) continue;
    note_arrived(e, c, sender, s, block.begin, block.end);
    news += *added;
  }
  return news;
}

void set_window(Tcb& c, SackSender& sender, std::uint32_t delivered, bool safe) {
  c.congestion.set_recovery_window(sender.prr.window_after(
      {.delivered = delivered, .in_flight = sender.log.in_flight(), .safe = safe},
      c.congestion.ssthresh(), c.snd_mss));
}

// When what is in flight was sent is not known, but that it was not after last_sent. Below the
// recovery point of a time-out that is being repaired some of it was sent twice, above it nothing.
void begin_log(const Tcb& c, SentLog& log, std::uint32_t latest_us) {
  const bool in_repair = c.has(flag::kRecoverValid) && c.snd_una.before(c.recover);
  log.begin(c.snd_una, in_repair ? c.recover : c.snd_max, latest_us, in_repair);
  if (in_repair && c.snd_max.after(c.recover)) log.on_sent(c.recover, c.snd_max, latest_us);
}

// What came before a loss probe that is still out was not sent within a PTO before it.
void begin_noting(const Engine& e, const Tcb& c, SackSender& sender) {
  const auto since_last = static_cast<Tick>(e.tick) - c.last_sent;
  std::uint32_t latest_us = e.now_us - static_cast<std::uint32_t>(timer::kTick * since_last /
                                                                  std::chrono::microseconds(1));
  sender = SackSender{};
  sender.rack.fack = c.snd_una;
  if (!c.has(flag::kLossProbe) || c.probe_due || c.snd_una.at_or_after(c.recover))
    return begin_log(c, sender.log, latest_us);
  const std::uint32_t probe_length = std::min<std::uint32_t>(c.recover - c.snd_una, c.snd_mss);
  const auto pto_us = static_cast<std::uint32_t>(2 * c.rtt.srtt() / std::chrono::microseconds(1));
  sender.log.begin(c.snd_una, c.recover - (c.probe_repeats ? 0 : probe_length), latest_us - pto_us,
                   false);
  sender.log.on_sent(c.recover - probe_length, c.recover, latest_us);
  if (c.snd_max.after(c.recover)) sender.log.on_sent(c.recover, c.snd_max, latest_us);
}

// Whether all that is lost lies in the path probe.
bool is_lost_in_probe_alone(const Engine& e, const Tcb& c, const SackSender& sender) {
  return std::ranges::all_of(sender.log.runs(), [&](const SentLog::Run& run) {
    return !run.lost || lies_in_probe(e, c, run.begin, run.end);
  });
}

// RFC 6675 5 step 4. `delivered`: by the ACK that shows the loss.
void enter_recovery(Engine& e, Tcb& c, SackSender& sender, std::uint32_t delivered) {
  note_recovery_point(c);
  const std::uint32_t flight = c.dup_acks > 0 ? c.dup_ack_flight : c.flight();
  const bool of_probe = is_probe_outstanding(e, c) && is_lost_in_probe_alone(e, c, sender);
  set_probe_repair(e, c, of_probe);
  c.congestion.on_loss({.flight_bytes = flight, .now = e.now, .congestion = !of_probe});
  c.set(flag::kInRecovery);
  c.clear(flag::kTiming | flag::kDupAcks);
  c.dup_acks = 0;
  sender.rescued = sender.reduced_again = false;
  sender.prr.start(c.snd_max - c.snd_una - sender.board.bytes() + delivered);
  set_window(c, sender, delivered, false);
  ++e.counters.fast_retransmits;
  ++e.counters.sack_recoveries;
  restart_time_out(e, c, sender);
}

void leave_recovery(Engine& e, Tcb& c) {
  if (is_probe_repair(e, c))
    end_probe_repair(e, c);
  else
    c.congestion.end_recovery();
  narrow_reordering_window(c);
  c.clear(flag::kInRecovery | flag::kRecoverValid);
}

void note_duplicate_ack(Engine& e, Tcb& c) {
  ++e.counters.dup_acks_in;
  if (c.dup_acks == 0) c.dup_ack_flight = c.flight();  // before limited transmit adds to it
  if (c.dup_acks < 0xff) ++c.dup_acks;
  c.set(flag::kDupAcks);
}

}  // namespace

bool reports_duplicate(const wire::TcpSegment& s) {
  if (s.options.sack_count == 0) return false;
  const SackBlock& first = s.options.sack[0];
  if (!first.end.after(first.begin)) return false;
  if (first.end.at_or_before(s.ack)) return true;
  if (s.options.sack_count < 2) return false;
  const SackBlock& second = s.options.sack[1];
  return first.begin.at_or_after(second.begin) && first.end.at_or_before(second.end);
}

bool repairs_time_out(const Tcb& c) {
  return !c.has(flag::kInRecovery) && c.has(flag::kRecoverValid) && c.snd_una.before(c.recover);
}

bool shows_three_segments(const Tcb& c, const SackSender& sender) {
  constexpr std::uint32_t kThree = SackScoreboard::kDupThreshold;
  return c.dup_acks >= kThree || sender.board.ranges().size() >= kThree ||
         sender.board.bytes() > (kThree - 1) * c.snd_mss;
}

bool uses_sack(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (c.has(flag::kSackSender)) return true;
  if (!c.has(flag::kSack) || s.options.sack_count == 0) return false;
  if (c.has(flag::kInRecovery) || c.snd_una == c.snd_max) return false;  // NewReno's recovery
  c.sack_sender = e.sack_senders.acquire();
  if (c.sack_sender == kNoIndex) {
    ++e.counters.sack_senders_short;
    return false;
  }
  begin_noting(e, c, sender_of(e, c));
  c.set(flag::kSackSender);
  return true;
}

void on_sack(Engine& e, Tcb& c, const wire::TcpSegment& s, std::uint32_t acked) {
  SackSender& sender = sender_of(e, c);
  const std::uint32_t sacked_before = sender.board.bytes();
  const std::uint32_t news = take_news(e, c, sender, s, acked);
  if (c.has(flag::kInRecovery)) {
    if (acked > 0 && c.snd_una != c.snd_max) restart_time_out(e, c, sender);
    if (c.snd_una.at_or_after(c.recover)) leave_recovery(e, c);
  } else if (acked == 0 && news > 0) {
    note_duplicate_ack(e, c);
  }
  after_losses(e, c, sender,
               {.acked = acked,
                .delivered = acked + sender.board.bytes() - sacked_before,
                .lost = detect_losses(e, c, sender)});
}

void after_losses(Engine& e, Tcb& c, SackSender& sender, const LossNews& news) {
  if (c.has(flag::kInRecovery) && is_probe_repair(e, c) && news.lost > 0 &&
      !is_lost_in_probe_alone(e, c, sender)) {
    set_probe_repair(e, c, false);
    c.congestion.on_loss({.flight_bytes = c.flight(), .now = e.now});
    sender.prr.start(std::max<std::uint32_t>(sender.log.in_flight(), c.snd_mss));
  }
  if (c.has(flag::kInRecovery))
    set_window(c, sender, news.delivered, news.acked > 0 && news.lost == 0);
  else if (!repairs_time_out(c) && sender.log.lowest_lost() != nullptr)
    enter_recovery(e, c, sender, news.delivered);
  else if (sender.board.empty() && c.loss_timer != LossTimer::kReordering)
    release_sack_sender(e, c);
  e.schedule_output(c);
}

void on_lost_repetition(Engine& e, Tcb& c, SackSender& sender) {
  ++e.counters.lost_retransmissions;
  if (sender.reduced_again && c.snd_una.before(sender.reduced_at)) return;
  sender.reduced_again = true;
  sender.reduced_at = c.snd_max;
  set_probe_repair(e, c, false);  // nor was it too large
  c.congestion.on_loss({.flight_bytes = c.congestion.ssthresh(), .now = e.now});
  sender.prr.start(std::max<std::uint32_t>(sender.log.in_flight(), c.snd_mss));
}

void forget_sacked(Engine& e, Tcb& c) {
  if (!c.has(flag::kSackSender)) return;
  if (sender_of(e, c).board.contains(c.snd_una)) ++e.counters.sack_reneges_in;
  release_sack_sender(e, c);
}

void release_sack_sender(Engine& e, Tcb& c) {
  if (!c.has(flag::kSackSender)) return;
  if (c.loss_timer == LossTimer::kReordering && is_running(c, TimerKind::kRetransmit))
    start_time_out_at(e, c, sender_of(e, c).time_out_at);
  e.sack_senders.release(c.sack_sender);
  c.clear(flag::kSackSender);
}

NextSegment next_segment(const Tcb& c, const SackSender& sender, bool has_new_data) {
  using Kind = NextSegment::Kind;
  if (const SentLog::Run* lost = sender.log.lowest_lost())
    return {Kind::kHole, lost->begin, lost->end - lost->begin};
  if (has_new_data) return {Kind::kNewData};
  // Rule 4: what lies above every block may be lost too, and nothing else would ever say so.
  const SeqNum highest = sender.board.empty() ? c.snd_una : sender.board.ranges().back().end;
  if (sender.rescued || highest == c.snd_max) return {};
  const std::uint32_t length = std::min<std::uint32_t>(c.snd_max - highest, c.snd_mss);
  return {Kind::kRescue, c.snd_max - length, length};
}

}  // namespace tern::tcp
