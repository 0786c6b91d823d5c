// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/reassembly.h"

#include <algorithm>

#include "base/assert.h"

namespace tern::tcp {

using wire::SeqNum;

/// A part of an arriving segment that fills a hole, and the segment's frame.
struct Reassembly::Piece {
  const Frame& frame;
  bool frame_kept = false;            // a node owns the frame now
  std::uint32_t previous = kNoIndex;  // the node before the hole
  std::span<std::byte> payload{};
  SeqNum seq{};
};

Reassembly::Outcome Reassembly::insert(ReceiveBuffers& buffers, const Frame& frame,
                                       std::span<std::byte> payload, SeqNum seq, SeqNum rcv_nxt) {
  TERN_ASSERT(seq.at_or_after(rcv_nxt));
  if (nodes_ >= kMaxNodes) compact(buffers);
  const SeqNum end = seq + static_cast<std::uint32_t>(payload.size());
  Piece piece{.frame = frame};
  std::uint32_t next = head_;
  if (tail_ != kNoIndex && seq.at_or_after(buffers[tail_].end())) {  // the common case: one hole
    piece.previous = tail_;
    next = kNoIndex;
  }
  Outcome outcome = Outcome::kDuplicate;
  for (SeqNum at = seq; at.before(end);) {
    if (next != kNoIndex && buffers[next].seq.at_or_before(at)) {  // pass over what is held
      at = later_of(at, buffers[next].end());
      piece.previous = next;
      next = buffers[next].next;
      continue;
    }
    const SeqNum hole_end = next == kNoIndex ? end : earlier_of(end, buffers[next].seq);
    piece.seq = at;
    piece.payload = payload.subspan(at - seq, hole_end - at);
    const std::uint32_t placed = place(buffers, piece, at == rcv_nxt);
    if (placed == 0) {
      if (outcome == Outcome::kDuplicate) outcome = Outcome::kNoBuffer;
      break;
    }
    outcome = Outcome::kKept;
    at += placed;
  }
  if (!piece.frame_kept) buffers.give_back(frame, outcome == Outcome::kKept);
  if (outcome != Outcome::kNoBuffer && seq != rcv_nxt) note_arrival(seq, end);
  return outcome;
}

/// Segments that follow one another are one event: they must not push older runs out of memory.
void Reassembly::note_arrival(SeqNum seq, SeqNum end) {
  if (seq != newest_end_) std::copy_backward(recent_.begin(), recent_.end() - 1, recent_.end());
  recent_[0] = seq;
  newest_end_ = end;
}

/// Stores a prefix of the piece in one node behind piece.previous, and moves piece.previous there.
/// Returns bytes stored. The frame goes into at most one node; other pieces are copied.
std::uint32_t Reassembly::place(ReceiveBuffers& buffers, Piece& piece, bool in_order) {
  const bool small = piece.payload.size() <= kSmallSegmentBytes;
  if (piece.previous != kNoIndex && small && buffers[piece.previous].end() == piece.seq) {
    const std::uint32_t taken = buffers.append(piece.previous, piece.payload);
    bytes_ += taken;
    if (taken > 0) return taken;
  }
  // What fills the first hole moves on at once, and is how memory becomes free.
  if (!in_order && (nodes_ >= kMaxNodes || buffers.is_scarce())) return 0;
  const auto first_chunk =
      piece.payload.first(std::min<std::size_t>(piece.payload.size(), ReceiveBuffers::kChunkBytes));
  const bool may_keep = !piece.frame_kept && buffers.can_keep_frame();
  std::uint32_t node = kNoIndex;
  if (!may_keep || small) node = buffers.copy(first_chunk, piece.seq);
  if (node == kNoIndex && may_keep) {
    node = buffers.keep(piece.frame, piece.payload, piece.seq);
    piece.frame_kept = true;
  }
  if (node == kNoIndex) return 0;
  link_after(buffers, piece.previous, node);
  piece.previous = node;
  return buffers[node].length;
}

void Reassembly::link_after(ReceiveBuffers& buffers, std::uint32_t previous, std::uint32_t node) {
  std::uint32_t& link = previous == kNoIndex ? head_ : buffers[previous].next;
  buffers[node].next = link;
  link = node;
  if (tail_ == previous) tail_ = node;
  ++nodes_;
  bytes_ += buffers[node].length;
}

void Reassembly::unlink_after(ReceiveBuffers& buffers, std::uint32_t previous) {
  std::uint32_t& link = previous == kNoIndex ? head_ : buffers[previous].next;
  const std::uint32_t node = link;
  link = buffers[node].next;
  if (tail_ == node) tail_ = previous;
  --nodes_;
  bytes_ -= buffers[node].length;
}

/// Copies adjacent nodes together where one chunk holds both.
void Reassembly::compact(ReceiveBuffers& buffers) {
  for (std::uint32_t node = head_; node != kNoIndex; node = buffers[node].next) {
    for (std::uint32_t next = buffers[node].next; next != kNoIndex; next = buffers[node].next) {
      const RxNode& follower = buffers[next];
      if (buffers[node].end() != follower.seq) break;
      const std::uint32_t limit =
          buffers[node].chunk == kNoIndex ? ReceiveBuffers::kChunkBytes : buffers[node].capacity;
      if (buffers[node].length + follower.length > limit || !buffers.move_to_chunk(node)) break;
      unlink_after(buffers, node);
      bytes_ += buffers.append(node, {follower.data, follower.length});
      buffers.release(next);
    }
  }
}

std::uint32_t Reassembly::take_ready(ReceiveBuffers& buffers, ReceiveQueue& queue, SeqNum rcv_nxt) {
  std::uint32_t moved = 0;
  while (head_ != kNoIndex && buffers[head_].seq.at_or_before(rcv_nxt)) {
    const std::uint32_t node = head_;
    unlink_after(buffers, kNoIndex);
    if (buffers[node].end().at_or_before(rcv_nxt)) {
      buffers.release(node);
      continue;
    }
    buffers.trim_front(node, rcv_nxt - buffers[node].seq);
    rcv_nxt = buffers[node].end();
    moved += buffers[node].length;
    queue.push_node(buffers, node);
  }
  return moved;
}

bool Reassembly::drop_last(ReceiveBuffers& buffers) {
  if (tail_ == kNoIndex) return false;
  const std::uint32_t last = tail_;
  std::uint32_t previous = kNoIndex;
  for (std::uint32_t node = head_; node != last; node = buffers[node].next) previous = node;
  unlink_after(buffers, previous);
  buffers.release(last);
  return true;
}

/// Calls f with each run, ascending, until it answers false.
template <class F>
void Reassembly::for_each_run(const ReceiveBuffers& buffers, F&& f) const {
  for (std::uint32_t node = head_; node != kNoIndex;) {
    wire::SackBlock run{buffers[node].seq, buffers[node].end()};
    for (node = buffers[node].next; node != kNoIndex && buffers[node].seq == run.end;
         node = buffers[node].next)
      run.end = buffers[node].end();
    if (!f(run)) return;
  }
}

std::size_t Reassembly::age_of(const wire::SackBlock& run) const {
  return static_cast<std::size_t>(
      std::find_if(recent_.begin(), recent_.end(),
                   [&](SeqNum seq) { return seq.in_window(run.begin, run.end - run.begin); }) -
      recent_.begin());
}

std::size_t Reassembly::sack_blocks(const ReceiveBuffers& buffers, std::span<wire::SackBlock> out) {
  std::array<std::size_t, 4> ages;
  out = out.first(std::min(out.size(), ages.size()));
  std::size_t count = 0;
  for_each_run(buffers, [&](const wire::SackBlock& run) {
    const std::size_t age = age_of(run);
    std::size_t at = count;
    while (at > 0 && ages[at - 1] > age) --at;
    if (at == out.size()) return true;
    count = std::min(count + 1, out.size());
    std::copy_backward(out.begin() + at, out.begin() + count - 1, out.begin() + count);
    std::copy_backward(ages.begin() + at, ages.begin() + count - 1, ages.begin() + count);
    out[at] = run;
    ages[at] = age;
    return true;
  });
  for (std::size_t i = 0; i < std::min(count, kRecent); ++i) recent_[i] = out[i].begin;
  return count;
}

std::size_t Reassembly::ranges(const ReceiveBuffers& buffers,
                               std::span<wire::SackBlock> out) const {
  std::size_t count = 0;
  for_each_run(buffers, [&](const wire::SackBlock& run) {
    if (count == out.size()) return false;
    out[count++] = run;
    return true;
  });
  return count;
}

void Reassembly::clear(ReceiveBuffers& buffers) {
  while (head_ != kNoIndex) {
    const std::uint32_t node = head_;
    unlink_after(buffers, kNoIndex);
    buffers.release(node);
  }
}

}  // namespace tern::tcp
