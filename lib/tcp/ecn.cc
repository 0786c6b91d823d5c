// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/ecn.h"

#include <algorithm>

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

bool speaks_ecn(const Engine& e, const Tcb& c) {
  return c.has(flag::kExtras) && e.extras[e.index_of(c)].ecn;
}

// A loss, or a mark, of this window of data has been answered already (6.1.2).
bool has_reduced(const Tcb& c, const Extras& extras) {
  const bool for_a_mark = extras.reduced && c.snd_una.before(extras.window_end);
  const bool for_a_loss = c.has(flag::kRecoverValid) && c.snd_una.before(c.recover);
  return for_a_mark || for_a_loss || c.has(flag::kInRecovery);
}

}  // namespace

void start_ecn(Engine& e, Tcb& c) {
  extras_of(e, c).ecn = true;
  c.set(flag::kSpecial);
  ++e.counters.ecn_connections;
}

void note_mark(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (!speaks_ecn(e, c)) return;
  Extras& extras = e.extras[e.index_of(c)];
  if (s.has(kCwr)) extras.echo_mark = false;
  if (!s.has(wire::kCongestionExperienced)) return;
  ++e.counters.ecn_marks_in;
  extras.echo_mark = true;
}

void take_echo(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (!s.has(kEce) || s.has(kSyn) || !speaks_ecn(e, c)) return;
  Extras& extras = e.extras[e.index_of(c)];
  if (has_reduced(c, extras)) return;
  extras.reduced = extras.tell_reduced = true;
  extras.window_end = c.snd_max;
  ++e.counters.ecn_reductions;
  c.congestion.on_loss(
      {.flight_bytes = std::max(c.flight(), std::uint32_t{c.snd_mss}), .now = e.now});
  c.congestion.end_recovery();
}

EcnMarks ecn_marks(const Tcb& c, Extras& extras, SeqNum seq, std::uint32_t length) {
  if (!extras.ecn) return {};
  EcnMarks marks{.flags = extras.echo_mark ? kEce : std::uint8_t{0}};
  marks.capable = length > 0 && seq.at_or_after(c.snd_max) && !c.has(flag::kProbe);
  if (!marks.capable || !extras.tell_reduced) return marks;
  marks.flags |= kCwr;
  extras.tell_reduced = false;
  return marks;
}

}  // namespace tern::tcp
