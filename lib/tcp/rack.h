// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tcp/sent_log.h"
#include "wire/tcp.h"

namespace tern::tcp {

struct Engine;
struct SackSender;
struct Tcb;

// RACK (RFC 8985 6): what was sent long enough before something that has arrived is lost, be it
// sent for the first time or again. What must outlast a SackSender lies in the Tcb: reordering_seen
// and the steps of the reordering window.

/// RFC 8985 5.3, of a SackSender.
struct Rack {
  std::uint32_t sent_us = 0;  // RACK.xmit_ts: of what was sent last of all that has arrived
  wire::SeqNum end;           // RACK.end_seq
  std::uint32_t rtt_us = 0;   // RACK.rtt
  wire::SeqNum fack;          // RACK.fack: the highest number that has arrived
  bool again = false;         // that had been sent before
  bool valid = false;         // something has arrived
};

/// Section 6.2 steps 2 and 3: [begin, end) has arrived, as `s` says, which had not been known.
/// Takes it out of the log.
void note_arrived(const Engine& e, Tcb& c, SackSender& sender, const wire::TcpSegment& s,
                  wire::SeqNum begin, wire::SeqNum end);

/// Step 4: a duplicate has been reported, and not of a loss probe: we were too quick.
void widen_reordering_window(Tcb& c);
/// A recovery is over; after 16 without a duplicate the window is as it was.
void narrow_reordering_window(Tcb& c);

/// Step 5: marks what is lost, and has a timer look again when more may be. Returns the bytes newly
/// marked. Not while a time-out is repaired: all is sent again then.
std::uint32_t detect_losses(Engine& e, Tcb& c, SackSender& sender);

/// The reordering timer of step 5 expired.
void on_reordering_timeout(Engine& e, Tcb& c);

}  // namespace tern::tcp
