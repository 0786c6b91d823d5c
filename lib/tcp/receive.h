// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

/// SEGMENT ARRIVES (RFC 9293 3.10.7) for a connection in any state but LISTEN and TIME-WAIT.
[[gnu::noinline]] void receive_segment(Engine& e, Tcb& c, Arrival& a);

/// The same for a segment that header_prediction_hits: what is left of the steps when nothing is
/// special. Must be semantically redundant; test/property/header_prediction_test.cc shows it.
/// Returns whether the frame has been taken.
bool receive_predicted(Engine& e, Tcb& c, const wire::TcpSegment& s, const Frame& frame);

/// The seventh and eighth step, shared by SYN-SENT, which may carry text too.
void process_text_and_fin(Engine& e, Tcb& c, Arrival& a);

}  // namespace tern::tcp
