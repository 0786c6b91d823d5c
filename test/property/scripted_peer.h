// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "base/prng.h"
#include "support/segment.h"

namespace tern::test {

/// A peer on the wire that mostly follows the rules and sometimes does not: it opens a connection,
/// keeps track of what the stack has sent, and draws its next segment from a generator.
class ScriptedPeer {
 public:
  /// Its SYN has timestamps and a window scale or not, as drawn.
  ScriptedPeer(std::uint16_t port, Prng& prng);

  /// A segment from the stack to this peer's port.
  void receive(const Segment& segment);

  /// The next segment; the SYN or the handshake's ACK as long as there is no connection.
  Segment next(Instant now);

  std::uint16_t port() const { return path_.source_port; }
  bool reset() const { return reset_; }

 private:
  Segment opening(Instant now);
  Segment plain(Instant now) const;  // an ACK of everything, at the right place, at the right time
  Segment in_order_data(Instant now);
  Segment acknowledgment(Instant now);
  Segment misplaced_data(Instant now);
  Segment window_change(Instant now);
  Segment odd_timestamp(Instant now);
  Segment odd_flags(Instant now);
  Segment reset_segment(Instant now);
  Segment in_order_fin(Instant now);
  void fill(Segment& segment, std::uint32_t seq, std::uint32_t bytes) const;
  std::uint32_t segment_bytes();
  std::uint32_t room() const { return edge_ - snd_nxt_; }

  Prng& prng_;
  Path path_{};
  const std::uint32_t isn_;
  const bool offers_timestamps_;
  const bool offers_scaling_;
  bool timestamps_ = false;
  bool scaled_ = false;
  bool established_ = false;
  bool reset_ = false;
  bool fin_sent_ = false;
  std::uint32_t snd_nxt_;
  std::uint32_t edge_ = 0;  // right edge of the window that the stack offers
  std::uint32_t rcv_una_ = 0;  // what the last ACK acknowledged
  std::uint32_t rcv_nxt_ = 0;
  std::uint8_t stack_scale_ = 0;
  std::uint16_t window_ = 65535;
  std::uint32_t clock_offset_;
  std::uint32_t echo_ = 0;
};

}  // namespace tern::test
