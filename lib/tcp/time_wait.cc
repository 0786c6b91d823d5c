// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/time_wait.h"

#include "base/assert.h"

namespace tern::tcp {

std::uint32_t TimeWaitTable::insert(const TimeWaitRecord& record, Instant now) {
  const std::uint32_t index = records_.acquire();
  if (index == kNoIndex) return kNoIndex;
  records_[index] = record;
  records_[index].flags |= TimeWaitRecord::kInUse;
  link_tail(index, now);
  return index;
}

void TimeWaitTable::restart(std::uint32_t index, Instant now) {
  TERN_ASSERT(is_in_use(index));
  unlink(index);
  link_tail(index, now);
}

void TimeWaitTable::remove(std::uint32_t index) {
  TERN_ASSERT(is_in_use(index));
  unlink(index);
  records_[index].flags = 0;
  records_.release(index);
}

void TimeWaitTable::link_tail(std::uint32_t index, Instant now) {
  TimeWaitRecord& record = records_[index];
  record.deadline = now + two_msl_;
  TERN_DASSERT(tail_ == kNoIndex || records_[tail_].deadline <= record.deadline);
  record.previous = tail_;
  record.next = kNoIndex;
  (tail_ == kNoIndex ? head_ : records_[tail_].next) = index;
  tail_ = index;
}

void TimeWaitTable::unlink(std::uint32_t index) {
  const TimeWaitRecord& record = records_[index];
  (record.previous == kNoIndex ? head_ : records_[record.previous].next) = record.next;
  (record.next == kNoIndex ? tail_ : records_[record.next].previous) = record.previous;
}

}  // namespace tern::tcp
