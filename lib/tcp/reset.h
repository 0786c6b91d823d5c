// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// Segments that are answers to segments and need no TCB.

/// A segment of no TCB, without text: whole headers, found by route. Ports and header length are
/// filled in. False: no frame.
bool send_bare(Engine& e, const flow::FourTuple4& tuple, wire::TcpHeader header,
               const wire::TcpOptions& options);

/// The RST that answers a segment which belongs to nothing (RFC 9293 3.10.7.1); none if that is a
/// RST itself. Limited (StrayLimit): a flood of strays is not reflected.
void send_reset_for(Engine& e, const wire::TcpSegment& s);

/// The RST that ends a connection from our side. If there is no frame for it, the peer will learn
/// from the answer to its next segment.
void send_reset(Engine& e, Tcb& c);

/// The ACK of a FIN that has been acknowledged before.
void send_time_wait_ack(Engine& e, const TimeWaitRecord& r);

}  // namespace tern::tcp
