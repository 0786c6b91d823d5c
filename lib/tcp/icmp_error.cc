// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/icmp_error.h"

#include <algorithm>

#include "tcp/close.h"
#include "tcp/mss.h"
#include "tcp/path_probe.h"
#include "tcp/retransmit.h"
#include "tcp/timestamp.h"

namespace tern::tcp {
namespace {

using Kind = net::IcmpError::Kind;

// What is tried when full segments vanish: what fits nearly everywhere, and what fits everywhere
// (Linux's tcp_base_mss; RFC 9293's default MSS).
constexpr std::uint16_t kCautiousMtu = 1024 + 40;
constexpr std::uint16_t kSafeMtu = 576;  // IPv6 has least_mtu_to() for both
// Time-outs of the same data after which to try them. The first could be anything.
constexpr std::uint8_t kCautiousAfter = 3, kSafeAfter = 5;

bool is_opening(const Tcb& c) {
  return c.state == TcpState::kSynSent || c.state == TcpState::kSynReceived;
}

std::uint16_t option_bytes(const Tcb& c) { return c.has(flag::kTimestamps) ? kTimestampBytes : 0; }

// True if that made the segments smaller; they are tried larger `after` that.
bool shrink_segments(Engine& e, Tcb& c, std::uint16_t mtu, Duration after) {
  const std::uint32_t to = c.tuple.remote_address;
  mtu = std::max(mtu, least_mtu_to(to));
  const auto mss = static_cast<std::uint16_t>(mtu - header_bytes_to(to) - option_bytes(c));
  if (is_opening(c) || mss >= c.snd_mss) return false;
  c.snd_mss = mss;
  c.congestion.set_mss(mss);
  search_path_mtu_after(e, c, after);
  return true;
}

// For the connections to come.
void learn_path_mtu(Engine& e, std::uint32_t to, std::uint16_t mtu) {
  e.book.retain(to);
  e.book.release(e.path_mtu.learn(to, std::max(mtu, least_mtu_to(to)), e.now));
}

void take_too_big(Engine& e, Tcb& c, SeqNum seq, std::uint16_t mtu) {
  if (!shrink_segments(e, c, mtu, e.config.path_mtu_interval)) {
    const std::uint16_t headers =
        static_cast<std::uint16_t>(header_bytes_to(c.tuple.remote_address) + option_bytes(c));
    if (mtu > headers) note_probe_too_big(e, c, seq, static_cast<std::uint16_t>(mtu - headers));
    return;
  }
  learn_path_mtu(e, c.tuple.remote_address, mtu);
  ++e.counters.path_mtu_reductions;
  if (c.has(flag::kInRecovery)) c.congestion.on_recovery_exit(c.flight());
  go_back(e, c);
}

// MUST-47.
void report_soft_error(Engine& e, Tcb& c, const net::IcmpError& error) {
  if (c.no_error_reports) return;
  Extras& extras = extras_of(e, c);
  extras.icmp_type = error.type;
  extras.icmp_code = error.code;
  e.raise(c, event::kSoftError);
}

}  // namespace

void receive_icmp_error(Engine& e, Tcb& c, const net::IcmpError& error) {
  const SeqNum seq(error.seq);
  if (seq.before(c.snd_una) || !seq.before(c.snd_max)) {
    ++e.counters.drop_icmp_unbelieved;
    return;
  }
  ++e.counters.icmp_errors_in;
  if (error.kind == Kind::kTooBig) return take_too_big(e, c, seq, error.mtu);
  c.unreachable_seen = is_opening(c) || c.retransmits > 0;
  const bool ends = error.kind == Kind::kHard || e.config.abort_connect_on_soft_error;
  if (ends && c.state == TcpState::kSynSent) return finish(e, c, CloseReason::kUnreachable);
  report_soft_error(e, c, error);
}

// Only this connection's segments: a peer that is gone looks the same, and others to the same
// address need not suffer for it.
void suspect_black_hole(Engine& e, Tcb& c) {
  if (!e.config.black_hole_detection || is_opening(c)) return;
  const std::uint32_t to = c.tuple.remote_address;
  const std::uint16_t mtu = c.retransmits == kCautiousAfter ? kCautiousMtu
                            : c.retransmits == kSafeAfter   ? kSafeMtu
                                                            : 0xffff;
  const std::uint32_t text = std::min(c.snd_max - c.snd_una, c.send_queue.size());
  if (header_bytes_to(to) + option_bytes(c) + text <= std::max(mtu, least_mtu_to(to)))
    return;  // so short a one would be sent no shorter
  const bool shrunk = shrink_segments(e, c, mtu, kSearchAfterBlackHole);
  if (shrunk) ++e.counters.path_mtu_black_holes;
}

std::uint16_t path_mss(const Engine& e, std::uint32_t destination) {
  return static_cast<std::uint16_t>(
      e.path_mtu.mtu(destination, link_mtu_to(e, destination), e.now) -
      header_bytes_to(destination));
}

}  // namespace tern::tcp
