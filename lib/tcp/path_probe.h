// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tcp/engine.h"

namespace tern::tcp {

// Probing for a larger path MTU (RFC 4821 7, in RFC 8899's words): a connection whose segments have
// been made smaller than link and peer allow sends, in ESTABLISHED, one segment of a larger size,
// made of the text that is next anyway. Acknowledged without having been sent again, it raises the
// size of all; lost, it bounds the search from above, and alone it is no sign of congestion. First
// the largest is tried, then the middle of what is left. Nothing is asked for on the predicted
// path: a timer sends the probe, and looks later what has become of it.

/// After segments were made smaller because full ones vanished: whoever was away may be back.
inline constexpr Duration kSearchAfterBlackHole = std::chrono::seconds(10);

/// Begins a search after so long, from what is sent now to what link and peer allow.
void search_path_mtu_after(Engine& e, Tcb& c, Duration delay);

/// A connection becomes ESTABLISHED: that its path was known to be narrow may be over later.
void search_path_mtu_later(Engine& e, Tcb& c);

/// TimerKind::kState in ESTABLISHED.
void on_path_timer(Engine& e, Tcb& c);

/// Whether flag::kProbe stands for a path probe, and not for one of a shut window.
bool is_path_probe_due(const Engine& e, const Tcb& c);

/// What path_probe_size() says if new text is to wait, since its window is needed.
inline constexpr std::uint32_t kHoldText = UINT32_MAX;

/// Bytes of text to send at snd_nxt as the probe that is due. 0: none can be sent now, and the
/// timer will ask again.
std::uint32_t path_probe_size(Engine& e, Tcb& c);
void on_path_probe_sent(Engine& e, Tcb& c, SeqNum seq, std::uint32_t bytes);

/// [seq, seq + length) is sent again: if that is of the probe, it has failed.
void note_probe_repeated(Engine& e, Tcb& c, SeqNum seq, std::uint32_t length);

/// A router says that what begins at `seq` was larger than `mss` bytes of text can be.
void note_probe_too_big(Engine& e, Tcb& c, SeqNum seq, std::uint16_t mss);

/// What of a recovery only repairs a lost probe: where the probe lies. It is not judged, and
/// congestion control not told, unless something else is lost as well (RFC 4821 7.6.2).
bool is_probe_outstanding(const Engine& e, const Tcb& c);
bool lies_in_probe(const Engine& e, const Tcb& c, SeqNum begin, SeqNum end);

/// The recovery that begins, before congestion control hears of it, is of the probe alone; and
/// whether the one that goes on is. It leaves cwnd and ssthresh as they were (RFC 8899 3).
void set_probe_repair(Engine& e, Tcb& c, bool on);
bool is_probe_repair(const Engine& e, const Tcb& c);
void end_probe_repair(Engine& e, Tcb& c);

}  // namespace tern::tcp
