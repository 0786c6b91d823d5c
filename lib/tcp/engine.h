// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>

#include "base/frame_bin.h"
#include "base/index_pool.h"
#include "base/zeroed_array.h"
#include "flow/address_book.h"
#include "flow/connection_table.h"
#include "flow/listener_table.h"
#include "flow/source_port.h"
#include "net/egress.h"
#include "net/interface.h"
#include "net/path_mtu.h"
#include "tcp/flood_watch.h"
#include "tcp/reassembly.h"
#include "tcp/receive_buffer.h"
#include "tcp/sack_sender.h"
#include "tcp/send_queue.h"
#include "tcp/stray_limit.h"
#include "tcp/syn_cache.h"
#include "tcp/syn_cookie.h"
#include "tcp/tcb.h"
#include "tcp/tcb_list.h"
#include "tcp/time_wait.h"
#include "tern/config.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "timer/timer_wheel.h"
#include "wire/tcp.h"

namespace tern::tcp {

/// A port that accepts connections: the LISTEN state.
struct Listener {
  ConnectionHandler* handler = nullptr;
  std::uint32_t address = 0;  // or a wildcard: see ListenerTable
  std::uint16_t port = 0;
  bool open = false;
  std::uint32_t backlog = 0;    // half-open connections at most
  std::uint32_t half_open = 0;  // SYN-RECEIVED connections now
  Instant last_overflow{Duration::min() /
                        2};  // a SYN found no room; long ago, and safe to subtract
  std::uint32_t generation = 0;
};

/// The connection table names TCBs, TIME-WAIT records and half-open ones; these bits tell them
/// apart.
inline constexpr std::uint32_t kTimeWaitBit = 0x80000000, kHalfOpenBit = 0x40000000;
constexpr bool names_tcb(std::uint32_t entry) {
  return (entry & (kTimeWaitBit | kHalfOpenBit)) == 0;
}

/// A received segment on its way through the steps. The frame is the caller's again afterwards
/// unless a queue has taken it (frame_kept).
struct Arrival {
  wire::TcpSegment& segment;
  const Frame& frame;
  bool frame_kept = false;
  bool was_syn = false;  // its SYN is dealt with and taken off; its window is not scaled
};

/// One key for each purpose, so that nothing learnt about one helps with another.
struct Keys {
  explicit Keys(const std::array<std::uint64_t, 2>& secret);
  flow::TableKey table{SipKey{}};
  SipKey sequence, timestamps, ports, neighbours, cookies, limits, paths, addresses, labels;
};

/// All that one stack's TCP owns. The steps of the protocol are free functions over an Engine and a
/// Tcb, one file a concern; this is only where their things lie.
struct Engine {
  /// `stack` with every derived size filled in. The references outlive the engine.
  Engine(const StackConfig& stack, const PortInfo& port, const Keys& keys, flow::AddressBook& book,
         net::Interface& net, net::Egress& egress, FrameBin& bin, Counters& counters, Instant now,
         const Steering* steering);

  const TcpConfig config;
  const RtoBounds rto_bounds;
  const std::uint32_t address;  // the interface's, host order
  const std::uint16_t mss;      // of the interface, over IPv4: MTU - 40 (MUST-67)
  const bool offload_ip_checksum;
  const bool offload_tcp_checksum;
  const std::uint64_t offloads4, offloads6;  // frame_flag bits that say so, of each IP version
  const std::uint32_t tso_bytes;             // IP packet that the port cuts; 0: it does not
  const std::uint64_t link_tail;  // an Ethernet header behind the first address: ours, and no type
  const Keys keys;
  flow::AddressBook& book;  // each TCB and record holds a reference on its remote address
  net::Interface& net;
  net::Egress& egress;
  FrameBin& bin;
  Counters& counters;
  const Steering* const steering;  // nullptr: every flow's home is here

  Instant now;               // of the current poll
  std::uint64_t tick;        // the same in wheel ticks since the epoch, rounded down
  std::uint32_t now_us;      // the same in microseconds, modulo 2^32: when segments were sent
  std::uint32_t now_ms;      // and in milliseconds: the clock of RFC 7323's timestamps
  bool draining = false;     // no new connections, either way
  bool abort_round = false;  // the other one since abort_all(), which ends those with the former
  std::array<std::uint32_t, kTcpStateCount>
      by_state{};  // TCBs, but those of connections that have ended

  IndexPool<Tcb> tcbs;
  ZeroedArray<Extras> extras;  // by TCB
  flow::ConnectionTable table;
  IndexPool<Listener> listeners;
  flow::ListenerTable listener_table;
  flow::SourcePorts source_ports;
  net::PathMtuCache path_mtu;
  timer::TimerWheel wheel;
  TimeWaitTable time_wait;
  SynCache syn_cache;
  SynCookies syn_cookies;
  FloodWatch flood_watch;
  SendChunkPool send_chunks;
  IndexPool<SackSender> sack_senders;  // of the connections to whom SACK blocks have come
  ReceiveBuffers receive_buffers;
  IndexPool<Reassembly> reassemblies;  // of the connections with gaps: each but one holds a node
  ReadyList ready;                     // connections with events to deliver
  OutputList output;                   // connections with something to send
  StarvedList
      starved;  // connections that no ACK of their own may ever tell that there is room again
  StrayLimit stray_limit;

  static std::uint32_t microseconds_of(Instant t) {
    return static_cast<std::uint32_t>(t.time_since_epoch() / std::chrono::microseconds(1));
  }
  static std::uint32_t milliseconds_of(Instant t) {
    return static_cast<std::uint32_t>(t.time_since_epoch() / std::chrono::milliseconds(1));
  }
  void set_time(Instant t) {
    now = t;
    tick = static_cast<std::uint64_t>(t.time_since_epoch() / timer::kTick);
    now_us = microseconds_of(t);
    now_ms = milliseconds_of(t);
  }
  /// The instant of a wheel tick near now.
  Instant instant_of(Tick t) const {
    const auto ahead = static_cast<std::int32_t>(t - static_cast<Tick>(tick));
    return Instant(timer::kTick * (static_cast<std::int64_t>(tick) + ahead));
  }

  std::uint32_t index_of(const Tcb& c) const { return static_cast<std::uint32_t>(&c - &tcbs[0]); }

  /// Sees to it that transmit() visits the connection in this poll.
  void schedule_output(Tcb& c) {
    if (!c.has(flag::kOutput)) output.push_back(tcbs, c, index_of(c));
  }
  /// Sees to it that the application hears of `events` after the burst.
  void raise(Tcb& c, std::uint8_t events) {
    c.events |= events;
    if (!c.has(flag::kReady)) ready.push_back(tcbs, c, index_of(c));
  }
  /// Both at once: what arrives is told of and answered.
  void raise_and_schedule(Tcb& c, std::uint8_t events) {
    c.events |= events;
    if ((~c.flags & (flag::kReady | flag::kOutput)) == 0) return;
    const std::uint32_t index = index_of(c);
    if (!c.has(flag::kReady)) ready.push_back(tcbs, c, index);
    if (!c.has(flag::kOutput)) output.push_back(tcbs, c, index);
  }
};

/// Moves the connection along an edge of RFC 9293's diagram; asserts that it exists.
void set_state(Engine& e, Tcb& c, TcpState to);

/// Takes a reference on the remote address for a TCB or record to come. A stranger's tuple gets a
/// handle of its own, and `hash`, table_hash(tuple), follows. False: no room for the address.
bool hold_address(Engine& e, flow::FourTuple4& tuple, std::uint32_t& hash);

/// A fresh TCB for a four-tuple, in the table, in state CLOSED, everything else zero: where its
/// numbers and its timestamps begin is the caller's to say. nullptr when there is none left or the
/// table refuses. `hash` is table_hash(tuple).
Tcb* create_tcb(Engine& e, const flow::FourTuple4& tuple, std::uint32_t hash,
                ConnectionHandler& handler);

/// The same, not in the table yet. The tuple is no stranger's.
Tcb* take_tcb(Engine& e, const flow::FourTuple4& tuple, std::uint32_t hash,
              ConnectionHandler& handler);

/// The connection's Extras, made at need. Without kExtras there are none, and what they say is
/// zero.
Extras& extras_of(Engine& e, Tcb& c);

/// What the connection holds out of order, made at need: flag::kHasGap says whether there is any.
Reassembly& reassembly_of(Engine& e, Tcb& c);

/// Gives up all that is held out of order, if any is.
void release_reassembly(Engine& e, Tcb& c);

/// Frees a TCB and all that it owns. Only after its on_closed, or if nobody has heard of it.
void destroy_tcb(Engine& e, Tcb& c);

/// Looks a four-tuple up: a TCB index, a TIME-WAIT index with kTimeWaitBit, a half-open one with
/// kHalfOpenBit, or kNoIndex.
std::uint32_t find(const Engine& e, std::uint32_t hash, const flow::FourTuple4& tuple);

}  // namespace tern::tcp
