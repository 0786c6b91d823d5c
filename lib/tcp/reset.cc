// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/reset.h"

#include "tcp/segment_builder.h"
#include "tcp/timestamp.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

}  // namespace

bool send_bare(Engine& e, const flow::FourTuple4& tuple, wire::TcpHeader header,
               const wire::TcpOptions& options) {
  if (!e.net.may_send_from(tuple.local_address)) [[unlikely]] {
    ++e.counters.drop_neighbour_unresolved;
    return true;
  }
  Frame frame;
  if (!e.egress.allocate(frame)) return false;
  header.source_port = tuple.local_port;
  header.destination_port = tuple.remote_port;
  std::byte* tcp = frame.data + write_ip_header(e, tuple, frame.data);
  header.header_bytes = static_cast<std::uint8_t>(
      wire::kTcpHeaderBytes + wire::write_tcp_options(options, tcp + wire::kTcpHeaderBytes));
  wire::write_tcp_header(tcp, header);
  finish_frame(e, frame, tuple, header.header_bytes);
  ++e.counters.segs_out;
  e.net.answer_ip(frame, tuple.remote_address, e.now);
  return true;
}

void send_reset_for(Engine& e, const wire::TcpSegment& s) {
  if (s.has(kRst) || !e.stray_limit.take(e.book.prefix(s.source_address), e.now)) {
    ++e.counters.drop_tcp_stray;
    return;
  }
  wire::TcpHeader header;
  if (s.has(kAck)) {
    header.seq = s.ack;
    header.flags = kRst;
  } else {
    header.ack = s.seq + s.length();
    header.flags = kRst | kAck;
  }
  ++e.counters.rst_out;
  ++e.counters.drop_tcp_no_listener;
  send_bare(e, {s.destination_address, s.source_address, s.destination_port, s.source_port}, header,
            {});
}

void send_reset(Engine& e, Tcb& c) {
  if (send_segment(e, c, {.seq = ack_sequence(c), .flags = kRst | kAck})) ++e.counters.rst_out;
}

void send_time_wait_ack(Engine& e, const TimeWaitRecord& r) {
  wire::TcpHeader header;
  header.seq = r.snd_nxt;
  header.ack = r.rcv_nxt;
  header.flags = kAck;
  header.window = r.window;
  wire::TcpOptions options;
  options.has_timestamp = (r.flags & TimeWaitRecord::kTimestamps) != 0;
  options.ts_value = timestamp_at(e.now, r.ts_offset);
  options.ts_echo_reply = r.ts_recent;
  send_bare(e, r.tuple, header, options);
}

}  // namespace tern::tcp
