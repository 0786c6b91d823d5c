// SPDX-License-Identifier: BSD-3-Clause
// A service that embeds Tern and owns its loop: two complete stacks in one process, joined by a
// wire in memory. One serves upper case, the other is its client. Needs no device, no DPDK and no
// rights.
#include <tern/tern.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

// One end of the wire. What a port must do is in tern/port.h: hand out empty frames, take finished
// ones, hand over received ones, take everything back. A frame's handle says whose buffer it is.
class WireEnd final : public tern::Port {
 public:
  explicit WireEnd(std::uint8_t number) : buffers_(kBuffers) {
    info_.mac = {{0x02, 0, 0, 0, 0, number}};  // locally administered
    for (Buffer& buffer : buffers_) free_.push_back(&buffer);
  }
  void join(WireEnd& peer) { peer_ = &peer; }

  const tern::PortInfo& info() const override { return info_; }

  std::size_t receive(std::span<tern::Frame> frames) override {
    std::size_t count = 0;
    for (; count < frames.size() && !arrived_.empty(); ++count) {
      frames[count] = arrived_.front();
      arrived_.pop_front();
    }
    return count;
  }

  std::size_t transmit(std::span<const tern::Frame> frames) override {
    std::size_t count = 0;
    while (count < frames.size() && peer_->take(frames[count])) ++count;
    release(frames.first(count));  // taken: ours again
    return count;
  }

  std::size_t allocate(std::span<tern::Frame> frames) override {
    std::size_t count = 0;
    for (; count < frames.size() && !free_.empty(); ++count) {
      Buffer* buffer = free_.back();
      free_.pop_back();
      frames[count] = {.data = buffer->bytes, .handle = buffer};
    }
    return count;
  }

  void release(std::span<const tern::Frame> frames) override {
    for (const tern::Frame& frame : frames) free_.push_back(static_cast<Buffer*>(frame.handle));
  }

 private:
  static constexpr std::size_t kBuffers = 256;
  struct Buffer {
    std::byte bytes[2048];  // PortInfo::frame_capacity
  };

  // The wire copies, as DMA would. False when no buffer is free: the sender offers the frame again.
  bool take(const tern::Frame& sent) {
    tern::Frame received;
    if (allocate({&received, 1}) == 0) return false;
    std::memcpy(received.data, sent.data, sent.length);
    received.length = sent.length;
    arrived_.push_back(received);
    return true;
  }

  tern::PortInfo info_;
  WireEnd* peer_ = nullptr;
  std::vector<Buffer> buffers_;
  std::vector<Buffer*> free_;
  std::deque<tern::Frame> arrived_;
};

// The server: changes what arrives in the very buffer that it arrived in, and sends that back.
class UpperServer final : public tern::ConnectionHandler {
 public:
  void on_readable(tern::Connection c) override {
    while (auto chunk = c.receive_to_forward()) {
      for (std::byte& byte : chunk->writable_bytes())
        if (byte >= std::byte{'a'} && byte <= std::byte{'z'}) byte ^= std::byte{0x20};
      if (c.forward(std::move(*chunk)) != tern::Errc::kOk) return c.abort();
    }
  }
  // receive_to_forward() had found too little room in the send queue; now there is some.
  void on_writable(tern::Connection c) override { on_readable(c); }
};

class Client final : public tern::ConnectionHandler {
 public:
  explicit Client(std::string request) : request_(std::move(request)) {}
  bool is_done() const { return done_; }

  void on_established(tern::Connection c) override {
    std::printf("%s connected\n", to_string(c.remote()).c_str());
    if (!c.write(std::as_bytes(std::span(request_))).ok()) c.abort();
  }
  void on_readable(tern::Connection c) override {
    while (auto chunk = c.receive())
      answer_.append(reinterpret_cast<const char*>(chunk->bytes().data()), chunk->size());
    if (answer_.size() >= request_.size()) c.shutdown_send();
  }
  void on_closed(tern::Connection, tern::CloseReason reason) override {
    std::printf("%s\n%s\n", answer_.c_str(), std::string(to_string(reason)).c_str());
    done_ = true;
  }

 private:
  std::string request_, answer_;
  bool done_ = false;
};

// The engine reads no clock; this service gives it the machine's.
tern::Instant now() { return tern::Instant(std::chrono::steady_clock::now().time_since_epoch()); }

std::unique_ptr<tern::Stack> make_stack(const char* address, tern::Port& port) {
  std::random_device random;
  const auto word = [&random] { return std::uint64_t{random()} << 32 | random(); };
  tern::StackConfig config;
  config.address = tern::Ipv4Prefix::parse(address).value();
  config.max_connections = 16;
  config.secret = {word(), word()};  // every key of the stack is derived from this
  auto stack = tern::Stack::create(config, port, now());
  if (!stack.ok()) {
    std::fprintf(stderr, "%s\n", std::string(stack.status().message()).c_str());
    std::exit(1);
  }
  return std::move(*stack);
}

}  // namespace

int main() {
  WireEnd left(1), right(2);
  left.join(right);
  right.join(left);
  UpperServer handler;  // handlers outlive their stacks
  Client client("hello from an embedded stack");
  const auto server_stack = make_stack("10.0.0.1/24", left);
  const auto client_stack = make_stack("10.0.0.2/24", right);

  tern::ListenOptions listen;
  listen.port = 9999;
  tern::ConnectOptions connect;
  connect.remote = {tern::Ipv4Address(10, 0, 0, 1), 9999};
  if (!server_stack->listen(listen, handler).ok()) return 1;
  if (!client_stack->connect(connect, client).ok()) return 1;

  // The loop is the service's own: other work may have a place in it. When there is nothing to do,
  // it may sleep until the next deadline, as long as no frame arrives.
  while (!client.is_done()) {
    const std::size_t work = server_stack->poll(now()) + client_stack->poll(now());
    if (work == 0) {
      const tern::Instant wake =
          std::min(server_stack->next_deadline(), client_stack->next_deadline());
      std::this_thread::sleep_for(
          std::min<tern::Duration>(wake - now(), std::chrono::milliseconds(10)));
    }
  }
}
