// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/segment_builder.h"

#include <algorithm>
#include <cstring>

#include "tcp/timers.h"
#include "tcp/timestamp.h"
#include "tcp/window.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

constexpr std::size_t kIpOffset = wire::kEthernetHeaderBytes;
constexpr std::size_t kTcpOffset = kIpOffset + wire::kIpv4HeaderBytes;
constexpr std::size_t kOptionOffset = kTcpOffset + wire::kTcpHeaderBytes;
static_assert(kOptionOffset == HeaderTemplate::kBytes);
constexpr std::size_t kTimestampOptionBytes = 12;

// The checksum of an IPv4 header whose total length is 0, as the template's is.
void set_template_ip_checksum(HeaderTemplate& header) {
  std::byte* ip = header.bytes + kIpOffset;
  wire::store_checksum(ip + wire::kIpv4ChecksumOffset, 0);
  const std::span<const std::byte, wire::kIpv4HeaderBytes> bytes(ip, wire::kIpv4HeaderBytes);
  wire::store_checksum(ip + wire::kIpv4ChecksumOffset,
                       wire::checksum_finish(wire::checksum_partial_20(bytes)));
}

// The lengths are 0, and so they are in the checksums: that of IP, and the sum of the
// pseudo-header, which stands in TCP's. finish_from_template() adds them.
void write_template(HeaderTemplate& header, const flow::FourTuple4& tuple) {
  std::memset(header.bytes, 0, wire::kEthernetHeaderBytes);
  wire::Ipv4Header ip;
  ip.source = tuple.local_address;
  ip.destination = tuple.remote_address;
  ip.protocol = wire::ip_protocol::kTcp;
  wire::write_ipv4(header.bytes + kIpOffset, ip);
  wire::TcpHeader tcp;
  tcp.source_port = tuple.local_port;
  tcp.destination_port = tuple.remote_port;
  wire::write_tcp_header(header.bytes + kTcpOffset, tcp);
  const std::uint32_t pseudo = wire::checksum_pseudo_ipv4(tuple.local_address, tuple.remote_address,
                                                          wire::ip_protocol::kTcp, 0);
  wire::store_checksum(header.bytes + kTcpOffset + wire::kTcpChecksumOffset,
                       wire::checksum_fold(pseudo));
}

void complete_template(Tcb& c) {
  if (load_u8(c.header.bytes + kIpOffset) == 0) write_template(c.header, c.tuple);
}

// Asks for the link header again whenever a neighbour has changed.
[[gnu::noinline]] bool refresh_template(Engine& e, Tcb& c) {
  complete_template(c);
  c.header.neighbour_generation = e.net.generation();
  const auto state = e.net.link_header(c.tuple.remote_address, c.header.bytes, e.now);
  c.header.usable = state == net::Interface::LinkState::kReady;
  return c.header.usable;
}

bool link_is_ready(Engine& e, Tcb& c) {
  if (c.header.usable && c.header.neighbour_generation == e.net.generation()) [[likely]]
    return true;
  return refresh_template(e, c);
}

// NOP NOP TS: the layout of RFC 7323 appendix A, which receivers look for first.
std::size_t write_timestamp(const Engine& e, const Tcb& c, std::byte* out) {
  store_be32(out, 0x0101080a);
  store_be32(out + 4, timestamp_now(e, c));
  store_be32(out + 8, c.ts_recent);
  return kTimestampOptionBytes;
}

std::size_t write_syn_options(const Engine& e, const Tcb& c, std::byte* out) {
  const bool answer = c.state == TcpState::kSynReceived;  // only what the peer has offered too
  wire::TcpOptions options;
  options.has_mss = true;
  options.mss = e.mss;
  options.has_timestamp = answer ? c.has(flag::kTimestamps) : e.config.timestamps;
  options.ts_value = timestamp_now(e, c);
  options.ts_echo_reply = answer ? c.ts_recent : 0;
  options.sack_permitted = answer ? c.has(flag::kSack) : e.config.sack;
  options.has_window_scale = answer ? c.has(flag::kWindowScaling) : e.config.window_scaling;
  options.window_scale = window_scale_for(e.config.receive_buffer);
  return wire::write_tcp_options(options, out);
}

// RFC 2018 4, RFC 2883 4: the duplicate first, then what is held, as many blocks as the segment has
// room for.
void add_sack_blocks(const Engine& e, Tcb& c, std::uint32_t length, wire::TcpOptions& options) {
  const std::uint32_t room = std::min<std::uint32_t>(
      c.snd_mss - length, wire::kTcpMaxOptionBytes -
                              (options.has_timestamp ? std::uint32_t{kTimestampOptionBytes} : 0));
  const std::size_t limit = room < 4 ? 0 : std::min<std::size_t>((room - 4) / 8, 4);
  if (limit == 0) {
    // Full of text. Whoever waits for the news gets an ACK of its own.
    if (c.has(flag::kAckNow) && c.acks_owed < 0xff) ++c.acks_owed;
    return;
  }
  std::size_t count = 0;
  if (c.has(flag::kDsack)) {
    options.sack[count++] = c.dsack;
    c.clear(flag::kDsack);
    ++e.counters.dsacks_out;
  }
  count += c.reassembly.sack_blocks(e.receive_buffers,
                                    std::span(options.sack).first(limit).subspan(count));
  options.sack_count = static_cast<std::uint8_t>(count);
}

[[gnu::noinline]] std::size_t write_rare_options(const Engine& e, Tcb& c, const SegmentSpec& spec,
                                                 std::byte* out) {
  if ((spec.flags & kSyn) != 0) return write_syn_options(e, c, out);
  wire::TcpOptions options;
  options.has_timestamp = c.has(flag::kTimestamps);
  options.ts_value = timestamp_now(e, c);
  options.ts_echo_reply = c.ts_recent;
  if (c.has(flag::kSack)) add_sack_blocks(e, c, spec.length, options);
  return wire::write_tcp_options(options, out);
}

std::size_t write_options(const Engine& e, Tcb& c, const SegmentSpec& spec, std::byte* out) {
  if (c.has(flag::kSynPending | flag::kHasGap | flag::kDsack)) [[unlikely]]
    return write_rare_options(e, c, spec, out);
  return c.has(flag::kTimestamps) ? write_timestamp(e, c, out) : 0;
}

std::uint16_t window_field(const Engine& e, Tcb& c, std::uint8_t flags) {
  if ((flags & kSyn) == 0) return advance_window(e, c);
  if ((flags & kAck) != 0) c.rcv_adv = later_of(c.rcv_adv, c.rcv_nxt + syn_window(e));
  return syn_window(e);
}

void patch_tcp_header(const Engine& e, Tcb& c, const SegmentSpec& spec, std::size_t header_bytes,
                      std::byte* tcp) {
  store_be32(tcp + 4, spec.seq.value());
  store_be32(tcp + 8, (spec.flags & kAck) != 0 ? c.rcv_nxt.value() : 0);
  store_u8(tcp + 12, static_cast<std::uint8_t>(header_bytes / 4 << 4));
  store_u8(tcp + 13, spec.flags);
  store_be16(tcp + 14, window_field(e, c, spec.flags));
}

void set_ip_length(const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  std::byte* ip = frame.data + kIpOffset;
  store_be16(ip + 2, static_cast<std::uint16_t>(wire::kIpv4HeaderBytes + tcp_bytes));
  wire::store_checksum(ip + wire::kIpv4ChecksumOffset, 0);
  if (e.offload_ip_checksum) {
    frame.flags |= frame_flag::kTxIpChecksum | frame_flag::kTxIpv4;
    return;
  }
  const std::span<const std::byte, wire::kIpv4HeaderBytes> header(ip, wire::kIpv4HeaderBytes);
  wire::store_checksum(ip + wire::kIpv4ChecksumOffset,
                       wire::checksum_finish(wire::checksum_partial_20(header)));
}

void set_tcp_checksum(const Engine& e, Frame& frame, std::uint32_t source,
                      std::uint32_t destination, std::uint32_t tcp_bytes) {
  std::byte* tcp = frame.data + kTcpOffset;
  const std::uint32_t pseudo = wire::checksum_pseudo_ipv4(
      source, destination, wire::ip_protocol::kTcp, static_cast<std::uint16_t>(tcp_bytes));
  if (e.offload_tcp_checksum) {
    frame.flags |= frame_flag::kTxTcpChecksum | frame_flag::kTxIpv4;
    wire::store_checksum(tcp + wire::kTcpChecksumOffset, wire::checksum_fold(pseudo));
    return;
  }
  wire::store_checksum(tcp + wire::kTcpChecksumOffset,
                       wire::checksum_finish(wire::checksum_partial({tcp, tcp_bytes}, pseudo)));
}

// finish_frame() for a frame that began as a copy of the template: only the lengths are added to
// the sums that it has (RFC 1624), and nothing is summed again but what follows the IP header.
void finish_from_template(const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  frame.length = static_cast<std::uint32_t>(kTcpOffset) + tcp_bytes;
  std::byte* ip = frame.data + kIpOffset;
  const auto ip_bytes = static_cast<std::uint16_t>(wire::kIpv4HeaderBytes + tcp_bytes);
  store_be16(ip + 2, ip_bytes);
  frame.flags = 0;
  if (e.offload_ip_checksum) {
    frame.flags = frame_flag::kTxIpChecksum | frame_flag::kTxIpv4;
    wire::store_checksum(ip + wire::kIpv4ChecksumOffset, 0);
  } else {
    wire::store_checksum(
        ip + wire::kIpv4ChecksumOffset,
        wire::checksum_update_16(wire::load_checksum(ip + wire::kIpv4ChecksumOffset), 0,
                                 __builtin_bswap16(ip_bytes)));
  }
  std::byte* field = frame.data + kTcpOffset + wire::kTcpChecksumOffset;
  const std::uint32_t length = __builtin_bswap16(static_cast<std::uint16_t>(tcp_bytes));
  if (e.offload_tcp_checksum) {
    frame.flags |= frame_flag::kTxTcpChecksum | frame_flag::kTxIpv4;
    wire::store_checksum(field, wire::checksum_fold(wire::load_checksum(field) + length));
  } else {
    wire::store_checksum(field, wire::checksum_finish(wire::checksum_partial(
                                    {frame.data + kTcpOffset, tcp_bytes}, length)));
  }
  if (frame.flags != 0)
    frame.metadata = tx_metadata(wire::kEthernetHeaderBytes, wire::kIpv4HeaderBytes);
}

// What every segment with an ACK settles.
void note_acknowledged(Tcb& c) {
  c.last_ack_sent = c.rcv_nxt;
  c.clear(flag::kAckNow | flag::kAckDelayed);
  stop_timer(c, TimerKind::kDelayedAck);
}

}  // namespace

void finish_frame(const Engine& e, Frame& frame, std::uint32_t source, std::uint32_t destination,
                  std::uint32_t tcp_bytes) {
  frame.length = static_cast<std::uint32_t>(kTcpOffset) + tcp_bytes;
  frame.flags = 0;
  set_ip_length(e, frame, tcp_bytes);
  set_tcp_checksum(e, frame, source, destination, tcp_bytes);
  if (frame.flags != 0)
    frame.metadata = tx_metadata(wire::kEthernetHeaderBytes, wire::kIpv4HeaderBytes);
}

void set_ttl(Tcb& c, std::uint8_t ttl) {
  complete_template(c);
  store_u8(c.header.bytes + kIpOffset + 8, ttl);
  set_template_ip_checksum(c.header);
}

void set_dscp(Tcb& c, std::uint8_t dscp) {
  complete_template(c);
  store_u8(c.header.bytes + kIpOffset + 1, static_cast<std::uint8_t>(dscp << 2));
  set_template_ip_checksum(c.header);
}

SeqNum ack_sequence(const Tcb& c) {
  const SeqNum edge = c.snd_una + c.snd_wnd;
  return c.snd_max.after(edge) ? edge : c.snd_max;
}

[[gnu::noinline, gnu::flatten, gnu::hot]] bool send_segment(Engine& e, Tcb& c,
                                                            const SegmentSpec& spec) {
  Frame frame;
  if (!e.egress.allocate(frame)) return false;
  const bool ready = link_is_ready(e, c);
  std::memcpy(frame.data, c.header.bytes, HeaderTemplate::kBytes);
  std::byte* tcp = frame.data + kTcpOffset;
  const std::size_t header_bytes =
      wire::kTcpHeaderBytes + write_options(e, c, spec, frame.data + kOptionOffset);
  patch_tcp_header(e, c, spec, header_bytes, tcp);
  if (spec.length > 0)
    c.send_queue.copy_out(e.send_chunks, spec.queue_offset, {tcp + header_bytes, spec.length});
  finish_from_template(e, frame, static_cast<std::uint32_t>(header_bytes) + spec.length);
  if ((spec.flags & kAck) != 0) note_acknowledged(c);
  ++e.counters.segs_out;
  if (ready) [[likely]]
    e.egress.send(frame);
  else
    e.net.send_ip(frame, c.tuple.remote_address, e.now);
  return true;
}

}  // namespace tern::tcp
