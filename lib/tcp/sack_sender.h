// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/prr.h"
#include "tcp/sack_scoreboard.h"

namespace tern::tcp {

/// What a sender remembers while its peer reports holes (RFC 6675). Too large for every TCB, and
/// few connections need one at a time: Engine::sack_senders lends them out. A connection for whom
/// there is none recovers by NewReno.
struct SackSender {
  SackScoreboard board;
  Prr prr;
  wire::SeqNum high_rxt;   // HighRxt: all lost below this has been sent again in this recovery
  wire::SeqNum lost_edge;  // as of the last ACK
  bool rescued = false;    // NextSeg rule 4 has been used in this recovery (RescueRxt)
};

}  // namespace tern::tcp
