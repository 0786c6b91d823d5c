// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/syn_cache.h"

#include "base/assert.h"

namespace tern::tcp {
namespace {

// Not on a list yet, but in use.
constexpr std::uint8_t kUnscheduled = 0xfe;

auto links_in(IndexPool<HalfOpen>& records) {
  return [&records](std::uint32_t index) -> IndexLinks& { return records[index].links; };
}

}  // namespace

std::uint32_t SynCache::add(const HalfOpen& record) {
  const std::uint32_t index = records_.acquire();
  if (index == kNoIndex) return kNoIndex;
  records_[index] = record;
  records_[index].list = kUnscheduled;
  return index;
}

void SynCache::remove(std::uint32_t index) {
  TERN_ASSERT(is_in_use(index));
  unlink(index);
  records_[index].list = HalfOpen::kOnNoList;
  records_.release(index);
}

void SynCache::schedule(std::uint32_t index, std::size_t list, Instant deadline) {
  TERN_ASSERT(is_in_use(index));
  unlink(index);
  HalfOpen& record = records_[index];
  record.list = static_cast<std::uint8_t>(std::min(list, kLists - 1));
  record.deadline = deadline;
  lists_[record.list].push_back(links_in(records_), index);
  earliest_ = std::min(earliest_, deadline);
}

void SynCache::unlink(std::uint32_t index) {
  const std::uint8_t list = records_[index].list;
  if (list < kLists) lists_[list].remove(links_in(records_), index);
}

void SynCache::find_earliest() {
  earliest_ = kNever;
  for (const IndexList& list : lists_)
    if (!list.empty()) earliest_ = std::min(earliest_, records_[list.front()].deadline);
}

}  // namespace tern::tcp
