// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/engine.h"

#include <algorithm>
#include <cstring>

#include "tcp/segment_check.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/user_timeout.h"

namespace tern::tcp {
namespace {

constexpr std::uint16_t kIpTcpHeaderBytes = 40;  // over IPv4
constexpr std::uint16_t kInitialReceiveMss = 536;

// Frames that receive queues may hold: half of what the port can spare, so that reception goes on
// when applications do not read (threats.md P11).
std::uint32_t held_frames_for(const PortInfo& port) {
  constexpr std::uint32_t kWhenUnknown = 1024;
  return port.rx_frames == 0 ? kWhenUnknown : port.rx_frames / 2;
}

std::uint64_t offloads_of(bool ip_checksum, bool tcp_checksum, std::uint64_t family) {
  const std::uint64_t flags = (ip_checksum ? frame_flag::kTxIpChecksum : 0) |
                              (tcp_checksum ? frame_flag::kTxTcpChecksum : 0);
  return flags != 0 ? flags | family : 0;
}

std::uint64_t link_tail_of(const MacAddress& mac) {
  std::uint64_t tail = 0;
  std::memcpy(&tail, mac.octets.data(), mac.octets.size());
  return tail;
}

std::uint32_t rx_nodes_for(const StackConfig& config, const PortInfo& port) {
  const std::uint64_t chunks = config.receive_memory / ReceiveBuffers::kChunkBytes;
  return held_frames_for(port) +
         static_cast<std::uint32_t>(std::min<std::uint64_t>(chunks, 1u << 30));
}

enum Purpose : std::uint64_t {
  kTable = 1,
  kSequence,
  kTimestamp,
  kPort,
  kNeighbour,
  kCookie,
  kLimit,
  kPath,
  kAddress,
  kLabel
};

void initialize(Engine& e, Tcb& c, const flow::FourTuple4& tuple, ConnectionHandler& handler) {
  const std::uint32_t generation = c.generation;
  c = Tcb{};
  c.generation = generation;
  c.tuple = tuple;
  c.handler = &handler;
  c.rtt = RttEstimator(e.config);
  c.rcv_mss = kInitialReceiveMss;
  c.next_challenge = static_cast<std::uint32_t>(e.now.time_since_epoch() / kChallengeUnit);
  c.keepalive_idle = ticks_of(e.config.keepalive_idle);
  c.keepalive_interval = ticks_of(e.config.keepalive_interval);
  c.keepalive_count = static_cast<std::uint8_t>(e.config.keepalive_count);
  c.user_timeout = ticks_of(e.config.user_timeout);
  c.no_error_reports = !e.config.report_soft_errors;
  c.abort_round = e.abort_round;
  if (!e.config.nagle) c.set(flag::kNoDelay);
}

}  // namespace

Keys::Keys(const std::array<std::uint64_t, 2>& secret) {
  const SipKey master{secret[0], secret[1]};
  table = flow::TableKey(derive_key(master, kTable));
  sequence = derive_key(master, kSequence);
  timestamps = derive_key(master, kTimestamp);
  ports = derive_key(master, kPort);
  neighbours = derive_key(master, kNeighbour);
  cookies = derive_key(master, kCookie);
  limits = derive_key(master, kLimit);
  paths = derive_key(master, kPath);
  addresses = derive_key(master, kAddress);
  labels = derive_key(master, kLabel);
}

Engine::Engine(const StackConfig& stack, const PortInfo& port, const Keys& all_keys,
               flow::AddressBook& addresses, net::Interface& interface, net::Egress& out,
               FrameBin& frame_bin, Counters& stats, Instant start, const Steering* homes)
    : config(stack.tcp),
      rto_bounds(stack.tcp),
      address(stack.address.address.value()),
      mss(static_cast<std::uint16_t>(port.mtu - kIpTcpHeaderBytes)),
      offload_ip_checksum(port.tx_ip_checksum),
      offload_tcp_checksum(port.tx_tcp_checksum),
      offloads4(offloads_of(port.tx_ip_checksum, port.tx_tcp_checksum, frame_flag::kTxIpv4)),
      offloads6(offloads_of(false, port.tx_tcp_checksum, frame_flag::kTxIpv6)),
      tso_bytes(port.tx_tcp_checksum ? port.tso_bytes : 0),
      link_tail(link_tail_of(port.mac)),
      keys(all_keys),
      book(addresses),
      net(interface),
      egress(out),
      bin(frame_bin),
      counters(stats),
      steering(homes),
      now(start),
      tick(static_cast<std::uint64_t>(start.time_since_epoch() / timer::kTick)),
      now_us(microseconds_of(start)),
      now_ms(milliseconds_of(start)),
      tcbs(stack.max_connections),
      extras(stack.max_connections),
      table(stack.max_connections + stack.max_time_wait + stack.syn_cache_entries),
      listeners(stack.max_listeners),
      listener_table(stack.max_listeners),
      source_ports(keys.ports),
      path_mtu(keys.paths.k0),
      wheel(stack.max_connections, static_cast<Tick>(tick)),
      time_wait(stack.max_time_wait, 2 * stack.tcp.msl),
      syn_cache(stack.syn_cache_entries),
      syn_cookies(keys.cookies),
      send_chunks(stack.send_memory),
      sack_senders(stack.max_sack_senders),
      receive_buffers(rx_nodes_for(stack, port), held_frames_for(port), stack.receive_memory,
                      frame_bin, stats),
      reassemblies(rx_nodes_for(stack, port) + 1),
      stray_limit(keys.limits) {}

namespace {
// The TCB of a connection that has ended waits for its last callback in one of the others.
bool is_counted(TcpState state) {
  return state != TcpState::kClosed && state != TcpState::kTimeWait;
}
}  // namespace

void set_state(Engine& e, Tcb& c, TcpState to) {
  TERN_ASSERT(transition_allowed(c.state, to));
  if (is_counted(c.state)) --e.by_state[static_cast<std::size_t>(c.state)];
  if (is_counted(to)) ++e.by_state[static_cast<std::size_t>(to)];
  if (c.state == TcpState::kEstablished) stop_timer(c, TimerKind::kState);  // probed no more
  c.state = to;
}

bool hold_address(Engine& e, flow::FourTuple4& tuple, std::uint32_t& hash) {
  if (!flow::AddressBook::is_v6(tuple.remote_address)) [[likely]]
    return true;
  const std::uint32_t known = e.book.keep(tuple.remote_address);
  if (known == flow::AddressBook::kNone) return false;
  if (known == tuple.remote_address) return true;
  tuple.remote_address = known;
  hash = flow::table_hash(e.keys.table, tuple);
  return true;
}

Tcb* take_tcb(Engine& e, const flow::FourTuple4& tuple, std::uint32_t hash,
              ConnectionHandler& handler) {
  const std::uint32_t index = e.tcbs.acquire();
  if (index == kNoIndex) return nullptr;
  e.book.retain(tuple.remote_address);
  Tcb& c = e.tcbs[index];
  initialize(e, c, tuple, handler);
  c.hash = hash;
  return &c;
}

Tcb* create_tcb(Engine& e, const flow::FourTuple4& seen, std::uint32_t hash,
                ConnectionHandler& handler) {
  flow::FourTuple4 tuple = seen;
  if (!hold_address(e, tuple, hash)) return nullptr;
  Tcb* c = take_tcb(e, tuple, hash, handler);
  e.book.release(tuple.remote_address);  // the TCB has its own
  if (c == nullptr) return nullptr;
  if (!e.table.insert(hash, e.index_of(*c))) {
    ++e.counters.table_crowded;
    c->handler = nullptr;  // not in use
    e.book.release(tuple.remote_address);
    e.tcbs.release(e.index_of(*c));
    return nullptr;
  }
  c->set(flag::kInTable);
  return c;
}

Extras& extras_of(Engine& e, Tcb& c) {
  Extras& extras = e.extras[e.index_of(c)];
  if (!c.has(flag::kExtras)) extras = {};
  c.set(flag::kExtras);
  return extras;
}

Reassembly& reassembly_of(Engine& e, Tcb& c) {
  if (!c.has(flag::kHasGap)) {
    c.reassembly = e.reassemblies.acquire();
    TERN_ASSERT(c.reassembly != kNoIndex);  // there is one more than nodes
    e.reassemblies[c.reassembly] = {};
    c.set(flag::kHasGap);
  }
  return e.reassemblies[c.reassembly];
}

void release_reassembly(Engine& e, Tcb& c) {
  if (!c.has(flag::kHasGap)) return;
  c.clear(flag::kHasGap);
  e.reassemblies[c.reassembly].clear(e.receive_buffers);
  e.reassemblies.release(c.reassembly);
}

void destroy_tcb(Engine& e, Tcb& c) {
  const std::uint32_t index = e.index_of(c);
  TERN_ASSERT(!c.has(flag::kInTable) && !c.timer_armed && !is_counted(c.state));
  if (c.has(flag::kOutput)) e.output.remove(e.tcbs, index);
  if (c.has(flag::kReady)) e.ready.remove(e.tcbs, index);
  if (c.has(flag::kStarved)) e.starved.remove(e.tcbs, index);
  c.receive_queue.clear(e.receive_buffers);
  e.book.release(c.tuple.remote_address);
  ++c.generation;
  c.handler = nullptr;  // not in use
  ++e.counters.closed;
  e.tcbs.release(index);
}

[[gnu::noinline]] std::uint32_t find(const Engine& e, std::uint32_t hash,
                                     const flow::FourTuple4& tuple) {
  return e.table.find(hash, [&](std::uint32_t index) {
    if (names_tcb(index)) return e.tcbs[index].tuple == tuple;
    return (index & kTimeWaitBit) != 0 ? e.time_wait[index & ~kTimeWaitBit].tuple == tuple
                                       : e.syn_cache[index & ~kHalfOpenBit].tuple == tuple;
  });
}

}  // namespace tern::tcp
