// SPDX-License-Identifier: BSD-3-Clause
#include "net/duplicate_detection.h"

namespace tern::net {

using State = OwnAddresses6::State;

void DuplicateDetection::start(Instant now) {
  deadline_ = now;
  expire(now);
}

void DuplicateDetection::on_conflict(const Ipv6Address& address) {
  ++counters_.nd_conflicts;
  if (own_.is_tentative(address)) own_.set_duplicate(address);
}

bool DuplicateDetection::expire(Instant now) {
  if (now < deadline_) return false;
  if (sent_ == transmits_) {
    finish();
    return true;
  }
  ++sent_;
  for (const OwnAddresses6::Address& own : own_.all())
    if (own.state == State::kTentative) sender_.probe(own.address);
  deadline_ = now + kRetransmitTime;
  return false;
}

void DuplicateDetection::finish() {
  deadline_ = kNever;
  for (OwnAddresses6::Address& own : own_.all())
    if (own.state == State::kTentative) own.state = State::kUsable;
  for (const OwnAddresses6::Address& own : own_.all())
    if (own.state == State::kUsable) sender_.announce(own.address);
}

}  // namespace tern::net
