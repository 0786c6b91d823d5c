// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/sent_log.h"

#include <algorithm>

#include "base/assert.h"

namespace tern::tcp {
namespace {

using wire::SeqNum;

bool is_alike(const SentLog::Run& a, const SentLog::Run& b) {
  return a.sent_us == b.sent_us && a.timed == b.timed && a.again == b.again && a.lost == b.lost;
}

std::uint32_t later_of_us(std::uint32_t a, std::uint32_t b) { return is_later(a, b) ? a : b; }

}  // namespace

void SentLog::begin(SeqNum una, SeqNum max, std::uint32_t sent_us, bool again) {
  runs_[0] = {una, max, sent_us, false, again, false};
  count_ = una == max ? 0 : 1;
}

void SentLog::on_sent(SeqNum begin, SeqNum end, std::uint32_t now_us) {
  const SeqNum known = count_ == 0 ? begin : later_of(begin, runs_[count_ - 1].end);
  if (begin.before(known)) {
    const auto [first, last] = isolate(begin, earlier_of(end, known));
    for (std::size_t i = first; i < last; ++i) {
      Run& r = runs_[i];
      r.sent_us = now_us;
      r.timed = r.again = true;
      r.lost = false;
    }
  }
  if (end.after(known)) append({later_of(begin, known), end, now_us, true, false, false});
}

void SentLog::append(const Run& run) {
  if (count_ > 0 && runs_[count_ - 1].end == run.begin && is_alike(runs_[count_ - 1], run)) {
    runs_[count_ - 1].end = run.end;
    return;
  }
  if (count_ == kMaxRuns) make_room();
  if (count_ < kMaxRuns) runs_[count_++] = run;
}

void SentLog::settle(SeqNum edge, std::uint32_t sent_us) {
  for (std::size_t i = 0; i < count_; ++i) {
    Run& r = runs_[i];
    if (r.begin.at_or_after(edge)) return;
    if (r.timed) continue;
    // Of what lies above, nothing is known still.
    if (r.end.after(edge) && count_ < kMaxRuns) split(i, edge);
    if (is_later(r.sent_us, sent_us)) r.sent_us = sent_us;
    r.timed = true;
  }
}

const SentLog::Run* SentLog::lowest_lost() const {
  const auto all = runs();
  const auto lost = std::find_if(all.begin(), all.end(), [](const Run& r) { return r.lost; });
  return lost == all.end() ? nullptr : &*lost;
}

std::uint32_t SentLog::in_flight() const {
  std::uint32_t bytes = 0;
  for (const Run& r : runs()) bytes += r.lost ? 0 : r.end - r.begin;
  return bytes;
}

// Splits runs so that [begin, end) consists of whole ones; returns which.
SentLog::Range SentLog::isolate(SeqNum begin, SeqNum end) {
  while (count_ + 2 > kMaxRuns) {
    const std::size_t before = count_;
    make_room();
    if (count_ == before) break;
  }
  std::size_t first = 0;
  while (first < count_ && runs_[first].end.at_or_before(begin)) ++first;
  if (first < count_ && runs_[first].begin.before(begin)) split(first++, begin);
  std::size_t last = first;
  while (last < count_ && runs_[last].end.at_or_before(end)) ++last;
  if (last < count_ && runs_[last].begin.before(end)) split(last++, end);
  return {first, last};
}

void SentLog::split(std::size_t i, SeqNum at) {
  TERN_ASSERT(count_ < kMaxRuns);
  std::copy_backward(runs_.begin() + i, runs_.begin() + count_, runs_.begin() + count_ + 1);
  ++count_;
  runs_[i].end = runs_[i + 1].begin = at;
}

void SentLog::erase(std::size_t first, std::size_t last) {
  std::copy(runs_.begin() + last, runs_.begin() + count_, runs_.begin() + first);
  count_ -= last - first;
}

// Joins the first two neighbours that differ in nothing but their time, else any two.
void SentLog::make_room() {
  std::size_t found = count_;
  for (std::size_t i = 0; i + 1 < count_; ++i) {
    if (runs_[i].end != runs_[i + 1].begin) continue;
    const bool alike = runs_[i].lost == runs_[i + 1].lost && runs_[i].again == runs_[i + 1].again;
    if (alike || found == count_) found = i;
    if (alike) break;
  }
  if (found == count_) return;
  Run& a = runs_[found];
  const Run& b = runs_[found + 1];
  a = {a.begin,
       b.end,
       later_of_us(a.sent_us, b.sent_us),
       a.timed && b.timed,
       a.again || b.again,
       a.lost && b.lost};
  erase(found + 1, found + 2);
}

}  // namespace tern::tcp
