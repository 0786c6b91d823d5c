// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tcp/engine.h"

namespace tern::tcp {

// SYN-RECEIVED by a passive open. There is no TCB before the third packet: a record in the SYN
// cache stands for the connection, and when that is full, or the listener's backlog, a SYN cookie.

/// Whether a SYN at this listener can be remembered.
bool has_room(const Engine& e, const Listener& l);

/// A SYN at a listener (RFC 9293 3.10.7.2, third): answers it, and remembers it in the cache or the
/// cookie. Text on the SYN is not kept: the peer sends it again. `old_end`: where the numbers of an
/// incarnation of the connection ended that has only just gone; the new one begins beyond, and
/// there must be room for it.
void receive_syn(Engine& e, std::uint32_t listener, std::uint32_t hash,
                 const flow::FourTuple4& tuple, const wire::TcpSegment& s,
                 std::optional<SeqNum> old_end);

/// An ACK at a listener: true if it completed a handshake by a cookie of ours, or would have if
/// there were a TCB for it. Cookies count within two minutes of an overflow only, so that nobody
/// can spend years guessing (CVE-2023-52881).
bool receive_cookie(Engine& e, std::uint32_t listener, std::uint32_t hash,
                    const flow::FourTuple4& tuple, Arrival& a);

/// SEGMENT ARRIVES in SYN-RECEIVED (RFC 9293 3.10.7.4) for a record of the cache.
void receive_half_open(Engine& e, std::uint32_t index, Arrival& a);

/// Sends the SYN,ACKs that are due again and forgets who never answered (R2 of the SYN,ACK), at
/// most `max`. Returns how many.
std::size_t expire_half_open(Engine& e, std::size_t max);

/// Ends one with a RST: its listener is going.
void abort_half_open(Engine& e, std::uint32_t index);

}  // namespace tern::tcp
