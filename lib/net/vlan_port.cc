// SPDX-License-Identifier: BSD-3-Clause
#include "net/vlan_port.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.h"
#include "wire/ethernet.h"

namespace tern::net {
namespace {

constexpr std::size_t kAddressBytes = 12;  // destination and source

std::size_t make_room(std::span<Frame> frames, std::size_t count) {
  for (Frame& frame : frames.first(count)) frame.data += wire::kVlanTagBytes;
  return count;
}

}  // namespace

VlanPort::VlanPort(Port& inner, std::uint16_t vlan)
    : inner_(inner), info_(inner.info()), vlan_(vlan) {
  info_.frame_capacity -= wire::kVlanTagBytes;
}

std::size_t VlanPort::allocate(std::span<Frame> frames) {
  return make_room(frames, inner_.allocate(frames));
}

bool VlanPort::allocate_large(Frame& frame) {
  return inner_.allocate_large(frame) && make_room({&frame, 1}, 1) == 1;
}

std::size_t VlanPort::recycle(std::span<Frame> frames) {
  return make_room(frames, inner_.recycle(frames));
}

std::size_t VlanPort::transmit(std::span<const Frame> frames) {
  std::size_t taken = 0;
  while (taken < frames.size()) {
    const std::size_t count = std::min(frames.size() - taken, kBurst);
    const std::size_t sent = transmit_burst(frames.subspan(taken, count));
    taken += sent;
    if (sent < count) break;
  }
  return taken;
}

// What the port does not take is offered again: it is given its addresses back.
std::size_t VlanPort::transmit_burst(std::span<const Frame> frames) {
  std::array<Frame, kBurst> tagged;
  std::transform(frames.begin(), frames.end(), tagged.begin(),
                 [this](const Frame& frame) { return tag(frame); });
  const std::size_t sent = inner_.transmit({tagged.data(), frames.size()});
  for (const Frame& frame : frames.subspan(sent))
    std::memmove(frame.data, frame.data - wire::kVlanTagBytes, kAddressBytes);
  return sent;
}

Frame VlanPort::tag(const Frame& frame) const {
  constexpr std::uint32_t kL2Mask = 0x7f;  // of tx_metadata()
  Frame tagged = frame;
  tagged.data -= wire::kVlanTagBytes;
  tagged.length += wire::kVlanTagBytes;
  std::memmove(tagged.data, frame.data, kAddressBytes);
  store_be16(tagged.data + kAddressBytes, wire::ether_type::kVlan);
  store_be16(tagged.data + kAddressBytes + 2, vlan_);
  if ((tagged.metadata & kL2Mask) != 0) tagged.metadata += wire::kVlanTagBytes;
  return tagged;
}

}  // namespace tern::net
