// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/path_probe.h"

#include <algorithm>

#include "tcp/mss.h"
#include "tcp/timers.h"
#include "tcp/timestamp.h"

namespace tern::tcp {
namespace {

using State = PathProbe;

// Sizes closer than this are not worth a probe that may be lost.
constexpr std::uint32_t kCloseEnough = 16;
// Segments behind the probe, whose SACKs or duplicate ACKs tell of its loss (RFC 5681 3.2).
constexpr std::uint32_t kSegmentsBehind = 3;
// Until it is looked again whether a probe can be sent.
constexpr Duration kRetry = std::chrono::seconds(1);

std::uint16_t largest_mss(const Engine& e, const Tcb& c) {
  const std::uint16_t most = std::min(c.peer_mss, own_mss(e, c.tuple));
  return static_cast<std::uint16_t>(most - (c.has(flag::kTimestamps) ? kTimestampBytes : 0));
}

// The next size to try, 0 if there is none: RFC 4821 7.3's search_low is what is sent now.
std::uint16_t next_size(const Engine& e, const Tcb& c, const Extras& x) {
  const std::uint16_t most = largest_mss(e, c);
  if (c.snd_mss >= most) return 0;
  if (x.too_big_mss == 0 || x.too_big_mss > most) return most;
  if (x.too_big_mss < c.snd_mss + kCloseEnough) return 0;
  return static_cast<std::uint16_t>((c.snd_mss + x.too_big_mss) / 2);
}

void wait(Engine& e, Tcb& c, Extras& x, State state, Duration delay) {
  x.path_probe = state;
  if (c.state == TcpState::kEstablished) start_timer(e, c, TimerKind::kState, delay);
}

// The search is over; what was too big may fit later (RFC 4821 7.7, RFC 1191 6.3).
void complete(Engine& e, Tcb& c, Extras& x) {
  x.path_probe = State::kNone;
  x.too_big_mss = 0;
  if (c.snd_mss < largest_mss(e, c)) search_path_mtu_after(e, c, e.config.path_mtu_interval);
}

void make_due(Engine& e, Tcb& c, Extras& x) {
  if (next_size(e, c, x) == 0) return complete(e, c, x);
  x.path_probe = State::kDue;
  c.set(flag::kProbe);
  e.schedule_output(c);
}

void fail(Engine& e, Tcb& c, Extras& x) {
  ++e.counters.path_mtu_probes_lost;
  x.too_big_mss = x.too_big_mss == 0 ? x.probe_mss : std::min(x.too_big_mss, x.probe_mss);
  wait(e, c, x, State::kWaiting, std::max(kRetry, c.rtt.rto()));
}

void succeed(Engine& e, Tcb& c, Extras& x) {
  ++e.counters.path_mtu_raises;
  c.snd_mss = x.probe_mss;
  c.congestion.set_mss(c.snd_mss);
  make_due(e, c, x);
}

// Whether the connection sends in a plain way, as a probe must.
bool can_probe(const Tcb& c) {
  constexpr std::uint32_t kTrouble = flag::kInRecovery | flag::kDupAcks | flag::kSackSender |
                                     flag::kHasGap | flag::kBackedOff | flag::kLossProbe |
                                     flag::kFinQueued | flag::kRetransmitHead;
  return c.state == TcpState::kEstablished && !c.has(kTrouble) && c.snd_nxt == c.snd_max;
}

const Extras* extras_if_any(const Engine& e, const Tcb& c) {
  return c.has(flag::kExtras) ? &e.extras[e.index_of(c)] : nullptr;
}

}  // namespace

void search_path_mtu_after(Engine& e, Tcb& c, Duration delay) {
  if (e.config.path_mtu_interval <= Duration::zero() || c.state != TcpState::kEstablished) return;
  Extras& x = extras_of(e, c);
  if (x.path_probe == State::kDue) c.clear(flag::kProbe);
  x.too_big_mss = 0;
  wait(e, c, x, State::kNone, std::min(delay, e.config.path_mtu_interval));
}

void search_path_mtu_later(Engine& e, Tcb& c) {
  if (c.snd_mss < largest_mss(e, c)) search_path_mtu_after(e, c, e.config.path_mtu_interval);
}

void on_path_timer(Engine& e, Tcb& c) {
  Extras& x = extras_of(e, c);
  if (x.path_probe != State::kSent) return make_due(e, c, x);
  const SeqNum end = x.probe_seq + x.probe_mss;
  if (c.snd_una.at_or_after(end)) return succeed(e, c, x);
  wait(e, c, x, State::kSent, c.rtt.rto());  // an ACK, or a loss, is on its way
}

bool is_path_probe_due(const Engine& e, const Tcb& c) {
  const Extras* x = extras_if_any(e, c);
  return x != nullptr && x->path_probe == State::kDue;
}

std::uint32_t path_probe_size(Engine& e, Tcb& c) {
  Extras& x = extras_of(e, c);
  const std::uint32_t size = next_size(e, c, x);
  const std::uint32_t needed = size + kSegmentsBehind * c.snd_mss;
  const std::uint32_t window = std::min(c.snd_wnd, c.congestion.cwnd());
  const bool possible =
      size != 0 && can_probe(c) && window >= needed && c.send_queue.size() >= c.flight() + needed;
  if (possible && window < c.flight() + size) return kHoldText;  // ACKs will make room
  c.clear(flag::kProbe);
  if (possible) return size;
  wait(e, c, x, State::kWaiting, kRetry);
  return 0;
}

void on_path_probe_sent(Engine& e, Tcb& c, SeqNum seq, std::uint32_t bytes) {
  Extras& x = extras_of(e, c);
  ++e.counters.path_mtu_probes;
  x.probe_seq = seq;
  x.probe_mss = static_cast<std::uint16_t>(bytes);
  wait(e, c, x, State::kSent, c.rtt.rto());
}

void note_probe_repeated(Engine& e, Tcb& c, SeqNum seq, std::uint32_t length) {
  if (!is_probe_outstanding(e, c)) return;
  Extras& x = extras_of(e, c);
  if (seq.before(x.probe_seq + x.probe_mss) && (seq + length).after(x.probe_seq)) fail(e, c, x);
}

void note_probe_too_big(Engine& e, Tcb& c, SeqNum seq, std::uint16_t mss) {
  if (!is_probe_outstanding(e, c)) return;
  Extras& x = extras_of(e, c);
  if (seq == x.probe_seq && mss >= c.snd_mss && mss < x.probe_mss)
    x.too_big_mss = static_cast<std::uint16_t>(mss + 1);
}

bool is_probe_outstanding(const Engine& e, const Tcb& c) {
  const Extras* x = extras_if_any(e, c);
  return x != nullptr && x->path_probe == State::kSent;
}

bool lies_in_probe(const Engine& e, const Tcb& c, SeqNum begin, SeqNum end) {
  const Extras* x = extras_if_any(e, c);
  return x != nullptr && begin.at_or_after(x->probe_seq) &&
         end.at_or_before(x->probe_seq + x->probe_mss);
}

void set_probe_repair(Engine& e, Tcb& c, bool on) {
  if (on || c.has(flag::kExtras)) extras_of(e, c).probe_repair = on;
  if (on) c.ssthresh_kept = c.congestion.ssthresh();
}

bool is_probe_repair(const Engine& e, const Tcb& c) {
  const Extras* x = extras_if_any(e, c);
  return x != nullptr && x->probe_repair;
}

void end_probe_repair(Engine& e, Tcb& c) {
  c.congestion.end_recovery();
  c.congestion.raise_ssthresh(c.ssthresh_kept);
  set_probe_repair(e, c, false);
}

}  // namespace tern::tcp
