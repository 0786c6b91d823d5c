// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "io/frame_observer.h"
#include "io/sim/frame_blocks.h"
#include "tern/port.h"

namespace tern::io {

/// What the device says about a received frame's checksums.
enum class ChecksumVerdict : std::uint8_t {
  kNone,      ///< nothing: the stack verifies
  kVerified,  ///< good or bad, whichever is true
  kIntact,    ///< both bits, "not computed, but intact" (virtio), whatever the bytes: not for lossy
              ///< links
};

/// A simulated device. The defaults are a plain NIC without offloads.
struct ModelPortConfig {
  MacAddress mac{{0x02, 0, 0, 0, 0, 0x01}};
  std::uint16_t mtu = 1500;
  FrameBlockLimits blocks{};
  std::uint32_t tx_ring = 256;           ///< sent frames that the device reads at once
  std::uint32_t transmit_limit = 65535;  ///< frames that one transmit call takes
  std::uint32_t receive_limit = 65535;   ///< frames that one receive call answers
  ChecksumVerdict rx_checksum = ChecksumVerdict::kNone;
  bool tx_checksum_offload = false;     ///< completes IPv4 and TCP checksums when asked to
  std::uint32_t tso_bytes = 0;          ///< PortInfo's; needs tx_checksum_offload
  bool trust_missing_checksum = false;  ///< PortInfo's
};

/// Frames that a simulated device saw or lost.
struct ModelPortCounts {
  std::uint64_t received = 0;             ///< handed to the stack
  std::uint64_t sent = 0;                 ///< taken from the stack
  std::uint64_t cut = 0;                  ///< of those, cut into several
  std::uint64_t rx_dropped_no_frame = 0;  ///< the receive pool was dry
  std::uint64_t rx_dropped_too_long = 0;  ///< longer than the MTU allows
  std::uint64_t tx_refused =
      0;  ///< offers that the ring did not take; offered again they count again
  std::uint64_t allocations_refused = 0;  ///< frames asked for while the pool was dry
};

/// The part of a simulated port that models a device: exact-size blocks, pools, a transmit ring,
/// DMA, checksum offload. Where frames come from and go to is the derived class's. Misuse of a
/// handle asserts; what a real device would suffer silently (a sent frame that changes, a wrong
/// offload request) is a violation that the test's fixture asserts empty. Thread: one.
class ModelPort : public Port {
 public:
  explicit ModelPort(const ModelPortConfig& config);

  const PortInfo& info() const override { return info_; }
  std::size_t receive(std::span<Frame> frames) override;
  std::size_t transmit(std::span<const Frame> frames) override;
  std::size_t allocate(std::span<Frame> frames) override;
  bool allocate_large(Frame& frame) override;
  void release(std::span<const Frame> frames) override;
  std::size_t recycle(std::span<Frame> frames) override;

  /// A frame arrives from the wire; false (and counted) if the device drops it.
  bool deliver(std::span<const std::byte> bytes);

  /// From now on, frames that one transmit call takes: 0 is a ring that stays full.
  void set_transmit_limit(std::uint32_t frames) { config_.transmit_limit = frames; }
  void set_receive_limit(std::uint32_t frames) { config_.receive_limit = frames; }
  /// Sees every frame that the stack takes and every frame as it goes on the wire.
  void observe(FrameObserver observer) { observers_.push_back(std::move(observer)); }

  /// Frames that the stack holds: allocated or received, not given back.
  std::size_t outstanding() const { return blocks_.outstanding(); }
  /// Sent frames that the device still reads.
  std::size_t in_flight() const { return blocks_.in_flight(); }
  /// Arrived frames that the stack has not taken.
  std::size_t pending() const { return queue_.size(); }
  const ModelPortCounts& counts() const { return counts_; }
  /// What the stack did wrong, one sentence each; includes DMA violations.
  std::vector<std::string> violations() const;

 protected:
  /// A frame leaves.
  virtual void put_on_wire(std::vector<std::byte> frame) = 0;
  virtual Instant now() const = 0;

 private:
  void send_one(const Frame& frame);
  std::vector<std::vector<std::byte>> on_the_wire(const Frame& frame);
  void check_sent(const Frame& frame);
  bool fits_mtu(std::span<const std::byte> frame) const;
  void show(FrameDirection direction, std::span<const std::byte> bytes);

  ModelPortConfig config_;
  PortInfo info_;
  FrameBlocks blocks_;
  std::deque<Frame> queue_;  // arrived, not yet taken
  std::vector<FrameObserver> observers_;
  std::vector<std::string> violations_;
  ModelPortCounts counts_;
};

}  // namespace tern::io
