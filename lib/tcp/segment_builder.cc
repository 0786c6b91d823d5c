// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/segment_builder.h"

#include <algorithm>

#include "tcp/ecn.h"
#include "tcp/mss.h"
#include "tcp/segment_headers.h"
#include "tcp/timers.h"
#include "tcp/timestamp.h"
#include "tcp/urgent.h"
#include "tcp/user_timeout.h"
#include "tcp/window.h"

namespace tern::tcp {
namespace {

using namespace wire::tcp_flag;

constexpr std::size_t kIpOffset = wire::kEthernetHeaderBytes;
constexpr std::uint32_t kUserTimeoutOptionBytes = 4;

bool is_v6(const flow::FourTuple4& tuple) { return flow::AddressBook::is_v6(tuple.remote_address); }

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

void decide_headers(const Engine& e, Tcb& c) {
  if (c.headers.first_word != 0) return;
  if (!is_v6(c.tuple)) {
    c.headers.first_word = 0x45u << 24;  // version 4, five words
    c.headers.ttl = wire::Ipv4Header{}.ttl;
    return;
  }
  c.headers.first_word = 6u << 28 | flow_label(e, c.tuple);
  c.headers.ttl = e.net.hop_limit6();
}

// Asks for the link header again whenever a neighbour has changed.
[[gnu::noinline]] bool refresh_headers(Engine& e, Tcb& c) {
  decide_headers(e, c);
  c.headers.neighbour_generation = e.net.generation();
  std::byte link[wire::kEthernetHeaderBytes];
  const auto state = e.net.link_header(c.tuple.remote_address, link, e.now);
  c.headers.usable = state == net::Interface::LinkState::kReady;
  if (c.headers.usable) c.headers.next_hop = wire::load_mac(link);
  return c.headers.usable;
}

bool link_is_ready(Engine& e, Tcb& c) {
  if (c.headers.usable && c.headers.neighbour_generation == e.net.generation()) [[likely]]
    return true;
  return refresh_headers(e, c);
}

// NOP NOP TS: the layout of RFC 7323 appendix A, which receivers look for first. Returns its sum.
std::uint64_t write_timestamp(const Engine& e, const Tcb& c, std::byte* out) {
  HeaderWords words(out);
  words.put(wire::kAlignedTimestamp);
  words.put(timestamp_now(e, c));
  words.put(c.ts_recent);
  return words.sum();
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
void add_sack_blocks(Engine& e, Tcb& c, std::uint32_t length, wire::TcpOptions& options) {
  const std::uint32_t told = options.has_user_timeout ? kUserTimeoutOptionBytes : 0;
  const std::uint32_t timestamp = options.has_timestamp ? kTimestampBytes : 0;
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
  if (c.has(flag::kHasGap))
    count += e.reassemblies[c.reassembly].sack_blocks(
        e.receive_buffers, std::span(options.sack).first(limit).subspan(count));
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

// Else there is nothing but a timestamp, no flags but the caller's, and ACK is one of them.
bool is_rare(const Tcb& c) {
  return c.has(flag::kSynPending | flag::kHasGap | flag::kDsack | flag::kSpecial);
}

std::uint16_t window_field(const Engine& e, Tcb& c, std::uint8_t flags) {
  if ((flags & kSyn) == 0) return advance_window(e, c);
  if ((flags & kAck) != 0) c.rcv_adv = later_of(c.rcv_adv, c.rcv_nxt + syn_window(e));
  return syn_window(e);
}

void set_ip_length(V4, const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  std::byte* ip = frame.data + kIpOffset;
  store_be16(ip + 2, static_cast<std::uint16_t>(wire::kIpv4HeaderBytes + tcp_bytes));
  wire::store_checksum(ip + wire::kIpv4ChecksumOffset, 0);
  if (e.offload_ip_checksum) return;
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
  constexpr std::size_t kBoth = 32, kFirst = 8;
  const std::byte* addresses = frame.data + kIpOffset + kFirst;
  return wire::checksum_pseudo_ipv6(std::span<const std::byte, kBoth>(addresses, kBoth),
                                    wire::ip_protocol::kTcp, tcp_bytes);
}

template <class Ip>
constexpr std::uint32_t kOffsets = tx_metadata(kIpOffset, Ip::kTcpOffset - kIpOffset);

template <class Ip>
void set_tcp_checksum(Ip ip, const Engine& e, Frame& frame, std::uint32_t tcp_bytes) {
  std::byte* tcp = frame.data + Ip::kTcpOffset;
  const std::uint32_t pseudo = pseudo_sum(ip, frame, tcp_bytes);
  wire::store_checksum(tcp + wire::kTcpChecksumOffset,
                       e.offload_tcp_checksum ? wire::checksum_fold(pseudo)
                                              : wire::checksum_finish(wire::checksum_partial(
                                                    {tcp, tcp_bytes}, pseudo)));
}

/// What few segments say: the IP header's ECN field, and the urgent pointer.
struct Marks {
  std::uint8_t ecn = 0;
  std::uint16_t urgent = 0;
};

/// What is to be known before the headers are written.
struct Plan {
  std::uint32_t ack = 0;
  std::uint16_t window = 0;
  std::uint32_t option_bytes = 0;
  Marks marks{};
  bool is_cut = false;  // by the device, which counts each piece's length itself
};

/// Partial sums of a segment: of the pseudo-header, and of all that is behind it.
struct Sums {
  std::uint64_t pseudo = 0;
  std::uint64_t rest = 0;
};

// All but the options and the TCP checksum. The frame's bytes are told apart from the Frame, which
// the compiler would have to read again after each of them.
template <class Ip>
[[gnu::always_inline]] inline Sums write_headers(Ip, const Engine& e, const Tcb& c,
                                                 const SegmentSpec& spec, const Plan& plan,
                                                 std::byte* data) {
  const std::uint32_t header_bytes = wire::kTcpHeaderBytes + plan.option_bytes;
  const std::uint32_t tcp_bytes = header_bytes + spec.length;
  write_link_header(e, c, Ip::kEtherType, data);
  const std::uint64_t pseudo = Ip::write(e, c, plan.marks.ecn, tcp_bytes, data);
  HeaderWords tcp(data + Ip::kTcpOffset);
  tcp.put(std::uint32_t{c.tuple.local_port} << 16 | c.tuple.remote_port);
  tcp.put(spec.seq.value());
  tcp.put(plan.ack);
  tcp.put(header_bytes / 4 << 28 | std::uint32_t{spec.flags} << 16 | plan.window);
  tcp.put(plan.marks.urgent);
  const std::uint32_t counted = plan.is_cut ? 0 : tcp_bytes;
  return {pseudo + __builtin_bswap16(static_cast<std::uint16_t>(counted)), tcp.sum()};
}

template <class Ip>
[[gnu::always_inline]] inline void finish_segment(Ip, const Engine& e, const Sums& sums,
                                                  std::uint32_t bytes_behind, std::byte* data,
                                                  Frame& frame) {
  std::byte* field = data + Ip::kTcpOffset + wire::kTcpChecksumOffset;
  if (e.offload_tcp_checksum)
    wire::store_checksum(field,
                         wire::checksum_fold(wire::checksum_internal::fold_to_32(sums.pseudo)));
  else
    wire::store_checksum(field, finish_sum(sums.pseudo + sums.rest));
  frame.flags = Ip::offloads(e);
  frame.length = static_cast<std::uint32_t>(Ip::kTcpOffset + wire::kTcpHeaderBytes) + bytes_behind;
  frame.metadata = kOffsets<Ip>;
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
  frame.flags = Ip::offloads(e);
  frame.metadata = kOffsets<Ip>;
  set_ip_length(ip, e, frame, tcp_bytes);
  set_tcp_checksum(ip, e, frame, tcp_bytes);
}

// What Extras says of this segment: in the flags, and beside them.
Marks mark_segment(Engine& e, Tcb& c, SegmentSpec& spec) {
  Extras& extras = e.extras[e.index_of(c)];
  const EcnMarks ecn = ecn_marks(c, extras, spec.seq, spec.length);
  spec.flags |= ecn.flags;
  const Marks marks{.ecn = ecn.capable ? kEct0 : std::uint8_t{0},
                    .urgent = urgent_pointer(extras, spec.seq)};
  if (marks.urgent != 0) spec.flags |= kUrg;
  if (!extras.snd_up.after(c.snd_una)) extras.urgent = false;
  if (!extras.ecn && !extras.urgent && !extras.tell_timeout) c.clear(flag::kSpecial);
  return marks;
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

// With options or flags that few segments have.
template <class Ip>
[[gnu::noinline]] void build_rare_segment(Ip ip, Engine& e, Tcb& c, SegmentSpec spec,
                                          Frame& frame) {
  std::byte* behind = frame.data + Ip::kTcpOffset + wire::kTcpHeaderBytes;
  const auto option_bytes = static_cast<std::uint32_t>(write_rare_options(e, c, spec, behind));
  Plan plan{.option_bytes = option_bytes};
  if (c.has(flag::kSpecial) && (spec.flags & (kSyn | kRst)) == 0)
    plan.marks = mark_segment(e, c, spec);
  if ((spec.flags & kAck) != 0) plan.ack = c.rcv_nxt.value();
  plan.window = window_field(e, c, spec.flags);
  Sums sums = write_headers(ip, e, c, spec, plan, frame.data);
  sums.rest += wire::checksum_partial({behind, option_bytes});
  sums.rest += copy_text(e, c, spec, behind + option_bytes);
  finish_segment(ip, e, sums, option_bytes + spec.length, frame.data, frame);
}

// The headers, the timestamp and the text of a segment that has nothing else but `plan`'s marks.
template <class Ip>
[[gnu::always_inline]] inline void build_plain(Ip ip, Engine& e, Tcb& c, const SegmentSpec& spec,
                                               Plan plan, Frame& frame) {
  std::byte* const data = frame.data;
  std::byte* behind = data + Ip::kTcpOffset + wire::kTcpHeaderBytes;
  plan.ack = c.rcv_nxt.value();
  plan.window = advance_window(e, c);
  if (c.has(flag::kTimestamps)) plan.option_bytes = kTimestampBytes;
  Sums sums = write_headers(ip, e, c, spec, plan, data);
  if (plan.option_bytes != 0) sums.rest += write_timestamp(e, c, behind);
  sums.rest += copy_text(e, c, spec, behind + plan.option_bytes);
  finish_segment(ip, e, sums, plan.option_bytes + spec.length, data, frame);
}

template <class Ip>
[[gnu::always_inline]] inline void build_segment(Ip ip, Engine& e, Tcb& c, const SegmentSpec& spec,
                                                 Frame& frame) {
  if (is_rare(c)) [[unlikely]]
    return build_rare_segment(ip, e, c, spec, frame);
  build_plain(ip, e, c, spec, {}, frame);
}

[[gnu::noinline]] void build_segment_v6(Engine& e, Tcb& c, const SegmentSpec& spec, Frame& frame) {
  build_segment(V6(), e, c, spec, frame);
}

template <class Ip>
void build_large_segment(Ip ip, Engine& e, Tcb& c, SegmentSpec spec, Frame& frame) {
  Plan plan{.is_cut = true};
  if (c.has(flag::kSpecial)) plan.marks = mark_segment(e, c, spec);
  build_plain(ip, e, c, spec, plan, frame);
  frame.flags |= frame_flag::kTxTcpSegmentation;
  frame.metadata |= tx_metadata(0, 0, c.snd_mss);
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
  decide_headers(e, c);
  c.headers.ttl = ttl;
}

void set_dscp(const Engine& e, Tcb& c, std::uint8_t dscp) {
  decide_headers(e, c);
  const unsigned shift = is_v6(c.tuple) ? 22 : 18;  // the traffic class's last two bits are ECN's
  c.headers.first_word &= ~(0x3fu << shift);
  c.headers.first_word |= (dscp & 0x3fu) << shift;
}

SeqNum ack_sequence(const Tcb& c) {
  const SeqNum edge = c.snd_una + c.snd_wnd;
  return c.snd_max.after(edge) ? edge : c.snd_max;
}

// Inlined where text is sent in its turn, and a pure ACK; called everywhere else.
[[gnu::flatten, gnu::hot]] bool send_segment(Engine& e, Tcb& c, const SegmentSpec& spec) {
  const bool ready =
      link_is_ready(e, c);  // which may ask for the next hop, with a frame of its own
  Frame* const place = e.egress.allocate();
  if (place == nullptr) return false;
  Frame& frame = *place;
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
    e.net.send_ip(Frame(frame), c.tuple.remote_address, e.now);
  return true;
}

std::uint32_t large_segment_room(const Engine& e, const Tcb& c) {
  // Drivers hold less for malicious and refuse it, e.g. net_i40e's, and with it all of the pieces.
  constexpr std::uint32_t kLeastPiece = 256;
  constexpr std::uint32_t kMostHeaders =
      wire::kIpv6HeaderBytes + wire::kTcpHeaderBytes + kTimestampBytes;
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
