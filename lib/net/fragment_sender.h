// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/siphash.h"
#include "net/egress.h"
#include "net/token_bucket.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "wire/ethernet.h"
#include "wire/fragment.h"
#include "wire/icmp.h"

namespace tern::net {

/// An ICMP message: its header, and the rest, which lies elsewhere.
struct SplitMessage {
  std::array<std::byte, wire::kIcmpHeaderBytes> head;
  std::span<const std::byte> body;

  std::size_t size() const { return head.size() + body.size(); }
  /// Fills `out` with the bytes from `from` on.
  void copy(std::size_t from, std::span<std::byte> out) const;
};

/// Draws the numbers of datagrams in fragments.
class FragmentIds {
 public:
  /// `key` serves nothing else, and is the same for all stacks of an interface.
  explicit FragmentIds(const SipKey& key, StackNumber stack = {}) : key_(key), stack_(stack) {}

  /// One that no datagram to this address has had since 65,536 others of all stacks together, if
  /// each has its share of them (RFC 6864 4.3), and that tells nobody how much is sent to others
  /// (RFC 7739).
  std::uint32_t next(std::span<const std::byte> destination);

 private:
  static constexpr std::size_t kCounters = 256;

  const SipKey key_;
  const StackNumber stack_;
  std::array<std::uint32_t, kCounters> sent_{};
};

/// Sends what does not fit into one packet in fragments: an echo reply to a request that came in
/// fragments itself (RFC 1122 3.2.2.6). Thread: the stack's.
class FragmentSender {
 public:
  static constexpr std::size_t kMaxFragments = 128;

  FragmentSender(Egress& egress, Counters& counters, const FragmentIds& ids)
      : egress_(egress), counters_(counters), ids_(ids) {}

  /// Cuts `message` into packets of at most `packet_bytes`, of which `header_bytes` are headers:
  /// all of them, or false and none. Each takes a token. `emit(frame, cut)` writes the headers
  /// behind the link's and passes the frame on. `destination`: the address.
  template <class Emit>
  bool send(const SplitMessage& message, std::span<const std::byte> destination,
            std::size_t packet_bytes, std::size_t header_bytes, TokenBucket& limit, Instant now,
            Emit&& emit) {
    const std::size_t unit =
        (packet_bytes - header_bytes) / wire::kFragmentUnit * wire::kFragmentUnit;
    const std::size_t count = (message.size() + unit - 1) / unit;
    std::array<Frame, kMaxFragments> frames;
    if (count > frames.size() || !limit.take(now, static_cast<std::uint32_t>(count)) ||
        !allocate(std::span(frames).first(count)))
      return false;
    wire::FragmentCut cut{.id = ids_.next(destination)};
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = i * unit, bytes = std::min(unit, message.size() - at);
      Frame& frame = frames[i];
      message.copy(at, {frame.data + wire::kEthernetHeaderBytes + header_bytes, bytes});
      frame.length = static_cast<std::uint32_t>(wire::kEthernetHeaderBytes + header_bytes + bytes);
      cut.offset = static_cast<std::uint16_t>(at);
      cut.more = i + 1 < count;
      emit(frame, cut);
    }
    counters_.fragments_out += count;
    return true;
  }

 private:
  bool allocate(std::span<Frame> frames);

  Egress& egress_;
  Counters& counters_;
  FragmentIds ids_;
};

}  // namespace tern::net
