// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/state.h"

#include <array>

namespace tern {

std::string_view to_string(TcpState state) {
  static constexpr std::array<std::string_view, kTcpStateCount> kNames = {
      "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
      "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_string(CloseReason reason) {
  static constexpr std::array<std::string_view, 6> kNames = {
      "finished", "reset by peer", "connection refused", "timed out", "aborted", "unreachable"};
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace tern

namespace tern::tcp {
namespace {

struct Edge {
  TcpState from, to;
};

using enum TcpState;

// RFC 9293 3.3.2, figure 5. LISTEN is a Listener and no connection; a connection that it accepts
// begins in SYN-RECEIVED.
constexpr std::array kEdges = {
    Edge{kClosed, kSynSent},           // active OPEN
    Edge{kClosed, kSynReceived},       // SYN at a listener
    Edge{kSynSent, kSynReceived},      // simultaneous open
    Edge{kSynSent, kEstablished},      // SYN,ACK
    Edge{kSynReceived, kEstablished},  // ACK of our SYN
    Edge{kSynReceived, kFinWait1},     // CLOSE before the handshake is through
    Edge{kEstablished, kFinWait1},     // CLOSE
    Edge{kEstablished, kCloseWait},    // FIN
    Edge{kFinWait1, kFinWait2},        // ACK of our FIN
    Edge{kFinWait1, kClosing},         // FIN: simultaneous close
    Edge{kFinWait1, kTimeWait},        // FIN that also acknowledges ours
    Edge{kFinWait2, kTimeWait},        // FIN
    Edge{kCloseWait, kLastAck},        // CLOSE
    Edge{kClosing, kTimeWait},         // ACK of our FIN
};

}  // namespace

bool transition_allowed(TcpState from, TcpState to) {
  if (to == kClosed) return true;
  for (const Edge& edge : kEdges)
    if (edge.from == from && edge.to == to) return true;
  return false;
}

}  // namespace tern::tcp
