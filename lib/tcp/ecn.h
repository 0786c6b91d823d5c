// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// Explicit congestion notification (RFC 3168): a router marks a packet instead of dropping it, the
// receiver echoes the mark until the sender says that it has reduced its window.

/// ECN-capable transport, ECT(0), in the IP header's last two bits.
inline constexpr std::uint8_t kEct0 = 2;

/// A SYN that asks for ECN, and a SYN,ACK that agrees (6.1.1).
constexpr bool asks_for_ecn(const wire::TcpSegment& s) {
  using namespace wire::tcp_flag;
  return (s.flags & (kSyn | kAck | kEce | kCwr)) == (kSyn | kEce | kCwr);
}
constexpr bool agrees_to_ecn(const wire::TcpSegment& s) {
  using namespace wire::tcp_flag;
  return (s.flags & (kSyn | kAck | kEce | kCwr)) == (kSyn | kAck | kEce);
}

/// Whether our SYN asks: the first one only, since a path may drop those that do (6.1.1.1).
inline bool syn_asks_for_ecn(const Engine& e, const Tcb& c) {
  return e.config.ecn == EcnMode::kAsk && c.state == TcpState::kSynSent && !c.syn_retransmitted;
}

/// Both ends have agreed.
void start_ecn(Engine& e, Tcb& c);

/// The receiver's part (6.1.3), of a segment that is acceptable.
void note_mark(Engine& e, Tcb& c, const wire::TcpSegment& s);

/// The sender's part (6.1.2), of an acceptable ACK: one reduction for each window of data.
void take_echo(Engine& e, Tcb& c, const wire::TcpSegment& s);

/// What a segment of `length` bytes at `seq` bears: TCP flags, and whether it is ECN-capable. Only
/// new data is; neither a repetition nor a window probe (6.1.5, 6.1.6).
struct EcnMarks {
  std::uint8_t flags = 0;
  bool capable = false;
};
EcnMarks ecn_marks(const Tcb& c, Extras& extras, SeqNum seq, std::uint32_t length);

}  // namespace tern::tcp
