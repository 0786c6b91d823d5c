// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tern/connection.h"

namespace tern::tcp {

/// RFC 9293 figure 5: whether the state machine has an edge from one state to another. Every change
/// of state goes through it (set_state), so the diagram and the code cannot differ. Any state may
/// also end in CLOSED (RST, time-out, abort).
bool transition_allowed(TcpState from, TcpState to);

/// The peer's SYN has been received, so rcv_nxt means something.
constexpr bool is_synchronized(TcpState state) {
  return state >= TcpState::kEstablished && state <= TcpState::kTimeWait;
}

/// The peer may still send data: its FIN has not arrived.
constexpr bool can_receive(TcpState state) {
  return state == TcpState::kEstablished || state == TcpState::kFinWait1 ||
         state == TcpState::kFinWait2;
}

/// The application may still add data, and what is queued may be sent for the first time.
constexpr bool can_send(TcpState state) {
  return state == TcpState::kEstablished || state == TcpState::kCloseWait;
}

/// The application may add data now, be it that it waits for the handshake.
constexpr bool may_queue(TcpState state) {
  return can_send(state) || state == TcpState::kSynSent || state == TcpState::kSynReceived;
}

}  // namespace tern::tcp
