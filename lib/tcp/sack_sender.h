// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/prr.h"
#include "tcp/rack.h"
#include "tcp/sack_scoreboard.h"
#include "tcp/sent_log.h"
#include "timer/timer_wheel.h"

namespace tern::tcp {

/// What a sender remembers while its peer reports holes (RFC 6675, RFC 8985). Too large for every
/// TCB, and few connections need one at a time: Engine::sack_senders lends them out. A connection
/// for whom there is none recovers by NewReno.
struct SackSender {
  SackScoreboard board;
  SentLog log;
  Rack rack;
  Prr prr;
  timer::Tick time_out_at = 0;  // the RTO, while the timer waits for reordering
  wire::SeqNum reduced_at;      // snd_max when the window was last reduced for a lost repetition
  bool reduced_again = false;   // reduced_at is valid
  bool rescued = false;  // NextSeg rule 4 of RFC 6675 has been used in this recovery (RescueRxt)
};

}  // namespace tern::tcp
