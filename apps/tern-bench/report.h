// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "options.h"
#include "tern/histogram.h"
#include "tern/runtime.h"
#include "tern/stats.h"
#include "tern/time.h"

namespace bench {

/// What the load has done since its start; only grows.
struct Totals {
  std::uint64_t requests = 0;  ///< answered; at the server: received
  std::uint64_t opened = 0;    ///< connections
  std::uint64_t closed = 0;    ///< connections that ended in order
  std::uint64_t failures = 0;  ///< connections that did not, and those that could not be opened
  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< of the application
};

/// The state of everything at one moment, all workers together.
struct Snapshot {
  tern::Instant at{};
  Totals totals{};
  tern::Counters counters{};  ///< zeros for a raw client, which has none
  tern::Duration busy{};      ///< of the workers' time

  /// Adds another worker's; the time stays.
  Snapshot& operator+=(const Snapshot& other);
};

/// The result of a measurement.
struct Result {
  Snapshot begin, end;
  tern::Histogram latency;    ///< ns
  std::uint64_t backlog = 0;  ///< open loop: requests that were due and had not left at the end
  /// Facts of one mode, e.g. {"resident_bytes_per_connection", 421}.
  std::vector<std::pair<std::string, double>> facts = {};
  std::vector<tern::MemoryRow> memory = {};  ///< what was allocated at start; none for a raw client
  unsigned workers = 1;
};

/// Prints a line a second and the result, and writes the files that the options name.
class Report {
 public:
  /// Opens the files; `error()` then says which could not be.
  explicit Report(const Options& options, std::uint64_t cycles_per_second);

  const std::string& error() const { return error_; }

  /// What happened between two snapshots, in one line. `phase`: "warm-up", "" or the like.
  void line(const Snapshot& before, const Snapshot& after, std::string_view phase);
  void result(const Result& result);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };
  using File = std::unique_ptr<std::FILE, CloseFile>;

  File open(const std::string& path);
  void csv_line(const Snapshot& before, const Snapshot& after, std::string_view phase);
  void print_latency(const tern::Histogram& latency) const;

  const Options& options_;
  std::uint64_t cycles_per_second_;
  std::string error_;
  File json_, csv_, histogram_;
  tern::Instant first_{};
  bool has_first_ = false;
};

}  // namespace bench
