// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/telemetry_answer.h"

namespace tern::runtime {

namespace {

std::uint64_t milliseconds(Duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

const char* name_of(ConnectionTimer timer) {
  switch (timer) {
    case ConnectionTimer::kNone:
      break;
    case ConnectionTimer::kRetransmit:
      return "on";  // as ss calls it
    case ConnectionTimer::kPersist:
      return "persist";
    case ConnectionTimer::kDelayedAck:
      return "ack";
    case ConnectionTimer::kState:
      return "state";
    case ConnectionTimer::kKeepalive:
      return "keepalive";
    case ConnectionTimer::kTimeWait:
      return "timewait";
  }
  return "none";
}

// DPDK takes no other characters in a name: "FIN-WAIT-1" becomes "fin_wait_1".
std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name)
    text += c == '-' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

void add_tcp_config(const TcpConfig& tcp, AnswerObject& out) {
  out.add("msl_ms", milliseconds(tcp.msl));
  out.add("initial_rto_ms", milliseconds(tcp.initial_rto));
  out.add("min_rto_ms", milliseconds(tcp.min_rto));
  out.add("max_rto_ms", milliseconds(tcp.max_rto));
  out.add("delayed_ack_ms", milliseconds(tcp.delayed_ack));
  out.add("receive_buffer", tcp.receive_buffer);
  out.add("max_receive_buffer", tcp.max_receive_buffer);
  out.add("send_buffer", tcp.send_buffer);
  out.add("congestion", std::string(to_string(tcp.congestion)));
  out.add("nagle", tcp.nagle);
  out.add("timestamps", tcp.timestamps);
  out.add("window_scaling", tcp.window_scaling);
}

void add_details(const ConnectionInfo& socket, AnswerObject& out) {
  out.add("cwnd", socket.cwnd_bytes);
  out.add("ssthresh", socket.ssthresh_bytes);
  out.add("mss", socket.send_mss);
  out.add("srtt_us", socket.srtt_us);
  out.add("rttvar_us", socket.rttvar_us);
  out.add("rto_us", socket.rto_us);
  out.add("snd_wnd", socket.send_window_bytes);
  out.add("rcv_wnd", socket.receive_window_bytes);
  out.add("bytes_received", socket.bytes_received);
  out.add("bytes_acked", socket.bytes_acked);
  out.add("retransmitted", socket.segments_retransmitted);
  out.add("timestamps", socket.timestamps);
  out.add("sack", socket.sack);
  out.add("congestion", std::string(to_string(socket.congestion)));
  out.add("flight", socket.flight_bytes);
  out.add("time_outs", socket.time_outs);
  out.add("window_scaling", socket.window_scaling);
  out.add("snd_wscale", socket.send_window_scale);
  out.add("rcv_wscale", socket.receive_window_scale);
  out.add("user_data", socket.user_data);
}

}  // namespace

void add_config(const StackConfig& config, AnswerObject& out) {
  out.add("address", to_string(config.address.address) + "/" +
                         std::to_string(unsigned{config.address.length}));
  out.add("gateway", config.gateway ? to_string(*config.gateway) : "none");
  out.add("address6", config.ip6 ? to_string(config.ip6->address) + "/" +
                                       std::to_string(unsigned{config.ip6->length})
                                 : "none");
  out.add("gateway6", config.gateway6 ? to_string(*config.gateway6) : "none");
  out.add("max_connections", config.max_connections);
  out.add("max_time_wait", config.max_time_wait);
  out.add("max_half_open", config.max_half_open);
  out.add("max_listeners", config.max_listeners);
  out.add("max_neighbours", config.max_neighbours);
  out.add("max_reassembly", config.max_reassembly);
  out.add("send_memory", config.send_memory);
  out.add("receive_memory", config.receive_memory);
  add_tcp_config(config.tcp, out);
}

void add_usage(const StackUsage& usage, AnswerObject& out) {
  out.add("connections", usage.connections);
  out.add("time_wait", usage.time_wait);
  out.add("table_entries", usage.table_entries);
  out.add("timers", usage.timers);
  out.add("held_frames", usage.held_frames);
  out.add("waiting_frames", usage.waiting_frames);
  out.add("reassembling", usage.reassembling);
  out.add("staged_frames", usage.staged_frames);
  out.add("send_chunks", usage.send_chunks);
  out.add("receive_chunks", usage.receive_chunks);
  for (std::size_t state = 0; state < kTcpStateCount; ++state)
    if (const auto name = static_cast<TcpState>(state);
        name != TcpState::kClosed && name != TcpState::kListen && name != TcpState::kTimeWait)
      out.add("state_" + plain(to_string(name)), usage.by_state[state]);
}

void add_flood(const SynFlood& flood, Instant now, AnswerObject& out) {
  out.add("syn_flood", flood.active);
  out.add("syn_flood_ms", flood.active ? milliseconds(now - flood.since) : 0);
  out.add("half_open", flood.half_open);
  out.add("syn_cache_entries", flood.cache_entries);
  out.add("syn_cookies_sent", flood.cookies_sent);
  out.add("syn_cookies_accepted", flood.cookies_accepted);
  out.add("syn_cookies_rejected", flood.cookies_rejected);
}

void add_socket(const ConnectionInfo& socket, bool full, AnswerObject& out) {
  out.add("state", std::string(to_string(socket.state)));
  out.add("recv_q", socket.receive_queue_bytes);
  out.add("send_q", socket.send_queue_bytes);
  out.add("local", to_string(socket.local));
  out.add("peer", to_string(socket.remote));
  if (!full) return;
  if (socket.timer != ConnectionTimer::kNone) {
    out.add("timer", std::string(name_of(socket.timer)));
    out.add("timer_us", socket.timer_us);
    out.add("backoffs", socket.backoffs);
  }
  if (socket.state != TcpState::kListen && socket.state != TcpState::kTimeWait)
    add_details(socket, out);
}

void add_neighbour(const NeighbourInfo& neighbour, AnswerObject& out) {
  out.add("address", to_string(neighbour.address));
  out.add("mac", to_string(neighbour.mac));
  out.add("state", std::string(to_string(neighbour.state)));
  out.add("age_ms", milliseconds(neighbour.age));
  out.add("gateway", neighbour.is_gateway);
  out.add("waiting_frames", neighbour.waiting_frames);
}

}  // namespace tern::runtime
