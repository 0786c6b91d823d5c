// SPDX-License-Identifier: BSD-3-Clause
// The sender after a loss: limited transmit, fast retransmit, NewReno, go-back-N.
#include <gtest/gtest.h>

#include "script.h"

namespace tern::test {
namespace {

using enum TcpState;

// Segments of 1000 bytes; ten of them are the initial window.
Given with_thousand_byte_segments() {
  Given given;
  given.peer_syn.mss = 1000;
  return given;
}

// 30,000 bytes are queued, segments 1 to 10 are in flight. Segment n is [1000 (n - 1) + 1, + 1000).
struct TenInFlight : Established {
  TenInFlight() : Established(with_thousand_byte_segments()) {
    write(30'000);
    EXPECT_EQ(take().size(), 10u);
  }
  static Segment segment(std::uint32_t n) { return data(1000 * (n - 1) + 1, 1000, 1); }
  static Segment duplicate() { return ack(1, 1); }
  /// The ACK of everything up to and including segment n.
  static Segment ack_of(std::uint32_t n) { return ack(1, 1000 * n + 1); }
};

// RFC 3042, RFC 5681 3.2, step by step.
TEST(FastRetransmit, OnTheThirdDuplicate) {
  TenInFlight t;
  t.run_to(10ms);
  t.in(t.duplicate());
  t.out({t.segment(11)});  // limited transmit
  t.in(t.duplicate());
  t.out({t.segment(12)});
  EXPECT_EQ(t.info().cwnd_bytes, 10'000u);
  t.in(t.duplicate());
  t.out({t.segment(1)});
  EXPECT_EQ(t.info().ssthresh_bytes, 5000u) << "half of what was in flight before limited transmit";
  EXPECT_EQ(t.info().cwnd_bytes, 8000u);
  EXPECT_EQ(t.counters().fast_retransmits, 1u);
  for (int i = 4; i <= 7; ++i) t.in(t.duplicate());
  t.silent();  // cwnd has only come up to what is in flight
  t.in(t.duplicate());
  t.out({t.segment(13)});
  t.in(t.duplicate());
  t.out({t.segment(14)});
  t.in(t.duplicate());
  t.out({t.segment(15)});
  t.in(t.duplicate());
  t.silent();  // no more duplicates count than segments were in flight
  // All that was out when the loss was found: recovery ends, at no more than flight + 1 segment.
  t.run_to(20ms);
  t.in(t.ack_of(12));
  t.out({t.segment(16)});
  EXPECT_EQ(t.info().cwnd_bytes, 4000u);
  t.in(t.ack_of(16));
  EXPECT_EQ(t.take().size(), 6u) << "slow start: two segments an ACK (RFC 3465 2.2)";
  EXPECT_EQ(t.info().cwnd_bytes, 6000u);
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

TEST(FastRetransmit, RestartsTheTimer) {
  TenInFlight t;
  t.run_to(150ms);
  t.in_burst({t.duplicate(), t.duplicate(), t.duplicate()});
  t.out({t.segment(1)});
  t.silent_to(350ms - 100us);
  t.out_at(350ms, {t.segment(1)});
}

// What makes an ACK a duplicate: nothing new, no data, no FIN, the same window, something in
// flight.
TEST(FastRetransmit, OnlyOnDuplicates) {
  TenInFlight t;
  Segment update = t.duplicate();
  for (const std::uint16_t window : std::vector<std::uint16_t>{60'000, 61'000, 62'000, 65'000}) {
    update.window = window;
    t.in(update);
  }
  for (std::uint32_t i = 0; i < 4; ++i) t.in(data(1 + 10 * i, 10, 1));
  EXPECT_EQ(t.counters().dup_acks_in, 0u);
  EXPECT_EQ(t.counters().fast_retransmits, 0u);

  Established idle;
  for (int i = 0; i < 5; ++i) idle.in(ack(1, 1));
  idle.silent();
  EXPECT_EQ(idle.counters().dup_acks_in, 0u);
}

// RFC 6582 3.2: segments 1, 4 and 6 are lost.
TEST(NewReno, PartialAcksShowTheNextHole) {
  TenInFlight t;
  t.in_burst({t.duplicate(), t.duplicate(), t.duplicate()});
  t.out({t.segment(1)});
  for (int i = 4; i <= 7; ++i) t.in(t.duplicate());
  t.out({t.segment(11), t.segment(12)});
  EXPECT_EQ(t.info().cwnd_bytes, 12'000u);
  t.run_to(100ms);
  t.in(t.ack_of(3));
  // Deflated by what was acknowledged, and one segment more: 12 - 3 + 1.
  EXPECT_EQ(t.info().cwnd_bytes, 10'000u);
  t.out({t.segment(4), t.segment(13)});
  t.run_to(150ms);
  t.in(t.ack_of(5));
  t.out({t.segment(6), t.segment(14)});
  t.run_to(200ms);
  t.in(t.ack_of(10));  // all that was out when the loss was found
  EXPECT_EQ(t.info().cwnd_bytes, 5000u);
  t.out({t.segment(15)});
  EXPECT_EQ(t.counters().fast_retransmits, 1u);
  EXPECT_EQ(t.counters().rto_timeouts, 0u);
}

// Step 3 and section 4: the timer restarts once, so that a recovery which takes a round trip for
// each of many holes gives way to slow start ("Impatient").
TEST(NewReno, OnlyTheFirstPartialAckRestartsTheTimer) {
  TenInFlight t;
  t.in_burst({t.duplicate(), t.duplicate(), t.duplicate()});
  for (std::uint32_t n = 1; n <= 4; ++n) {
    t.run_to(100ms + 50ms * (n - 1));
    t.in(t.ack_of(n));
  }
  t.take();
  t.silent_to(300ms - 100us);
  t.out_at(300ms, {t.segment(5)});
  EXPECT_EQ(t.counters().rto_timeouts, 1u);
}

// Go-back-N: after a time-out everything is sent again, at slow start's pace, as ACKs ask for it.
TEST(Timeout, GoesBack) {
  TenInFlight t;
  t.out_at(200ms, {t.segment(1)});
  t.run_to(210ms);
  t.in(t.ack_of(1));
  t.out({t.segment(2), t.segment(3)});
  t.in(t.ack_of(3));
  t.out({t.segment(4), t.segment(5), t.segment(6)});
  t.in(t.ack_of(4));
  t.out({t.segment(7), t.segment(8)});
  t.in(t.ack_of(10));  // the rest had arrived: nothing of it goes out again
  EXPECT_EQ(t.info().cwnd_bytes, 5000u);
  t.out({t.segment(11), t.segment(12), t.segment(13), t.segment(14), t.segment(15)});
  EXPECT_EQ(t.counters().rto_timeouts, 1u);
  EXPECT_EQ(t.counters().retransmitted, 8u);
}

// RFC 6582 3.2 step 4, 4: duplicates that the repetition itself calls forth start no fast
// retransmit; nor are they a reason to repeat more (RFC 3042 2: limited transmit sends what is
// new).
TEST(Timeout, NoFastRetransmitOfWhatIsBeingRepeated) {
  TenInFlight t;
  t.out_at(200ms, {t.segment(1)});
  for (int i = 0; i < 9; ++i) t.in(t.duplicate());
  t.silent();
  EXPECT_EQ(t.counters().fast_retransmits, 0u);
  t.in(t.ack_of(10));
  t.out({t.segment(11), t.segment(12)});
  for (int i = 0; i < 3; ++i) t.in(t.ack_of(10));
  EXPECT_EQ(t.counters().fast_retransmits, 0u);
  t.take();
}

// But as soon as more than that is acknowledged, be it a byte.
TEST(Timeout, FastRetransmitOfWhatCameAfter) {
  Established t(with_thousand_byte_segments());
  t.connection().set_nodelay(true);
  t.write(1000);
  t.take();
  t.out_at(200ms, {data(1, 1000, 1, "P.")});
  t.in(ack(1, 1001));
  t.write(1);
  t.in(ack(1, 1002));
  t.write(2000);
  t.out({data(1001, 1, 1, "P."), data(1002, 1000, 1), data(2002, 1000, 1, "P.")});
  for (int i = 0; i < 3; ++i) t.in(ack(1, 1002));
  t.out({data(1002, 1000, 1)});
  EXPECT_EQ(t.counters().fast_retransmits, 1u);
}

// A time-out in the middle of recovery ends it.
TEST(Timeout, EndsRecovery) {
  TenInFlight t;
  t.in_burst({t.duplicate(), t.duplicate(), t.duplicate()});
  t.out({t.segment(1)});
  t.out_at(200ms, {t.segment(1)});
  EXPECT_EQ(t.info().cwnd_bytes, 1000u);
  t.in(t.ack_of(1));
  t.out({t.segment(2), t.segment(3)});
}

// The FIN is repeated with the data in front of it, and found by fast retransmit as data is.
TEST(Timeout, RepeatsTheFin) {
  Established t(with_thousand_byte_segments());
  t.write(1500);
  t.shutdown_send();
  t.out({data(1, 1000, 1), data(1001, 500, 1, "FP.")});
  t.out_at(200ms, {data(1, 1000, 1)});
  t.in(ack(1, 1001));
  t.out({data(1001, 500, 1, "FP.")});
  t.in(ack(1, 1501));
  t.silent();
  t.in(ack(1, 1502));
  EXPECT_EQ(t.state(), kFinWait2);
}

TEST(FastRetransmit, OfTheFin) {
  TenInFlight t;
  t.in(t.ack_of(10));
  t.in(t.ack_of(20));
  t.shutdown_send();
  t.in(t.ack_of(29));
  EXPECT_EQ(t.state(), kFinWait1);
  t.take();
  for (int i = 0; i < 3; ++i) t.in(t.ack_of(29));
  Segment last = data(29'001, 1000, 1, "FP.");
  t.out({last});
  t.in(ack(1, 30'002));
  EXPECT_EQ(t.state(), kFinWait2);
}

}  // namespace
}  // namespace tern::test
