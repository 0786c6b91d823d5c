// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "stack/stack_impl.h"
#include "tcp/timers.h"

namespace tern {

using tcp::Tcb;
namespace flag = tcp::flag;

namespace {

// Free places are passed over, but not without end: a table may be large and hold little.
constexpr std::uint64_t kLooksPerSocket = 16;
constexpr std::uint64_t kUnlimited = 1ull << 40;

std::uint32_t microseconds(Duration d) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

void set_ends(const flow::AddressBook& book, const flow::FourTuple4& tuple, ConnectionInfo& info) {
  info.local = book.endpoint(tuple.local_address, tuple.local_port);
  info.remote = book.endpoint(tuple.remote_address, tuple.remote_port);
}

ConnectionInfo listener_info(const flow::AddressBook& book, const tcp::Listener& l) {
  ConnectionInfo info;
  info.state = TcpState::kListen;
  info.local = book.endpoint(l.address, l.port);
  if (!info.local.address.is_v4()) info.remote.address = Ipv6Address{};  // nobody, of its family
  info.receive_queue_bytes = l.half_open;  // as ss does: Recv-Q and Send-Q of a listener are
  info.send_queue_bytes = l.backlog;       // its backlog, used and possible
  return info;
}

ConnectionInfo time_wait_info(const flow::AddressBook& book, const tcp::TimeWaitRecord& r,
                              Instant now) {
  ConnectionInfo info;
  info.state = TcpState::kTimeWait;
  set_ends(book, r.tuple, info);
  info.timer = ConnectionTimer::kTimeWait;
  info.timer_us = microseconds(std::max(r.deadline - now, Duration::zero()));
  return info;
}

ConnectionInfo half_open_info(const flow::AddressBook& book, const tcp::HalfOpen& h, Instant now) {
  ConnectionInfo info;
  info.state = TcpState::kSynReceived;
  set_ends(book, h.tuple, info);
  info.segments_retransmitted = h.retransmits;
  info.timer = ConnectionTimer::kRetransmit;
  info.timer_us = microseconds(std::max(h.deadline - now, Duration::zero()));
  info.backoffs = h.retransmits;
  return info;
}

constexpr ConnectionTimer kTimers[tcp::kTimerKinds] = {
    ConnectionTimer::kRetransmit, ConnectionTimer::kPersist, ConnectionTimer::kDelayedAck,
    ConnectionTimer::kState, ConnectionTimer::kKeepalive};

// The earliest of the connection's running timers.
void add_timer(const tcp::Engine& e, const Tcb& c, ConnectionInfo& info) {
  Instant earliest = kNever;
  for (std::size_t kind = 0; kind < tcp::kTimerKinds; ++kind) {
    if (!tcp::is_running(c, static_cast<tcp::TimerKind>(kind))) continue;
    const Instant at = e.instant_of(c.deadline[kind]);
    if (at >= earliest) continue;
    earliest = at;
    info.timer = kTimers[kind];
    info.timer_us = microseconds(std::max(at - e.now, Duration::zero()));
  }
  info.backoffs = std::max(c.retransmits, c.persist_probes);
}

SendLimit send_limit(const Tcb& c) {
  const std::uint32_t flight = c.flight();
  if (c.send_queue.size() <= flight) return SendLimit::kSender;
  const std::uint32_t window = std::min(c.snd_wnd, c.congestion.cwnd());
  if (flight + c.snd_mss <= window) return SendLimit::kSender;  // Nagle, or the next poll sends it
  return c.snd_wnd <= c.congestion.cwnd() ? SendLimit::kReceiver : SendLimit::kCongestion;
}

}  // namespace

ConnectionInfo StackImpl::info(const Tcb& c) const {
  ConnectionInfo info;
  info.state = c.state;
  set_ends(book_, c.tuple, info);
  info.receive_queue_bytes = c.receive_queue.bytes();
  info.send_queue_bytes = c.send_queue.size();
  info.cwnd_bytes = c.congestion.cwnd();
  info.ssthresh_bytes = c.congestion.ssthresh();
  info.send_mss = c.snd_mss;
  info.srtt_us = microseconds(c.rtt.srtt());
  info.rttvar_us = microseconds(c.rtt.rttvar());
  info.rto_us = microseconds(c.rtt.rto());
  info.send_window_bytes = c.snd_wnd;
  info.receive_window_bytes = c.advertised_window();
  info.bytes_received = c.bytes_received;
  info.bytes_acked = c.bytes_acked;
  info.segments_retransmitted = c.segments_retransmitted;
  info.flight_bytes = c.snd_max - c.snd_una;
  info.time_outs = c.retransmits;
  info.send_limit = send_limit(c);
  info.timestamps = c.has(flag::kTimestamps);
  info.sack = c.has(flag::kSack);
  info.congestion = c.congestion.algorithm();
  info.window_scaling = c.has(flag::kWindowScaling);
  info.send_window_scale = c.snd_wscale;
  info.receive_window_scale = c.rcv_wscale;
  info.user_data = c.user_data;
  add_timer(engine_, c, info);
  return info;
}

// The cursor counts through the listeners, the TCBs, the TIME-WAIT and the half-open records;
// so a list taken in pages, with polls in between, shows each lasting socket once.
std::uint64_t StackImpl::list(std::uint64_t cursor, std::size_t limit,
                              std::vector<ConnectionInfo>& out) const {
  const std::uint64_t listeners = engine_.listeners.touched();
  const std::uint64_t connections = listeners + engine_.tcbs.touched();
  const std::uint64_t timed = connections + engine_.time_wait.touched();
  const std::uint64_t end = timed + engine_.syn_cache.touched();
  const std::uint64_t looks = limit > kUnlimited ? end : kLooksPerSocket * limit;
  const std::uint64_t stop = std::min(end, cursor + looks);
  for (std::size_t listed = 0; cursor < end; ++cursor) {
    if (listed == limit || cursor == stop) return cursor;
    const std::size_t before = out.size();
    if (cursor < listeners) {
      const tcp::Listener& l = engine_.listeners[static_cast<std::uint32_t>(cursor)];
      if (l.open) out.push_back(listener_info(book_, l));
    } else if (cursor < connections) {
      const Tcb& c = engine_.tcbs[static_cast<std::uint32_t>(cursor - listeners)];
      if (c.handler != nullptr && !c.has(flag::kClosePending)) out.push_back(info(c));
    } else if (cursor < timed) {
      const auto record = static_cast<std::uint32_t>(cursor - connections);
      if (engine_.time_wait.is_in_use(record))
        out.push_back(time_wait_info(book_, engine_.time_wait[record], engine_.now));
    } else {
      const auto record = static_cast<std::uint32_t>(cursor - timed);
      if (engine_.syn_cache.is_in_use(record))
        out.push_back(half_open_info(book_, engine_.syn_cache[record], engine_.now));
    }
    listed += out.size() - before;
  }
  return 0;
}

}  // namespace tern
