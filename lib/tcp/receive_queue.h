// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tcp/receive_buffer.h"

namespace tern::tcp {

/// The in-order bytes of one connection that the application has not taken: a first-in, first-out
/// list of nodes. A value in the TCB; before it is given up, clear() must run.
class ReceiveQueue {
 public:
  /// Queues the payload behind what is there, all or nothing, and takes the frame in every case.
  /// False: out of buffers, nothing is queued (drop_tcp_no_buffer is the caller's to count). Where
  /// the reader lags, small payloads are copied together, so that they pin no frames. The payload
  /// is not empty.
  bool push(ReceiveBuffers& buffers, const Frame& frame, std::span<std::byte> payload,
            wire::SeqNum seq);

  /// Queues a node as it is; the queue owns it now.
  void push_node(ReceiveBuffers& buffers, std::uint32_t node);

  /// The first node, now the caller's to release; kNoIndex when empty.
  std::uint32_t pop(ReceiveBuffers& buffers);

  /// Length of the node that pop() would return; 0 when empty.
  std::uint32_t front_length(const ReceiveBuffers& buffers) const {
    return head_ == kNoIndex ? 0 : buffers[head_].length;
  }

  std::uint32_t bytes() const { return bytes_; }
  bool empty() const { return head_ == kNoIndex; }
  void clear(ReceiveBuffers& buffers);

 private:
  bool push_frame(ReceiveBuffers& buffers, const Frame& frame, std::span<std::byte> payload,
                  wire::SeqNum seq);
  bool push_copy(ReceiveBuffers& buffers, std::span<const std::byte> payload, wire::SeqNum seq);

  std::uint32_t head_ = kNoIndex;
  std::uint32_t tail_ = kNoIndex;
  std::uint32_t bytes_ = 0;
};

}  // namespace tern::tcp
