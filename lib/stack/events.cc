// SPDX-License-Identifier: BSD-3-Clause
#include "stack/stack_impl.h"
#include "tcp/transmit.h"

namespace tern {

using tcp::Tcb;
namespace event = tcp::event;
namespace flag = tcp::flag;

namespace {

// Takes an event off; whether it was there.
bool take(Tcb& c, std::uint8_t bit) {
  const bool raised = (c.events & bit) != 0;
  c.events &= static_cast<std::uint8_t>(~bit);
  return raised;
}

}  // namespace

// The application's turn, when the burst is through. Events that its calls raise are delivered in
// the same round, but a connection that is raised again waits for the next, so the round ends.
[[gnu::hot]] std::size_t StackImpl::run_callbacks() {
  wake_starved();
  const std::size_t listed = engine_.ready.size();
  for (std::size_t i = 0; i < listed && !engine_.ready.empty(); ++i)
    deliver(engine_.ready.pop_front(engine_.tcbs));
  return listed;
}

// Send chunks that other connections' ACKs have freed: those who were refused for want of them come
// again, a few for each poll, so that they do not only refuse one another.
bool StackImpl::can_wake_starved() const {
  constexpr std::uint64_t kEnoughBytes = 64 * 1024;
  if (engine_.starved.empty()) return false;
  return engine_.send_chunks.in_use() == 0 || engine_.send_chunks.available_bytes() >= kEnoughBytes;
}

void StackImpl::wake_starved() {
  constexpr int kPerPoll = 16;
  for (int i = 0; i < kPerPoll && can_wake_starved(); ++i) {
    const std::uint32_t index = engine_.starved.front();
    engine_.starved.remove(engine_.tcbs, index);
    engine_.raise(engine_.tcbs[index], event::kWritable);
  }
}

// One connection's events, in the order in which they can have happened. Each is taken off just
// before its call, and looked for again after the one before, since that call may have ended the
// connection or read everything.
void StackImpl::deliver(std::uint32_t index) {
  Tcb& c = engine_.tcbs[index];
  const Connection handle = handle_of(index);
  if ((c.events & (event::kEstablished | event::kUrgent)) != 0) [[unlikely]] {
    if (take(c, event::kEstablished)) c.handler->on_established(handle);
    if (take(c, event::kUrgent)) deliver_urgent(index);
  }
  if (take(c, event::kReadable) && c.receive_queue.bytes() > 0) c.handler->on_readable(handle);
  if (c.events != 0) [[unlikely]]
    deliver_later_events(index);
}

// What comes after the bytes.
void StackImpl::deliver_later_events(std::uint32_t index) {
  Tcb& c = engine_.tcbs[index];
  const Connection handle = handle_of(index);
  if (take(c, event::kWritable) && c.has(flag::kWantWritable)) {
    c.clear(flag::kWantWritable);
    c.handler->on_writable(handle);
  }
  if (take(c, event::kSoftError)) deliver_soft_error(index);
  if (take(c, event::kStalled) && c.retransmits > 0) c.handler->on_stalled(handle);
  // End of stream comes after the last byte: receive() raises it again when that has been read.
  const bool all_read = c.receive_queue.empty();
  if (all_read && take(c, event::kPeerFinished) && !c.peer_finish_told) {
    c.peer_finish_told = true;
    c.handler->on_peer_finished(handle);
  }
  if ((c.events & event::kClosed) != 0 && c.receive_queue.empty()) deliver_end(index);
}

void StackImpl::deliver_urgent(std::uint32_t index) {
  const Tcb& c = engine_.tcbs[index];
  const tcp::SeqNum unread = c.rcv_nxt - c.receive_queue.bytes();
  if (c.rcv_up.after(unread)) c.handler->on_urgent(handle_of(index), c.rcv_up - unread);
}

void StackImpl::deliver_soft_error(std::uint32_t index) {
  Tcb& c = engine_.tcbs[index];
  const tcp::Extras& extras = tcp::extras_of(engine_, c);
  c.handler->on_soft_error(handle_of(index),
                           {.icmp_type = extras.icmp_type, .icmp_code = extras.icmp_code});
}

void StackImpl::deliver_end(std::uint32_t index) {
  Tcb& c = engine_.tcbs[index];
  if (c.announced) c.handler->on_closed(handle_of(index), c.close_reason);
  // The ACK of the peer's FIN may still be owed: TIME-WAIT's record does not remember that.
  if (c.has(flag::kOutput)) tcp::transmit(engine_, c);
  tcp::destroy_tcb(engine_, c);
}

}  // namespace tern
