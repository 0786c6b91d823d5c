// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/fault_port.h"

#include <algorithm>
#include <array>

namespace tern::io {
namespace {

constexpr std::uint64_t kVerdictFlags =
    frame_flag::kRxIpChecksumGood | frame_flag::kRxIpChecksumBad | frame_flag::kRxL4ChecksumGood |
    frame_flag::kRxL4ChecksumBad;

}  // namespace

FaultPort::Lane::Lane(const FaultRates& fault_rates, std::uint64_t seed)
    : rates(fault_rates),
      loss(seed ^ 0x6c6f7373),
      duplicate(seed ^ 0x6475706c),
      reorder(seed ^ 0x72656f72),
      corrupt(seed ^ 0x636f7272) {}

void FaultPort::Lane::put(Frame frame, Port& port) {
  // All draws happen for every frame, so that a frame's fate does not depend on another's.
  const bool is_lost = loss.chance(rates.loss);
  const bool is_duplicated = duplicate.chance(rates.duplicate);
  const bool is_late = reorder.chance(rates.reorder);
  const bool is_corrupted = corrupt.chance(rates.corrupt);
  const std::uint64_t bit = corrupt.next();
  if (is_lost) {
    ++counts.lost;
    port.release({&frame, 1});
    return;
  }
  if (is_corrupted && frame.length > 0) flip_bit(frame, bit);
  if (is_duplicated) duplicate_frame(frame, port);
  if (is_late) {
    ++counts.reordered;
    held_back.push_back({frame, rates.reorder_gap, rates.reorder_polls});
    return;
  }
  pass(frame);
}

// A frame passes those that are held back; they follow when their time has come.
void FaultPort::Lane::pass(const Frame& frame) {
  ready.push_back(frame);
  for (HeldBack& held : held_back)
    if (held.gap > 0) --held.gap;
  while (!held_back.empty() && held_back.front().gap == 0) {
    ready.push_back(held_back.front().frame);
    held_back.pop_front();
  }
}

void FaultPort::Lane::poll() {
  for (HeldBack& held : held_back)
    if (held.polls > 0) --held.polls;
  while (!held_back.empty() && held_back.front().polls == 0) {
    ready.push_back(held_back.front().frame);
    held_back.pop_front();
  }
}

void FaultPort::Lane::duplicate_frame(const Frame& frame, Port& port) {
  Frame copy;
  if (frame.length > port.info().frame_capacity || port.allocate({&copy, 1}) == 0) {
    ++counts.duplicates_refused;
    return;
  }
  ++counts.duplicated;
  std::copy_n(frame.data, frame.length, copy.data);
  copy.length = frame.length;
  copy.flags = frame.flags;
  copy.metadata = frame.metadata;
  pass(copy);
}

void FaultPort::Lane::flip_bit(Frame& frame, std::uint64_t bit) {
  ++counts.corrupted;
  frame.data[bit / 8 % frame.length] ^= static_cast<std::byte>(1u << bit % 8);
  frame.flags &= ~kVerdictFlags;
}

FaultPort::FaultPort(Port& inner, const FaultConfig& config)
    : PortDecorator(inner),
      info_(inner.info()),
      rx_(config.rx, config.seed),
      tx_(config.tx, ~config.seed) {
  if (config.tx.corrupt > 0) {
    info_.tx_ip_checksum = false;
    info_.tx_tcp_checksum = false;
    info_.tso_bytes = 0;
  }
}

FaultPort::~FaultPort() {
  for (Lane* lane : {&rx_, &tx_}) {
    for (const Frame& frame : lane->ready) inner().release({&frame, 1});
    for (const HeldBack& held : lane->held_back) inner().release({&held.frame, 1});
  }
}

std::size_t FaultPort::receive(std::span<Frame> frames) {
  tx_.poll();
  push_ready();
  rx_.poll();
  // No more than there is room for, so that what is ready stays bounded by the burst.
  scratch_.resize(frames.size() - std::min(frames.size(), rx_.ready.size()));
  const std::size_t arrived = inner().receive(scratch_);
  for (const Frame& frame : std::span(scratch_).first(arrived)) rx_.put(frame, inner());
  const std::size_t count = std::min(frames.size(), rx_.ready.size());
  std::copy_n(rx_.ready.begin(), count, frames.begin());
  rx_.ready.erase(rx_.ready.begin(), rx_.ready.begin() + static_cast<std::ptrdiff_t>(count));
  return count;
}

std::size_t FaultPort::transmit(std::span<const Frame> frames) {
  tx_.poll();
  push_ready();
  if (!tx_.ready.empty()) return 0;
  for (const Frame& frame : frames) tx_.put(frame, inner());
  push_ready();
  return frames.size();
}

// Offers what is ready to the inner port, in bursts; what it does not take stays.
void FaultPort::push_ready() {
  std::array<Frame, 64> burst;
  while (!tx_.ready.empty()) {
    const std::size_t offered = std::min(burst.size(), tx_.ready.size());
    std::copy_n(tx_.ready.begin(), offered, burst.begin());
    const std::size_t taken = inner().transmit({burst.data(), offered});
    tx_.ready.erase(tx_.ready.begin(), tx_.ready.begin() + static_cast<std::ptrdiff_t>(taken));
    if (taken < offered) return;
  }
}

}  // namespace tern::io
