// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/sim_network.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace tern::io {
namespace {

constexpr std::size_t kEthernetBytes = 14;

MacAddress mac_at(std::span<const std::byte> frame, std::size_t offset) {
  MacAddress mac;
  for (std::size_t i = 0; i < 6; ++i) mac.octets[i] = static_cast<std::uint8_t>(frame[offset + i]);
  return mac;
}

}  // namespace

void SimPort::put_on_wire(std::vector<std::byte> frame) {
  if (outgoing_ != nullptr) outgoing_->send(std::move(frame));
}

Instant SimPort::now() const { return network_ != nullptr ? network_->now() : Instant{}; }

FrameReceiver& SimSwitch::add_port(SimLink& out) {
  ports_.push_back(std::make_unique<SwitchPort>(*this, out));
  return *ports_.back();
}

void SimSwitch::forward(SwitchPort& from, std::span<const std::byte> frame) {
  if (frame.size() < kEthernetBytes) return;
  const MacAddress destination = mac_at(frame, 0);
  learned_[mac_at(frame, 6)] = &from;
  const auto known = learned_.find(destination);
  const bool flood = destination.is_multicast() || known == learned_.end();
  for (const auto& port : ports_) {
    if (port.get() == &from || (!flood && known->second != port.get())) continue;
    port->out.send({frame.begin(), frame.end()});
  }
}

LinkPair SimNetwork::connect(SimPort& a, SimPort& b, const LinkConfig& a_to_b,
                             const LinkConfig& b_to_a) {
  SimLink& forth = add_link(b, a_to_b);
  SimLink& back = add_link(a, b_to_a);
  plug_in(a, forth);
  plug_in(b, back);
  return {forth, back};
}

SimSwitch& SimNetwork::add_switch() {
  switches_.push_back(std::make_unique<SimSwitch>());
  return *switches_.back();
}

LinkPair SimNetwork::attach(SimPort& port, SimSwitch& to, const LinkConfig& port_to_switch,
                            const LinkConfig& switch_to_port) {
  SimLink& back = add_link(port, switch_to_port);
  SimLink& forth = add_link(to.add_port(back), port_to_switch);
  plug_in(port, forth);
  return {forth, back};
}

SimLink& SimNetwork::add_link(FrameReceiver& receiver, const LinkConfig& config) {
  links_.push_back(std::make_unique<SimLink>(*this, receiver, config));
  return *links_.back();
}

void SimNetwork::plug_in(SimPort& port, SimLink& outgoing) {
  const bool port_is_free = port.outgoing_ == nullptr;
  TERN_ASSERT(port_is_free);
  port.network_ = this;
  port.outgoing_ = &outgoing;
}

void SimNetwork::advance_to(Instant time) {
  TERN_ASSERT(time >= now_);
  while (next_event() <= time && !events_.empty()) {
    const auto event = events_.extract(events_.begin());
    now_ = event.key().first;
    event.mapped().link->arrive(event.mapped().frame);
  }
  now_ = time;
}

void SimNetwork::schedule(Instant time, SimLink& link, std::vector<std::byte> frame) {
  // A hook may hand out a negative delay to let a frame overtake; never into the past.
  events_.emplace(std::pair(std::max(time, now_), next_sequence_++),
                  Event{&link, std::move(frame)});
}

}  // namespace tern::io
