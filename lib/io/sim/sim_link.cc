// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/sim_link.h"

#include <algorithm>
#include <cmath>

#include "io/sim/sim_network.h"

namespace tern::io {

SimLink::Generators::Generators(std::uint64_t seed)
    : loss(seed ^ 0x6c6f7373),
      duplicate(seed ^ 0x6475706c),
      reorder(seed ^ 0x72656f72),
      corrupt(seed ^ 0x636f7272) {}

SimLink::SimLink(SimNetwork& network, FrameReceiver& receiver, const LinkConfig& config)
    : network_(network), receiver_(receiver), config_(config), generators_(config.seed) {}

void SimLink::set_config(const LinkConfig& config) {
  config_ = config;
  generators_ = Generators(config.seed);
}

void SimLink::send(std::vector<std::byte> frame) {
  const std::uint64_t index = counts_.offered++;
  if (!up_) {
    ++counts_.dropped_down;
    return;
  }
  Duration extra_delay{0};
  if (hook_) {
    Verdict verdict = hook_(frame, index);
    if (verdict.dropped) {
      ++counts_.dropped_hook;
      return;
    }
    extra_delay = verdict.extra_delay;
    if (verdict.replacement) frame = std::move(*verdict.replacement);
  }
  if (!queue_has_room(frame.size())) {
    ++counts_.dropped_queue;
    return;
  }
  const Instant leaves = serialise(frame.size());
  impair_and_schedule(std::move(frame), leaves + config_.delay + extra_delay);
}

bool SimLink::queue_has_room(std::size_t bytes) {
  while (!queue_.empty() && queue_.front().leaves <= network_.now()) {
    queued_bytes_ -= queue_.front().bytes;
    queue_.pop_front();
  }
  if (config_.queue_frames != 0 && queue_.size() >= config_.queue_frames) return false;
  return config_.queue_bytes == 0 || queued_bytes_ + bytes <= config_.queue_bytes;
}

// When the frame's last bit has left, after those queued before it.
Instant SimLink::serialise(std::size_t bytes) {
  if (config_.bits_per_second <= 0) return network_.now();
  const double nanoseconds = static_cast<double>(bytes) * 8e9 / config_.bits_per_second;
  busy_until_ = std::max(busy_until_, network_.now()) + Duration(std::llround(nanoseconds));
  queue_.push_back({busy_until_, bytes});
  queued_bytes_ += bytes;
  return busy_until_;
}

void SimLink::impair_and_schedule(std::vector<std::byte> frame, Instant arrival) {
  // All draws happen for every frame, so that a frame's fate does not depend on another's.
  const bool lost = generators_.loss.chance(config_.loss);
  const bool duplicated = generators_.duplicate.chance(config_.duplicate);
  const bool late = generators_.reorder.chance(config_.reorder);
  const bool corrupted = generators_.corrupt.chance(config_.corrupt);
  const std::uint64_t bit = generators_.corrupt.next();
  if (lost) {
    ++counts_.dropped_loss;
    return;
  }
  if (late) {
    ++counts_.reordered;
    arrival += config_.reorder_delay;
  }
  if (corrupted && !frame.empty()) {
    ++counts_.corrupted;
    frame[bit / 8 % frame.size()] ^= static_cast<std::byte>(1u << bit % 8);
  }
  if (duplicated) {
    ++counts_.duplicated;
    network_.schedule(arrival, *this, frame);
  }
  network_.schedule(arrival, *this, std::move(frame));
}

void SimLink::arrive(std::span<const std::byte> frame) {
  if (!up_) {
    ++counts_.dropped_down;
    return;
  }
  ++counts_.delivered;
  receiver_.frame_arrived(frame);
}

}  // namespace tern::io
