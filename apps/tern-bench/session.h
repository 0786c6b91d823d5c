// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "load.h"
#include "options.h"
#include "report.h"

namespace bench {

/// Bytes of this process's memory that are in use (resident), by /proc.
std::uint64_t resident_bytes();

/// A client's measurement from beginning to end: connections are opened, the load warms up, is
/// measured and reported, a line a second. Thread: the worker's.
class Session {
 public:
  /// Makes a snapshot of the moment, the load's totals aside.
  using Observe = std::function<Snapshot(tern::Instant)>;

  Session(const Options& options, Report& report, Load& load, Observe observe);

  /// Once a turn. False: it is over.
  bool turn(tern::Instant now);

  /// The result says this, too: what was allocated at start, and for how many workers.
  void set_memory(std::vector<tern::MemoryRow> memory, unsigned workers) {
    result_.memory = std::move(memory);
    result_.workers = workers;
  }

  /// Why there is no result; empty if there is one.
  const std::string& failure() const { return failure_; }

 private:
  enum class Phase : std::uint8_t { kOpening, kWarmUp, kMeasuring, kAsking, kLeaving, kOver };

  bool is_phase_over(tern::Instant now);
  void advance(tern::Instant now);
  void enter(Phase phase, tern::Instant now, tern::Duration length);
  void start_load(tern::Instant now);
  void measure(tern::Instant now);
  void ask(tern::Instant now);
  void finish(tern::Instant now);
  void finish_idle(tern::Instant now);
  void conclude(tern::Instant now);
  bool is_asked(tern::Instant now);
  Snapshot snapshot(tern::Instant now) const;
  std::string_view name() const;

  const Options& options_;
  Report& report_;
  Load& load_;
  Observe observe_;
  Phase phase_ = Phase::kOpening;
  tern::Instant phase_began_{}, phase_ends_ = tern::kNever, next_line_{};
  Snapshot last_, begin_;
  Totals held_;                      // idle: when the holding was over
  std::uint64_t last_answered_ = 0;  // idle: for how long nothing more has come
  std::uint64_t resident_at_start_;
  Result result_;
  std::string failure_;
  bool has_begun_ = false;
};

}  // namespace bench
