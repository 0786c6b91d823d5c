// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/index_pool.h"
#include "flow/four_tuple.h"
#include "tern/time.h"
#include "wire/seq_num.h"

namespace tern::tcp {

/// All that is left of a connection in TIME-WAIT (RFC 9293 3.3.2): enough to answer a repeated FIN,
/// and to judge whether a new SYN may take the tuple over (RFC 6191).
struct TimeWaitRecord {
  static constexpr std::uint8_t kTimestamps = 1;  // RFC 7323 timestamps are in use
  static constexpr std::uint8_t kInUse = 2;       // the table's: this index is a live record

  flow::FourTuple4 tuple;
  std::uint32_t hash = 0;  // table_hash of the tuple
  wire::SeqNum snd_nxt;
  wire::SeqNum rcv_nxt;
  std::uint32_t ts_recent = 0;
  std::uint32_t ts_offset = 0;
  std::uint16_t window = 0;  // as on the wire, scaled already
  std::uint8_t flags = 0;
  std::uint8_t window_scale = 0;                       // our own, of `window`
  std::uint32_t previous = kNoIndex, next = kNoIndex;  // the table's, as is deadline
  Instant deadline = kNever;
};
static_assert(sizeof(TimeWaitRecord) <= 64);

/// The TIME-WAIT records of a stack, oldest first. The time-out is the same for all, so the order
/// of arrival is the order of expiry: no timer node, exact expiry, and the oldest at hand for
/// eviction. Thread: the stack's; callbacks must not call back into the table.
class TimeWaitTable {
 public:
  TimeWaitTable(std::uint32_t capacity, Duration two_msl) : two_msl_(two_msl), records_(capacity) {}

  /// Begins a record's 2MSL and returns its index; `previous`, `next` and `deadline` of the
  /// argument do not count. A full table first gives up its oldest record: on_evicted(index) is
  /// called while that is still readable, to take it out of the connection table. kNoIndex only if
  /// the capacity is 0. `now` must not go backwards, here and below.
  template <class F>
  std::uint32_t add(const TimeWaitRecord& record, Instant now, F&& on_evicted) {
    if (records_.available() == 0 && head_ != kNoIndex) {
      on_evicted(head_);
      remove(head_);
    }
    return insert(record, now);
  }

  /// The peer repeated its FIN: 2MSL begins again.
  void restart(std::uint32_t index, Instant now);

  /// Ends up to `max` records whose deadline has come (deadline <= now), and returns how many.
  /// on_expired(index) is called while the record is still readable.
  template <class F>
  std::size_t expire(Instant now, std::size_t max, F&& on_expired) {
    std::size_t count = 0;
    for (; count < max && head_ != kNoIndex && records_[head_].deadline <= now; ++count) {
      on_expired(head_);
      remove(head_);
    }
    return count;
  }

  /// The oldest record's; kNever when empty.
  Instant next_deadline() const { return head_ == kNoIndex ? kNever : records_[head_].deadline; }

  void remove(std::uint32_t index);

  std::uint32_t size() const { return records_.in_use(); }
  std::uint32_t capacity() const { return records_.capacity(); }

  TimeWaitRecord& operator[](std::uint32_t index) { return records_[index]; }
  const TimeWaitRecord& operator[](std::uint32_t index) const { return records_[index]; }

  /// For walks over [0, touched()): whether the index is a live record.
  std::uint32_t touched() const { return records_.touched(); }
  bool is_in_use(std::uint32_t index) const {
    return (records_[index].flags & TimeWaitRecord::kInUse) != 0;
  }

 private:
  std::uint32_t insert(const TimeWaitRecord& record, Instant now);
  void link_tail(std::uint32_t index, Instant now);
  void unlink(std::uint32_t index);

  const Duration two_msl_;
  std::uint32_t head_ = kNoIndex;  // the oldest
  std::uint32_t tail_ = kNoIndex;
  IndexPool<TimeWaitRecord> records_;
};

}  // namespace tern::tcp
