// SPDX-License-Identifier: BSD-3-Clause
#include "net/egress.h"

namespace tern::net {

Egress::Egress(Port& port, Counters& counters)
    : port_(port), info_(port.info()), counters_(counters), bin_(port) {
  staged_.reserve(kStageLimit + kSpares);
}

Egress::~Egress() {
  for (std::size_t i = first_; i < staged_.size(); ++i) bin_.add(staged_[i]);
  for (std::size_t i = 0; i < spare_count_; ++i) bin_.add(spare_[i]);
}

bool Egress::refill() {
  if (staged() < kStageLimit) spare_count_ = port_.allocate(spare_);
  if (spare_count_ == 0) ++counters_.tx_no_frame;
  return spare_count_ > 0;
}

std::size_t Egress::flush() {
  bin_.flush();
  if (staged() == 0) return 0;
  const std::size_t offered = staged();
  const std::size_t taken = port_.transmit({staged_.data() + first_, offered});
  for (std::size_t i = first_; i < first_ + taken; ++i) counters_.tx_bytes += staged_[i].length;
  counters_.tx_frames += taken;
  counters_.tx_bursts += taken > 0 ? 1 : 0;
  counters_.tx_deferred += offered - taken;
  first_ += taken;
  if (first_ == staged_.size()) {
    staged_.clear();
    first_ = 0;
  } else if (first_ >= kStageLimit / 2) {
    staged_.erase(staged_.begin(), staged_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return taken;
}

}  // namespace tern::net
