// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tern/address.h"
#include "tern/stats.h"

namespace tern {

/// Bits of Frame::flags. They are DPDK's own bit positions, so that a received mbuf's flags pass
/// through raw; lib/io/dpdk static_asserts each. A checksum verdict is a pair of bits: neither =
/// unknown, good, bad, or both = "not computed, but the data is intact" (virtio).
namespace frame_flag {
inline constexpr std::uint64_t kRxRssHash = 1ULL << 1;
inline constexpr std::uint64_t kRxL4ChecksumBad = 1ULL << 3;
inline constexpr std::uint64_t kRxIpChecksumBad = 1ULL << 4;
inline constexpr std::uint64_t kRxIpChecksumGood = 1ULL << 7;
inline constexpr std::uint64_t kRxL4ChecksumGood = 1ULL << 8;
/// Came from another stack of the same interface (tern/steering.h). None of DPDK's bits.
inline constexpr std::uint64_t kHandedOver = 1ULL << 39;
inline constexpr std::uint64_t kTxTcpSegmentation = 1ULL << 50;
inline constexpr std::uint64_t kTxTcpChecksum = 1ULL << 52;
inline constexpr std::uint64_t kTxIpChecksum = 1ULL << 54;
inline constexpr std::uint64_t kTxIpv4 = 1ULL << 55;
inline constexpr std::uint64_t kTxIpv6 = 1ULL << 56;
}  // namespace frame_flag

/// One Ethernet frame in one contiguous piece: where its bytes are, how many, what the device said
/// or shall do, and whose buffer it is. A plain value; the buffer behind it has exactly one owner.
struct Frame {
  std::byte* data = nullptr;  ///< the first byte of the Ethernet header
  void* handle = nullptr;     ///< the port's buffer; opaque to everyone else
  std::uint64_t flags = 0;    ///< frame_flag bits
  std::uint32_t length = 0;   ///< bytes at data; no FCS
  std::uint32_t metadata =
      0;  ///< received: RSS hash if kRxRssHash; sent: tx_metadata() if a kTx flag is set

  std::span<std::byte> bytes() const { return {data, length}; }
};
static_assert(sizeof(Frame) == 32);

/// Frame::metadata of a frame that asks for an offload: header lengths and TSO segment size, bytes.
constexpr std::uint32_t tx_metadata(unsigned l2_bytes, unsigned l3_bytes, unsigned tso_bytes = 0) {
  return l2_bytes | l3_bytes << 7 | tso_bytes << 16;
}

/// What a port is and can do. Constant after the port is made.
struct PortInfo {
  MacAddress mac;
  std::uint16_t mtu = 1500;             ///< bytes of IP packet that one frame carries
  std::uint32_t frame_capacity = 2048;  ///< bytes that an allocated frame can hold
  std::uint32_t tx_frames = 0;  ///< frames that allocate() can have out at once; 0 = not known
  std::uint32_t rx_frames =
      0;  ///< received frames that may be held before reception starves; 0 = not known
  bool tx_ip_checksum = false;  ///< fills in the IPv4 header checksum
  bool tx_tcp_checksum =
      false;  ///< completes a TCP checksum whose field holds the pseudo-header sum
  /// Bytes of IP packet that a kTxTcpSegmentation frame may be, which it cuts; 0 = it cuts none.
  std::uint32_t tso_bytes = 0;
  bool trust_missing_checksum =
      false;  ///< "not computed" verdicts count as good (virtual wires, by configuration)
};

/// What a port did to frames, of which neither the stack nor the wire tells. Totals since the port
/// was made; Counters has them under the same names.
struct PortCounters {
  std::uint64_t rx_linearised = 0;    ///< came in several buffers and were copied into one
  std::uint64_t rx_split = 0;         ///< came in several buffers, of which each became a segment
  std::uint64_t drop_rx_buffers = 0;  ///< came in several buffers, and neither was possible
  std::uint64_t drop_tx_refused = 0;  ///< the device cannot send what was asked for
};

/// A queue pair of a device, or whatever stands in for one: virtual once per burst, plain data per
/// packet. Ownership: a received or allocated frame is the caller's until it is transmitted (taken)
/// or released. Thread rule: one thread at a time, the stack's.
class Port {
 public:
  virtual ~Port() = default;

  virtual const PortInfo& info() const = 0;

  /// Fills a prefix of `frames` with received frames and returns its length. Never blocks.
  virtual std::size_t receive(std::span<Frame> frames) = 0;

  /// Takes a prefix of `frames` for sending, in order, and returns its length. What it did not take
  /// stays the caller's, unchanged, to be offered again.
  virtual std::size_t transmit(std::span<const Frame> frames) = 0;

  /// Fills a prefix of `frames` with empty frames (length 0, info().frame_capacity writable bytes
  /// at data, flags 0) and returns its length; short when the pool is dry.
  virtual std::size_t allocate(std::span<Frame> frames) = 0;

  /// An empty frame for a large segment, which the device will cut: room for an Ethernet header, a
  /// VLAN's tag and info().tso_bytes. False when there is none, or there are none.
  virtual bool allocate_large(Frame& frame) {
    static_cast<void>(frame);
    return false;
  }

  /// Gives frames back, received and allocated ones in any mix.
  virtual void release(std::span<const Frame> frames) = 0;

  /// Makes frames that are done with fit to be sent, as allocate() would give them, and returns how
  /// many: those are a prefix of `frames` then, the others have been released. Cheaper than both
  /// ways through the pool, and what was just received is in the cache still.
  virtual std::size_t recycle(std::span<Frame> frames) {
    release(frames);
    return 0;
  }

  /// Whether the port wants to hear, through note_drop(), which received frames are dropped and
  /// why: a capture does. Asked once a burst.
  virtual bool wants_drops() const { return false; }
  /// The stack has dropped the frame number `index` of the last receive(). Only before the next
  /// one.
  virtual void note_drop(std::size_t index, DropReason reason) {
    static_cast<void>(index), static_cast<void>(reason);
  }

  virtual PortCounters counters() const { return {}; }

  /// False when frames cannot pass now: the stack then neither polls nor sends.
  virtual bool link_up() const { return true; }
};

}  // namespace tern
