// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>

#include "tern/port.h"

namespace tern::net {

/// Tags what is sent through it with a VLAN (IEEE 802.1Q), in software: the stack builds frames as
/// if there were none. The tag's room is set aside in front of each frame when it is allocated, so
/// that only the addresses move, and only in a stack that has a VLAN. What is received keeps its
/// tag, which the parser judges. Priority 0. The inner port outlives it. Thread: the stack's.
class VlanPort final : public Port {
 public:
  /// `vlan`: 1 to 4094.
  VlanPort(Port& inner, std::uint16_t vlan);

  const PortInfo& info() const override { return info_; }
  std::size_t receive(std::span<Frame> frames) override { return inner_.receive(frames); }
  std::size_t transmit(std::span<const Frame> frames) override;
  std::size_t allocate(std::span<Frame> frames) override;
  bool allocate_large(Frame& frame) override;
  void release(std::span<const Frame> frames) override { inner_.release(frames); }
  std::size_t recycle(std::span<Frame> frames) override;
  PortCounters counters() const override { return inner_.counters(); }
  bool link_up() const override { return inner_.link_up(); }
  bool wants_drops() const override { return inner_.wants_drops(); }
  void note_drop(std::size_t index, DropReason reason) override { inner_.note_drop(index, reason); }

 private:
  static constexpr std::size_t kBurst = 64;

  Frame tag(const Frame& frame) const;
  std::size_t transmit_burst(std::span<const Frame> frames);

  Port& inner_;
  PortInfo info_;
  const std::uint16_t vlan_;
};

}  // namespace tern::net
