// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "report.h"
#include "tern/histogram.h"
#include "tern/time.h"

namespace bench {

/// A client's load as its Session sees it. Thread: the worker's.
class Load {
 public:
  virtual ~Load() = default;

  /// Once a turn: opens connections, issues what is due.
  virtual void turn(tern::Instant now) = 0;
  /// The connections that the mode wants beforehand are open.
  virtual bool is_ready() const = 0;
  /// Requests begin.
  virtual void start(tern::Instant now) = 0;
  /// Latency is recorded anew.
  virtual void measure() = 0;
  /// Idle: one request on every connection, by turn(), so many at once as are opened at once.
  virtual void ask_all(tern::Instant now) = 0;
  /// All of them have been asked, and have answered or are lost.
  virtual bool is_answered() const = 0;
  /// Nothing new is begun any more. What idle has held ends, in turn().
  virtual void stop() = 0;
  /// Nothing is left that turn() would have to end.
  virtual bool has_left() const = 0;

  /// What makes a measurement impossible, in words for the operator; empty if nothing does.
  virtual const std::string& trouble() const = 0;
  virtual const Totals& totals() const = 0;
  /// Complete once it has left.
  virtual const tern::Histogram& latency() const = 0;
  virtual std::uint64_t backlog(tern::Instant now) const = 0;
};

}  // namespace bench
