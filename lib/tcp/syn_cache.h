// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/index_list.h"
#include "base/index_pool.h"
#include "flow/four_tuple.h"
#include "tern/time.h"
#include "wire/seq_num.h"

namespace tern::tcp {

/// All that is kept of a SYN until the third packet of its handshake: a connection in SYN-RECEIVED
/// that a listener has not accepted yet. What a flood of forged SYNs can take up is these records
/// and nothing else.
struct HalfOpen {
  // Bits of `flags`: what the SYN offered, and that its answer went out more than once, or agrees
  // to ECN.
  static constexpr std::uint8_t kTimestamps = 1, kWindowScale = 2, kSackPermitted = 4, kMss = 8,
                                kRepeated = 16, kEcn = 32;
  static constexpr std::uint8_t kOnNoList = 0xff;

  flow::FourTuple4 tuple;
  std::uint32_t hash = 0;  // table_hash of the tuple
  wire::SeqNum irs, iss;
  std::uint32_t ts_recent = 0;  // if kTimestamps
  std::uint32_t ts_offset = 0;  // of our timestamps
  std::uint32_t listener = 0;
  std::uint16_t window = 0;  // of the SYN, unscaled
  std::uint16_t mss = 0;     // if kMss
  std::uint8_t window_scale = 0;
  std::uint8_t flags = 0;
  std::uint8_t retransmits = 0;   // of the SYN,ACK, by time-out
  std::uint8_t list = kOnNoList;  // the cache's, as are links and deadline
  IndexLinks links;
  Instant deadline = kNever;
  Instant answered;        // when the SYN,ACK first went out
  Instant next_challenge;  // no limited ACK before this
};
static_assert(sizeof(HalfOpen) <= 96, "what a forged SYN may cost");

/// The half-open connections of a stack's listeners, a fixed number. Those that wait equally long
/// for their next step stand in one list, so the order of arrival is the order of expiry: no timer
/// node, exact expiry. Thread: the stack's.
class SynCache {
 public:
  /// One list for each length of wait.
  static constexpr std::size_t kLists = 18;

  explicit SynCache(std::uint32_t capacity) : records_(capacity) {}

  /// kNoIndex when the cache is full. The record is on no list yet, so never due.
  std::uint32_t add(const HalfOpen& record);
  void remove(std::uint32_t index);

  /// The record's next step is due at now + delay. Everything in one list must have the same delay
  /// for the order to be exact; where it has not, a record only comes up late.
  void schedule(std::uint32_t index, std::size_t list, Instant deadline);

  /// Calls on_due(index) for up to `max` records whose deadline has come. Each must be scheduled
  /// later or removed in its call.
  template <class F>
  std::size_t expire(Instant now, std::size_t max, F&& on_due) {
    if (now < earliest_) return 0;
    std::size_t count = 0;
    for (IndexList& list : lists_) {
      while (count < max && !list.empty() && records_[list.front()].deadline <= now) {
        ++count;
        on_due(list.front());
      }
    }
    find_earliest();
    return count;
  }

  /// Never after the earliest deadline; kNever when there is none.
  Instant next_deadline() const { return earliest_; }

  std::uint32_t size() const { return records_.in_use(); }
  std::uint32_t capacity() const { return records_.capacity(); }
  bool is_full() const { return records_.available() == 0; }

  HalfOpen& operator[](std::uint32_t index) { return records_[index]; }
  const HalfOpen& operator[](std::uint32_t index) const { return records_[index]; }

  /// For walks over [0, touched()): whether the index is a live record.
  std::uint32_t touched() const { return records_.touched(); }
  bool is_in_use(std::uint32_t index) const { return records_[index].list != HalfOpen::kOnNoList; }

 private:
  void unlink(std::uint32_t index);
  void find_earliest();

  std::array<IndexList, kLists> lists_;
  Instant earliest_ = kNever;  // may be earlier than the truth, until the next expire()
  IndexPool<HalfOpen> records_;
};

}  // namespace tern::tcp
