// SPDX-License-Identifier: BSD-3-Clause
#include "api_fuzz_app.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/segment.h"

namespace tern::test {
namespace {

constexpr std::size_t kMaxHeld = 6;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

FuzzApp::FuzzApp(std::string name, std::uint64_t seed, bool is_server)
    : name_(std::move(name)), prng_(seed), is_server_(is_server) {}

void FuzzApp::attach(Stack& stack, IpAddress peer) {
  stack_ = &stack;
  peer_ = peer;
  if (is_server_) listen_or_stop();
}

FuzzStream& FuzzApp::stream_of(Connection c) {
  const std::uint16_t port = is_server_ ? c.remote().port : c.local().port;
  FuzzStream& stream = streams_[port];
  if (!(stream.connection == c)) {
    EXPECT_EQ(stream.closed > 0 || stream.connection == Connection{}, true)
        << name_ << ": two connections of one four-tuple";
    stream = FuzzStream{};
    stream.connection = c;
    handles_.push_back(c);
  }
  return stream;
}

std::string FuzzApp::text(std::size_t bytes) {
  std::string t(bytes, '\0');
  for (char& c : t) c = static_cast<char>('a' + letter_++ % 26);
  return t;
}

std::size_t FuzzApp::below(std::size_t bound) {
  return prng_.below(static_cast<std::uint32_t>(bound));
}

Connection FuzzApp::any_handle() {
  return handles_.empty() ? Connection{} : handles_[below(handles_.size())];
}

// "At most one call of a kind per connection per poll", and none after on_closed.
void FuzzApp::note_call(Kind kind, Connection c) {
  ++calls_;
  EXPECT_TRUE(c.valid());
  const FuzzStream& stream = stream_of(c);
  EXPECT_EQ(stream.closed, 0u) << name_ << ": a call after on_closed";
  const std::pair entry(kind, is_server_ ? c.remote().port : c.local().port);
  EXPECT_EQ(std::count(called_.begin(), called_.end(), entry), 0) << name_ << ": twice in a poll";
  called_.push_back(entry);
}

void FuzzApp::on_established(Connection c) {
  note_call(Kind::kEstablished, c);
  FuzzStream& stream = stream_of(c);
  EXPECT_FALSE(stream.established);
  stream.established = true;
  winding_down_ ? c.shutdown_send() : act_on(c);
}

void FuzzApp::on_readable(Connection c) {
  note_call(Kind::kReadable, c);
  EXPECT_EQ(stream_of(c).peer_finished, 0u) << name_ << ": bytes behind the end";
  winding_down_ ? read_all(c) : act_on(c);
}

void FuzzApp::on_writable(Connection c) {
  note_call(Kind::kWritable, c);
  if (!winding_down_) act_on(c);
}

void FuzzApp::on_peer_finished(Connection c) {
  note_call(Kind::kPeerFinished, c);
  ++stream_of(c).peer_finished;
  if (winding_down_ || prng_.chance(0.5))
    c.shutdown_send();
  else
    act_on(c);
}

void FuzzApp::on_closed(Connection c, CloseReason reason) {
  note_call(Kind::kClosed, c);
  FuzzStream& stream = stream_of(c);
  stream.reason = reason;
  if (!winding_down_ && prng_.chance(0.5)) act();  // legal here too, on this handle and others
  ++stream.closed;
}

void FuzzApp::act() {
  for (std::uint32_t n = prng_.below(4); n > 0; --n) {
    const std::uint32_t kind = prng_.below(100);
    if (kind < 12)
      open();
    else if (kind < 15)
      listen_or_stop();
    else
      act_on(any_handle());
  }
}

void FuzzApp::act_on(Connection c) {
  for (std::uint32_t n = 1 + prng_.below(4); n > 0; --n) {
    ++calls_;
    const std::uint32_t kind = prng_.below(100);
    if (kind < 25)
      write(c);
    else if (kind < 40)
      reserve_and_send(c);
    else if (kind < 65)
      receive(c);
    else if (kind < 80)
      forward(c);
    else if (kind < 88 && !held_.empty())
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(below(held_.size())));
    else if (kind < 92)
      end(c);
    else
      ask(c);
  }
}

void FuzzApp::open() {
  if (is_server_ || stack_ == nullptr) return;
  const std::uint16_t remote_port =
      prng_.chance(0.9) ? kFuzzPort : static_cast<std::uint16_t>(prng_.below(3));
  const std::uint16_t port = next_port_++;
  const auto c = stack_->connect({.remote = {peer_, remote_port}, .local_port = port}, *this);
  EXPECT_TRUE(c || c.error() == Errc::kNoConnections ||
              (c.error() == Errc::kInvalidArgument && remote_port == 0))
      << to_string(c.error());
  if (c) stream_of(*c);
}

void FuzzApp::listen_or_stop() {
  if (!is_server_) return;
  if (listener_) {
    if (prng_.chance(0.7)) return;
    stack_->stop_listening(*listener_);
    listener_.reset();
    return;
  }
  const auto listener = stack_->listen(
      {.address = wildcard(), .port = kFuzzPort, .backlog = 1 + prng_.below(4)}, *this);
  ASSERT_TRUE(listener);
  listener_ = *listener;
  EXPECT_EQ(stack_->listen({.address = wildcard(), .port = kFuzzPort}, *this).error(),
            Errc::kAddressInUse);
}

void FuzzApp::write(Connection c) {
  const std::string t = text(prng_.below(prng_.chance(0.1) ? 70'000 : 3'000));
  const std::size_t space = c.send_space();
  const auto taken =
      c.write(std::as_bytes(std::span(t)), prng_.chance(0.2) ? SendFlags::kMore : SendFlags::kNone);
  if (!taken) {
    EXPECT_EQ(space, 0u);
    EXPECT_EQ(taken.error(), c.valid() ? Errc::kWrongState : Errc::kStaleHandle);
    return;
  }
  EXPECT_LE(*taken, std::min(space, t.size()));
  EXPECT_FALSE(stream_of(c).send_closed);
  stream_of(c).sent += t.substr(0, *taken);
}

void FuzzApp::reserve_and_send(Connection c) {
  const std::size_t space = c.send_space();
  auto place = c.reserve(prng_.below(5'000));
  if (!place) return;
  EXPECT_GT(place->writable_bytes().size(), 0u);
  EXPECT_LE(place->writable_bytes().size(), space);
  const std::uint32_t kind = prng_.below(10);
  if (kind == 0) return;  // dropped
  if (kind == 1) {        // another send ends the reservation
    write(c);
    EXPECT_NE(c.send(std::move(*place)), Errc::kOk);
    return;
  }
  if (kind == 2) {  // so does the end, and no other connection may have it
    end(c);
    Connection other = any_handle();
    if (!(other == c)) {
      EXPECT_NE(other.send(std::move(*place)), Errc::kOk);
    }
    return;
  }
  const std::string t = text(below(place->writable_bytes().size() + 1));
  std::copy(t.begin(), t.end(), reinterpret_cast<char*>(place->writable_bytes().data()));
  place->resize(t.size());
  EXPECT_EQ(c.send(std::move(*place)), Errc::kOk);
  stream_of(c).sent += t;
}

void FuzzApp::note_received(Connection c, const RxChunk& chunk) {
  EXPECT_GT(chunk.size(), 0u);
  EXPECT_EQ(stream_of(c).peer_finished, 0u);
  stream_of(c).received += as_text(chunk.bytes());
}

void FuzzApp::receive(Connection c) {
  const std::size_t at_most = prng_.chance(0.5) ? SIZE_MAX : prng_.below(3'000);
  auto chunk = c.receive(at_most);
  if (!chunk) return;
  EXPECT_LE(chunk->size(), at_most);
  note_received(c, *chunk);
  // On loan, the bytes are the application's to change: the peer must never see it.
  for (std::byte& b : chunk->writable_bytes()) b ^= std::byte{0x20};
  std::string changed(as_text(chunk->bytes()));
  if (held_.size() < kMaxHeld && prng_.chance(0.5))
    held_.push_back({std::move(*chunk), std::move(changed)});
}

void FuzzApp::forward(Connection c) {
  if (held_.empty()) return;
  const std::size_t which = below(held_.size());
  Held& held = held_[which];
  EXPECT_EQ(as_text(held.chunk.bytes()), held.bytes) << name_ << ": loaned bytes changed";
  if (c.forward(std::move(held.chunk)) != Errc::kOk) {
    EXPECT_EQ(as_text(held.chunk.bytes()), held.bytes) << name_ << ": refused, and not kept";
    return;
  }
  stream_of(c).sent += held.bytes;
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
}

void FuzzApp::end(Connection c) {
  if (!c.valid()) {  // nothing, on a handle that is dead
    c.close();
    c.abort();
    c.shutdown_send();
    return;
  }
  FuzzStream& stream = stream_of(c);
  const std::uint32_t kind = prng_.below(10);
  if (kind < 7) {
    c.shutdown_send();
    stream.send_closed = stream.send_closed || c.send_space() == 0;
  } else if (kind < 9) {
    c.close();
    stream.send_closed = stream.dropped = true;
  } else {
    c.abort();
    stream.send_closed = stream.dropped = true;
  }
}

void FuzzApp::ask(Connection c) {
  const ConnectionInfo info = c.info();
  EXPECT_EQ(info.state, c.state());
  if (!c.valid()) {
    EXPECT_EQ(c.state(), TcpState::kClosed);
    EXPECT_EQ(c.send_space(), 0u);
    EXPECT_FALSE(c.receive());
    return;
  }
  c.set_nodelay(prng_.chance(0.5));
  c.set_handler(*this);
  const std::uint64_t word = prng_.next();
  c.set_user_data(word);
  EXPECT_EQ(c.user_data(), word);
  EXPECT_LE(info.send_queue_bytes, stack_->config().tcp.send_buffer);
}

void FuzzApp::read_all(Connection c) {
  while (auto chunk = c.receive()) note_received(c, *chunk);
}

void FuzzApp::wind_down() {
  winding_down_ = true;
  drop_chunks();
  for (Connection c : handles_) {
    if (!c.valid()) continue;
    read_all(c);
    c.shutdown_send();
  }
}

}  // namespace tern::test
