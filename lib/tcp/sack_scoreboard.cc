// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/sack_scoreboard.h"

#include <algorithm>

namespace tern::tcp {

using wire::SackBlock;
using wire::SeqNum;

std::optional<std::uint32_t> SackScoreboard::add(const SackBlock& block) {
  SackBlock* const all = ranges_.data();
  SackBlock* const end = all + count_;
  // [first, last): the ranges that the block overlaps or touches.
  SackBlock* const first =
      std::find_if(all, end, [&](const SackBlock& r) { return r.end.at_or_after(block.begin); });
  SackBlock* last = first;
  SackBlock merged = block;
  std::uint32_t known = 0;
  for (; last != end && last->begin.at_or_before(block.end); ++last) {
    merged = {earlier_of(merged.begin, last->begin), later_of(merged.end, last->end)};
    known += last->end - last->begin;
  }
  if (first == last && count_ == kMaxRanges) return std::nullopt;
  if (first == last) {
    std::copy_backward(first, end, end + 1);
    ++count_;
  } else {
    std::copy(last, end, first + 1);
    count_ -= static_cast<std::uint32_t>(last - first) - 1;
  }
  *first = merged;
  const std::uint32_t added = (merged.end - merged.begin) - known;
  bytes_ += added;
  return added;
}

void SackScoreboard::advance(SeqNum una) {
  std::uint32_t gone = 0;
  for (; gone < count_ && ranges_[gone].end.at_or_before(una); ++gone)
    bytes_ -= ranges_[gone].end - ranges_[gone].begin;
  std::copy(ranges_.begin() + gone, ranges_.begin() + count_, ranges_.begin());
  count_ -= gone;
  if (count_ == 0 || !ranges_[0].begin.before(una)) return;
  bytes_ -= una - ranges_[0].begin;
  ranges_[0].begin = una;
}

bool SackScoreboard::contains(SeqNum seq) const { return past_sacked(seq) != seq; }

std::uint32_t SackScoreboard::bytes_below(SeqNum seq) const {
  std::uint32_t bytes = 0;
  for (const SackBlock& r : ranges()) {
    if (r.begin.at_or_after(seq)) break;
    bytes += earlier_of(r.end, seq) - r.begin;
  }
  return bytes;
}

SeqNum SackScoreboard::past_sacked(SeqNum seq) const {
  for (const SackBlock& r : ranges())
    if (seq.in_window(r.begin, r.end - r.begin)) return r.end;
  return seq;
}

std::uint32_t SackScoreboard::room_before_sacked(SeqNum seq) const {
  for (const SackBlock& r : ranges())
    if (r.begin.after(seq)) return r.begin - seq;
  return UINT32_MAX;
}

}  // namespace tern::tcp
