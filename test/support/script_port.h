// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "io/sim/model_port.h"
#include "support/segment.h"

namespace tern::test {

/// A frame that the stack sent, as it went on the wire.
struct SentFrame {
  Instant time;
  Bytes bytes;
};

/// A port for exact-segment tests: what arrives is written by hand, what is sent is collected. The
/// rest is ModelPort's: exact-size blocks, pools, DMA, conservation.
class ScriptPort final : public io::ModelPort {
 public:
  explicit ScriptPort(const io::ModelPortConfig& config = {}) : ModelPort(config) {}

  bool link_up() const override { return link_up_; }

  /// A frame arrives; false if the device dropped it.
  bool inject(std::span<const std::byte> bytes) { return deliver(bytes); }
  bool inject(const Segment& segment) { return deliver(build(segment)); }
  bool inject(const Arp& arp) { return deliver(build(arp)); }
  bool inject(const Datagram& datagram) { return deliver(build(datagram)); }

  /// The time that goes with what is sent from now on.
  void set_now(Instant now) { now_ = now; }
  void set_link_up(bool up) { link_up_ = up; }

  /// Takes the TCP segments among the sent frames, with their times, in order.
  std::vector<Segment> take_sent();
  /// Takes the ARP packets among the sent frames.
  std::vector<Arp> take_sent_arp();
  /// Takes the neighbour solicitations among the sent frames.
  std::vector<Solicitation> take_solicitations();
  /// Takes all sent frames that were not taken yet.
  std::vector<SentFrame> take_frames();

 private:
  void put_on_wire(std::vector<std::byte> frame) override;
  Instant now() const override { return now_; }

  std::vector<SentFrame> sent_;
  Instant now_{};
  bool link_up_ = true;
};

}  // namespace tern::test
