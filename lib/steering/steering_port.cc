// SPDX-License-Identifier: BSD-3-Clause
#include "steering/steering_port.h"

#include <array>

namespace tern::steering {
namespace {

// Frame::metadata of a handed-over frame: where it arrived, and how often it has been passed.
constexpr std::uint32_t route_of(std::uint16_t origin, std::uint16_t passes) {
  return std::uint32_t{passes} << 16 | origin;
}

}  // namespace

SteeringPort::SteeringPort(Port& inner, Exchange& exchange, std::uint16_t worker)
    : inner_(inner), exchange_(exchange), self_(worker) {}

SteeringPort::~SteeringPort() {
  std::array<Frame, 32> frames;
  while (const std::size_t count = receive_handed_over(frames))
    inner_.release({frames.data(), count});
}

std::size_t SteeringPort::receive(std::span<Frame> frames) {
  handed_ = receive_handed_over(frames);
  return handed_ + (handed_ < frames.size() ? inner_.receive(frames.subspan(handed_)) : 0);
}

std::size_t SteeringPort::receive_handed_over(std::span<Frame> frames) {
  std::size_t count = 0;
  for (std::uint16_t i = 0; i < workers() && count < frames.size(); ++i) {
    const auto from = static_cast<std::uint16_t>((first_lane_ + i) % workers());
    if (from != self_) count += exchange_.lane(from, self_).frames.pop(frames.subspan(count));
  }
  first_lane_ = static_cast<std::uint16_t>((first_lane_ + 1) % workers());
  // Another core has just read them: they are in its cache, not in ours.
  for (const Frame& frame : frames.first(count)) __builtin_prefetch(frame.data);
  return count;
}

Placement SteeringPort::place(const Frame& frame, const Flow& flow, Instant now) {
  if (workers() == 1) return Placement::kHere;
  if ((frame.flags & frame_flag::kHandedOver) != 0)
    return pass_on(frame, static_cast<std::uint16_t>(frame.metadata),
                   static_cast<std::uint16_t>(frame.metadata >> 16), now);
  std::uint16_t to =
      exchange_.owner(exchange_.homes().hash_of(flow)).load(std::memory_order_relaxed);
  if (to == Exchange::kNobody || to == self_) to = exchange_.homes().home_of(flow);
  return to == self_ ? pass_on(frame, self_, 0, now) : send(frame, to, self_, 1);
}

// By a keyed hash of what names the datagram, which is no flow and has no home.
Placement SteeringPort::place_fragment(const Frame& frame, const IpAddress& source,
                                       const IpAddress& destination, std::uint32_t id,
                                       Instant now) {
  if (workers() == 1 || (frame.flags & frame_flag::kHandedOver) != 0) return Placement::kHere;
  const Flow name{{destination, static_cast<std::uint16_t>(id)},
                  {source, static_cast<std::uint16_t>(id >> 16)}};
  const auto to =
      static_cast<std::uint16_t>(std::uint64_t{exchange_.homes().hash_of(name)} * workers() >> 32);
  if (to == self_) return Placement::kHere;
  return fragments_.take(now) ? send(frame, to, self_, 1) : Placement::kLimited;
}

// To the next worker round the circle that is not where the frame began.
Placement SteeringPort::pass_on(const Frame& frame, std::uint16_t origin, std::uint16_t passes,
                                Instant now) {
  if (passes == workers() - 1) return Placement::kHere;
  if (!asks_.take(now)) return Placement::kLimited;
  auto to = static_cast<std::uint16_t>((self_ + 1) % workers());
  if (to == origin) to = static_cast<std::uint16_t>((to + 1) % workers());
  return send(frame, to, origin, static_cast<std::uint16_t>(passes + 1));
}

Placement SteeringPort::send(const Frame& frame, std::uint16_t to, std::uint16_t origin,
                             std::uint16_t passes) {
  Frame sent = frame;
  sent.flags = (frame.flags & ~frame_flag::kRxRssHash) | frame_flag::kHandedOver;
  sent.metadata = route_of(origin, passes);
  return exchange_.lane(self_, to).frames.push(sent) ? Placement::kTaken : Placement::kFull;
}

void SteeringPort::claim(const Flow& flow) {
  std::atomic<std::uint16_t>& owner = exchange_.owner(exchange_.homes().hash_of(flow));
  // Looked at first: a store takes the cache line away from the others.
  if (owner.load(std::memory_order_relaxed) != self_) owner.store(self_, std::memory_order_relaxed);
}

std::size_t SteeringPort::tell(const NeighbourNews& news) {
  std::size_t missed = 0;
  for (std::uint16_t to = 0; to < workers(); ++to)
    if (to != self_ && !exchange_.lane(self_, to).news.push(news)) ++missed;
  return missed;
}

std::size_t SteeringPort::hear(std::span<NeighbourNews> news) {
  std::size_t count = 0;
  for (std::uint16_t from = 0; from < workers() && count < news.size(); ++from)
    if (from != self_) count += exchange_.lane(from, self_).news.pop(news.subspan(count));
  return count;
}

}  // namespace tern::steering
