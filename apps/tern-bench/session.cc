// SPDX-License-Identifier: BSD-3-Clause
#include "session.h"

#include <unistd.h>

#include <fstream>
#include <utility>

namespace bench {

using tern::Duration;
using tern::Instant;

namespace {

constexpr Duration kLine = std::chrono::seconds(1);
// How long the answers of idle connections are waited for.
constexpr Duration kAnswerTime = std::chrono::seconds(30);

}  // namespace

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Session::Session(const Options& options, Report& report, Load& load, Observe observe)
    : options_(options),
      report_(report),
      load_(load),
      observe_(std::move(observe)),
      resident_at_start_(resident_bytes()) {}

Snapshot Session::snapshot(Instant now) const {
  Snapshot snapshot = observe_(now);
  snapshot.at = now;
  snapshot.totals = load_.totals();
  return snapshot;
}

bool Session::turn(Instant now) {
  if (phase_ == Phase::kOver) return false;
  if (!has_begun_) {
    has_begun_ = true;
    last_ = snapshot(now);
    phase_began_ = now;
    next_line_ = now + kLine;
  }
  load_.turn(now);
  const bool is_over = phase_ == Phase::kOpening  ? load_.is_ready()
                       : phase_ == Phase::kAsking ? is_answered() || now >= phase_ends_
                                                  : now >= phase_ends_;
  if (now >= next_line_) {
    const Snapshot current = snapshot(now);
    report_.line(last_, current, name());
    last_ = current;
    next_line_ += kLine;
  }
  if (is_over) advance(now);
  if (phase_ != Phase::kOver && !load_.trouble().empty()) {
    failure_ = load_.trouble();
    phase_ = Phase::kOver;
  }
  return phase_ != Phase::kOver;
}

std::string_view Session::name() const {
  switch (phase_) {
    case Phase::kOpening:
      return "opening";
    case Phase::kWarmUp:
      return "warm-up";
    case Phase::kAsking:
      return "asking";
    default:
      return options_.mode == Mode::kIdle ? "holding" : "";
  }
}

void Session::enter(Phase phase, Instant now, Duration length) {
  phase_ = phase;
  phase_began_ = now;
  phase_ends_ = now + length;
}

void Session::advance(Instant now) {
  switch (phase_) {
    case Phase::kOpening:
      return start_load(now);
    case Phase::kWarmUp:
      return measure(now);
    case Phase::kMeasuring:
      return options_.mode == Mode::kIdle ? ask(now) : finish(now);
    default:
      return finish(now);
  }
}

void Session::start_load(Instant now) {
  const double opening_s = std::chrono::duration<double>(now - phase_began_).count();
  if (load_.totals().opened > 0) {
    result_.facts.emplace_back("opening_seconds", opening_s);
    const auto grown =
        static_cast<double>(resident_bytes()) - static_cast<double>(resident_at_start_);
    result_.facts.emplace_back("resident_bytes_per_connection",
                               grown / static_cast<double>(load_.totals().opened));
  }
  load_.start(now);
  enter(Phase::kWarmUp, now, options_.warm_up);
}

void Session::measure(Instant now) {
  load_.latency().reset();
  begin_ = last_ = snapshot(now);
  next_line_ = now + kLine;
  enter(Phase::kMeasuring, now, options_.length);
}

// The time of holding is over: are they all still there?
void Session::ask(Instant now) {
  load_.ask_all(now);
  enter(Phase::kAsking, now, kAnswerTime);
}

bool Session::is_answered() const {
  return load_.totals().requests - begin_.totals.requests >= options_.connections;
}

void Session::finish(Instant now) {
  result_.begin = begin_;
  result_.end = snapshot(now);
  result_.backlog = load_.backlog(now);
  result_.latency.merge(load_.latency());
  if (options_.mode == Mode::kIdle)
    result_.facts.emplace_back(
        "answered_after_holding",
        static_cast<double>(result_.end.totals.requests - begin_.totals.requests));
  load_.stop();
  report_.result(result_);
  phase_ = Phase::kOver;
}

}  // namespace bench
