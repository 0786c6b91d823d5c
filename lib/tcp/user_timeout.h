// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// How long an unacknowledged byte may wait (RFC 9293 3.8.3, RFC 5482).

/// By the application, from now on; zero: R2 alone decides. The peer is told where
/// TcpConfig::user_timeout_option is set, and what the peer wants no longer counts (RFC 5482 3.1:
/// CHANGEABLE becomes false).
void set_user_timeout(Engine& e, Tcb& c, Duration timeout);

/// What a retransmission time-out of `rto` becomes, so that the user time-out is met exactly.
Duration within_user_timeout(const Engine& e, const Tcb& c, Duration rto);

/// At a time-out, counted already: whether nothing has moved for the user time-out.
bool user_timeout_is_over(Engine& e, Tcb& c, unsigned time_outs, Duration rto);

/// Whether R2 is a number of repetitions: not where the user time-out has been adopted of the peer,
/// who may ask for more patience than that.
bool gives_up_by_number(const Engine& e, const Tcb& c);

/// RFC 5482 2: the option's 16 bits. A time-out that they cannot say exactly is rounded up.
std::uint16_t encode_user_timeout(Duration timeout);
/// Zero for the reserved values (3.3).
Duration decode_user_timeout(std::uint16_t option);

/// Whether this connection has a user time-out to tell of.
bool tells_user_timeout(const Engine& e, const Tcb& c);
std::uint16_t told_user_timeout(const Tcb& c);

/// The connection is established: the next segment is to tell it (RFC 5482 3.2), whatever became of
/// the SYN's.
void tell_user_timeout(Engine& e, Tcb& c);

/// The peer's option: adopted within the bounds of 3.1, unless the application has its own.
void take_user_timeout(Engine& e, Tcb& c, std::uint16_t option);

/// A configured time in ticks, at most two days: what the wheel can tell apart.
Tick ticks_of(Duration d);

}  // namespace tern::tcp
