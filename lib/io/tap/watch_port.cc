// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/watch_port.h"

#include <algorithm>

#include "wire/checksum.h"

namespace tern::io {

void CaptureStream::offer(const CapturedFrame& about, std::span<const std::byte> frame) {
  if (!filter_.matches(frame)) return;
  if (!ring_.push(std::as_bytes(std::span(&about, 1)), frame))
    lost_.fetch_add(1, std::memory_order_relaxed);
}

WatchPort::WatchPort(Port& inner, TapClock clock) : PortDecorator(inner), clock_(std::move(clock)) {
  streams_.reserve(kMostStreams);
}

bool WatchPort::attach(CaptureStream& stream) {
  if (streams_.size() == kMostStreams) return false;
  streams_.push_back(&stream);
  return true;
}

void WatchPort::detach(CaptureStream& stream) {
  settle();
  std::erase(streams_, &stream);
}

void WatchPort::offer(const CapturedFrame& about, std::span<const std::byte> frame) {
  for (CaptureStream* stream : streams_) stream->offer(about, frame);
}

std::size_t WatchPort::receive(std::span<Frame> frames) {
  return streams_.empty() ? inner().receive(frames) : receive_watched(frames);
}

std::size_t WatchPort::transmit(std::span<const Frame> frames) {
  return streams_.empty() ? inner().transmit(frames) : transmit_watched(frames);
}

std::size_t WatchPort::receive_watched(std::span<Frame> frames) {
  settle();
  const std::size_t count = inner().receive(frames);
  if (count == 0) return 0;
  const Instant now = clock_();
  for (const Frame& frame : frames.first(count)) {
    waiting_.push_back({{.time = now, .length = frame.length}, bytes_.size()});
    bytes_.insert(bytes_.end(), frame.data, frame.data + frame.length);
  }
  return count;
}

void WatchPort::note_drop(std::size_t index, DropReason reason) {
  if (index < waiting_.size()) waiting_[index].about.drop = reason;
}

void WatchPort::settle() {
  for (const Waiting& frame : waiting_)
    offer(frame.about, std::span(bytes_).subspan(frame.offset, frame.about.length));
  waiting_.clear();
  bytes_.clear();
}

std::size_t WatchPort::transmit_watched(std::span<const Frame> frames) {
  settle();  // what was received came first
  copies_.clear();
  for (const Frame& frame : frames)
    copies_.insert(copies_.end(), frame.data, frame.data + frame.length);
  // They may be another's as soon as they are taken: what the copies need is remembered before.
  std::span<std::byte> rest = copies_;
  for (const Frame& frame : frames) {
    fill_in_checksums(rest.first(frame.length), frame.flags, frame.metadata);
    rest = rest.subspan(frame.length);
  }
  const std::size_t count = inner().transmit(frames);
  const Instant now = clock_();
  rest = copies_;
  for (const Frame& frame : frames.first(count)) {
    offer({.time = now, .length = frame.length, .direction = FrameDirection::kSent},
          rest.first(frame.length));
    rest = rest.subspan(frame.length);
  }
  return count;
}

void fill_in_checksums(std::span<std::byte> frame, std::uint64_t flags, std::uint32_t metadata) {
  constexpr std::size_t kIpField = 10, kTcpField = 16, kTcpHeader = 20;
  const std::size_t ip = metadata & 0x7f, tcp = ip + (metadata >> 7 & 0x1ff);
  if ((flags & frame_flag::kTxIpChecksum) != 0 && tcp <= frame.size() && tcp >= ip + kTcpHeader) {
    wire::store_checksum(&frame[ip + kIpField], 0);
    wire::store_checksum(
        &frame[ip + kIpField],
        wire::checksum_finish(wire::checksum_partial(frame.subspan(ip, tcp - ip))));
  }
  // The field holds the sum of the pseudo-header, which has no length yet where the device cuts;
  // what is short of a header asks for nothing.
  if ((flags & frame_flag::kTxTcpChecksum) == 0 || tcp + kTcpHeader > frame.size()) return;
  const bool is_large = (flags & frame_flag::kTxTcpSegmentation) != 0;
  const auto length = static_cast<std::uint16_t>(is_large ? frame.size() - tcp : 0);
  wire::store_checksum(
      &frame[tcp + kTcpField],
      wire::checksum_finish(wire::checksum_partial(frame.subspan(tcp), __builtin_bswap16(length))));
}

}  // namespace tern::io
