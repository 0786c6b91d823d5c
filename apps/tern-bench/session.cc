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
// So long after the last answer of an idle connection no more are waited for.
constexpr Duration kAnswerTime = std::chrono::seconds(30);

double seconds_between(Instant from, Instant to) {
  return std::chrono::duration<double>(to - from).count();
}

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
  const bool is_over = is_phase_over(now);
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

bool Session::is_phase_over(Instant now) {
  switch (phase_) {
    case Phase::kOpening:
      return load_.is_ready();
    case Phase::kAsking:
      return is_asked(now);
    case Phase::kLeaving:
      return load_.has_left();
    default:
      return now >= phase_ends_;
  }
}

std::string_view Session::name() const {
  switch (phase_) {
    case Phase::kOpening:
      return "opening";
    case Phase::kWarmUp:
      return "warm-up";
    case Phase::kAsking:
      return "asking";
    case Phase::kLeaving:
      return "leaving";
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
    case Phase::kLeaving:
      return conclude(now);
    default:
      return finish(now);
  }
}

void Session::start_load(Instant now) {
  const double opening_s = seconds_between(phase_began_, now);
  if (load_.totals().opened > 0) {
    result_.facts.emplace_back("opened", static_cast<double>(load_.totals().opened));
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
  load_.measure();
  begin_ = last_ = snapshot(now);
  next_line_ = now + kLine;
  enter(Phase::kMeasuring, now, options_.length);
}

// The time of holding is over: are they all still there?
void Session::ask(Instant now) {
  held_ = load_.totals();
  last_answered_ = held_.requests;
  load_.ask_all(now);
  enter(Phase::kAsking, now, kAnswerTime);
}

bool Session::is_asked(Instant now) {
  const std::uint64_t answered = load_.totals().requests;
  if (answered != last_answered_) phase_ends_ = now + kAnswerTime;
  last_answered_ = answered;
  return load_.is_answered() || now >= phase_ends_;
}

void Session::finish(Instant now) {
  result_.begin = begin_;
  result_.end = snapshot(now);
  result_.backlog = load_.backlog(now);
  if (options_.mode == Mode::kIdle) finish_idle(now);
  load_.stop();
  enter(Phase::kLeaving, now, Duration::zero());
  if (load_.has_left()) conclude(now);
}

void Session::finish_idle(Instant now) {
  const Totals& end = result_.end.totals;
  const auto ended = [](const Totals& t) { return t.closed + t.failures; };
  const auto add = [this](const char* what, std::uint64_t n) {
    result_.facts.emplace_back(what, static_cast<double>(n));
  };
  add("lost_while_holding", ended(held_) - ended(begin_.totals));
  add("answered_after_holding", end.requests - held_.requests);
  add("lost_while_asking", ended(end) - ended(held_));
  result_.facts.emplace_back("asking_seconds", seconds_between(phase_began_, now));
}

void Session::conclude(Instant now) {
  if (options_.mode == Mode::kIdle)
    result_.facts.emplace_back("leaving_seconds", seconds_between(phase_began_, now));
  result_.latency.merge(load_.latency());
  report_.result(result_);
  phase_ = Phase::kOver;
}

}  // namespace bench
