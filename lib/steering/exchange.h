// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/spsc_ring.h"
#include "steering/home_map.h"
#include "tern/steering.h"

namespace tern::steering {

/// Where the workers of one interface meet when a frame has arrived at the wrong one: a ring from
/// each worker to each other one, and a directory of who has been found to own what. Nothing here
/// is touched for a frame that arrives where its connection lives.
///
/// A connection lives at the worker where its SYN arrived, or that opened it. A frame that finds no
/// connection goes to the owner by the directory, else to the flow's home (HomeMap), from there
/// round to the others; the last one answers as if it were alone. So every worker is asked before a
/// RST says that there is no such connection, at the price of a bounded number of passes.
/// All memory is taken when made. Each SteeringPort belongs to one thread; the rest is theirs.
class Exchange {
 public:
  /// Frames that may be under way from one worker to one other.
  static constexpr std::size_t kRingFrames = 512;
  /// News likewise: more than a burst of ARP, less than a table's worth.
  static constexpr std::size_t kRingNews = 128;

  /// `connections`: of all workers together, at most.
  Exchange(HomeMap homes, std::uint64_t connections);

  const HomeMap& homes() const { return homes_; }
  std::uint16_t workers() const { return homes_.workers(); }

  /// Frames on their way from one worker to another. Exact while nobody is at work.
  std::size_t frames_under_way() const;

 private:
  friend class SteeringPort;

  struct Lane {
    SpscRing<Frame> frames{kRingFrames};
    SpscRing<NeighbourNews> news{kRingNews};
  };
  Lane& lane(std::uint16_t from, std::uint16_t to) { return *lanes_[from * workers() + to]; }

  static constexpr std::uint16_t kNobody = 0xffff;
  /// Who was last found to own flows of this hash. A hint: it may be out of date, or another's.
  std::atomic<std::uint16_t>& owner(std::uint32_t hash) {
    return directory_[hash & (directory_.size() - 1)];
  }

  HomeMap homes_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::atomic<std::uint16_t>> directory_;
};

}  // namespace tern::steering
