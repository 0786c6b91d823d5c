// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/segment_builder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tcp/ecn.h"
#include "tcp/mss.h"
#include "tcp/timers.h"
#include "tcp/timestamp.h"
#include "tcp/urgent.h"
#include "tcp/user_timeout.h"
#include "tcp/window.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

constexpr std::size_t kIpOffset = wire::kEthernetHeaderBytes;
constexpr std::size_t kTimestampOptionBytes = 12;
constexpr std::uint32_t kUserTimeoutOptionBytes = 4;

/// Where things lie in a frame. The template has IPv4's form: of IPv6's header it keeps the first 8
/// bytes, at the same place, and the addresses come from the book.
struct V4 {
  static constexpr std::size_t kTcpOffset = kIpOffset + wire::kIpv4HeaderBytes;
};
struct V6 {
  static constexpr std::size_t kFixedBytes = 8, kAddressBytes = 16;
  static constexpr std::size_t kTcpOffset = kIpOffset + wire::kIpv6HeaderBytes;
};
constexpr std::size_t kTemplateTcp = V4::kTcpOffset;
static_assert(kTemplateTcp + wire::kTcpHeaderBytes == HeaderTemplate::kBytes);

bool is_v6(const flow::FourTuple4& tuple) { return flow::AddressBook::is_v6(tuple.remote_address); }

// The checksum of an IPv4 header whose total length is 0, as the template's is.
void set_template_ip_checksum(HeaderTemplate& header) {
  std::byte* ip = header.bytes + kIpOffset;
  wire::store_checksum(ip + wire::kIpv4ChecksumOffset, 0);
  const std::span<const std::byte, wire::kIpv4HeaderBytes> bytes(ip, wire::kIpv4HeaderBytes);
  wire::store_checksum(ip + wire::kIpv4ChecksumOffset,
                       wire::checksum_finish(wire::checksum_partial_20(bytes)));
}

wire::Ipv4Header ipv4_header(const flow::FourTuple4& tuple) {
  wire::Ipv4Header ip;
  ip.source = tuple.local_address;
  ip.destination = tuple.remote_address;
  ip.protocol = wire::ip_protocol::kTcp;
  return ip;
}

// RFC 6437: one label for all of a connection, which tells nothing else.
std::uint32_t flow_label(const Engine& e, const flow::FourTuple4& tuple) {
  const flow::FlowName name = e.book.name(tuple);
  SipHasher<2, 4> hasher(e.keys.labels);
  hasher.add(name.addresses);
  hasher.add(std::uint64_t{name.local_port} << 16 | name.remote_port);
  return static_cast<std::uint32_t>(hasher.finish()) & 0xfffff;
}

wire::Ipv6Header ipv6_header(const Engine& e, const flow::FourTuple4& tuple) {
  return {.source = e.book.address(tuple.local_address),
          .destination = e.book.address(tuple.remote_address),
          .flow_label = flow_label(e, tuple),
          .next_header = wire::ip_protocol::kTcp,
          .hop_limit = e.net.hop_limit6()};
}

// The lengths are 0, and so they are in the checksums: that of IP, and the sum of the
// pseudo-header, which stands in TCP's. finish_from_template() adds them.
std::uint32_t write_ip_template(const Engine& e, const flow::FourTuple4& tuple, std::byte* out) {
  if (!is_v6(tuple)) {
    wire::write_ipv4(out, ipv4_header(tuple));
    return wire::checksum_pseudo_ipv4(tuple.local_address, tuple.remote_address,
                                      wire::ip_protocol::kTcp, 0);
  }
  const wire::Ipv6Header ip = ipv6_header(e, tuple);
  std::array<std::byte, wire::kIpv6HeaderBytes> whole;
  wire::write_ipv6(whole.data(), ip);
  std::memcpy(out, whole.data(), V6::kFixedBytes);
  return wire::checksum_pseudo_ipv6(ip.source.octets(), ip.destination.octets(),
                                    wire::ip_protocol::kTcp, 0);
}

void write_template(const Engine& e, HeaderTemplate& header, const flow::FourTuple4& tuple) {
  std::memset(header.bytes, 0, HeaderTemplate::kBytes);
  const std::uint32_t pseudo = write_ip_template(e, tuple, header.bytes + kIpOffset);
  wire::TcpHeader tcp;
  tcp.source_port = tuple.local_port;
  tcp.destination_port = tuple.remote_port;
  wire::write_tcp_header(header.bytes + kTemplateTcp, tcp);
  wire::store_checksum(header.bytes + kTemplateTcp + wire::kTcpChecksumOffset,
                       wire::checksum_fold(pseudo));
}

void complete_template(const Engine& e, Tcb& c) {
  if (load_u8(c.header.bytes + kIpOffset) == 0) write_template(e, c.header, c.tuple);
}

void copy_template(V4, const Engine&, const Tcb& c, std::byte* frame) {
  std::memcpy(frame, c.header.bytes, HeaderTemplate::kBytes);
}

void copy_template(V6, const Engine& e, const Tcb& c, std::byte* frame) {
  std::memcpy(frame, c.header.bytes, kIpOffset + V6::kFixedBytes);
  std::byte* addresses = frame + kIpOffset + V6::kFixedBytes;
  wire::store_ipv6(addresses, e.book.address(c.tuple.local_address));
  wire::store_ipv6(addresses + V6::kAddressBytes, e.book.address(c.tuple.remote_address));
  std::memcpy(frame + V6::kTcpOffset, c.header.bytes + kTemplateTcp, wire::kTcpHeaderBytes);
}

// Asks for the link header again whenever a neighbour has changed.
[[gnu::noinline]] bool refresh_template(Engine& e, Tcb& c) {
  complete_template(e, c);
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
  options.mss = own_mss(e, c.tuple);
  options.has_timestamp = answer ? c.has(flag::kTimestamps) : e.config.timestamps;
  options.ts_value = timestamp_now(e, c);
  options.ts_echo_reply = answer ? c.ts_recent : 0;
  options.sack_permitted = answer ? c.has(flag::kSack) : e.config.sack;
  options.has_window_scale = answer ? c.has(flag::kWindowScaling) : e.config.window_scaling;
  options.window_scale = window_scale_for(e.config.max_receive_buffer);
  options.has_user_timeout = !answer && tells_user_timeout(e, c);
  options.user_timeout = told_user_timeout(c);
  return wire::write_tcp_options(options, out);
}

// Beside `length` bytes of text. A path probe has more of that than a full segment, and fills the
// link.
std::uint32_t option_room(const Tcb& c, std::uint32_t length) {
  return c.snd_mss > length ? c.snd_mss - length : 0;
}

// RFC 2018 4, RFC 2883 4: the duplicate first, then what is held, as many blocks as the segment has
// room for.
void add_sack_blocks(const Engine& e, Tcb& c, std::uint32_t length, wire::TcpOptions& options) {
  const std::uint32_t told = options.has_user_timeout ? kUserTimeoutOptionBytes : 0;
  const std::uint32_t timestamp = options.has_timestamp ? kTimestampOptionBytes : 0;
  constexpr std::uint32_t kMost = wire::kTcpMaxOptionBytes;
  const std::uint32_t room = std::min(option_room(c, length) - told, kMost - timestamp - told);
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

// RFC 5482 3.2: in the first segment that has room for it, no more than that: it is a wish.
void add_user_timeout(Engine& e, Tcb& c, std::uint32_t length, wire::TcpOptions& options) {
  Extras& extras = e.extras[e.index_of(c)];
  if (!extras.tell_timeout || option_room(c, length) < kUserTimeoutOptionBytes) return;
  extras.tell_timeout = false;
  options.has_user_timeout = true;
  options.user_timeout = told_user_timeout(c);
}

std::size_t write_rare_options(Engine& e, Tcb& c, const SegmentSpec& spec, std::byte* out) {
  if ((spec.flags & kSyn) != 0) return write_syn_options(e, c, out);
  wire::TcpOptions options;
  options.has_timestamp = c.has(flag::kTimestamps);
  options.ts_value = timestamp_now(e, c);
  options.ts_echo_reply = c.ts_recent;
  if (c.has(flag::kSpecial)) add_user_timeout(e, c, spec.length, options);
  if (c.has(flag::kSack)) add_sack_blocks(e, c, spec.length, options);
  return wire::write_tcp_options(options, out);
}

// Nothing but a timestamp, and no flags but the caller's.
bool is_rare(const Tcb& c) {
  return c.has(flag::kSynPending | flag::kHasGap | flag::kDsack | flag::kSpecial);
}

std::size_t write_options(const Engine& e, const Tcb& c, std::byte* out) {
  return c.has(flag::kTimestamps) ? write_timestamp(e, c, out) : 0;
}

std::uint16_t window_field(const Engine& e, Tcb& c, std::uint8_t flags) {
  if ((flags & kSyn) == 0) return advance_window(e, c);
  if ((flags & kAck) != 0) c.rcv_adv = later_of(c.rcv_adv, c.rcv_nxt + syn_window(e));
  return syn_window(e);
}

void patch_tcp_header(const Engine& e, Tcb& c, const SegmentSpec& spec, std::uint32_t header_bytes,
                      std::byte* tcp) {
  store_be32(tcp + 4, spec.seq.value());
  store_be32(tcp + 8, (spec.flags & kAck) != 0 ? c.rcv_nxt.value() : 0);
  store_be32(tcp + 12, header_bytes / 4 << 28 | std::uint32_t{spec.flags} << 16 |
                           window_field(e, c, spec.flags));
}

void set_ip_length(V4, const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
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

void set_ip_length(V6, const Engine&, Frame& frame, std::uint32_t tcp_bytes) {
  store_be16(frame.data + kIpOffset + 4, static_cast<std::uint16_t>(tcp_bytes));
}

std::uint32_t pseudo_sum(V4, const Frame& frame, std::uint32_t tcp_bytes) {
  const wire::Ipv4View ip(std::span<const std::byte, wire::kIpv4HeaderBytes>(
      frame.data + kIpOffset, wire::kIpv4HeaderBytes));
  return wire::checksum_pseudo_ipv4(ip.source(), ip.destination(), wire::ip_protocol::kTcp,
                                    static_cast<std::uint16_t>(tcp_bytes));
}

std::uint32_t pseudo_sum(V6, const Frame& frame, std::uint32_t tcp_bytes) {
  constexpr std::size_t kBoth = 2 * V6::kAddressBytes;
  const std::byte* addresses = frame.data + kIpOffset + V6::kFixedBytes;
  return wire::checksum_pseudo_ipv6(std::span<const std::byte, kBoth>(addresses, kBoth),
                                    wire::ip_protocol::kTcp, tcp_bytes);
}

constexpr std::uint64_t family_flag(V4) { return frame_flag::kTxIpv4; }
constexpr std::uint64_t family_flag(V6) { return frame_flag::kTxIpv6; }

template <class Ip>
void set_metadata(Ip, Frame& frame) {
  if (frame.flags != 0)
    frame.metadata =
        tx_metadata(wire::kEthernetHeaderBytes, static_cast<unsigned>(Ip::kTcpOffset - kIpOffset));
}

template <class Ip>
void set_tcp_checksum(Ip ip, const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  std::byte* tcp = frame.data + Ip::kTcpOffset;
  const std::uint32_t pseudo = pseudo_sum(ip, frame, tcp_bytes);
  if (e.offload_tcp_checksum) {
    frame.flags |= frame_flag::kTxTcpChecksum | family_flag(ip);
    wire::store_checksum(tcp + wire::kTcpChecksumOffset, wire::checksum_fold(pseudo));
    return;
  }
  wire::store_checksum(tcp + wire::kTcpChecksumOffset,
                       wire::checksum_finish(wire::checksum_partial({tcp, tcp_bytes}, pseudo)));
}

// Only the length is added to the sum that the template has (RFC 1624).
void set_ip_length_from_template(V4, const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  std::byte* ip = frame.data + kIpOffset;
  const auto ip_bytes = static_cast<std::uint16_t>(wire::kIpv4HeaderBytes + tcp_bytes);
  store_be16(ip + 2, ip_bytes);
  if (e.offload_ip_checksum) {
    frame.flags = frame_flag::kTxIpChecksum | frame_flag::kTxIpv4;
    wire::store_checksum(ip + wire::kIpv4ChecksumOffset, 0);
  } else {
    wire::store_checksum(
        ip + wire::kIpv4ChecksumOffset,
        wire::checksum_update_16(wire::load_checksum(ip + wire::kIpv4ChecksumOffset), 0,
                                 __builtin_bswap16(ip_bytes)));
  }
}

void set_ip_length_from_template(V6 ip, const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  set_ip_length(ip, e, frame, tcp_bytes);
}

// In words of the size that they were just stored in: a wider load would wait for all of its
// stores.
std::uint32_t sum_of_header(const std::byte* tcp, std::uint32_t bytes, std::uint32_t initial) {
  std::uint64_t sum = initial;
  for (std::uint32_t i = 0; i < bytes; i += 4) sum += wire::checksum_internal::load_32(tcp + i);
  return wire::checksum_internal::fold_to_32(sum);
}

// finish_frame() for a frame that began as a copy of the template: nothing is summed again but the
// TCP header. `text_sum`: of the text, where no device sums it up.
template <class Ip>
void finish_from_template(Ip ip, const Engine& e, Frame& frame, std::uint32_t header_bytes,
                          std::uint32_t text_bytes, std::uint32_t text_sum) {
  const std::uint32_t tcp_bytes = header_bytes + text_bytes;
  frame.length = static_cast<std::uint32_t>(Ip::kTcpOffset) + tcp_bytes;
  frame.flags = 0;
  set_ip_length_from_template(ip, e, frame, tcp_bytes);
  std::byte* tcp = frame.data + Ip::kTcpOffset;
  std::byte* field = tcp + wire::kTcpChecksumOffset;
  const std::uint32_t length = __builtin_bswap16(static_cast<std::uint16_t>(tcp_bytes));
  if (e.offload_tcp_checksum) {
    frame.flags |= frame_flag::kTxTcpChecksum | family_flag(ip);
    wire::store_checksum(field, wire::checksum_fold(wire::load_checksum(field) + length));
  } else {
    const std::uint64_t sum = std::uint64_t{sum_of_header(tcp, header_bytes, length)} + text_sum;
    wire::store_checksum(field, wire::checksum_finish(wire::checksum_internal::fold_to_32(sum)));
  }
  set_metadata(ip, frame);
}

// What every segment with an ACK settles.
void note_acknowledged(Tcb& c) {
  c.last_ack_sent = c.rcv_nxt;
  c.clear(flag::kAckNow | flag::kAckDelayed);
  stop_timer(c, TimerKind::kDelayedAck);
}

template <class Ip>
void finish_whole_frame(Ip ip, const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  frame.length = static_cast<std::uint32_t>(Ip::kTcpOffset) + tcp_bytes;
  frame.flags = 0;
  set_ip_length(ip, e, frame, tcp_bytes);
  set_tcp_checksum(ip, e, frame, tcp_bytes);
  set_metadata(ip, frame);
}

void set_ect(V4, std::byte* ip) {
  const std::uint16_t before = load_be16(ip);
  store_u8(ip + 1, static_cast<std::uint8_t>((load_u8(ip + 1) & ~3u) | kEct0));
  wire::store_checksum(
      ip + wire::kIpv4ChecksumOffset,
      wire::checksum_update_16(wire::load_checksum(ip + wire::kIpv4ChecksumOffset),
                               __builtin_bswap16(before), __builtin_bswap16(load_be16(ip))));
}

void set_ect(V6, std::byte* ip) {
  store_be32(ip, (load_be32(ip) & ~0x00300000u) | std::uint32_t{kEct0} << 20);
}

// What Extras says of this segment, in the copy of the template and in the flags.
template <class Ip>
SegmentSpec mark_segment(Ip ip, Engine& e, Tcb& c, SegmentSpec spec, std::byte* frame) {
  using namespace wire::tcp_flag;
  Extras& extras = e.extras[e.index_of(c)];
  const EcnMarks ecn = ecn_marks(c, extras, spec.seq, spec.length);
  spec.flags |= ecn.flags;
  if (ecn.capable) set_ect(ip, frame + kIpOffset);
  const std::uint16_t pointer = urgent_pointer(extras, spec.seq);
  if (pointer != 0) {
    spec.flags |= kUrg;
    store_be16(frame + Ip::kTcpOffset + wire::kTcpUrgentOffset, pointer);
  }
  if (!extras.snd_up.after(c.snd_una)) extras.urgent = false;
  if (!extras.ecn && !extras.urgent && !extras.tell_timeout) c.clear(flag::kSpecial);
  return spec;
}

// Returns its partial checksum, or 0 where the device sums up.
[[gnu::always_inline]] inline std::uint32_t copy_text(Engine& e, Tcb& c, const SegmentSpec& spec,
                                                      std::byte* to) {
  const std::span<std::byte> out(to, spec.length);
  if (!e.offload_tcp_checksum)
    return c.send_queue.copy_out_summed(e.send_chunks, spec.queue_offset, out);
  c.send_queue.copy_out(e.send_chunks, spec.queue_offset, out);
  return 0;
}

template <class Ip>
[[gnu::always_inline]] inline void fill_segment(Ip ip, Engine& e, Tcb& c, const SegmentSpec& spec,
                                                std::uint32_t header_bytes, Frame& frame) {
  std::byte* tcp = frame.data + Ip::kTcpOffset;
  patch_tcp_header(e, c, spec, header_bytes, tcp);
  finish_from_template(ip, e, frame, header_bytes, spec.length,
                       copy_text(e, c, spec, tcp + header_bytes));
}

// With options or flags that few segments have.
template <class Ip>
[[gnu::noinline]] void build_rare_segment(Ip ip, Engine& e, Tcb& c, const SegmentSpec& spec,
                                          Frame& frame) {
  copy_template(ip, e, c, frame.data);
  const auto header_bytes = static_cast<std::uint32_t>(
      wire::kTcpHeaderBytes +
      write_rare_options(e, c, spec, frame.data + Ip::kTcpOffset + wire::kTcpHeaderBytes));
  const bool plain = !c.has(flag::kSpecial) || (spec.flags & (kSyn | kRst)) != 0;
  fill_segment(ip, e, c, plain ? spec : mark_segment(ip, e, c, spec, frame.data), header_bytes,
               frame);
}

template <class Ip>
[[gnu::always_inline]] inline void build_segment(Ip ip, Engine& e, Tcb& c, const SegmentSpec& spec,
                                                 Frame& frame) {
  if (is_rare(c)) [[unlikely]]
    return build_rare_segment(ip, e, c, spec, frame);
  copy_template(ip, e, c, frame.data);
  const auto header_bytes = static_cast<std::uint32_t>(
      wire::kTcpHeaderBytes +
      write_options(e, c, frame.data + Ip::kTcpOffset + wire::kTcpHeaderBytes));
  fill_segment(ip, e, c, spec, header_bytes, frame);
}

[[gnu::noinline]] void build_segment_v6(Engine& e, Tcb& c, const SegmentSpec& spec, Frame& frame) {
  build_segment(V6(), e, c, spec, frame);
}

// The device counts each piece's length into the sum of the pseudo-header, which the template has
// without one.
template <class Ip>
void finish_large(Ip ip, const Engine& e, Frame& frame, std::uint32_t tcp_bytes,
                  std::uint16_t piece_bytes) {
  frame.length = static_cast<std::uint32_t>(Ip::kTcpOffset) + tcp_bytes;
  frame.flags = 0;
  set_ip_length_from_template(ip, e, frame, tcp_bytes);
  frame.flags |= frame_flag::kTxTcpSegmentation | frame_flag::kTxTcpChecksum | family_flag(ip);
  frame.metadata = tx_metadata(wire::kEthernetHeaderBytes,
                               static_cast<unsigned>(Ip::kTcpOffset - kIpOffset), piece_bytes);
}

template <class Ip>
void build_large_segment(Ip ip, Engine& e, Tcb& c, const SegmentSpec& spec, Frame& frame) {
  copy_template(ip, e, c, frame.data);
  std::byte* tcp = frame.data + Ip::kTcpOffset;
  const auto header_bytes = static_cast<std::uint32_t>(
      wire::kTcpHeaderBytes + write_options(e, c, tcp + wire::kTcpHeaderBytes));
  const bool plain = !c.has(flag::kSpecial);
  patch_tcp_header(e, c, plain ? spec : mark_segment(ip, e, c, spec, frame.data), header_bytes,
                   tcp);
  c.send_queue.copy_out(e.send_chunks, spec.queue_offset, {tcp + header_bytes, spec.length});
  finish_large(ip, e, frame, header_bytes + spec.length, c.snd_mss);
}

// Whether one header can serve for several segments. More options than a timestamp would make each
// of them too large; CWR and an urgent pointer are for one.
bool suits_all_pieces(const Engine& e, const Tcb& c) {
  if (!is_rare(c)) [[likely]]
    return true;
  if (c.has(flag::kSynPending | flag::kHasGap | flag::kDsack)) return false;
  const Extras& extras = e.extras[e.index_of(c)];
  return !extras.urgent && !extras.tell_timeout && !extras.tell_reduced;
}

// Like one that the network loses: it is repeated in time.
bool lose_segment(Engine& e, const Frame& frame) {
  e.egress.discard(frame);
  ++e.counters.drop_neighbour_unresolved;
  return true;
}

}  // namespace

std::size_t write_ip_header(const Engine& e, const flow::FourTuple4& tuple, std::byte* frame) {
  if (is_v6(tuple)) {
    wire::write_ipv6(frame + kIpOffset, ipv6_header(e, tuple));
    return V6::kTcpOffset;
  }
  wire::write_ipv4(frame + kIpOffset, ipv4_header(tuple));
  return V4::kTcpOffset;
}

void finish_frame(const Engine& e, Frame& frame, const flow::FourTuple4& tuple,
                  std::uint32_t tcp_bytes) {
  if (is_v6(tuple))
    finish_whole_frame(V6(), e, frame, tcp_bytes);
  else
    finish_whole_frame(V4(), e, frame, tcp_bytes);
}

void set_ttl(const Engine& e, Tcb& c, std::uint8_t ttl) {
  complete_template(e, c);
  const std::size_t field = is_v6(c.tuple) ? 7 : 8;
  store_u8(c.header.bytes + kIpOffset + field, ttl);
  if (!is_v6(c.tuple)) set_template_ip_checksum(c.header);
}

void set_dscp(const Engine& e, Tcb& c, std::uint8_t dscp) {
  complete_template(e, c);
  std::byte* ip = c.header.bytes + kIpOffset;
  const auto traffic_class = static_cast<std::uint8_t>(dscp << 2);
  if (!is_v6(c.tuple)) {
    store_u8(ip + 1, traffic_class);
    return set_template_ip_checksum(c.header);
  }
  store_be32(ip, (load_be32(ip) & ~0x0ff00000u) | std::uint32_t{traffic_class} << 20);
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
  if (is_v6(c.tuple)) [[unlikely]] {
    if (!e.net.may_send_from(c.tuple.local_address)) return lose_segment(e, frame);
    build_segment_v6(e, c, spec, frame);
  } else {
    build_segment(V4(), e, c, spec, frame);
  }
  if ((spec.flags & kAck) != 0) note_acknowledged(c);
  ++e.counters.segs_out;
  if (ready) [[likely]]
    e.egress.send(frame);
  else
    e.net.send_ip(frame, c.tuple.remote_address, e.now);
  return true;
}

std::uint32_t large_segment_room(const Engine& e, const Tcb& c) {
  // Drivers hold less for malicious and refuse it, e.g. net_i40e's, and with it all of the pieces.
  constexpr std::uint32_t kLeastPiece = 256;
  constexpr std::uint32_t kMostHeaders =
      wire::kIpv6HeaderBytes + wire::kTcpHeaderBytes + kTimestampOptionBytes;
  if (e.tso_bytes < kMostHeaders || c.snd_mss < kLeastPiece || !suits_all_pieces(e, c)) return 0;
  return e.tso_bytes - kMostHeaders;
}

bool send_large_segment(Engine& e, Tcb& c, const SegmentSpec& spec) {
  Frame frame;
  const bool may_send = !is_v6(c.tuple) || e.net.may_send_from(c.tuple.local_address);
  if (!may_send || !link_is_ready(e, c) || !e.egress.allocate_large(frame)) return false;
  if (is_v6(c.tuple))
    build_large_segment(V6(), e, c, spec, frame);
  else
    build_large_segment(V4(), e, c, spec, frame);
  note_acknowledged(c);
  e.counters.segs_out += spec.length / c.snd_mss;
  ++e.counters.tso_out;
  e.egress.send(frame);
  return true;
}

}  // namespace tern::tcp
