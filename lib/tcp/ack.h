// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// What an acknowledgment does to the sender (RFC 9293 3.10.7.4, "Fifth, check the ACK field").

/// The fifth step for every state but LISTEN and SYN-SENT. False: the segment goes no further.
bool check_ack(Engine& e, Tcb& c, Arrival& a);

/// Takes a segment that acknowledges something new: frees what was acknowledged, samples the round
/// trip, informs congestion control, restarts or stops the retransmission timer. `s.ack` is in
/// (snd_una, snd_max]. Returns whether our FIN is now acknowledged.
bool handle_new_ack(Engine& e, Tcb& c, const wire::TcpSegment& s);

/// The same in ESTABLISHED, where neither our SYN nor our FIN can be what is acknowledged.
void handle_new_text_ack(Engine& e, Tcb& c, const wire::TcpSegment& s);

/// The handshake is complete: the state, the round trip of the SYN, the congestion window, the
/// event.
void become_established(Engine& e, Tcb& c);

}  // namespace tern::tcp
