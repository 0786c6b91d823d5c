// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// Loss recovery by selective acknowledgments: RFC 6675 with PRR (RFC 9937), for connections on
// which both ends have agreed to SACK.

/// Whether this ACK is on_sack()'s to judge rather than on_duplicate_ack()'s. Lends the connection
/// a SackSender at its first block; if there is none to be had, it stays with NewReno.
bool uses_sack(Engine& e, Tcb& c, const wire::TcpSegment& s);

/// Takes the blocks of an ACK, after handle_new_ack() has advanced snd_una by `acked`; begins,
/// continues or ends recovery. uses_sack() has said yes.
void on_sack(Engine& e, Tcb& c, const wire::TcpSegment& s, std::uint32_t acked);

/// The retransmission timer expired: what was SACKed counts no more, since the peer may have given
/// it up (RFC 2018 8).
void forget_sacked(Engine& e, Tcb& c);

/// Gives the SackSender back, if there is one.
void release_sack_sender(Engine& e, Tcb& c);

/// RFC 6675 4, pipe: the bytes estimated to be in the network.
std::uint32_t pipe_of(const Tcb& c, const SackSender& sender);

/// RFC 6675 4, NextSeg: what to send next in recovery, at most a full segment of data.
struct NextSegment {
  enum class Kind : std::uint8_t { kNothing, kHole, kNewData, kRescue };
  Kind kind = Kind::kNothing;
  SeqNum seq{};
  std::uint32_t length = 0;  // sequence numbers, of a kHole or kRescue
};
NextSegment next_segment(const Tcb& c, const SackSender& sender, bool has_new_data);

}  // namespace tern::tcp
