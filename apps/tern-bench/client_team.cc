// SPDX-License-Identifier: BSD-3-Clause
#include "client_team.h"

#include <algorithm>
#include <utility>

namespace bench {

using tern::Instant;

namespace {

constexpr tern::Duration kReportInterval = std::chrono::milliseconds(1);

// The i-th of `parts` nearly equal parts.
std::uint32_t part(std::uint32_t whole, unsigned i, unsigned parts) {
  return whole / parts + (i < whole % parts ? 1 : 0);
}

}  // namespace

ClientTeam::ClientTeam(const Options& options, std::function<Instant()> clock)
    : options_(options), clock_(std::move(clock)) {}

void ClientTeam::add(tern::Stack& stack, std::function<tern::Duration()> busy) {
  members_.push_back(std::make_unique<Member>(options_, stack, std::move(busy)));
}

void ClientTeam::share_out() {
  const auto workers = static_cast<unsigned>(members_.size());
  for (unsigned i = 0; i < workers; ++i) {
    Member& member = *members_[i];
    Options& share = member.options;
    share.connections = part(options_.connections, i, workers);
    share.opening = std::max(1u, part(options_.opening, i, workers));
    share.rate = options_.rate * share.connections / options_.connections;
    member.client = std::make_unique<Client>(share, member.stack, clock_);
  }
}

void ClientTeam::start(Instant now) {
  starts_ = now;
  order(kStart);
}

void ClientTeam::turn(Instant now) {
  turn_of(0, now);
  if (now < next_sum_) return;
  next_sum_ = now + kReportInterval;
  sum_up();
}

void ClientTeam::turn_of(unsigned worker, Instant now) {
  Member& member = *members_[worker];
  obey(member);
  member.client->turn(now);
  if (now >= member.next_report) report(member, now);
}

// At once where the session is, so that a single worker's figures are exact.
void ClientTeam::order(Order what) {
  ordered_.fetch_or(what, std::memory_order_release);
  obey(*members_.front());
}

// In the order in which a session gives them, should several have come together.
void ClientTeam::obey(Member& member) {
  const unsigned news = ordered_.load(std::memory_order_acquire) & ~member.done;
  if (news == 0) [[likely]]
    return;
  Client& client = *member.client;
  if ((news & kStart) != 0) client.start(starts_);
  if ((news & kMeasure) != 0) client.measure();
  if ((news & kAsk) != 0) client.ask_all(starts_);
  if ((news & kStop) != 0) {
    client.stop();
    const std::lock_guard lock(member.mutex);
    member.latency = client.latency();
  }
  member.done |= news;
}

const Snapshot& ClientTeam::observe(Instant now) {
  report(*members_.front(), now);
  sum_up();
  return sum_;
}

void ClientTeam::report(Member& member, Instant now) {
  member.next_report = now + kReportInterval;
  const Client& client = *member.client;
  const std::lock_guard lock(member.mutex);
  member.said = {
      .totals = client.totals(), .counters = member.stack.counters(), .busy = member.busy()};
  member.progress = {.done = member.done,
                     .is_ready = client.is_ready(),
                     .is_answered = client.is_answered(),
                     .has_left = client.has_left()};
  member.backlog = client.backlog(now);
  member.trouble = client.trouble();
}

void ClientTeam::sum_up() {
  sum_ = {};
  all_ = {.done = ~0u, .is_ready = true, .is_answered = true, .has_left = true};
  backlog_ = 0;
  for (const auto& member : members_) {
    const std::lock_guard lock(member->mutex);
    sum_ += member->said;
    all_.done &= member->progress.done;
    all_.is_ready &= member->progress.is_ready;
    all_.is_answered &= member->progress.is_answered;
    all_.has_left &= member->progress.has_left;
    backlog_ += member->backlog;
    if (trouble_.empty()) trouble_ = member->trouble;
  }
  if (!has_left() || std::exchange(is_merged_, true)) return;
  for (const auto& member : members_) {
    const std::lock_guard lock(member->mutex);
    latency_.merge(member->latency);
  }
}

}  // namespace bench
