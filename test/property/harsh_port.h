// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>

#include "tern/port.h"

namespace tern::test {

/// A port that runs out of things: over any port, with switches that a test may change at any time.
class HarshPort final : public Port {
 public:
  explicit HarshPort(Port& inner) : inner_(inner) {}

  /// Called first in every poll, when all that the previous one did can be seen.
  std::function<void()> at_poll;
  /// Whether frame number n = 0, 1, ... is not to be had. Each question is for one frame.
  std::function<bool(std::uint64_t n)> is_dry;
  /// How many of the offered frames a transmit call takes.
  std::function<std::size_t(std::size_t offered)> ring_room;

  /// Frames asked for, had or not.
  std::uint64_t allocations() const { return allocations_; }

  const PortInfo& info() const override { return inner_.info(); }
  bool link_up() const override { return inner_.link_up(); }
  void release(std::span<const Frame> frames) override { inner_.release(frames); }

  std::size_t receive(std::span<Frame> frames) override {
    if (at_poll) at_poll();
    return inner_.receive(frames);
  }

  std::size_t transmit(std::span<const Frame> frames) override {
    const std::size_t room = ring_room ? ring_room(frames.size()) : frames.size();
    return room == 0 ? 0 : inner_.transmit(frames.first(std::min(room, frames.size())));
  }

  // One frame for each call, so that each can be refused.
  std::size_t allocate(std::span<Frame> frames) override {
    if (is_dry && is_dry(allocations_++)) return 0;
    return inner_.allocate(frames.first(1));
  }

 private:
  Port& inner_;
  std::uint64_t allocations_ = 0;
};

}  // namespace tern::test
