// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// The tail loss probe of RFC 8985 7: where the last segments of a flight are lost, nothing that
// comes after them tells, and only the RTO would. So something is sent after two round trips: new
// text if there is any, else the last segment again.

/// The PTO expired: a probe is due at the next transmission, or later if something was sent
/// meanwhile.
void on_probe_timeout(Engine& e, Tcb& c);

/// The probe is on its way and ended at snd_max; `repeats` what had been sent.
void on_probe_sent(Engine& e, Tcb& c, bool repeats);

/// 7.4: an ACK comes while kLossProbe is set, and has not been taken yet. Where it says that the
/// probe has repaired a loss which nothing else will show, the window is reduced.
void judge_probe(Engine& e, Tcb& c, const wire::TcpSegment& s);

}  // namespace tern::tcp
