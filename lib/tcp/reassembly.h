// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>

#include "tcp/receive_queue.h"
#include "wire/tcp.h"

namespace tern::tcp {

/// The bytes of one connection that arrived ahead of rcv_nxt: nodes in sequence order that never
/// overlap. The byte received first wins and is never rewritten: were a later copy to win, what the
/// application reads could differ from what an inspecting middlebox saw. Bounded in nodes, and
/// small segments are copied together, so that a peer that sends many tiny pieces costs little
/// (SegmentSmack, CVE-2018-5390). Lent by reassembly_of(), and taken back by
/// release_reassembly(), which clears it.
class Reassembly {
 public:
  enum class Outcome : std::uint8_t {
    kKept,       // at least one new byte was kept
    kDuplicate,  // held nothing new
    kNoBuffer,   // new, but no room for it: drop_tcp_no_buffer is the caller's to count
  };

  /// Nodes of one connection. A full 256 KB window of 536-byte segments needs 490.
  static constexpr std::uint32_t kMaxNodes = 512;

  /// Takes the frame in every case. `payload` starts at `seq`, is trimmed to the window, and begins
  /// at or after rcv_nxt. Where it fills several holes, it is split. Under want of buffers a prefix
  /// may be kept. While anything is held, a segment that begins at rcv_nxt belongs here too, and
  /// take_ready() after it: pushed past here, it would win over earlier bytes.
  Outcome insert(ReceiveBuffers& buffers, const Frame& frame, std::span<std::byte> payload,
                 wire::SeqNum seq, wire::SeqNum rcv_nxt);

  /// Moves what has become in-order to the queue, without what lies before rcv_nxt. Returns bytes
  /// moved: rcv_nxt goes on by as many.
  std::uint32_t take_ready(ReceiveBuffers& buffers, ReceiveQueue& queue, wire::SeqNum rcv_nxt);

  /// Gives up the bytes farthest from rcv_nxt, as a receiver short of memory may (RFC 2018 8).
  /// False when empty.
  bool drop_last(ReceiveBuffers& buffers);

  /// Fills a prefix of `out` with runs of bytes held, as RFC 2018 4 orders them: the one that holds
  /// the segment that came last, those last reported before it, and then the lowest.
  std::size_t sack_blocks(const ReceiveBuffers& buffers, std::span<wire::SackBlock> out);

  /// Fills a prefix of `out` with the lowest runs of bytes held, ascending, adjacent nodes as one.
  std::size_t ranges(const ReceiveBuffers& buffers, std::span<wire::SackBlock> out) const;

  bool empty() const { return head_ == kNoIndex; }
  std::uint32_t bytes() const { return bytes_; }
  std::uint32_t nodes() const { return nodes_; }
  void clear(ReceiveBuffers& buffers);

 private:
  struct Piece;
  static constexpr std::size_t kRecent = 3;
  void note_arrival(wire::SeqNum seq, wire::SeqNum end);
  std::size_t age_of(const wire::SackBlock& run) const;
  template <class F>
  void for_each_run(const ReceiveBuffers& buffers, F&& f) const;
  std::uint32_t place(ReceiveBuffers& buffers, Piece& piece, bool in_order);
  void link_after(ReceiveBuffers& buffers, std::uint32_t previous, std::uint32_t node);
  void unlink_after(ReceiveBuffers& buffers, std::uint32_t previous);
  void compact(ReceiveBuffers& buffers);

  std::uint32_t head_ = kNoIndex;
  std::uint32_t tail_ = kNoIndex;
  std::uint32_t bytes_ = 0;
  std::uint32_t nodes_ = 0;
  // A number in each of the runs last added to or reported, newest first.
  std::array<wire::SeqNum, kRecent> recent_{};
  wire::SeqNum newest_end_{};  // behind the segment that came last
};
static_assert(sizeof(Reassembly) <= 32);

}  // namespace tern::tcp
