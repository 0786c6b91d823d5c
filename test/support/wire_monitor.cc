// SPDX-License-Identifier: BSD-3-Clause
#include "support/wire_monitor.h"

#include <algorithm>
#include <string_view>

#include "base/bytes.h"
#include "io/tap/format_frame.h"

namespace tern::test {
namespace {

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kTcpBytes = 20;
constexpr unsigned kMaxScale = 14;  // RFC 7323 2.3
// An established connection that was silent this long may have been given up on either side.
constexpr Duration kForgottenAfter = std::chrono::seconds(10);

bool before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }
std::uint32_t later(std::uint32_t a, std::uint32_t b) { return before(a, b) ? b : a; }

bool is_ipv4(std::span<const std::byte> frame) {
  return frame.size() >= kEthernetBytes + 20 && load_be16(&frame[12]) == 0x0800;
}

bool is_ipv6(std::span<const std::byte> frame) {
  return frame.size() >= kEthernetBytes + 40 && load_be16(&frame[12]) == 0x86dd;
}

bool claims_tcp(std::span<const std::byte> frame) {
  return load_u8(&frame[kEthernetBytes + (is_ipv4(frame) ? 9 : 6)]) == 6;
}

// RFC 9293 3.7.1, MUST-15.
std::uint16_t default_mss(const Path& path) { return path.source.is_v4() ? 536 : 1220; }

// Of the TCP segment, header included.
std::size_t tcp_bytes_of(std::span<const std::byte> frame) {
  return is_ipv4(frame) ? load_be16(&frame[kEthernetBytes + 2]) - std::size_t{20}
                        : load_be16(&frame[kEthernetBytes + 4]);
}

unsigned scale_of(const Segment& syn) {
  return std::min<unsigned>(syn.wscale.value_or(0), kMaxScale);
}

}  // namespace

struct WireMonitor::Event {
  Instant now;
  std::span<const std::byte> frame;
  const Segment& segment;
  Flow& flow;

  std::uint32_t end() const {  // behind the payload
    return segment.seq + (segment.has('S') ? 1 : 0) +
           static_cast<std::uint32_t>(segment.payload.size());
  }
};

bool WireMonitor::Flow::scaled() const {
  return own_syn && peer_syn && own_syn->wscale && peer_syn->wscale;
}
bool WireMonitor::Flow::timestamped() const {
  return own_syn && peer_syn && own_syn->ts.present && peer_syn->ts.present;
}
bool WireMonitor::Flow::finished() const { return fin_seq && peer_finished; }

io::FrameObserver WireMonitor::observer() {
  return [this](Instant now, io::FrameDirection direction, std::span<const std::byte> frame) {
    direction == io::FrameDirection::kSent ? sent(now, frame) : received(now, frame);
  };
}

void WireMonitor::received(Instant, std::span<const std::byte> frame) {
  const auto segment = parse_segment(frame);
  if (!segment || !segment->ip_checksum_ok || !segment->tcp_checksum_ok) return;
  const Path& path = segment->path;
  Flow& flow = flows_[Key{path.destination, path.source, path.destination_port, path.source_port}];
  if (segment->has('R')) return;
  if (segment->has('S')) {
    flow.last_peer_syn = *segment;
    const bool answers_our_syn = flow.own_syn && !flow.peer_syn && segment->has('.') &&
                                 segment->ack == flow.own_syn->seq + 1;
    if (answers_our_syn) adopt_peer_syn(flow, *segment);
  }
  if (!flow.peer_syn) return;
  const std::uint32_t end = segment->seq + segment->length();
  const bool in_window = !flow.own_edge || !before(*flow.own_edge, segment->seq);
  if (in_window) flow.peer_max = later(flow.peer_max, end);
  if (in_window && segment->has('F')) flow.peer_finished = true;
  if (segment->has('.')) peer_acknowledges(flow, *segment);
}

void WireMonitor::peer_acknowledges(Flow& flow, const Segment& segment) {
  if (before(segment.ack, flow.snd_una) || before(flow.snd_max, segment.ack)) return;
  const bool scale = flow.scaled() && !segment.has('S');
  const std::uint32_t window = std::uint32_t{segment.window}
                               << (scale ? scale_of(*flow.peer_syn) : 0);
  flow.peer_edge = later(flow.peer_edge.value_or(segment.ack), segment.ack + window);
  if (segment.ack == flow.snd_una) return;
  std::uint32_t bytes = segment.ack - flow.snd_una;
  if (flow.snd_una == flow.own_syn->seq) {
    flow.established = true;
    --bytes;  // the SYN's
  }
  // One more than there are if the FIN is acknowledged. Moved together now and then, not each time.
  flow.unacked_front = std::min<std::size_t>(flow.unacked_front + bytes, flow.unacked.size());
  if (2 * flow.unacked_front >= flow.unacked.size()) {
    flow.unacked.erase(0, flow.unacked_front);
    flow.unacked_front = 0;
  }
  flow.snd_una = segment.ack;
}

void WireMonitor::adopt_peer_syn(Flow& flow, const Segment& syn) {
  flow.peer_syn = syn;
  flow.peer_max = syn.seq + syn.length();
  // RFC 9293 3.10.7.2: a SYN's window counts from the first byte after our own SYN.
  flow.peer_edge = flow.own_syn->seq + 1 + syn.window;
}

void WireMonitor::sent(Instant now, std::span<const std::byte> frame) {
  if (!is_ipv4(frame) && !is_ipv6(frame)) return;
  const auto segment = parse_segment(frame);
  if (!segment) {
    if (claims_tcp(frame))
      violations_.push_back(name_ + ": sent malformed TCP: " + io::format_frame(frame));
    return;
  }
  ++segments_checked_;
  const Path& path = segment->path;
  Flow& flow = flows_[Key{path.source, path.destination, path.source_port, path.destination_port}];
  Event event{now, frame, *segment, flow};
  if (!segment->ip_checksum_ok) violate(event, "wrong IP checksum");
  if (!segment->tcp_checksum_ok) violate(event, "wrong TCP checksum");
  if (segment->has('R')) {
    // Before the connection is established a RST may refuse one segment and end nothing.
    flow.reset = flow.reset || flow.established;
    return;
  }
  if (segment->has('S')) check_syn(event);
  if (!flow.own_syn) return violate(event, "a segment before any SYN");
  if (flow.reset) violate(event, "a segment after a RST");
  if (!segment->has('S') && !segment->has('.')) violate(event, "a segment without ACK");
  check_ack(event);
  check_window(event);
  check_timestamps(event);
  check_sequence(event);
  flow.last_sent = now;
}

void WireMonitor::check_syn(Event& event) {
  const Segment& syn = event.segment;
  Flow& flow = event.flow;
  if (begins_anew(event)) {
    std::optional<Segment> last_peer_syn = std::move(flow.last_peer_syn);
    flow = Flow{};
    flow.last_peer_syn = std::move(last_peer_syn);
    flow.own_syn = syn;
    flow.snd_una = syn.seq;
    flow.snd_max = syn.seq + 1;
    flow.last_ts_value = syn.ts.value;
  } else if (flow.snd_max != flow.own_syn->seq + 1 ||
             (flow.established && !(syn.has('.') && has_shown_nothing(flow)))) {
    violate(event, "a SYN in the middle of a connection");
  }
  if (syn.has('F')) violate(event, "SYN and FIN in one segment");
  if (!syn.has('.')) return;
  if (!flow.last_peer_syn || syn.ack != flow.last_peer_syn->seq + 1)
    return violate(event, "a SYN-ACK for no SYN that arrived");
  if (!flow.peer_syn) adopt_peer_syn(flow, *flow.last_peer_syn);
  flow.own_syn = syn;  // in a simultaneous open the second one has the options that count
  check_syn_options(event);
}

// Whether a SYN opens a new connection, or else belongs to the one that is there.
bool WireMonitor::begins_anew(const Event& event) const {
  const Flow& flow = event.flow;
  const Segment& syn = event.segment;
  if (!flow.own_syn || flow.reset || flow.finished()) return true;
  const bool answers_another = syn.has('.') && flow.peer_syn && syn.ack != flow.peer_syn->seq + 1;
  const bool forgotten = event.now - flow.last_sent >= kForgottenAfter;
  return answers_another || (syn.seq != flow.own_syn->seq && (!flow.established || forgotten));
}

// Nothing but a SYN,ACK was sent, and nothing of the peer's but its SYN acknowledged: although the
// peer has answered that, the connection may still wait for a TCB, and repeat it.
bool WireMonitor::has_shown_nothing(const Flow& flow) {
  return flow.own_syn && flow.peer_syn && flow.snd_max == flow.own_syn->seq + 1 &&
         flow.last_ack == flow.peer_syn->seq + 1;
}

// RFC 7323 2.2, 3.2; RFC 2018 2: a SYN-ACK answers only what the SYN offered.
void WireMonitor::check_syn_options(Event& event) {
  const Segment& peer = *event.flow.peer_syn;
  const Segment& own = event.segment;
  if (own.wscale && !peer.wscale) violate(event, "a window scale that was not offered");
  if (own.ts.present && !peer.ts.present) violate(event, "timestamps that were not offered");
  if (own.sack_permitted && !peer.sack_permitted) violate(event, "SACK that was not offered");
}

void WireMonitor::check_ack(Event& event) {
  Flow& flow = event.flow;
  const Segment& segment = event.segment;
  if (!segment.has('.')) return;
  if (flow.last_ack && before(segment.ack, *flow.last_ack))
    violate(event, "the ACK went backwards from " + std::to_string(*flow.last_ack));
  if (flow.peer_syn && before(flow.peer_max, segment.ack))
    violate(event, "an ACK beyond what arrived, " + std::to_string(flow.peer_max));
  flow.last_ack = later(flow.last_ack.value_or(segment.ack), segment.ack);
}

void WireMonitor::check_window(Event& event) {
  Flow& flow = event.flow;
  const Segment& segment = event.segment;
  if (!segment.has('.')) return;
  const bool is_syn = segment.has('S');
  const unsigned scale = flow.scaled() && !is_syn ? scale_of(*flow.own_syn) : 0;
  const std::uint32_t edge = segment.ack + (std::uint32_t{segment.window} << scale);
  // RFC 7323 2.4: an edge that the scale cannot express may be rounded down.
  const std::uint32_t allowance = (1u << scale) - 1;
  // After the peer's FIN the window means nothing any more; and a SYN,ACK that is repeated after a
  // challenge ACK cannot say more than 65535, though the ACK did.
  const bool says_all_it_can = is_syn && segment.window == 0xffff;
  if (flow.own_edge && !flow.peer_finished && !says_all_it_can &&
      before(edge + allowance, *flow.own_edge))
    violate(event, "the offered right edge shrank by " + std::to_string(*flow.own_edge - edge));
  const bool rounded = is_syn || flow.own_edge_from_syn;
  flow.own_edge = rounded ? edge : later(flow.own_edge.value_or(edge), edge);
  flow.own_edge_from_syn = is_syn;
}

void WireMonitor::check_timestamps(Event& event) {
  Flow& flow = event.flow;
  const Segment& segment = event.segment;
  if (segment.ts.present) {
    if (before(segment.ts.value, flow.last_ts_value))
      violate(event, "the timestamp went backwards from " + std::to_string(flow.last_ts_value));
    flow.last_ts_value = segment.ts.value;
  }
  if (segment.has('S') || !flow.peer_syn) return;
  if (flow.timestamped() && !segment.ts.present) violate(event, "no timestamp (RFC 7323 3.2)");
  if (!flow.timestamped() && segment.ts.present) violate(event, "a timestamp, but none agreed");
}

void WireMonitor::check_sequence(Event& event) {
  Flow& flow = event.flow;
  const Segment& segment = event.segment;
  if (before(flow.snd_max, segment.seq))
    return violate(event, "a gap in the sequence numbers after " + std::to_string(flow.snd_max));
  const bool sends_something = !segment.payload.empty() || segment.has('F');
  if (!sends_something) return;
  const std::uint16_t unsaid = default_mss(segment.path);
  const std::size_t mss = flow.peer_syn ? flow.peer_syn->mss.value_or(unsaid) : unsaid;
  if (tcp_bytes_of(event.frame) > mss + kTcpBytes)
    violate(event, "larger than the peer's MSS of " + std::to_string(mss));
  const std::uint32_t end = event.end() + (segment.has('F') ? 1 : 0);
  if (!flow.peer_edge)
    violate(event, "data before the peer's window is known");
  else if (before(*flow.peer_edge + 1, end))
    violate(event, "beyond the peer's right edge " + std::to_string(*flow.peer_edge));
  check_content(event);
  check_fin(event);
  flow.snd_max = later(flow.snd_max, end);
}

void WireMonitor::check_content(Event& event) {
  Flow& flow = event.flow;
  const std::uint32_t data_begin =
      flow.snd_una == flow.own_syn->seq ? flow.snd_una + 1 : flow.snd_una;
  // What lies before snd_una has arrived: a keep-alive may send any byte there (RFC 9293 3.8.4).
  std::string_view payload = event.segment.payload;
  std::uint32_t begin = event.end() - static_cast<std::uint32_t>(payload.size());
  if (before(begin, data_begin)) {
    payload.remove_prefix(std::min<std::size_t>(data_begin - begin, payload.size()));
    begin = data_begin;
  }
  if (payload.empty()) return;
  const std::size_t offset =
      std::min<std::size_t>(flow.unacked_front + (begin - data_begin), flow.unacked.size());
  const std::size_t known = std::min(flow.unacked.size() - offset, payload.size());
  if (flow.unacked.compare(offset, known, payload.substr(0, known)) != 0)
    violate(event, "other bytes than were sent before at the same sequence number");
  flow.unacked += payload.substr(known);
}

void WireMonitor::check_fin(Event& event) {
  Flow& flow = event.flow;
  const std::uint32_t end = event.end();
  if (flow.fin_seq && before(*flow.fin_seq, end)) violate(event, "data behind the FIN");
  if (!event.segment.has('F')) return;
  if (flow.fin_seq && *flow.fin_seq != end)
    violate(event, "the FIN moved from " + std::to_string(*flow.fin_seq));
  if (!flow.fin_seq && before(end, flow.snd_max)) violate(event, "a FIN before data already sent");
  flow.fin_seq = end;
}

void WireMonitor::violate(const Event& event, const std::string& sentence) {
  if (violations_.size() >= kMaxViolations) return;
  violations_.push_back(name_ + " at " + std::to_string(event.now.time_since_epoch().count()) +
                        " ns: " + sentence + ": " + io::format_frame(event.frame));
}

}  // namespace tern::test
