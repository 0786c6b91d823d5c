// SPDX-License-Identifier: BSD-3-Clause
#include "scripted_peer.h"

#include <algorithm>
#include <chrono>

namespace tern::test {
namespace {

constexpr std::uint16_t kMss = 1448;
constexpr std::uint8_t kWindowScale = 3;

bool is_before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

template <typename T, std::size_t N>
T one_of(Prng& prng, const T (&choices)[N]) {
  return choices[prng.below(N)];
}

}  // namespace

ScriptedPeer::ScriptedPeer(std::uint16_t port, Prng& prng)
    : prng_(prng),
      isn_(static_cast<std::uint32_t>(prng.next())),
      offers_timestamps_(prng.chance(0.6)),
      offers_scaling_(prng.chance(0.6)),
      snd_nxt_(isn_ + 1),
      clock_offset_(static_cast<std::uint32_t>(prng.next())) {
  path_.source_port = port;
}

void ScriptedPeer::receive(const Segment& s) {
  if (s.has('R')) {
    reset_ = true;
    return;
  }
  if (s.has('S')) {
    timestamps_ = s.ts.present;
    scaled_ = s.wscale.has_value();
    stack_scale_ = s.wscale.value_or(0);
    rcv_una_ = rcv_nxt_ = s.seq;
    edge_ = s.ack + s.window;
  } else {
    edge_ = s.ack + (std::uint32_t{s.window} << stack_scale_);
  }
  if (s.ts.present) echo_ = s.ts.value;
  const std::uint32_t end = s.seq + s.length();
  if (!is_before(rcv_nxt_, s.seq) && is_before(rcv_nxt_, end)) rcv_nxt_ = end;
}

Segment ScriptedPeer::opening(Instant now) {
  Segment s = plain(now);
  if (rcv_nxt_ != 0) {  // the SYN,ACK is there
    established_ = true;
    rcv_una_ = rcv_nxt_;
    return s;
  }
  s.flags = "S";
  s.seq = isn_;
  s.ack = 0;
  s.mss = kMss + 12;
  if (offers_timestamps_) s.ts = {clock_offset_, 0};
  if (offers_scaling_) s.wscale = kWindowScale;
  return s;
}

Segment ScriptedPeer::plain(Instant now) const {
  Segment s{.path = path_, .flags = ".", .seq = snd_nxt_, .ack = rcv_nxt_, .window = window_};
  const auto ms = static_cast<std::uint32_t>(now.time_since_epoch() / std::chrono::milliseconds(1));
  if (timestamps_) s.ts = {clock_offset_ + ms, echo_};
  return s;
}

std::uint32_t ScriptedPeer::segment_bytes() {
  return 1 + prng_.below(prng_.chance(0.5) ? 100 : kMss);
}

// The same number always means the same byte.
void ScriptedPeer::fill(Segment& s, std::uint32_t seq, std::uint32_t bytes) const {
  s.seq = seq;
  s.payload.resize(bytes);
  for (std::uint32_t i = 0; i < bytes; ++i)
    s.payload[i] = static_cast<char>((seq - isn_ + i) * 31 >> 3);
}

Segment ScriptedPeer::in_order_data(Instant now) {
  Segment s = plain(now);
  std::uint32_t bytes = segment_bytes();
  if (room() < bytes && !prng_.chance(0.1)) bytes = is_before(snd_nxt_, edge_) ? room() : 0;
  fill(s, snd_nxt_, bytes);
  if (prng_.chance(0.5)) s.flags = "P.";
  const bool lost = prng_.chance(0.03);  // then what follows leaves a gap
  if (!fin_sent_) snd_nxt_ += std::min(bytes, room());
  if (lost) s.ip_checksum_ok = false;
  rcv_una_ = rcv_nxt_;
  return s;
}

Segment ScriptedPeer::acknowledgment(Instant now) {
  Segment s = plain(now);
  switch (prng_.below(8)) {
    case 0:
      s.ack = rcv_una_;  // a duplicate, if something is in flight
      return s;
    case 1:
      s.ack = rcv_una_ - prng_.below(100'000);
      return s;
    case 2:
      s.ack = rcv_nxt_ + 1 + prng_.below(100'000);
      return s;
    case 3:
    case 4:
      s.ack = rcv_una_ + (rcv_nxt_ - rcv_una_) / 2;
      break;
    default:
      break;
  }
  rcv_una_ = s.ack;
  return s;
}

Segment ScriptedPeer::misplaced_data(Instant now) {
  Segment s = plain(now);
  const std::uint32_t bytes = prng_.below(10) == 0 ? 0 : segment_bytes();
  switch (prng_.below(5)) {
    case 0:
      fill(s, snd_nxt_ + 1 + prng_.below(5000), bytes);
      break;
    case 1:
      fill(s, snd_nxt_ - prng_.below(5000), bytes);
      break;
    case 2:
      fill(s, edge_ - prng_.below(2000), bytes);
      break;
    case 3:
      fill(s, static_cast<std::uint32_t>(prng_.next()), bytes);
      break;
    default:
      fill(s, snd_nxt_ - 1, prng_.below(2));  // a keep-alive
      break;
  }
  return s;
}

Segment ScriptedPeer::window_change(Instant now) {
  constexpr std::uint16_t kWindows[] = {0, 1, 100, 1000, 8000, 65535, 65535};
  window_ = one_of(prng_, kWindows);
  return prng_.chance(0.5) ? plain(now) : in_order_data(now);
}

Segment ScriptedPeer::odd_timestamp(Instant now) {
  Segment s = prng_.chance(0.5) ? in_order_data(now) : acknowledgment(now);
  switch (prng_.below(4)) {
    case 0:
      s.ts = {};
      break;
    case 1:
      s.ts = {s.ts.value - 1 - prng_.below(5000), s.ts.echo};
      break;
    case 2: {
      const std::uint32_t ahead = prng_.below(100);
      clock_offset_ += ahead;  // else all that follows would be too old
      s.ts = {s.ts.value + ahead, s.ts.echo};
      break;
    }
    default:
      s.ts = {s.ts.value, static_cast<std::uint32_t>(prng_.next())};
      break;
  }
  return s;
}

Segment ScriptedPeer::odd_flags(Instant now) {
  Segment s = prng_.chance(0.7) ? in_order_data(now) : misplaced_data(now);
  if (prng_.chance(0.5)) {
    constexpr const char* kHarmless[] = {"U.", "E.", "W.", "PEW.", "PU.", "UEW."};
    s.flags = one_of(prng_, kHarmless);
    s.urgent = static_cast<std::uint16_t>(prng_.next());
    return s;
  }
  s.flags.clear();
  for (const char flag : {'F', 'S', 'P', '.', 'U', 'E', 'W'})
    if (prng_.chance(0.4)) s.flags.push_back(flag);
  return s;
}

Segment ScriptedPeer::reset_segment(Instant now) {
  Segment s = plain(now);
  s.flags = prng_.chance(0.5) ? "R" : "R.";
  if (prng_.chance(0.9)) s.seq += 1 + prng_.below(prng_.chance(0.5) ? 1000 : 0x7fffffff);
  return s;
}

Segment ScriptedPeer::in_order_fin(Instant now) {
  Segment s = prng_.chance(0.5) ? in_order_data(now) : plain(now);
  s.flags = "F.";
  if (!fin_sent_) ++snd_nxt_;
  fin_sent_ = true;
  return s;
}

Segment ScriptedPeer::next(Instant now) {
  if (!established_) return opening(now);
  const std::uint32_t roll = prng_.below(1000);
  if (roll < 520) return in_order_data(now);
  if (roll < 780) return acknowledgment(now);
  if (roll < 840) return misplaced_data(now);
  if (roll < 880) return window_change(now);
  if (roll < 930) return odd_timestamp(now);
  if (roll < 970) return odd_flags(now);
  if (roll < 990) return reset_segment(now);
  return prng_.chance(0.3) ? in_order_fin(now) : plain(now);
}

}  // namespace tern::test
