// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/seq_num.h"
#include "wire/tcp.h"

namespace tern::tcp {

/// What of [snd_una, snd_max) a peer has SACKed (RFC 2018, RFC 6675 4): disjoint ranges in
/// ascending order, none of which touch. Bounded: where there is no room for another range, what a
/// block says is forgotten, which costs a retransmission at worst. The caller has validated the
/// blocks: within (snd_una, snd_max], not empty.
class SackScoreboard {
 public:
  /// A hole at every second segment of 180 KB of flight.
  static constexpr std::size_t kMaxRanges = 64;
  static constexpr std::uint32_t kDupThreshold = 3;  // RFC 6675 2

  /// Notes a block. Bytes that were not noted before; nothing if there was no room.
  std::optional<std::uint32_t> add(const wire::SackBlock& block);

  /// Forgets what lies below snd_una.
  void advance(wire::SeqNum una);

  void clear() { count_ = 0, bytes_ = 0; }
  bool empty() const { return count_ == 0; }
  std::uint32_t bytes() const { return bytes_; }
  std::span<const wire::SackBlock> ranges() const { return {ranges_.data(), count_}; }

  bool contains(wire::SeqNum seq) const;
  /// Bytes noted below `seq`.
  std::uint32_t bytes_below(wire::SeqNum seq) const;
  /// `seq`, or the end of the range that it lies in.
  wire::SeqNum past_sacked(wire::SeqNum seq) const;
  /// Bytes from `seq`, which is in no range, to the next range; UINT32_MAX if there is none.
  std::uint32_t room_before_sacked(wire::SeqNum seq) const;

 private:
  std::array<wire::SackBlock, kMaxRanges> ranges_;
  std::uint32_t count_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace tern::tcp
