// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// The receive window (RFC 9293 3.8.6.2, RFC 7323 2).

/// The window scale that a receive buffer of this size needs: 0..14.
std::uint8_t window_scale_for(std::uint32_t buffer_bytes);

/// The receive buffer of a connection, in bytes: it grows with the flow.
std::uint32_t receive_buffer_of(const Engine& e, const Tcb& c);

/// The connection is established: its receive buffer is the configured one from here on.
void start_growth(Engine& e, Tcb& c);

/// The window field of a SYN, which is never scaled (RFC 7323 2.2).
inline std::uint16_t syn_window(const Engine& e) {
  return static_cast<std::uint16_t>(e.config.receive_buffer < 0xffff ? e.config.receive_buffer
                                                                     : 0xffff);
}

/// The window field to send now, and moves rcv_adv to what it promises. Never shrinks the window
/// (SHLD-14), opens it only by a useful step (receiver SWS avoidance, MUST-39).
std::uint16_t advance_window(const Engine& e, Tcb& c);

/// The application has taken bytes: sends a window update if it is worth a segment.
void on_buffer_freed(Engine& e, Tcb& c);

/// Takes over the peer's window from an acceptable segment (RFC 9293 3.10.7.4: SND.WL1, SND.WL2).
void update_send_window(Engine& e, Tcb& c, const wire::TcpSegment& s);

}  // namespace tern::tcp
