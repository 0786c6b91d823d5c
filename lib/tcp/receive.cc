// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/receive.h"

#include <algorithm>

#include "tcp/ack.h"
#include "tcp/close.h"
#include "tcp/connect.h"
#include "tcp/ecn.h"
#include "tcp/reset.h"
#include "tcp/segment_check.h"
#include "tcp/timers.h"
#include "tcp/user_timeout.h"
#include "tcp/window.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

void acknowledge_now(Engine& e, Tcb& c) {
  c.set(flag::kAckNow);
  e.schedule_output(c);
}

// RFC 2883 4: the next ACK tells the peer that [begin, end) has come before.
void note_duplicate(Tcb& c, SeqNum begin, SeqNum end) {
  if (!c.has(flag::kSack)) return;
  c.dsack = {begin, end};
  c.set(flag::kDsack);
}

// A segment that nothing of can be used is answered, so that two ends that disagree find out; with
// text or FIN at once, since it is a retransmission whose ACK was lost, else within a limit, so
// that two ends cannot answer each other for ever.
void refuse(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (s.has(kRst)) return;
  if (s.payload_length > 0 || s.has(kFin))
    acknowledge_now(e, c);
  else
    refuse_ack(e, c, s);
}

// First, check sequence number.
bool check_sequence(Engine& e, Tcb& c, Arrival& a) {
  wire::TcpSegment& s = a.segment;
  if (c.has(flag::kTimestamps) && !s.options.has_timestamp && !s.has(kRst)) {
    ++e.counters.drop_tcp_missing_timestamp;
    return false;
  }
  if (is_too_old(e, c, s) && !s.has(kRst)) {
    ++e.counters.rx_paws_rejected;
    refuse(e, c, s);
    return false;
  }
  const std::uint32_t window = c.advertised_window();
  if (is_acceptable(s.seq, s.length(), c.rcv_nxt, window)) {
    if (!s.has(kRst))
      update_ts_recent(e, c, s);  // PAWS lets any RST pass; believed or not, its clock is not
    return true;
  }
  // MUST-66 and RFC 9293 3.10.7.4: at a zero window the text is refused but ACK, URG and RST count.
  if (window == 0 && s.seq == c.rcv_nxt) {
    acknowledge_now(e, c);
    return true;
  }
  const bool duplicate = s.payload_length > 0 && s.seq.before(c.rcv_nxt);
  ++(duplicate ? e.counters.rx_duplicate : e.counters.rx_out_of_window);
  if (duplicate) note_duplicate(c, s.seq, s.seq + s.payload_length);
  refuse(e, c, s);
  return false;
}

// Second, check the RST bit (RFC 5961 3.2: only at exactly rcv_nxt).
bool check_rst(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (!s.has(kRst)) return true;
  if (s.seq != c.rcv_nxt) {
    send_limited_ack(e, c);
    return false;
  }
  ++e.counters.rst_in;
  finish(e, c, c.state == TcpState::kSynReceived ? CloseReason::kRefused : CloseReason::kReset);
  return false;
}

// Fourth, check the SYN bit. (The third step, security, has no counterpart in today's Internet.)
bool check_syn(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (!s.has(kSyn)) return true;
  send_limited_ack(e, c);  // RFC 5961 4.2
  return false;
}

// A repeated SYN means that our SYN,ACK was lost; a SYN,ACK that crosses ours in a simultaneous
// open is an ACK of our SYN to which the peer's SYN still clings.
bool check_repeated_syn(Engine& e, Tcb& c, Arrival& a) {
  wire::TcpSegment& s = a.segment;
  if (c.state != TcpState::kSynReceived || !s.has(kSyn) || s.has(kRst) || s.seq != c.irs)
    return true;
  if (!s.has(kAck)) {
    if (!is_too_old(e, c, s)) update_ts_recent(e, c, s);  // else the echo would time the lost one
    c.set(flag::kSynPending);
    e.schedule_output(c);
    return false;
  }
  s.flags &= static_cast<std::uint16_t>(~kSyn);
  s.seq += 1;
  a.was_syn = true;
  return true;
}

// RFC 9293 3.8.6.3, RFC 5681 4.2: every second full segment at once, the rest within the delay.
std::uint32_t ack_due(const Tcb& c) {
  const bool two_full = c.rcv_nxt - c.last_ack_sent >= 2u * c.rcv_mss;
  return two_full ? flag::kAckNow : flag::kAckDelayed;
}

void advance_rcv_nxt(Engine& e, Tcb& c, std::uint32_t bytes) {
  c.rcv_nxt += bytes;
  c.bytes_received += bytes;
  if (c.state == TcpState::kFinWait2)  // the peer still talks: no reason to give up on it
    start_closing_timer(e, c);
}

void note_segment_size(const Engine& e, Tcb& c, std::uint32_t bytes) {
  if (bytes > c.rcv_mss) [[unlikely]]
    c.rcv_mss = static_cast<std::uint16_t>(std::min<std::uint32_t>(bytes, e.mss));
}

// An application that reads slowly, or not at all, keeps to its share of the memory, so that those
// that do read can go on.
bool exceeds_share(const Engine& e, const Tcb& c, std::uint32_t more) {
  const std::uint32_t held = c.receive_queue.bytes() + c.loaned;
  return held != 0 && held + more > e.receive_buffers.share();
}

[[gnu::noinline]] void refuse_text(Engine& e, Tcb& c) {
  ++e.counters.drop_tcp_no_buffer;
  acknowledge_now(e, c);
}

// The common case: nothing waits out of order. Returns whether the frame has been taken.
bool accept_in_order(Engine& e, Tcb& c, const wire::TcpSegment& s, const Frame& frame) {
  if (exceeds_share(e, c, s.payload_length)) {
    refuse_text(e, c);
    return false;
  }
  note_segment_size(e, c, s.payload_length);
  if (!c.receive_queue.push(e.receive_buffers, frame, {s.payload, s.payload_length}, s.seq)) {
    refuse_text(e, c);
    return true;  // push() owns it whatever comes of it
  }
  advance_rcv_nxt(e, c, s.payload_length);
  c.set(ack_due(c));
  e.raise_and_schedule(c, event::kReadable);
  return true;
}

// What is next is worth more than what waits behind it: were it refused for want of memory, the
// peer would fill the room of what is given up with something new, and come again to find none. RFC
// 2018 8 lets a receiver renege.
void make_room_for_next(Engine& e, Tcb& c) {
  ReceiveBuffers& buffers = e.receive_buffers;
  while (!buffers.can_keep_frame() && buffers.copies_available() == 0 &&
         reassembly_of(e, c).drop_last(buffers))
    if (c.has(flag::kSack)) ++e.counters.sack_reneges;
}

// In order, while something waits behind a gap: through the reassembly queue, since the segment may
// overlap what is there, and the bytes that came first win.
void fill_gap(Engine& e, Tcb& c, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  if (exceeds_share(e, c, s.payload_length)) return refuse_text(e, c);
  make_room_for_next(e, c);
  a.frame_kept = true;
  note_segment_size(e, c, s.payload_length);
  Reassembly& held = reassembly_of(e, c);
  held.insert(e.receive_buffers, a.frame, {s.payload, s.payload_length}, s.seq, c.rcv_nxt);
  const std::uint32_t ready = held.take_ready(e.receive_buffers, c.receive_queue, c.rcv_nxt);
  if (held.empty()) release_reassembly(e, c);
  if (ready == 0) return refuse_text(e, c);
  advance_rcv_nxt(e, c, ready);
  c.acks_owed = 0;       // of the new edge they would be forged duplicates
  c.set(flag::kAckNow);  // RFC 5681 4.2: at once while a gap is being filled
  e.raise_and_schedule(c, event::kReadable);
}

void accept_out_of_order(Engine& e, Tcb& c, Arrival& a) {
  wire::TcpSegment& s = a.segment;
  a.frame_kept = true;
  Reassembly& held = reassembly_of(e, c);
  const auto outcome =
      held.insert(e.receive_buffers, a.frame, {s.payload, s.payload_length}, s.seq, c.rcv_nxt);
  if (outcome == Reassembly::Outcome::kKept) ++e.counters.rx_out_of_order;
  if (outcome == Reassembly::Outcome::kDuplicate) {
    ++e.counters.rx_duplicate;
    note_duplicate(c, s.seq, s.seq + s.payload_length);
  }
  if (outcome == Reassembly::Outcome::kNoBuffer) ++e.counters.drop_tcp_no_buffer;
  if (held.empty()) release_reassembly(e, c);
  if (c.acks_owed < 0xff) ++c.acks_owed;
  e.schedule_output(c);
}

// Seventh, process the segment text.
void process_text(Engine& e, Tcb& c, Arrival& a) {
  wire::TcpSegment& s = a.segment;
  if (s.payload_length == 0 || !can_receive(c.state)) return;
  if (c.has(flag::kFinSeen) && (s.seq + s.payload_length).after(c.peer_fin_seq)) {
    if (s.seq.at_or_after(c.peer_fin_seq)) return;  // nothing comes after a FIN
    s.payload_length = c.peer_fin_seq - s.seq;
  }
  if (c.has(flag::kInputClosed))
    return abort_connection(e, c);  // SHLD-3: the data is lost, and says so
  if (s.seq != c.rcv_nxt)
    accept_out_of_order(e, c, a);
  else if (c.has(flag::kHasGap))
    fill_gap(e, c, a);
  else
    a.frame_kept = accept_in_order(e, c, s, a.frame);
}

void accept_fin(Engine& e, Tcb& c) {
  c.rcv_nxt += 1;
  acknowledge_now(e, c);
  if (!c.has(flag::kInputClosed)) e.raise(c, event::kPeerFinished);
  switch (c.state) {
    case TcpState::kEstablished:
      return set_state(e, c, TcpState::kCloseWait);
    case TcpState::kFinWait1:
      return set_state(e, c, TcpState::kClosing);
    case TcpState::kFinWait2:
      return enter_time_wait(e, c);
    default:
      return;
  }
}

// Eighth, check the FIN bit: one that arrives ahead of its turn is remembered by its number.
void check_fin(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (!can_receive(c.state)) return;
  if (s.has(kFin) && !c.has(flag::kFinSeen)) {
    c.set(flag::kFinSeen);
    c.peer_fin_seq = s.seq + s.payload_length;
    if (s.payload_length == 0 && c.peer_fin_seq != c.rcv_nxt) {
      if (c.acks_owed < 0xff) ++c.acks_owed;
      e.schedule_output(c);
    }
  }
  if (c.has(flag::kFinSeen) && c.rcv_nxt == c.peer_fin_seq) accept_fin(e, c);
}

// Sixth, check the URG bit. The pointer says where the urgent data ends and nothing else: the text
// is in line (RFC 6093), and no length is ever taken from it.
void check_urgent(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  if (!s.has(kUrg) || !can_receive(c.state)) return;
  const SeqNum up = s.seq + s.urgent;
  if (!up.after(c.rcv_nxt) || (c.rcv_up.after(c.rcv_nxt) && !up.after(c.rcv_up))) return;
  c.rcv_up = up;
  e.raise(c, event::kUrgent);
}

}  // namespace

void process_text_and_fin(Engine& e, Tcb& c, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  if (s.options.has_user_timeout) take_user_timeout(e, c, s.options.user_timeout);
  check_urgent(e, c, s);
  if (s.payload_length > 0 && s.seq.before(c.rcv_nxt))
    note_duplicate(c, s.seq, earlier_of(s.seq + s.payload_length, c.rcv_nxt));
  trim_to_window(c, a.segment);
  process_text(e, c, a);
  check_fin(e, c, a.segment);
}

void receive_segment(Engine& e, Tcb& c, Arrival& a) {
  ++e.counters.rx_slow;
  if (c.state == TcpState::kSynSent) return receive_in_syn_sent(e, c, a);
  if (!check_repeated_syn(e, c, a)) return;
  if (!check_sequence(e, c, a)) return;
  c.last_received = static_cast<Tick>(e.tick);
  if (!check_rst(e, c, a.segment)) return;
  if (!check_syn(e, c, a.segment)) return;
  note_mark(e, c, a.segment);
  if (!check_ack(e, c, a)) return;
  process_text_and_fin(e, c, a);
}

bool receive_predicted(Engine& e, Tcb& c, const wire::TcpSegment& s, const Frame& frame) {
  c.last_received = static_cast<Tick>(e.tick);
  if (c.has(flag::kTimestamps)) take_ts_recent(e, c, s);
  if (s.ack != c.snd_una) handle_new_text_ack(e, c, s);
  update_send_window(e, c, s);
  if (s.payload_length == 0) {
    ++e.counters.rx_predicted_ack;
    return false;
  }
  ++e.counters.rx_predicted_data;
  return accept_in_order(e, c, s, frame);
}

}  // namespace tern::tcp
