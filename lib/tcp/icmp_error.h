// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "net/icmp_error.h"
#include "tcp/engine.h"

namespace tern::tcp {

/// An ICMP error about a segment of connection `c`. Believed only if it quotes a sequence number
/// that is in flight (RFC 5927 4.1). A hard error ends a connection that is still being opened, and
/// is a soft one later; a soft one is remembered, as the reason if nothing better comes (RFC 9293
/// 3.9.2.2, MUST-55, MUST-56, SHLD-25, SHLD-26). Too big: the segments get smaller, never larger,
/// and what is in flight is sent again, without blame for congestion (RFC 1191 6.5).
void receive_icmp_error(Engine& e, Tcb& c, const net::IcmpError& error);

/// A full segment has timed out again and again: perhaps it does not fit and nobody says so. The
/// segments get smaller (RFC 4821 7.7, RFC 2923 2.1).
void suspect_black_hole(Engine& e, Tcb& c);

/// The data bytes of a full segment towards `destination`, before the peer's wish and options.
std::uint16_t path_mss(const Engine& e, std::uint32_t destination);

}  // namespace tern::tcp
