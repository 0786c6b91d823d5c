// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/prng.h"
#include "tern/time.h"

namespace tern::io {

class SimNetwork;

/// One direction of a wire. Every probability is drawn from a generator of its own, seeded by
/// `seed`: turning one impairment on does not change which frames another one hits.
struct LinkConfig {
  Duration delay{0};
  double bits_per_second = 0;      ///< of frame bytes, without FCS, preamble and gap; 0 = infinite
  std::uint32_t queue_frames = 0;  ///< waiting or being serialised; more are dropped; 0 = no limit
  std::uint64_t queue_bytes = 0;   ///< likewise, in bytes
  double loss = 0;                 ///< probability of a frame to be lost on the wire
  double duplicate = 0;            ///< ... to arrive twice, at the same time
  double reorder = 0;              ///< ... to arrive reorder_delay late
  Duration reorder_delay{1'000'000};  ///< 1 ms
  double corrupt = 0;                 ///< ... to have one bit flipped
  std::uint64_t seed = 1;
};

/// What a test's hook does with one frame.
struct Verdict {
  bool dropped = false;
  Duration extra_delay{0};
  std::optional<std::vector<std::byte>> replacement;

  static Verdict pass() { return {}; }
  static Verdict drop() { return {.dropped = true, .extra_delay = {}, .replacement = {}}; }
  static Verdict delay(Duration d) {
    return {.dropped = false, .extra_delay = d, .replacement = {}};
  }
  static Verdict replace(std::vector<std::byte> bytes) {
    return {.dropped = false, .extra_delay = {}, .replacement = std::move(bytes)};
  }
};

/// Asked about every frame that enters a link; `index` counts them from 0.
using LinkHook = std::function<Verdict(std::span<const std::byte> frame, std::uint64_t index)>;

/// What became of the frames of one direction: offered + duplicated = delivered + in flight + the
/// dropped ones.
struct LinkCounts {
  std::uint64_t offered = 0;
  std::uint64_t delivered = 0;  ///< put into the receiver's hands; its pool may still be dry
  std::uint64_t dropped_hook = 0;
  std::uint64_t dropped_queue = 0;
  std::uint64_t dropped_loss = 0;
  std::uint64_t dropped_down = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
};

/// Where frames go at the end of a link.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  virtual void frame_arrived(std::span<const std::byte> frame) = 0;
};

/// One direction of a wire between a sender and a receiver. Made by SimNetwork.
class SimLink {
 public:
  SimLink(SimNetwork& network, FrameReceiver& receiver, const LinkConfig& config);
  SimLink(const SimLink&) = delete;
  SimLink& operator=(const SimLink&) = delete;

  /// A frame enters now.
  void send(std::vector<std::byte> frame);
  /// For SimNetwork: a frame reaches the end.
  void arrive(std::span<const std::byte> frame);

  void set_hook(LinkHook hook) { hook_ = std::move(hook); }
  /// Takes effect for frames that enter from now on; the generators start anew from the new seed.
  void set_config(const LinkConfig& config);
  const LinkConfig& config() const { return config_; }
  /// A link that is down loses what enters it and what is under way in it.
  void set_up(bool up) { up_ = up; }
  bool up() const { return up_; }
  const LinkCounts& counts() const { return counts_; }

 private:
  struct Queued {
    Instant leaves;  // when its last bit has been serialised
    std::size_t bytes;
  };
  struct Generators {
    explicit Generators(std::uint64_t seed);
    Prng loss, duplicate, reorder, corrupt;
  };

  bool queue_has_room(std::size_t bytes);
  Instant serialise(std::size_t bytes);
  void impair_and_schedule(std::vector<std::byte> frame, Instant arrival);

  SimNetwork& network_;
  FrameReceiver& receiver_;
  LinkConfig config_;
  Generators generators_;
  LinkHook hook_;
  std::deque<Queued> queue_;
  std::uint64_t queued_bytes_ = 0;
  Instant busy_until_{};
  bool up_ = true;
  LinkCounts counts_;
};

}  // namespace tern::io
