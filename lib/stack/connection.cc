// SPDX-License-Identifier: BSD-3-Clause
#include "tern/connection.h"

#include <utility>

#include "stack/stack_impl.h"
#include "tcp/close.h"
#include "tcp/keepalive.h"
#include "tcp/segment_builder.h"
#include "tcp/urgent.h"
#include "tcp/user_timeout.h"
#include "tcp/window.h"

namespace tern {

using tcp::Tcb;
namespace event = tcp::event;
namespace flag = tcp::flag;

// Handles are given out to connections only, so a TCB that one names has been in use, and since it
// last ended its generation is another.
Tcb* StackImpl::find(const Connection& connection) {
  Tcb& c = engine_.tcbs[connection.index_];
  return c.generation == connection.generation_ ? &c : nullptr;
}

// The next chunk, if it fits: of connection `c`, fits(c, bytes).
template <class Fits>
std::optional<RxChunk> StackImpl::receive_if(const Connection& connection, Fits fits) {
  Tcb* c = find(connection);
  if (c == nullptr || c->receive_queue.empty()) return std::nullopt;
  if (!fits(*c, c->receive_queue.front_length(engine_.receive_buffers))) {
    c->set(flag::kWantWritable);
    return std::nullopt;
  }
  const std::uint32_t node = c->receive_queue.pop(engine_.receive_buffers);
  const tcp::RxNode& n = engine_.receive_buffers[node];
  c->loaned += n.length;
  // Reading the last byte is what end of stream and a graceful end were waiting for.
  if (c->receive_queue.empty() && (c->events & (event::kPeerFinished | event::kClosed)) != 0)
    engine_.raise(*c, 0);
  RxChunk chunk;
  chunk.stack_ = this;
  chunk.data_ = n.data;
  chunk.size_ = n.length;
  chunk.node_ = node;
  chunk.connection_ = connection.index_;
  chunk.generation_ = connection.generation_;
  return chunk;
}

std::optional<RxChunk> StackImpl::receive(const Connection& connection, std::size_t at_most) {
  return receive_if(connection, [=](const Tcb&, std::size_t bytes) { return bytes <= at_most; });
}

std::optional<RxChunk> StackImpl::receive_to_forward(const Connection& connection) {
  return receive_if(connection, [this](const Tcb& c, std::size_t bytes) {
    return check_sendable(&c) == Errc::kOk && has_room_for(c, bytes);
  });
}

[[gnu::hot]] void StackImpl::return_chunk(RxChunk& chunk) {
  take_back(chunk, find(Connection(this, chunk.connection_, chunk.generation_)));
}

// From connection `c`, if that is still there.
void StackImpl::take_back(RxChunk& chunk, Tcb* c) {
  engine_.receive_buffers.release(chunk.node_);
  chunk.stack_ = nullptr;
  chunk.data_ = nullptr;
  const std::uint32_t bytes = std::exchange(chunk.size_, 0);
  if (c == nullptr) return;
  c->loaned -= bytes;
  tcp::on_buffer_freed(engine_, *c);
}

// A send needs a connection that may still send, or will when its handshake is through.
Errc StackImpl::check_sendable(const Tcb* c) const {
  if (c == nullptr) return Errc::kStaleHandle;
  return tcp::may_queue(c->state) && !c->has(flag::kFinQueued) ? Errc::kOk : Errc::kWrongState;
}

Errc StackImpl::refuse_send(Tcb& c, Errc error) {
  c.set(flag::kWantWritable);
  if (error != Errc::kNoBuffers) return error;
  ++counters_.send_buffer_short;
  if (!c.has(flag::kStarved)) engine_.starved.push_back(engine_.tcbs, c, engine_.index_of(c));
  return error;
}

void StackImpl::after_send(Tcb& c, SendFlags flags) {
  c.clear(flag::kCork);
  if (flags != SendFlags::kNone) [[unlikely]] {
    if (has_flag(flags, SendFlags::kMore)) c.set(flag::kCork);
    if (has_flag(flags, SendFlags::kUrgent)) tcp::mark_urgent(engine_, c);
  }
  engine_.schedule_output(c);
}

std::uint32_t StackImpl::queue_room(const Tcb& c) const {
  const std::uint32_t queued = c.send_queue.size();
  return queued < config_.tcp.send_buffer ? config_.tcp.send_buffer - queued : 0;
}

std::size_t StackImpl::send_space(const Tcb& c) const {
  return check_sendable(&c) == Errc::kOk ? room_for_text(c) : 0;
}

std::size_t StackImpl::room_for_text(const Tcb& c) const {
  const std::uint64_t room = queue_room(c);
  if (engine_.send_chunks.large_in_use() < ample_below_) [[likely]]
    return room;
  // Where the memory of all is scarce, each keeps to its share, which gets smaller by what it
  // takes; but who has nothing queued may forward the largest chunk that a device delivers.
  constexpr std::uint64_t kLargestChunk = 64 * 1024;
  const std::uint32_t queued = c.send_queue.size();
  const std::uint64_t share = engine_.send_chunks.share();
  const std::uint64_t least = queued == 0 ? kLargestChunk : 0;
  return std::min(room, std::max(share > queued ? (share - queued) / 2 : 0, least));
}

// room_for_text(c) >= bytes, which are not none.
bool StackImpl::has_room_for(const Tcb& c, std::size_t bytes) const {
  if (engine_.send_chunks.large_in_use() < ample_below_) [[likely]]
    return c.send_queue.size() + bytes <= config_.tcp.send_buffer;
  return bytes <= room_for_text(c);
}

Errc StackImpl::forward(const Connection& connection, RxChunk& chunk, SendFlags flags) {
  Tcb* c = find(connection);
  if (const Errc error = check_sendable(c); error != Errc::kOk) return error;
  if (chunk.stack_ == nullptr) return Errc::kInvalidArgument;  // moved from, or sent already
  if (!has_room_for(*c, chunk.size())) return refuse_send(*c, Errc::kQueueFull);
  if (!c->send_queue.append_all(engine_.send_chunks, chunk.bytes()))
    return refuse_send(*c, Errc::kNoBuffers);
  after_send(*c, flags);
  if (chunk.stack_ == this && chunk.connection_ == connection.index_ &&
      chunk.generation_ == connection.generation_) [[likely]]
    take_back(chunk, c);
  else
    chunk.stack_->return_chunk(chunk);  // a proxy's
  return Errc::kOk;
}

Result<TxChunk> StackImpl::reserve(const Connection& connection, std::size_t bytes) {
  Tcb* c = find(connection);
  if (const Errc error = check_sendable(c); error != Errc::kOk) return error;
  if (bytes == 0) return Errc::kInvalidArgument;
  const std::size_t room = room_for_text(*c);
  if (room == 0) return refuse_send(*c, Errc::kQueueFull);
  const std::span<std::byte> place =
      c->send_queue.reserve(engine_.send_chunks, std::min(bytes, room));
  if (place.empty()) return refuse_send(*c, Errc::kNoBuffers);
  TxChunk chunk;
  chunk.data_ = place.data();
  chunk.capacity_ = chunk.size_ = static_cast<std::uint32_t>(place.size());
  return chunk;
}

Errc StackImpl::send(const Connection& connection, const TxChunk& chunk, SendFlags flags) {
  Tcb* c = find(connection);
  if (const Errc error = check_sendable(c); error != Errc::kOk) return error;
  // Another send on the connection has ended this reservation, or it is another connection's.
  if (chunk.data_ == nullptr || chunk.data_ != c->send_queue.reservation(engine_.send_chunks))
    return Errc::kInvalidArgument;
  // Its memory is the reservation's already, however little is left for others by now.
  if (chunk.size() > queue_room(*c)) return Errc::kInvalidArgument;
  c->send_queue.commit(engine_.send_chunks, chunk.size());
  after_send(*c, flags);
  return Errc::kOk;
}

Result<std::size_t> StackImpl::write(const Connection& connection, std::span<const std::byte> bytes,
                                     SendFlags flags) {
  Tcb* c = find(connection);
  if (const Errc error = check_sendable(c); error != Errc::kOk) return error;
  const std::size_t room = room_for_text(*c);
  const std::size_t taken =
      c->send_queue.append(engine_.send_chunks, bytes.first(std::min(room, bytes.size())));
  if (taken < bytes.size())
    static_cast<void>(refuse_send(
        *c, taken < std::min(room, bytes.size()) ? Errc::kNoBuffers : Errc::kQueueFull));
  // What is urgent ends with the last of the bytes, which is still to come if some are refused.
  const bool all = taken == bytes.size();
  if (taken > 0) after_send(*c, all ? flags : flags & ~SendFlags::kUrgent);
  return taken;
}

RxChunk::RxChunk(RxChunk&& other) noexcept
    : stack_(std::exchange(other.stack_, nullptr)),
      data_(other.data_),
      size_(std::exchange(other.size_, 0)),
      node_(other.node_),
      connection_(other.connection_),
      generation_(other.generation_) {}

RxChunk& RxChunk::operator=(RxChunk&& other) noexcept {
  if (this == &other) return *this;
  if (stack_ != nullptr) stack_->return_chunk(*this);
  stack_ = std::exchange(other.stack_, nullptr);
  data_ = other.data_;
  size_ = std::exchange(other.size_, 0);
  node_ = other.node_;
  connection_ = other.connection_;
  generation_ = other.generation_;
  return *this;
}

RxChunk::~RxChunk() {
  if (stack_ != nullptr) stack_->return_chunk(*this);
}

std::optional<RxChunk> Connection::receive(std::size_t at_most) {
  return stack_ == nullptr ? std::nullopt : stack_->receive(*this, at_most);
}

std::optional<RxChunk> Connection::receive_to_forward() {
  return stack_ == nullptr ? std::nullopt : stack_->receive_to_forward(*this);
}

Result<TxChunk> Connection::reserve(std::size_t bytes) {
  return stack_ == nullptr ? Result<TxChunk>(Errc::kStaleHandle) : stack_->reserve(*this, bytes);
}

Errc Connection::send(TxChunk&& chunk, SendFlags flags) {
  return stack_ == nullptr ? Errc::kStaleHandle : stack_->send(*this, chunk, flags);
}

Errc Connection::forward(RxChunk&& chunk, SendFlags flags) {
  return stack_ == nullptr ? Errc::kStaleHandle : stack_->forward(*this, chunk, flags);
}

Result<std::size_t> Connection::write(std::span<const std::byte> bytes, SendFlags flags) {
  return stack_ == nullptr ? Result<std::size_t>(Errc::kStaleHandle)
                           : stack_->write(*this, bytes, flags);
}

namespace {

Tcb* tcb_of(StackImpl* stack, const Connection& connection) {
  return stack == nullptr ? nullptr : stack->find(connection);
}

}  // namespace

std::size_t Connection::send_space() const {
  const Tcb* c = tcb_of(stack_, *this);
  return c == nullptr ? 0 : stack_->send_space(*c);
}

void Connection::shutdown_send() {
  if (Tcb* c = tcb_of(stack_, *this)) tcp::shutdown_send(stack_->engine(), *c);
}

void Connection::abort() {
  if (Tcb* c = tcb_of(stack_, *this)) tcp::abort_connection(stack_->engine(), *c);
}

void Connection::close() {
  if (Tcb* c = tcb_of(stack_, *this)) tcp::close_connection(stack_->engine(), *c);
}

void Connection::close(Duration linger) {
  if (Tcb* c = tcb_of(stack_, *this)) tcp::close_lingering(stack_->engine(), *c, linger);
}

void Connection::set_nodelay(bool nodelay) {
  Tcb* c = tcb_of(stack_, *this);
  if (c == nullptr) return;
  c->clear(flag::kNoDelay);
  if (!nodelay) return;
  c->set(flag::kNoDelay);
  stack_->engine().schedule_output(*c);  // what Nagle's algorithm holds back may go now
}

void Connection::set_keepalive(Duration idle, Duration interval, unsigned count) {
  if (Tcb* c = tcb_of(stack_, *this))
    tcp::set_keepalive(stack_->engine(), *c, idle, interval, count);
}

void Connection::set_user_timeout(Duration timeout) {
  if (Tcb* c = tcb_of(stack_, *this)) tcp::set_user_timeout(stack_->engine(), *c, timeout);
}

void Connection::set_error_reports(bool wanted) {
  if (Tcb* c = tcb_of(stack_, *this)) c->no_error_reports = !wanted;
}

void Connection::set_ttl(std::uint8_t ttl) {
  if (Tcb* c = tcb_of(stack_, *this)) tcp::set_ttl(stack_->engine(), *c, ttl);
}

void Connection::set_dscp(std::uint8_t dscp) {
  if (Tcb* c = tcb_of(stack_, *this)) tcp::set_dscp(stack_->engine(), *c, dscp);
}

void Connection::set_handler(ConnectionHandler& handler) {
  if (Tcb* c = tcb_of(stack_, *this)) c->handler = &handler;
}

void Connection::set_user_data(std::uint64_t value) {
  if (Tcb* c = tcb_of(stack_, *this)) c->user_data = value;
}

std::uint64_t Connection::user_data() const {
  const Tcb* c = tcb_of(stack_, *this);
  return c == nullptr ? 0 : c->user_data;
}

bool Connection::valid() const { return tcb_of(stack_, *this) != nullptr; }

TcpState Connection::state() const {
  const Tcb* c = tcb_of(stack_, *this);
  return c == nullptr ? TcpState::kClosed : c->state;
}

Endpoint Connection::local() const {
  const Tcb* c = tcb_of(stack_, *this);
  return c == nullptr ? Endpoint{} : stack_->endpoint(c->tuple.local_address, c->tuple.local_port);
}

Endpoint Connection::remote() const {
  const Tcb* c = tcb_of(stack_, *this);
  return c == nullptr ? Endpoint{}
                      : stack_->endpoint(c->tuple.remote_address, c->tuple.remote_port);
}

ConnectionInfo Connection::info() const {
  const Tcb* c = tcb_of(stack_, *this);
  return c == nullptr ? ConnectionInfo{} : stack_->info(*c);
}

}  // namespace tern
