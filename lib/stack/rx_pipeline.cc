// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstring>

#include "net/icmp6_error.h"
#include "net/interface6.h"
#include "stack/stack_impl.h"
#include "tcp/half_open.h"
#include "tcp/header_prediction.h"
#include "tcp/icmp_error.h"
#include "tcp/listen.h"
#include "tcp/receive.h"
#include "wire/fragment.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

namespace tern {
namespace {

bool is_tcp(const wire::ParsedFrame& parsed) { return wire::is_tcp(parsed.kind); }

// The IPv6 source of the frame.
Ipv6Address source6_of(const wire::ParsedFrame& parsed) {
  constexpr std::size_t kSourceOffset = 8;
  return wire::load_ipv6(parsed.ipv6 + kSourceOffset);
}

void count_drop(Counters& counters, DropReason reason) { ++(counters.*drop_counter(reason)); }

}  // namespace

// Three passes over the burst, so that the cache misses of all its flows overlap instead of
// queueing up: while pass 1 parses the second frame, the table slot of the first is on its way, and
// so on. Pass 2 follows a few frames behind pass 1: a TCB's lines come in while others are parsed,
// where all at once there would be more of them than a core can wait for.
[[gnu::hot]] void StackImpl::make_passes(std::size_t count, Instant now) {
  ++counters_.rx_bursts;
  counters_.rx_frames += count;
  Slot* const before = slots_.data();  // of frame i: before[i], and its own slot is before[i + 1]
  for (std::size_t i = 0; i < count; ++i) {
    parse(before[i + 1], before[i], frames_[i]);
    if (i >= kLookUpBehind) look_up(before[i + 1 - kLookUpBehind], before[i - kLookUpBehind]);
  }
  for (std::size_t i = count - std::min(count, kLookUpBehind); i < count; ++i)
    look_up(before[i + 1], before[i]);
  process_burst(count, now);
}

// Pass 1: parse, checksum verdict, hash, prefetch the table slot. A run of segments of one flow is
// hashed once.
void StackImpl::parse(Slot& slot, const Slot& before, const Frame& frame) {
  counters_.rx_bytes += frame.length;
  wire::parse_frame(frame, parse_context_, slot.parsed);
  if (slot.parsed.kind != wire::FrameKind::kTcp4) [[unlikely]] {
    if (slot.parsed.kind != wire::FrameKind::kTcp6) return forget_flow(slot);
    name_addresses(slot);
  }
  const flow::FourTuple4 tuple = slot.tuple(), last = before.tuple();
  if (tuple.ports() == last.ports() && tuple == last) {  // ports differ most often
    slot.hash = before.hash;
    return;
  }
  slot.hash = flow::table_hash(engine_.keys.table, tuple);
  engine_.table.prefetch(slot.hash);
}

// Of a frame without one, lest an earlier one shine through. No segment is of port 0.
void StackImpl::forget_flow(Slot& slot) {
  slot.parsed.segment.source_port = 0;
  slot.candidate = nullptr;
}

void StackImpl::name_addresses(Slot& slot) const {
  wire::TcpSegment& s = slot.parsed.segment;
  const std::uint32_t source = book_.find(source6_of(slot.parsed));
  s.source_address = source == flow::AddressBook::kNone ? flow::AddressBook::kStranger : source;
  s.destination_address = flow::AddressBook::kFirstOwn + slot.parsed.own6;
}

// Pass 2: probe, prefetch the TCB, as much of it as an echo touches. Once for a run.
[[gnu::always_inline]] inline void StackImpl::look_up(Slot& slot, const Slot& before) {
  if (!is_tcp(slot.parsed)) return;
  if (slot.hash == before.hash && is_tcp(before.parsed)) {
    slot.candidate = before.candidate;  // which is a guess, as ever
    return;
  }
  const std::uint32_t entry = engine_.table.candidate(slot.hash);
  slot.candidate = tcp::names_tcb(entry) ? &engine_.tcbs[entry] : nullptr;  // nor does kNoIndex
  if (slot.candidate == nullptr) return;
  const auto* line = reinterpret_cast<const std::byte*>(slot.candidate);
  for (std::size_t at = 0; at < tcp::kWarmTcbBytes; at += 64) __builtin_prefetch(line + at);
}

// What a segment acknowledges lies in the send queue's first chunk, whose place the TCB tells once
// it has come in: so this runs a few frames ahead of pass 3.
void StackImpl::prefetch_send_chunk(const Slot& slot) const {
  if (slot.candidate != nullptr) slot.candidate->send_queue.prefetch(engine_.send_chunks);
}

// Pass 3: each frame meets its protocol.
[[gnu::flatten, gnu::hot, gnu::noinline]] void StackImpl::process_burst(std::size_t count,
                                                                        Instant now) {
  if (port_.wants_drops()) return process_telling_drops(count, now);
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kSendChunksAhead < count) prefetch_send_chunk(slot_of(i + kSendChunksAhead));
    if (is_tcp(slot_of(i).parsed)) [[likely]]
      process_segment(slot_of(i), frames_[i]);
    else
      process_frame(slot_of(i), frames_[i], now);
  }
}

void StackImpl::process_telling_drops(std::size_t count, Instant now) {
  Counters before = counters_;
  for (std::size_t i = 0; i < count; ++i) {
    process_frame(slot_of(i), frames_[i], now);
    tell_of_drop(i, before);
  }
}

// A drop is counted wherever it is decided; the counter that has moved says which it was.
void StackImpl::tell_of_drop(std::size_t index, Counters& before) {
  for (const CounterInfo& info : counter_infos()) {
    if (!info.is_drop || counters_.*info.member == before.*info.member) continue;
    before.*info.member = counters_.*info.member;
    port_.note_drop(index, drop_reason(info));
  }
}

void StackImpl::process_frame(Slot& slot, Frame& frame, Instant now) {
  switch (slot.parsed.kind) {
    case wire::FrameKind::kTcp4:
    case wire::FrameKind::kTcp6:
      return process_segment(slot, frame);
    case wire::FrameKind::kArp:
      receive_arp(slot.parsed, now);
      break;
    case wire::FrameKind::kIcmp4:
      if (!receive_icmp(slot.parsed, frame, now)) return;
      break;
    case wire::FrameKind::kIcmp6:
      if (!receive_icmp6(slot.parsed, frame, now)) return;
      break;
    case wire::FrameKind::kProblem6:
      receive_problem6(slot.parsed, frame, now);
      break;
    case wire::FrameKind::kFragment:
      return receive_fragment(slot, frame, now);
    case wire::FrameKind::kDrop:
      count_drop(counters_, slot.parsed.drop);
      break;
  }
  bin_.add(frame);
}

void StackImpl::receive_without_tcb(std::uint32_t entry, const Slot& slot, tcp::Arrival& arrival) {
  if ((entry & tcp::kTimeWaitBit) != 0)
    tcp::receive_in_time_wait(engine_, entry & ~tcp::kTimeWaitBit, slot.hash, slot.tuple(),
                              arrival.segment);
  else
    tcp::receive_half_open(engine_, entry & ~tcp::kHalfOpenBit, arrival);
}

// The candidate of pass 2 may be another flow of the same hash, or gone since. A TCB says itself
// that the table names it, which spares a second look-up. A frame that was handed over is rare, and
// wants a claim.
bool StackImpl::candidate_holds(const Slot& slot, const Frame& frame) {
  const tcp::Tcb* c = slot.candidate;
  return c != nullptr && c->has(tcp::flag::kInTable) && c->tuple == slot.tuple() &&
         (frame.flags & frame_flag::kHandedOver) == 0;
}

std::uint32_t StackImpl::find_entry(Slot& slot) {
  if (slot.parsed.segment.source_address == flow::AddressBook::kStranger) recognise_stranger(slot);
  return tcp::find(engine_, slot.hash, slot.tuple());
}

// An earlier frame of the burst may have made its sender known. Else this is who kStranger is.
void StackImpl::recognise_stranger(Slot& slot) {
  const Ipv6Address source = source6_of(slot.parsed);
  const std::uint32_t known = book_.find(source);
  if (known == flow::AddressBook::kNone) return book_.set_stranger(source);
  slot.parsed.segment.source_address = known;
  slot.hash = flow::table_hash(engine_.keys.table, slot.tuple());
}

// All that a predicted segment needs becomes part of process_burst(); what is rare stays out of
// line. That is hot, since by the compiler's odds so many ifs lead to nowhere: it would save bytes
// there, with a division.
void StackImpl::process_segment(Slot& slot, Frame& frame) {
  ++counters_.segs_in;
  tcp::Tcb* const c = candidate_holds(slot, frame) ? slot.candidate : find_connection(slot, frame);
  if (c == nullptr) return;
  const wire::TcpSegment& segment = slot.parsed.segment;
  if (!config_.tcp.header_prediction || !tcp::header_prediction_hits(*c, segment))
    return process_unpredicted(*c, slot, frame);
  if (!tcp::receive_predicted(engine_, *c, segment, frame)) bin_.add(frame);
}

// nullptr: the segment is no TCB's, and has been dealt with.
tcp::Tcb* StackImpl::find_connection(Slot& slot, Frame& frame) {
  const std::uint32_t entry = find_entry(slot);
  if (entry != kNoIndex && (frame.flags & frame_flag::kHandedOver) != 0) claim(slot.tuple());
  if (tcp::names_tcb(entry)) return &engine_.tcbs[entry];  // nor does kNoIndex
  tcp::Arrival arrival{slot.parsed.segment, frame};
  if (entry == kNoIndex)
    receive_unknown(slot, arrival);
  else
    receive_without_tcb(entry, slot, arrival);
  if (!arrival.frame_kept) bin_.add(frame);
  return nullptr;
}

void StackImpl::process_unpredicted(tcp::Tcb& c, Slot& slot, Frame& frame) {
  tcp::Arrival arrival{slot.parsed.segment, frame};
  tcp::receive_segment(engine_, c, arrival);
  if (!arrival.frame_kept) bin_.add(frame);
}

Flow StackImpl::flow_of(const flow::FourTuple4& t) const {
  return {endpoint(t.local_address, t.local_port), endpoint(t.remote_address, t.remote_port)};
}

// Who else may know of the flow. What was put together goes on in a frame of its own.
Placement StackImpl::place(const Frame& frame, const flow::FourTuple4& tuple) {
  if (steering_ == nullptr) return Placement::kHere;
  const Flow flow = flow_of(tuple);
  return whole_.empty() ? steering_->place(frame, flow, engine_.now) : place_whole(flow);
}

Placement StackImpl::place_whole(const Flow& flow) {
  Frame copy;
  if (port_.info().frame_capacity < whole_.size() || port_.allocate({&copy, 1}) == 0)
    return Placement::kFull;
  std::memcpy(copy.data, whole_.data(), whole_.size());
  copy.length = static_cast<std::uint32_t>(whole_.size());
  const Placement placement = steering_->place(copy, flow, engine_.now);
  if (placement != Placement::kTaken) bin_.add(copy);
  return placement;
}

// No connection can be told from a fragment, and it may have come to any of several stacks.
Placement StackImpl::place_fragment(const wire::ParsedFrame& parsed, const Frame& frame,
                                    Instant now) {
  if (steering_ == nullptr) return Placement::kHere;
  const wire::Fragment fragment = wire::read_fragment(parsed.payload);
  if (!fragment.is_v6) {
    const wire::Ipv4View ip(fragment.header.first<wire::kIpv4HeaderBytes>());
    return steering_->place_fragment(frame, Ipv4Address(ip.source()), Ipv4Address(ip.destination()),
                                     fragment.id, now);
  }
  const wire::Ipv6View ip(fragment.header.first<wire::kIpv6HeaderBytes>());
  return steering_->place_fragment(frame, ip.source(), ip.destination(), fragment.id, now);
}

void StackImpl::receive_fragment(Slot& slot, Frame& frame, Instant now) {
  const bool is_of_tcp =
      wire::read_fragment(slot.parsed.payload).protocol == wire::ip_protocol::kTcp;
  if (is_of_tcp && !config_.tcp_fragments) {
    ++counters_.drop_tcp_fragment;
    return bin_.add(frame);
  }
  const Placement placement = place_fragment(slot.parsed, frame, now);
  if (placement == Placement::kTaken) {
    ++counters_.fragments_handed_over;
    return;
  }
  if (placement != Placement::kHere) {
    ++counters_.drop_steering_full;
    return bin_.add(frame);
  }
  whole_ = interface_.receive_fragment(slot.parsed, frame, now);
  if (whole_.empty()) return bin_.add(frame);
  process_whole(slot, frame, now);
  whole_ = {};
}

Frame StackImpl::whole_frame() const {
  return {.data = whole_.data(), .length = static_cast<std::uint32_t>(whole_.size())};
}

// The datagram takes its last fragment's place in the burst. `frame` is still that fragment's, and
// nobody may keep it for what lies elsewhere. The device's verdicts were of fragments.
void StackImpl::process_whole(Slot& slot, Frame& frame, Instant now) {
  wire::parse_frame(whole_frame(), parse_context_, slot.parsed);
  if (slot.parsed.kind == wire::FrameKind::kFragment) {  // in a fragment: nobody sends that
    ++counters_.drop_ip_fragment;
    return bin_.add(frame);
  }
  if (is_tcp(slot.parsed) && !config_.tcp_fragments) {  // behind an IPv6 extension header
    ++counters_.drop_tcp_fragment;
    return bin_.add(frame);
  }
  slot.parsed.fragment_header6 = true;
  if (slot.parsed.kind == wire::FrameKind::kTcp6) name_addresses(slot);
  if (is_tcp(slot.parsed)) slot.hash = flow::table_hash(engine_.keys.table, slot.tuple());
  slot.candidate = nullptr;
  frame.flags &= ~frame_flag::kHandedOver;
  engine_.receive_buffers.set_copy_only(true);
  process_frame(slot, frame, now);
  engine_.receive_buffers.set_copy_only(false);
}

// A connection is made where its SYN arrives. Everything else may belong to another core's stack,
// and is answered only when nobody knows it.
void StackImpl::receive_unknown(const Slot& slot, tcp::Arrival& arrival) {
  if (tcp::receive_opening(engine_, slot.hash, slot.tuple(), arrival)) return;
  switch (place(arrival.frame, slot.tuple())) {
    case Placement::kHere:
      tcp::refuse_unconnected(engine_, slot.tuple(), arrival.segment);
      break;
    case Placement::kTaken:
      arrival.frame_kept = whole_.empty();
      ++counters_.asked_around;
      break;
    case Placement::kFull:
      ++counters_.drop_steering_full;
      break;
    case Placement::kLimited:
      ++counters_.drop_tcp_stray;
      break;
  }
}

// False: the frame went to another stack, since an error message need not arrive where its
// connection lives.
bool StackImpl::receive_icmp(const wire::ParsedFrame& frame, const Frame& buffer, Instant now) {
  if (const auto error = net::parse_icmp_error(frame)) return receive_icmp_error(*error, buffer);
  interface_.receive_icmp(frame, now);
  return true;
}

bool StackImpl::receive_icmp6(const wire::ParsedFrame& frame, const Frame& buffer, Instant now) {
  const wire::Ipv6View ip(
      std::span<const std::byte, wire::kIpv6HeaderBytes>(frame.ipv6, wire::kIpv6HeaderBytes));
  const wire::Icmpv6Packet packet{ip.source(), ip.destination(), ip.hop_limit(), frame.payload,
                                  frame.fragment_header6};
  if (const auto error = net::parse_icmp6_error(packet, book_))
    return receive_icmp_error(*error, buffer);
  std::array<NeighbourNews, net::Interface6::kMaxNews> news;
  const std::size_t count = interface_.six()->receive(packet, frame.source_mac, now, news);
  if (steering_ != nullptr) {
    for (std::size_t i = 0; i < count; ++i)
      counters_.neighbour_news_lost += steering_->tell(news[i]);
  }
  if (count > 0) follow_own6();
  return true;
}

void StackImpl::receive_problem6(const wire::ParsedFrame& frame, const Frame& buffer, Instant now) {
  count_drop(counters_, frame.problem.reason);
  interface_.six()->report_problem(frame, whole_.empty() ? buffer : whole_frame(), now);
}

// What an ICMP error quotes is anybody's invention: none is looked for that this host cannot have
// sent, and above all no handle that an IPv4 packet made up.
bool StackImpl::can_be_ours(const net::IcmpError& error) const {
  if (flow::AddressBook::is_v6(error.source)) return flow::AddressBook::is_own(error.source);
  return error.source == engine_.address;
}

bool StackImpl::receive_icmp_error(const net::IcmpError& error, const Frame& buffer) {
  if (!can_be_ours(error)) {
    ++counters_.drop_icmp_unbelieved;
    return true;
  }
  const flow::FourTuple4 tuple{error.source, error.destination, error.source_port,
                               error.destination_port};
  const std::uint32_t index =
      tcp::find(engine_, flow::table_hash(engine_.keys.table, tuple), tuple);
  if (tcp::names_tcb(index)) {  // nor does kNoIndex
    tcp::receive_icmp_error(engine_, engine_.tcbs[index], error);
    return true;
  }
  if (index == kNoIndex && place(buffer, tuple) == Placement::kTaken) {
    ++counters_.asked_around;
    return !whole_.empty();
  }
  ++counters_.drop_icmp_unbelieved;
  return true;
}

// Cold: only where a device does not steer.
void StackImpl::claim(const flow::FourTuple4& tuple) {
  ++counters_.handed_over;
  if (steering_ != nullptr) steering_->claim(flow_of(tuple));
}

// The answer to any stack's question arrives at one of them.
void StackImpl::receive_arp(const wire::ParsedFrame& frame, Instant now) {
  const auto news = interface_.receive_arp(frame, now);
  if (steering_ != nullptr && news) counters_.neighbour_news_lost += steering_->tell(*news);
}

std::size_t StackImpl::hear_news(Instant now) {
  std::array<NeighbourNews, kNewsPerPoll> news;
  const std::size_t count = steering_->hear(news);
  for (std::size_t i = 0; i < count; ++i) interface_.hear(news[i], now);
  counters_.neighbour_news += count;
  if (count > 0) follow_own6();
  return count;
}

}  // namespace tern
