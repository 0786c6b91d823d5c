// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/engine.h"

namespace tern::tcp {

// Urgent data that is sent (RFC 9293 3.8.5, RFC 6093): in line with the rest, and marked on every
// segment until its end is acknowledged.

/// Everything that is queued by now is urgent (MUST-30). The peer learns of it at once, even where
/// its window has no room for the text.
void mark_urgent(Engine& e, Tcb& c);

/// What the urgent pointer of a segment at `seq` says: it points behind the urgent data (MUST-62,
/// RFC 6093 3), or as far as 16 bits go. 0 = there is nothing urgent there.
std::uint16_t urgent_pointer(const Extras& extras, SeqNum seq);

}  // namespace tern::tcp
