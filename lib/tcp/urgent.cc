// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/urgent.h"

#include <algorithm>

namespace tern::tcp {

void mark_urgent(Engine& e, Tcb& c) {
  Extras& extras = extras_of(e, c);
  extras.snd_up = c.snd_una + (c.has(flag::kSynUnacked) ? 1 : 0) + c.send_queue.size();
  extras.urgent = true;
  c.set(flag::kSpecial);
  const bool no_room = c.snd_max - c.snd_una >= c.snd_wnd;
  if (no_room && can_send(c.state)) c.set(flag::kAckNow);
}

std::uint16_t urgent_pointer(const Extras& extras, SeqNum seq) {
  if (!extras.urgent || !extras.snd_up.after(seq)) return 0;
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(extras.snd_up - seq, 0xffff));
}

}  // namespace tern::tcp
