// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace tern::wire {

/// A TCP sequence number (RFC 9293 3.4): arithmetic modulo 2^32. Sequence numbers have no total
/// order, since "before" is not transitive around the circle; so there is no operator< and they
/// cannot be sorted or put in a std::map. The comparisons below are right for numbers less than
/// 2^31 apart. The width is a parameter so that the tests can walk a whole 8-bit circle.
template <typename Word, typename Signed>
class BasicSeqNum {
 public:
  constexpr BasicSeqNum() = default;
  explicit constexpr BasicSeqNum(Word value) : value_(value) {}

  constexpr Word value() const { return value_; }

  constexpr bool before(BasicSeqNum b) const {
    return static_cast<Signed>(static_cast<Word>(value_ - b.value_)) < 0;
  }
  constexpr bool after(BasicSeqNum b) const { return b.before(*this); }
  constexpr bool at_or_before(BasicSeqNum b) const { return !b.before(*this); }
  constexpr bool at_or_after(BasicSeqNum b) const { return !before(b); }
  /// low <= *this < low + size, on the circle; false for size 0. Any size is right.
  constexpr bool in_window(BasicSeqNum low, Word size) const {
    return static_cast<Word>(value_ - low.value_) < size;
  }

  friend constexpr BasicSeqNum operator+(BasicSeqNum a, Word n) {
    return BasicSeqNum(static_cast<Word>(a.value_ + n));
  }
  friend constexpr BasicSeqNum operator-(BasicSeqNum a, Word n) {
    return BasicSeqNum(static_cast<Word>(a.value_ - n));
  }
  /// The distance from b forward to a, modulo the circle.
  friend constexpr Word operator-(BasicSeqNum a, BasicSeqNum b) {
    return static_cast<Word>(a.value_ - b.value_);
  }
  constexpr BasicSeqNum& operator+=(Word n) {
    value_ = static_cast<Word>(value_ + n);
    return *this;
  }
  friend constexpr bool operator==(BasicSeqNum, BasicSeqNum) = default;

 private:
  Word value_ = 0;
};

using SeqNum = BasicSeqNum<std::uint32_t, std::int32_t>;

constexpr SeqNum later_of(SeqNum a, SeqNum b) { return a.before(b) ? b : a; }
constexpr SeqNum earlier_of(SeqNum a, SeqNum b) { return b.before(a) ? b : a; }

}  // namespace tern::wire
