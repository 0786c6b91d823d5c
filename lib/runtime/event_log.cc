// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/event_log.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace tern::runtime {

std::string in_seconds(Duration duration) {
  const auto tenths = duration / std::chrono::milliseconds(100);
  return absl::StrCat(tenths / 10, ".", tenths % 10, " s");
}

Episode::News Episode::look(std::uint64_t count, Instant now) {
  const bool grew = known_ && count > last_count_;
  const std::uint64_t before = std::exchange(last_count_, count);
  const Instant looked = std::exchange(last_look_, now);
  known_ = true;
  if (grew) {
    last_growth_ = now;
    if (std::exchange(active_, true)) return News::kNone;
    began_ = looked;
    first_count_ = before;
    return News::kBegan;
  }
  if (!active_ || now < last_growth_ + kQuiet) return News::kNone;
  active_ = false;
  return News::kOver;
}

EventLog::EventLog(const std::string& device, const StackConfig& config, unsigned workers, Log log)
    : device_(device), log_(std::move(log)), loops_(workers) {
  const auto mebibytes = [](std::uint64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); };
  worries_.push_back({&Counters::drop_tcp_no_connection,
                      absl::StrCat("no room for another connection: all ", config.max_connections,
                                   " of a worker are in use, SYNs are refused; raise "
                                   "--max-connections (max_connections)"),
                      "room for connections again", "SYNs refused"});
  worries_.push_back({&Counters::send_buffer_short,
                      absl::StrCat("the send memory (", mebibytes(config.send_memory),
                                   " a worker) is used up: sending waits; raise send_memory"),
                      "send memory again", "sends put off"});
  worries_.push_back({&Counters::drop_tcp_no_buffer,
                      absl::StrCat("the receive memory (", mebibytes(config.receive_memory),
                                   " a worker) is used up: data is dropped, and must be sent "
                                   "again; raise receive_memory"),
                      "receive memory again", "segments dropped"});
  worries_.push_back(
      {&Counters::tx_no_frame,
       absl::StrCat(device, " has no empty buffer to send with: its pool is dry, output waits"),
       absl::StrCat(device, " has buffers to send with again"), "times without"});
  worries_.push_back({nullptr,
                      absl::StrCat(device,
                                   " loses what arrives: no room in its ring, or no "
                                   "buffers; more --workers, or less load"),
                      absl::StrCat(device, " loses nothing any more"), "frames lost"});
  const std::string address = to_string(config.address.address);
  worries_.push_back({&Counters::arp_conflicts,
                      absl::StrCat("another host claims our address ", address,
                                   " by ARP: one of the two must change"),
                      absl::StrCat("nobody else claims ", address, " any more"), "claims"});
}

void EventLog::look(const Observation& seen) {
  look_at_link(seen.link_up);
  for (std::size_t i = 0; i < loops_.size(); ++i) look_at_loop(i, seen.turns[i], seen.now);
  for (Worry& worry : worries_) {
    if (worry.counter == nullptr)
      look_at(worry, seen.frames_missed, seen.now);
    else if (seen.counters)
      look_at(worry, (*seen.counters).*worry.counter, seen.now);
  }
}

void EventLog::look_at_link(bool up) {
  link_looks_ = up == link_told_ ? 0 : link_looks_ + 1;
  if (link_looks_ < kLinkLooks) return;
  link_told_ = up;
  link_looks_ = 0;
  if (up)
    log_(LogLevel::kInfo, absl::StrCat(device_, ": link up"));
  else
    log_(LogLevel::kWarning, absl::StrCat(device_, ": link down, nothing arrives or leaves"));
}

void EventLog::look_at_loop(std::size_t worker, std::uint64_t turns, Instant now) {
  Loop& loop = loops_[worker];
  if (turns == loop.turns) {
    if (++loop.looks == kStallLooks)
      log_(LogLevel::kWarning,
           absl::StrCat("worker ", worker, " hangs: no poll for ", in_seconds(now - loop.moved),
                        "; a callback that takes long, or a CPU that is taken"));
    return;
  }
  if (loop.looks >= kStallLooks)
    log_(LogLevel::kInfo,
         absl::StrCat("worker ", worker, " polls again after ", in_seconds(now - loop.moved)));
  loop = {turns, 0, now};
}

void EventLog::look_at(Worry& worry, std::uint64_t count, Instant now) {
  switch (worry.episode.look(count, now)) {
    case Episode::News::kNone:
      break;
    case Episode::News::kBegan:
      log_(LogLevel::kWarning, worry.began);
      break;
    case Episode::News::kOver:
      log_(LogLevel::kInfo, absl::StrCat(worry.over, ": ", worry.episode.count(), " ", worry.unit,
                                         " in ", in_seconds(worry.episode.lasted())));
  }
}

}  // namespace tern::runtime
