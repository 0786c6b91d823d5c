// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/model_port.h"

#include <algorithm>

#include "base/bytes.h"
#include "io/sim/nic_checksum.h"
#include "io/sim/nic_segmentation.h"

namespace tern::io {
namespace {

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kVlanTagBytes = 4;

constexpr std::uint64_t kTxOffloads =
    frame_flag::kTxTcpSegmentation | frame_flag::kTxTcpChecksum | frame_flag::kTxIpChecksum;

std::uint64_t verdict_flags(ChecksumVerdict verdict, std::span<const std::byte> bytes) {
  using namespace frame_flag;
  switch (verdict) {
    case ChecksumVerdict::kNone:
      return 0;
    case ChecksumVerdict::kVerified:
      return verify_checksums(bytes);
    case ChecksumVerdict::kIntact:
      return kRxIpChecksumGood | kRxIpChecksumBad | kRxL4ChecksumGood | kRxL4ChecksumBad;
  }
  return 0;
}

PortInfo info_of(const ModelPortConfig& config) {
  PortInfo info;
  info.mac = config.mac;
  info.mtu = config.mtu;
  info.frame_capacity = config.blocks.frame_capacity;
  info.tx_frames = config.blocks.tx_frames;
  info.rx_frames = config.blocks.rx_frames;
  info.tx_ip_checksum = config.tx_checksum_offload;
  info.tx_tcp_checksum = config.tx_checksum_offload;
  info.tso_bytes = config.tso_bytes;
  info.trust_missing_checksum = config.trust_missing_checksum;
  return info;
}

}  // namespace

ModelPort::ModelPort(const ModelPortConfig& config)
    : config_(config), info_(info_of(config)), blocks_(config.blocks) {}

std::size_t ModelPort::receive(std::span<Frame> frames) {
  blocks_.tick();
  const std::size_t count =
      std::min({frames.size(), queue_.size(), std::size_t{config_.receive_limit}});
  for (std::size_t i = 0; i < count; ++i) {
    frames[i] = queue_.front();
    queue_.pop_front();
    blocks_.hand_over(frames[i]);
    show(FrameDirection::kReceived, frames[i].bytes());
  }
  counts_.received += count;
  return count;
}

std::size_t ModelPort::transmit(std::span<const Frame> frames) {
  blocks_.tick();
  const std::size_t ring_room =
      config_.tx_ring - std::min<std::size_t>(in_flight(), config_.tx_ring);
  const std::size_t count =
      std::min({frames.size(), ring_room, std::size_t{config_.transmit_limit}});
  for (const Frame& frame : frames.first(count)) send_one(frame);
  counts_.sent += count;
  counts_.tx_refused += frames.size() - count;
  return count;
}

std::size_t ModelPort::allocate(std::span<Frame> frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::optional<Frame> frame = blocks_.allocate();
    if (!frame) {
      counts_.allocations_refused += frames.size() - i;
      return i;
    }
    frames[i] = *frame;
  }
  return frames.size();
}

bool ModelPort::allocate_large(Frame& frame) {
  if (config_.tso_bytes == 0) return false;
  const auto found = blocks_.allocate(
      static_cast<std::uint32_t>(kEthernetBytes + kVlanTagBytes + config_.tso_bytes));
  counts_.allocations_refused += found ? 0 : 1;
  if (found) frame = *found;
  return found.has_value();
}

void ModelPort::release(std::span<const Frame> frames) {
  for (const Frame& frame : frames) blocks_.release(frame);
}

// A fresh block for each: the old one's bytes are gone, as far as the sanitizer is concerned.
std::size_t ModelPort::recycle(std::span<Frame> frames) {
  release(frames);
  return allocate(frames);
}

bool ModelPort::deliver(std::span<const std::byte> bytes) {
  if (bytes.size() > kEthernetBytes + kVlanTagBytes + config_.mtu) {
    ++counts_.rx_dropped_too_long;
    return false;
  }
  const auto frame = blocks_.store_received(bytes, verdict_flags(config_.rx_checksum, bytes));
  if (!frame) {
    ++counts_.rx_dropped_no_frame;
    return false;
  }
  queue_.push_back(*frame);
  return true;
}

std::vector<std::string> ModelPort::violations() const {
  std::vector<std::string> all = violations_;
  all.insert(all.end(), blocks_.violations().begin(), blocks_.violations().end());
  return all;
}

void ModelPort::send_one(const Frame& frame) {
  blocks_.send(frame);
  check_sent(frame);
  for (std::vector<std::byte>& wire : on_the_wire(frame)) {
    if (!fits_mtu(wire)) violations_.emplace_back("a sent frame longer than the MTU allows");
    show(FrameDirection::kSent, wire);
    put_on_wire(std::move(wire));
  }
}

// The device completes and cuts its own copy: a host's buffer does not change under offload.
std::vector<std::vector<std::byte>> ModelPort::on_the_wire(const Frame& frame) {
  if (config_.tso_bytes != 0 && (frame.flags & frame_flag::kTxTcpSegmentation) != 0) {
    CutFrames cut = cut_segment(frame.bytes(), frame.flags, frame.metadata);
    if (!cut.error.empty()) violations_.emplace_back(cut.error);
    ++counts_.cut;
    return std::move(cut.frames);
  }
  std::vector<std::byte> wire(frame.data, frame.data + frame.length);
  std::string_view error;
  if (config_.tx_checksum_offload && (frame.flags & kTxOffloads) != 0)
    error = complete_checksums(wire, frame.flags, frame.metadata);
  if (!error.empty()) violations_.emplace_back(error);
  std::vector<std::vector<std::byte>> alone;
  alone.push_back(std::move(wire));
  return alone;
}

bool ModelPort::fits_mtu(std::span<const std::byte> frame) const {
  const bool tagged = frame.size() > kEthernetBytes && load_be16(&frame[12]) == 0x8100;
  return frame.size() <= kEthernetBytes + config_.mtu + (tagged ? kVlanTagBytes : 0);
}

void ModelPort::check_sent(const Frame& frame) {
  if (frame.length < kEthernetBytes)
    violations_.emplace_back("a sent frame shorter than an Ethernet header");
  if (!config_.tx_checksum_offload && (frame.flags & kTxOffloads) != 0)
    violations_.emplace_back("an offload asked for that the port does not have");
}

void ModelPort::show(FrameDirection direction, std::span<const std::byte> bytes) {
  for (const FrameObserver& observer : observers_) observer(now(), direction, bytes);
}

}  // namespace tern::io
