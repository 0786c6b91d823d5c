// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/prng.h"
#include "io/tap/tap_port.h"

namespace tern::io {

/// Probabilities for each frame of one direction. A reordered frame is held back until
/// `reorder_gap` later ones have passed it, or until `reorder_polls` polls went by.
struct FaultRates {
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;
  double corrupt = 0;  ///< one bit flipped, anywhere in the frame
  std::uint32_t reorder_gap = 1;
  std::uint32_t reorder_polls = 64;
};

struct FaultConfig {
  FaultRates rx{}, tx{};
  std::uint64_t seed = 1;
};

struct FaultCounts {
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t duplicates_refused = 0;  ///< no empty frame for the copy: passed once
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
};

/// A port that mistreats frames, over any port: with a real device under it, a bad network. Frame
/// ownership stays exact: a frame is the stack's, this port's (held()) or the inner port's.
///
/// Takes every frame that is offered, or none: none while frames of an earlier call wait for the
/// inner port. A corrupted received frame loses the device's checksum verdict; when sent frames are
/// corrupted, checksum offload is hidden, since the device would make the damage valid.
class FaultPort final : public PortDecorator {
 public:
  FaultPort(Port& inner, const FaultConfig& config);
  ~FaultPort() override;  // gives every held frame back
  FaultPort(const FaultPort&) = delete;
  FaultPort& operator=(const FaultPort&) = delete;

  const PortInfo& info() const override { return info_; }
  std::size_t receive(std::span<Frame> frames) override;
  std::size_t transmit(std::span<const Frame> frames) override;

  /// Frames that this port holds, of either direction.
  std::size_t held() const { return rx_.held() + tx_.held(); }
  const FaultCounts& rx_counts() const { return rx_.counts; }
  const FaultCounts& tx_counts() const { return tx_.counts; }

 private:
  struct HeldBack {
    Frame frame;
    std::uint32_t gap;    // frames yet to pass it
    std::uint32_t polls;  // polls yet to go by
  };
  // One direction: frames go in one at a time, and come out of `ready` in their new order.
  struct Lane {
    Lane(const FaultRates& fault_rates, std::uint64_t seed);
    void put(Frame frame, Port& port);
    void poll();
    std::size_t held() const { return ready.size() + held_back.size(); }

    FaultRates rates;
    Prng loss, duplicate, reorder, corrupt;
    std::deque<Frame> ready;
    std::deque<HeldBack> held_back;
    FaultCounts counts;

   private:
    void pass(const Frame& frame);
    void duplicate_frame(const Frame& frame, Port& port);
    void flip_bit(Frame& frame, std::uint64_t bit);
  };

  void push_ready();

  PortInfo info_;
  Lane rx_, tx_;
  std::vector<Frame> scratch_;
};

}  // namespace tern::io
