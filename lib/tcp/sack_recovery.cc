// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/sack_recovery.h"

#include <algorithm>

#include "tcp/retransmit.h"
#include "tcp/timers.h"

namespace tern::tcp {
namespace {

using wire::SackBlock;

SackSender& sender_of(Engine& e, const Tcb& c) { return e.sack_senders[c.sack_sender]; }

// RFC 2883 5: the first block reports a duplicate if it lies below the ACK, or in the second block.
bool is_dsack(const wire::TcpSegment& s) {
  const SackBlock& first = s.options.sack[0];
  if (!first.end.after(first.begin)) return false;
  if (first.end.at_or_before(s.ack)) return true;
  if (s.options.sack_count < 2) return false;
  const SackBlock& second = s.options.sack[1];
  return first.begin.at_or_after(second.begin) && first.end.at_or_before(second.end);
}

// What a peer may SACK: a part of what is in flight, and not its first byte, which it would have
// acknowledged. Anything else is a mistake, an attack, or an old ACK that others have overtaken.
// Counted from snd_una, since comparisons of numbers half the circle apart mean nothing.
bool is_plausible(const Tcb& c, const SackBlock& block) {
  const std::uint32_t begin = block.begin - c.snd_una;
  const std::uint32_t end = block.end - c.snd_una;
  return begin > 0 && begin < end && end <= c.snd_max - c.snd_una;
}

// Returns the bytes that were not known to have arrived.
std::uint32_t take_blocks(Engine& e, const Tcb& c, const wire::TcpSegment& s,
                          SackScoreboard& board) {
  if (s.options.sack_count == 0) return 0;
  const bool dsack = is_dsack(s);
  if (dsack) ++e.counters.dsacks_in;
  std::uint32_t news = 0;
  for (std::size_t i = dsack ? 1 : 0; i < s.options.sack_count; ++i) {
    const SackBlock& block = s.options.sack[i];
    if (!is_plausible(c, block)) {
      if (!block.end.at_or_before(c.snd_una)) ++e.counters.sack_blocks_refused;
      continue;
    }
    const auto added = board.add(block);
    if (!added) ++e.counters.sack_blocks_forgotten;
    news += added.value_or(0);
  }
  return news;
}

void set_window(Tcb& c, SackSender& sender, std::uint32_t delivered, bool safe) {
  c.congestion.set_recovery_window(sender.prr.window_after(
      {.delivered = delivered, .in_flight = pipe_of(c, sender), .safe = safe},
      c.congestion.ssthresh(), c.snd_mss));
}

// RFC 6675 5 step 4. `delivered`: by the ACK that shows the loss.
void enter_recovery(Engine& e, Tcb& c, SackSender& sender, std::uint32_t delivered) {
  note_recovery_point(c);
  const std::uint32_t flight = c.dup_acks > 0 ? c.dup_ack_flight : c.flight();
  c.congestion.on_loss({.flight_bytes = flight, .now = e.now});
  c.set(flag::kInRecovery);
  c.clear(flag::kTiming | flag::kDupAcks);
  c.dup_acks = 0;
  sender.high_rxt = c.snd_una;
  // Step 4.3: the first hole goes out again, be it by three small segments that it showed itself.
  sender.lost_edge = later_of(sender.lost_edge, sender.board.ranges().front().begin);
  sender.rescued = false;
  sender.prr.start(c.snd_max - c.snd_una - sender.board.bytes() + delivered);
  set_window(c, sender, delivered, false);
  ++e.counters.fast_retransmits;
  ++e.counters.sack_recoveries;
  start_timer(e, c, TimerKind::kRetransmit, c.rtt.rto());
}

void leave_recovery(Tcb& c) {
  c.congestion.end_recovery();
  c.clear(flag::kInRecovery | flag::kRecoverValid);
}

// RFC 6675 5: three ACKs with news, or enough bytes SACKed above the first hole; but not before all
// that was outstanding at a time-out is acknowledged (5.1).
bool is_loss_evident(const Tcb& c, const SackSender& sender) {
  if (sender.board.empty()) return false;
  if (c.has(flag::kRecoverValid) && c.snd_una.before(c.recover)) return false;
  return c.dup_acks >= SackScoreboard::kDupThreshold || sender.lost_edge.after(c.snd_una);
}

void note_duplicate_ack(Engine& e, Tcb& c) {
  ++e.counters.dup_acks_in;
  if (c.dup_acks == 0) c.dup_ack_flight = c.flight();  // before limited transmit adds to it
  if (c.dup_acks < 0xff) ++c.dup_acks;
  c.set(flag::kDupAcks);
}

void continue_recovery(Engine& e, Tcb& c, SackSender& sender, std::uint32_t acked,
                       std::uint32_t delivered, bool more_lost) {
  if (acked > 0 && c.snd_una != c.snd_max) start_timer(e, c, TimerKind::kRetransmit, c.rtt.rto());
  if (c.snd_una.at_or_after(c.recover)) return leave_recovery(c);
  set_window(c, sender, delivered, acked > 0 && !more_lost);
}

}  // namespace

std::uint32_t pipe_of(const Tcb& c, const SackSender& sender) {
  return sender.board.pipe(c.snd_una, c.snd_max, sender.lost_edge, sender.high_rxt);
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
  sender_of(e, c) = SackSender{};
  sender_of(e, c).lost_edge = c.snd_una;
  c.set(flag::kSackSender);
  return true;
}

void on_sack(Engine& e, Tcb& c, const wire::TcpSegment& s, std::uint32_t acked) {
  SackSender& sender = sender_of(e, c);
  const std::uint32_t sacked_before = sender.board.bytes();
  sender.board.advance(c.snd_una);
  const std::uint32_t news = take_blocks(e, c, s, sender.board);
  const std::uint32_t delivered = acked + sender.board.bytes() - sacked_before;
  const SeqNum known_edge = later_of(sender.lost_edge, c.snd_una);
  sender.lost_edge = later_of(known_edge, sender.board.lost_edge(c.snd_una, c.snd_mss));
  const bool more_lost = sender.lost_edge.after(known_edge);
  if (c.has(flag::kInRecovery)) {
    continue_recovery(e, c, sender, acked, delivered, more_lost);
  } else if (acked == 0 && news > 0) {
    note_duplicate_ack(e, c);
  }
  if (!c.has(flag::kInRecovery) && is_loss_evident(c, sender))
    enter_recovery(e, c, sender, delivered);
  if (!c.has(flag::kInRecovery) && sender.board.empty()) release_sack_sender(e, c);
  e.schedule_output(c);
}

void forget_sacked(Engine& e, Tcb& c) {
  if (!c.has(flag::kSackSender)) return;
  if (sender_of(e, c).board.contains(c.snd_una)) ++e.counters.sack_reneges_in;
  release_sack_sender(e, c);
}

void release_sack_sender(Engine& e, Tcb& c) {
  if (!c.has(flag::kSackSender)) return;
  e.sack_senders.release(c.sack_sender);
  c.clear(flag::kSackSender);
}

NextSegment next_segment(const Tcb& c, const SackSender& sender, bool has_new_data) {
  using Kind = NextSegment::Kind;
  const SeqNum from = later_of(sender.high_rxt, c.snd_una);
  const auto repeat = [&](const SackScoreboard::Hole& hole) {
    return NextSegment{Kind::kHole, hole.begin, hole.end - hole.begin};
  };
  if (const auto lost = sender.board.next_hole(from, sender.lost_edge)) return repeat(*lost);
  if (has_new_data) return {Kind::kNewData};
  const SeqNum highest = sender.board.empty() ? c.snd_una : sender.board.ranges().back().end;
  if (const auto hole = sender.board.next_hole(from, highest)) return repeat(*hole);
  // Rule 4: what lies above every block may be lost too, and nothing else would ever say so.
  if (sender.rescued || highest == c.snd_max) return {};
  const std::uint32_t length = std::min<std::uint32_t>(c.snd_max - highest, c.snd_mss);
  return {Kind::kRescue, c.snd_max - length, length};
}

}  // namespace tern::tcp
