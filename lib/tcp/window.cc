// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/window.h"

#include <algorithm>
#include <bit>

#include "tcp/timers.h"

namespace tern::tcp {
namespace {

// The largest window that can be offered: the buffer, as far as the 16-bit field and the scale
// express it.
std::uint32_t largest_window(const Engine& e, const Tcb& c) {
  return std::min(receive_buffer_of(e, c), 0xffffu << c.rcv_wscale);
}

std::uint32_t bytes_held(const Tcb& c) { return c.receive_queue.bytes() + c.loaned; }

// Bytes that the memory of all connections lets this one have, which is not always as much as its
// buffer (ReceiveBuffers::share): each byte taken makes the share smaller too, so only half of the
// difference can be promised. Who holds nothing is always offered a segment.
std::uint32_t memory_room(const Engine& e, const Tcb& c, std::uint32_t used) {
  const std::uint64_t share = e.receive_buffers.share();
  const std::uint64_t room = share > used ? (share - used) / 2 : 0;
  const std::uint32_t unit = 1u << c.rcv_wscale;  // the field is rounded down to it
  const std::uint64_t least = used == 0 ? (e.mss + unit - 1) & ~(unit - 1) : 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::max(room, least), UINT32_MAX));
}

// Bytes of window that the buffer has room for: what is queued or lent counts, what waits out of
// order lies inside the window already.
std::uint32_t buffer_room(const Engine& e, const Tcb& c) {
  const std::uint32_t used = bytes_held(c);
  const std::uint32_t buffer = receive_buffer_of(e, c);
  const std::uint32_t room = std::min(used < buffer ? buffer - used : 0, largest_window(e, c));
  if (e.receive_buffers.share() >= 2 * std::uint64_t{buffer}) [[likely]]
    return room;  // half of what the share leaves is no less
  return std::min(room, memory_room(e, c, used));
}

// The window field of what the peer has been promised, and no more. RFC 7323 2.4: an edge that the
// scale cannot express is rounded up, so as not to move back; but never a whole unit beyond the
// buffer: small segments would push it on for ever. It is rounded down then, and text is taken up
// to rcv_adv all the same.
std::uint32_t kept_window(const Tcb& c, std::uint32_t promised, std::uint32_t room) {
  const std::uint32_t unit = 1u << c.rcv_wscale;
  const std::uint32_t rounded_up = (promised + unit - 1) >> c.rcv_wscale;
  const bool fits = (rounded_up << c.rcv_wscale) < room + unit;
  return fits ? rounded_up : promised >> c.rcv_wscale;
}

std::uint32_t useful_step(const Engine& e, const Tcb& c) {
  return std::min<std::uint32_t>(largest_window(e, c) / 2, c.rcv_mss);
}

void begin_round(Engine& e, Tcb& c, SeqNum read) {
  c.grow_at = (read + receive_buffer_of(e, c) / 2).value();
  c.grow_since = static_cast<Tick>(e.tick);
}

// Dynamic right-sizing (Fisk and Feng 2001): whoever reads half a buffer in a round trip has a peer
// that the window may hold back, so that the buffer is doubled, and stays twice what the path
// holds. The edge only moves up by it. Not beyond half of what the memory of all has for this
// connection: another's may come.
[[gnu::noinline]] void look_at_buffer(Engine& e, Tcb& c) {
  const SeqNum read = c.rcv_nxt - bytes_held(c);
  if (read.before(SeqNum(c.grow_at))) return;
  const Duration taken = timer::kTick * (static_cast<Tick>(e.tick) - c.grow_since);
  const std::uint32_t buffer = receive_buffer_of(e, c);
  const bool fast = c.rtt.has_sample() && taken <= c.rtt.srtt() + c.rtt.srtt() / 8;
  if (fast && buffer < e.config.max_receive_buffer && e.receive_buffers.share() / 2 > buffer) {
    ++c.buffer_doublings;
    ++e.counters.receive_buffers_grown;
  }
  begin_round(e, c, read);
}

[[gnu::noinline]] void consider_update(Engine& e, Tcb& c, std::uint32_t promised,
                                       std::uint32_t buffer) {
  if (c.has(flag::kAckNow)) return;  // which will tell the window as it is then
  const std::uint32_t room = buffer_room(e, c);
  if (room <= promised) return;
  const std::uint32_t step = room - promised;
  // As FreeBSD does: half the buffer, or two segments when that is a good part of what is left.
  const bool worth = step >= buffer / 2 ||
                     (step >= 2u * c.rcv_mss && (step >= buffer / 4 || promised <= buffer / 8));
  // Where memory is scarce the window is one segment, and shut when that has come: at once again.
  const bool nothing_left = promised == 0 && bytes_held(c) == 0;
  if (!worth && !nothing_left) return;
  c.set(flag::kAckNow);
  e.schedule_output(c);
}

}  // namespace

std::uint32_t receive_buffer_of(const Engine& e, const Tcb& c) {
  if (c.buffer_doublings == 0) [[likely]]
    return e.config.receive_buffer;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(
      std::uint64_t{e.config.receive_buffer} << c.buffer_doublings, e.config.max_receive_buffer));
}

void start_growth(Engine& e, Tcb& c) { begin_round(e, c, c.rcv_nxt); }

std::uint8_t window_scale_for(std::uint32_t buffer_bytes) {
  const int beyond_field = static_cast<int>(std::bit_width(buffer_bytes)) - 16;
  return static_cast<std::uint8_t>(std::clamp(beyond_field, 0, int{wire::kMaxWindowScale}));
}

std::uint16_t advance_window(const Engine& e, Tcb& c) {
  const std::uint32_t room = buffer_room(e, c);
  const std::uint32_t promised = c.advertised_window();
  const bool opens = room > promised && room >= promised + useful_step(e, c);
  const std::uint32_t field = std::min<std::uint32_t>(
      opens ? room >> c.rcv_wscale : kept_window(c, promised, room), 0xffff);
  c.rcv_adv = later_of(c.rcv_adv, c.rcv_nxt + (field << c.rcv_wscale));
  return static_cast<std::uint16_t>(field);
}

void on_buffer_freed(Engine& e, Tcb& c) {
  if (!can_receive(c.state)) return;
  if (c.rcv_nxt.at_or_after(SeqNum(c.grow_at))) [[unlikely]]
    look_at_buffer(e, c);
  const std::uint32_t promised = c.advertised_window();
  const std::uint32_t buffer = largest_window(e, c);
  // At once out of the commonest case: even with all of the buffer free the step is a small one.
  if (promised > buffer - buffer / 2 && buffer < promised + 2u * c.rcv_mss) return;
  consider_update(e, c, promised, buffer);
}

void update_send_window(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  // RFC 9293 goes by the sequence number first. But a repetition has an old one, and may be the
  // first to acknowledge more: SND.WND counts from SND.UNA, so to leave it alone then would move
  // the edge beyond what was offered. Whatever acknowledges more was sent later.
  const bool newer =
      c.snd_wl2.before(s.ack) || (c.snd_wl2 == s.ack && c.snd_wl1.at_or_before(s.seq));
  if (!newer) return;
  const std::uint32_t window = std::uint32_t{s.window} << c.snd_wscale;
  const bool opened = window > c.snd_wnd;
  c.snd_wnd = window;
  c.snd_wl1 = s.seq;
  c.snd_wl2 = s.ack;
  if (!opened) return;
  c.max_snd_wnd = std::max(c.max_snd_wnd, window);
  if (is_running(c, TimerKind::kPersist)) {
    stop_timer(c, TimerKind::kPersist);
    c.rtt.reset_back_off();
    c.persist_probes = 0;
    c.clear(flag::kBackedOff);
  }
  if (c.send_queue.size() > 0 || c.has(flag::kFinQueued)) e.schedule_output(c);
}

}  // namespace tern::tcp
