// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tern/address.h"
#include "tern/port.h"
#include "tern/time.h"

namespace tern {

/// A TCP connection's name, seen from this host.
struct Flow {
  Endpoint local, remote;
};

/// What one stack has heard of a neighbour and the others of the same interface may need: the
/// answer to a question of theirs can arrive at any of them.
struct NeighbourNews {
  enum class Kind : std::uint8_t {
    kClaim,          ///< `address` has spoken, and is at `mac`
    kAdvertisement,  ///< IPv6: an answer or an announcement (RFC 4861 4.4)
    kRouter,         ///< IPv6: a router has advertised itself (RFC 4861 4.2)
    kPrefix,         ///< IPv6: it says that this prefix is on-link
    kDuplicate,      ///< IPv6: another host has this address of ours (RFC 4862 5.4)
  };

  IpAddress address;
  MacAddress mac{};       ///< zero: it did not say
  bool wants_us = false;  ///< it asked for our address, so it is worth remembering (RFC 826)
  Kind kind = Kind::kClaim;
  bool solicited = false, overrides = false;  ///< kAdvertisement
  bool is_router = false;                     ///< kAdvertisement
  std::uint8_t prefix_length = 0;             ///< kPrefix
  std::uint8_t hop_limit = 0;                 ///< kRouter: for what this host sends; 0 = not said
  std::uint32_t lifetime_s = 0;  ///< kRouter: as a default router; kPrefix: 0xffffffff = for ever
  std::uint32_t mtu = 0;         ///< kRouter: of the link; 0 = not said
  std::uint32_t reachable_ms = 0, retransmit_ms = 0;  ///< kRouter; 0 = not said
};

/// What becomes of a segment that no connection of this stack awaits.
enum class Placement : std::uint8_t {
  kHere,     ///< nobody else knows it either: to be answered here
  kTaken,    ///< on its way to another stack, together with its frame
  kFull,     ///< to be dropped: the way to the other stack is full
  kLimited,  ///< to be dropped: too many such segments in this second
};

/// Which of the stacks of one interface a stack is.
struct StackNumber {
  std::uint16_t number = 0, of = 1;  ///< number < of
};

/// How the stacks of one interface find each other's connections, one object for each of them.
/// RuntimeConfig::workers makes them; a service with loops of its own may bring another kind, or
/// none when it has one stack. Thread rule: the stack's, for every call.
class Steering {
 public:
  virtual ~Steering() = default;

  /// Which one this is: what all of them draw from one space, the numbers of datagrams in
  /// fragments, they share by it. Constant. The default is right for one stack alone.
  virtual StackNumber number() const { return {}; }

  /// Whether what the peer sends on this flow arrives at this stack, as far as can be told: source
  /// ports are drawn accordingly.
  virtual bool is_home(const Flow& flow) const = 0;

  /// A segment of a flow that is not here and that does not open one. If kTaken the frame is no
  /// longer the caller's.
  virtual Placement place(const Frame& frame, const Flow& flow, Instant now) = 0;

  /// A fragment of the datagram with this number between these addresses: all of them must meet at
  /// one stack, whichever it is. If kTaken the frame is no longer the caller's. kHere for all is
  /// right where the device puts all fragments between two addresses into one queue.
  virtual Placement place_fragment(const Frame& frame, const IpAddress& source,
                                   const IpAddress& destination, std::uint32_t id, Instant now) {
    static_cast<void>(frame), static_cast<void>(source), static_cast<void>(destination);
    static_cast<void>(id), static_cast<void>(now);
    return Placement::kHere;
  }

  /// A frame with frame_flag::kHandedOver belongs to a connection of this stack.
  virtual void claim(const Flow& flow) = 0;

  /// Passes news to the other stacks; what they cannot take is lost. Returns how many missed it.
  virtual std::size_t tell(const NeighbourNews& news) = 0;

  /// Fills a prefix of `news` with what the others have told, and returns its length.
  virtual std::size_t hear(std::span<NeighbourNews> news) = 0;
};

}  // namespace tern
