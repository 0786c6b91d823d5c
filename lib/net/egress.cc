// SPDX-License-Identifier: BSD-3-Clause
#include "net/egress.h"

#include <algorithm>

namespace tern::net {

Egress::Egress(Port& port, FrameBin& bin, Counters& counters)
    : port_(port),
      info_(port.info()),
      counters_(counters),
      bin_(bin),
      stage_(std::make_unique<Frame[]>(kCapacity)) {}

Egress::~Egress() {
  TERN_ASSERT(handed_out_ == 0);
  for (; head_ < tail_; ++head_) bin_.add(stage_[head_ % kCapacity]);
  for (std::size_t i = 0; i < spare_count_; ++i) bin_.add(spare_[i]);
}

[[gnu::noinline]] bool Egress::refill() {
  restock();
  if (spare_count_ == 0 && has_room()) spare_count_ = port_.allocate(spare_);
  if (spare_count_ == 0) ++counters_.tx_no_frame;
  return spare_count_ > 0;
}

std::size_t Egress::flush_staged() {
  std::size_t taken = 0;
  while (staged() > 0) {
    const std::size_t run = std::min(staged(), kCapacity - head_ % kCapacity);
    const std::size_t sent = transmit_run(run);
    taken += sent;
    if (sent < run) break;
  }
  count_deferred(taken);
  if (staged() == 0) head_ = tail_ = 0;
  return taken;
}

std::size_t Egress::transmit_run(std::size_t count) {
  const Frame* first = &stage_[head_ % kCapacity];
  const std::size_t sent = port_.transmit({first, count});
  TERN_ASSERT(sent <= count);
  for (std::size_t i = 0; i < sent; ++i) counters_.tx_bytes += first[i].length;
  counters_.tx_frames += sent;
  counters_.tx_bursts += sent > 0 ? 1 : 0;
  head_ += sent;
  return sent;
}

// Counts each frame once, however many polls it has to wait: those deferred before are at the
// front.
void Egress::count_deferred(std::size_t taken) {
  const std::size_t still_deferred = deferred_ > taken ? deferred_ - taken : 0;
  counters_.tx_deferred += staged() - still_deferred;
  deferred_ = staged();
}

}  // namespace tern::net
