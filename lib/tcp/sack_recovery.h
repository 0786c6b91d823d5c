// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// Loss recovery by selective acknowledgments, for connections on which both ends have agreed to
// SACK: RFC 6675's recovery of what RACK (RFC 8985) finds lost, at the pace of PRR (RFC 9937).

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

/// What an ACK, or a timer, has told.
struct LossNews {
  std::uint32_t acked = 0;      // bytes by which snd_una advanced
  std::uint32_t delivered = 0;  // those, and what was SACKed
  std::uint32_t lost = 0;       // newly found
};
/// Begins, continues or ends recovery, and sees to it that what is lost goes out.
void after_losses(Engine& e, Tcb& c, SackSender& sender, const LossNews& news);

/// In recovery, something sent again was lost again: a second sign of congestion, for which the
/// window is reduced once more (RFC 5681 4.3); once for all that were under way together.
void on_lost_repetition(Engine& e, Tcb& c, SackSender& sender);

/// RFC 2883 5: the first block reports a duplicate if it lies below the ACK, or in the second
/// block.
bool reports_duplicate(const wire::TcpSegment& s);

/// After a time-out, until all that was outstanding then is acknowledged (RFC 6675 5.1).
bool repairs_time_out(const Tcb& c);

/// RFC 6675's DupThresh: by ACKs with news, by ranges, or by bytes.
bool shows_three_segments(const Tcb& c, const SackSender& sender);

/// What to send next in recovery, RFC 6675 4's NextSeg where RACK says what is lost.
struct NextSegment {
  enum class Kind : std::uint8_t { kNothing, kHole, kNewData, kRescue };
  Kind kind = Kind::kNothing;
  SeqNum seq{};
  std::uint32_t length = 0;  // sequence numbers, of a kHole or kRescue
};
NextSegment next_segment(const Tcb& c, const SackSender& sender, bool has_new_data);

}  // namespace tern::tcp
