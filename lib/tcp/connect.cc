// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/connect.h"

#include "tcp/ack.h"
#include "tcp/close.h"
#include "tcp/ecn.h"
#include "tcp/isn.h"
#include "tcp/listen.h"
#include "tcp/receive.h"
#include "tcp/reset.h"
#include "tcp/timers.h"
#include "tcp/user_timeout.h"
#include "tcp/window.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

std::uint32_t hash_of(const Engine& e, const flow::FourTuple4& tuple) {
  return flow::table_hash(e.keys.table, tuple);
}

bool is_free(const Engine& e, const flow::FourTuple4& tuple) {
  return find(e, hash_of(e, tuple), tuple) == kNoIndex;
}

// What answers to this port's SYN arrives here, not at another core's stack.
bool is_home(const Engine& e, const flow::FourTuple4& t) {
  return e.steering == nullptr ||
         e.steering->is_home({e.book.endpoint(t.local_address, t.local_port),
                              e.book.endpoint(t.remote_address, t.remote_port)});
}

Result<std::uint16_t> choose_port(Engine& e, flow::FourTuple4 tuple) {
  const auto free_at = [&](std::uint16_t port) {
    tuple.local_port = port;
    return is_home(e, tuple) && is_free(e, tuple) &&
           e.listener_table.find(tuple.local_address, port) == kNoIndex;
  };
  const auto drawn = e.source_ports.draw(e.book.name(tuple), free_at);
  if (!drawn) return Errc::kNoPorts;
  return *drawn;
}

void choose_numbers(const Engine& e, Tcb& c) {
  const flow::FlowName name = e.book.name(c.tuple);
  c.iss = initial_sequence(e.keys.sequence, name, e.now);
  c.snd_una = c.snd_nxt = c.snd_max = c.recover = c.snd_wl2 = c.iss;
  c.ts_offset = timestamp_offset(e.keys.timestamps, name);
}

// The peer's SYN, with or without an ACK of ours.
void take_peer_syn(Engine& e, Tcb& c, const wire::TcpSegment& s) {
  c.irs = c.rcv_up = s.seq;
  c.rcv_nxt = c.last_ack_sent = s.seq + 1;
  c.rcv_adv = c.rcv_nxt + syn_window(e);  // as our SYN said
  negotiate_options(e, c, s.options);
  if (s.options.has_user_timeout) take_user_timeout(e, c, s.options.user_timeout);
  if (agrees_to_ecn(s) && syn_asks_for_ecn(e, c)) start_ecn(e, c);
  c.snd_wnd = c.max_snd_wnd = s.window;  // a SYN's window is not scaled
  c.snd_wl1 = s.seq;
  c.snd_wl2 = s.has(kAck) ? s.ack : c.snd_una;
}

void complete_active_open(Engine& e, Tcb& c, Arrival& a) {
  wire::TcpSegment& s = a.segment;
  c.clear(flag::kSynPending);
  become_established(e, c);
  handle_new_ack(e, c, s);
  c.set(flag::kAckNow);
  e.schedule_output(c);
  s.flags &= static_cast<std::uint16_t>(~kSyn);  // the rest of the segment begins after the SYN
  s.seq += 1;
  process_text_and_fin(e, c, a);
}

// Another host than this one.
bool names_a_host(const Engine& e, std::uint32_t address) {
  if (flow::AddressBook::is_v6(address)) {
    const Ipv6Address& a = e.book.address(address);
    return !a.is_unspecified() && !a.is_multicast() && !a.is_v4_mapped() && !a.is_loopback() &&
           !flow::AddressBook::is_own(address);
  }
  const Ipv4Address a(address);
  return !a.is_unspecified() && !a.is_multicast() && !a.is_reserved() && !a.is_loopback() &&
         address != e.address;
}

// RFC 6724, rule 2: towards a link-local address from ours, else from the one that is configured.
std::uint32_t source_for(const Engine& e, std::uint32_t remote) {
  if (!flow::AddressBook::is_v6(remote)) return e.address;
  const bool local = e.book.address(remote).is_link_local();
  return flow::AddressBook::kFirstOwn + (local ? e.book.own_count() - 1 : 0);
}

}  // namespace

Result<std::uint32_t> connect(Engine& e, flow::FourTuple4 tuple, ConnectionHandler& handler) {
  if (tuple.remote_port == 0 || !names_a_host(e, tuple.remote_address))
    return Errc::kInvalidArgument;
  if (!e.net.has_route(tuple.remote_address)) return Errc::kUnreachable;
  if (e.draining) return Errc::kNoConnections;
  if (tuple.local_address == 0) tuple.local_address = source_for(e, tuple.remote_address);
  if (tuple.local_port == 0) {
    const Result<std::uint16_t> port = choose_port(e, tuple);
    if (!port) return port.error();
    tuple.local_port = *port;
  } else if (!is_free(e, tuple)) {
    return Errc::kAddressInUse;
  }
  Tcb* c = create_tcb(e, tuple, hash_of(e, tuple), handler);
  if (c == nullptr) return Errc::kNoConnections;
  ++e.counters.active_opens;
  choose_numbers(e, *c);
  c->set(flag::kSynPending | flag::kSynUnacked);
  c->announced = true;
  set_state(e, *c, TcpState::kSynSent);
  e.schedule_output(*c);
  return e.index_of(*c);
}

void receive_in_syn_sent(Engine& e, Tcb& c, Arrival& a) {
  const wire::TcpSegment& s = a.segment;
  const bool acks_syn = s.has(kAck) && s.ack.after(c.iss) && s.ack.at_or_before(c.snd_max);
  if (s.has(kAck) && !acks_syn) {  // first, check the ACK bit
    if (!s.has(kRst)) send_reset_for(e, s);
    return;
  }
  if (s.has(kRst)) {  // second, check the RST bit
    if (!acks_syn) return;
    ++e.counters.rst_in;
    return finish(e, c, CloseReason::kRefused);
  }
  if (!s.has(kSyn)) return;  // fourth, check the SYN bit
  take_peer_syn(e, c, s);
  if (acks_syn) return complete_active_open(e, c, a);
  set_state(e, c, TcpState::kSynReceived);  // simultaneous open (MUST-10)
  c.clear(flag::kTiming);                   // our SYN goes out again, with an ACK: Karn (MUST-18)
  c.set(flag::kSynPending);
  e.schedule_output(c);
}

}  // namespace tern::tcp
