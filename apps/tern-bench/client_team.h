// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client.h"
#include "load.h"
#include "options.h"
#include "report.h"

namespace bench {

/// The clients of all workers as one load, each with its share of the connections and of the rate.
/// What is asked of it, every worker does in its own next turn, and what they have done is summed
/// up every millisecond: no worker waits for another. Thread: what Load says is for the first
/// worker's, turn_of() for each worker's own.
class ClientTeam final : public Load {
 public:
  ClientTeam(const Options& options, std::function<tern::Instant()> clock);

  /// Before anything runs: a worker's client, on that worker's stack. `busy`: how long that worker
  /// has been, asked on its own thread.
  void add(tern::Stack& stack, std::function<tern::Duration()> busy);
  /// Once all have been added: divides the load among them.
  void share_out();

  /// Once a turn of any worker but the first, which has turn().
  void turn_of(unsigned worker, tern::Instant now);

  /// The sum of the workers' counters and busy time; totals() are of the same moment then, to a
  /// millisecond, and those of the first worker exactly.
  const Snapshot& observe(tern::Instant now);

  void turn(tern::Instant now) override;
  bool is_ready() const override { return all_.is_ready; }
  void start(tern::Instant now) override;
  void measure() override { order(kMeasure); }
  void ask_all(tern::Instant) override { order(kAsk); }
  bool is_answered() const override { return has_done(kAsk) && all_.is_answered; }
  void stop() override { order(kStop); }
  bool has_left() const override { return has_done(kStop) && all_.has_left; }
  const std::string& trouble() const override { return trouble_; }
  const Totals& totals() const override { return sum_.totals; }
  /// Of all, once has_left().
  const tern::Histogram& latency() const override { return latency_; }
  std::uint64_t backlog(tern::Instant) const override { return backlog_; }

 private:
  enum Order : unsigned { kStart = 1, kMeasure = 2, kAsk = 4, kStop = 8 };

  /// How far a worker is, or all are.
  struct Progress {
    unsigned done = 0;  // orders
    bool is_ready = false, is_answered = false, has_left = false;
  };

  struct Member {
    Member(const Options& team, tern::Stack& s, std::function<tern::Duration()> b)
        : options(team), stack(s), busy(std::move(b)) {}
    Options options;  // its share
    tern::Stack& stack;
    std::function<tern::Duration()> busy;
    std::unique_ptr<Client> client;
    unsigned done = 0;
    tern::Instant next_report{};
    std::mutex mutex;  // guards what follows, which the first worker reads
    Snapshot said;
    Progress progress;
    std::uint64_t backlog = 0;
    std::string trouble;
    tern::Histogram latency;  // when it has stopped
  };

  void order(Order what);
  bool has_done(Order what) const { return (all_.done & what) != 0; }
  void obey(Member& member);
  void report(Member& member, tern::Instant now);
  void sum_up();

  const Options& options_;
  const std::function<tern::Instant()> clock_;
  std::vector<std::unique_ptr<Member>> members_;
  std::atomic<unsigned> ordered_{0};
  tern::Instant starts_{};  // written before kStart is ordered
  tern::Instant next_sum_{};
  Snapshot sum_;
  Progress all_;
  std::uint64_t backlog_ = 0;
  std::string trouble_;
  tern::Histogram latency_;
  bool is_merged_ = false;
};

}  // namespace bench
