// SPDX-License-Identifier: BSD-3-Clause
#include "support/script_port.h"

#include <utility>

namespace tern::test {

void ScriptPort::put_on_wire(std::vector<std::byte> frame) {
  sent_.push_back({now_, std::move(frame)});
}

std::vector<Segment> ScriptPort::take_sent() {
  std::vector<Segment> segments;
  std::erase_if(sent_, [&](const SentFrame& frame) {
    auto segment = parse_segment(frame.bytes);
    if (!segment) return false;
    segment->time = frame.time;
    segments.push_back(std::move(*segment));
    return true;
  });
  return segments;
}

std::vector<Arp> ScriptPort::take_sent_arp() {
  std::vector<Arp> packets;
  std::erase_if(sent_, [&](const SentFrame& frame) {
    const auto arp = parse_arp(frame.bytes);
    if (arp) packets.push_back(*arp);
    return arp.has_value();
  });
  return packets;
}

std::vector<Solicitation> ScriptPort::take_solicitations() {
  std::vector<Solicitation> asked;
  std::erase_if(sent_, [&](const SentFrame& frame) {
    const auto solicitation = parse_solicitation(frame.bytes);
    if (solicitation) asked.push_back(*solicitation);
    return solicitation.has_value();
  });
  return asked;
}

std::vector<SentFrame> ScriptPort::take_frames() { return std::exchange(sent_, {}); }

}  // namespace tern::test
