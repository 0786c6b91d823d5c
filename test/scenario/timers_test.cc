// SPDX-License-Identifier: BSD-3-Clause
// Delayed ACKs and TIME-WAIT. (The retransmission timer is in rto_test.cc, persist in
// persist_test.cc, the states' own timers in open_test.cc and close_test.cc.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::ElementsAre;

TEST(DelayedAck, WaitsExactly40Milliseconds) {
  Established t;
  t.in(data(1, 100, 1));
  t.silent_to(39'900us);
  t.out_at(40ms, {ack(1, 101)});
  EXPECT_EQ(t.counters().delayed_acks, 1u);
}

TEST(DelayedAck, IsConfigured) {
  Given given;
  given.stack.tcp.delayed_ack = 200ms;
  Established t(given);
  t.in(data(1, 100, 1));
  t.out_at(200ms, {ack(1, 101)});
}

// SHLD-19.
TEST(DelayedAck, EverySecondFullSegmentAtOnce) {
  Established t;
  t.in(data(1, 1460, 1));
  t.silent_to(10ms);
  t.in(data(1461, 1460, 1));
  t.out({ack(1, 2921)});
  t.in(data(2921, 1460, 1));
  t.out_at(50ms, {ack(1, 4381)});
}

// MUST-58, MUST-59: the whole burst is processed before it is acknowledged, once.
TEST(DelayedAck, OneForABurst) {
  Established t;
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1), data(2921, 1460, 1), data(4381, 1460, 1)});
  t.out({ack(1, 5841)});
  t.silent_to(1s);
}

TEST(DelayedAck, ManySmallSegmentsShareOne) {
  Established t;
  for (std::uint32_t i = 0; i < 10; ++i) {
    t.run_to(3ms * i);
    t.in(data(1 + 100 * i, 100, 1));
  }
  t.out_at(40ms, {ack(1, 1001)});
}

TEST(DelayedAck, RidesOnData) {
  Established t;
  t.in(data(1, 100, 1));
  t.run_to(39ms);
  t.write(10);
  t.out({data(1, 10, 101, "P.")});
  t.in(ack(101, 11));
  t.silent_to(1s);
}

// MUST-13.
TEST(TimeWaitState, LastsTwiceTheConfiguredMsl) {
  Given given;
  given.stack.tcp.msl = 1234567ns;
  TimeWait t(given);
  t.silent_to(2469134ns - 1ns);
  EXPECT_EQ(t.state(), kTimeWait);
  t.silent_to(2469134ns);
  EXPECT_EQ(t.state(), kClosed);
}

TEST(TimeWaitState, AnswersARepeatedFinAndBeginsAnew) {
  TimeWait t;
  t.run_to(59s);
  t.in(seg("F.", 1, 2));
  t.out({ack(2, 2)});
  t.silent_to(119s - 1ns);
  EXPECT_EQ(t.state(), kTimeWait);
  t.silent_to(119s);
  EXPECT_EQ(t.state(), kClosed);
}

// Only who may not have got our ACK of its FIN needs as long again.
TEST(TimeWaitState, DoesNotBeginAnewForWhatIsNoRepetition) {
  TimeWait t;
  t.run_to(30s);
  t.in(data(2, 10, 2));  // behind the FIN
  t.out({ack(2, 2)});
  t.in(seg("S", 1, 0));  // a SYN of old
  t.out({ack(2, 2)});
  t.in(seg("S", 2, 0));
  t.out({ack(2, 2)});
  t.silent_to(60s - 1ns);
  EXPECT_EQ(t.state(), kTimeWait);
  t.silent_to(60s);
  EXPECT_EQ(t.state(), kClosed);
}

// RFC 1337. An ACK that nothing hangs on is not answered either: the peer may be in TIME-WAIT too.
TEST(TimeWaitState, IgnoresResetsAndPureAcks) {
  TimeWait t;
  t.run_to(1s);
  for (const std::uint32_t seq : {1u, 2u, 3u, 100'000u})
    for (const char* flags : {"R", "R.", "."}) t.in(seg(flags, seq, 2));
  t.silent_to(60s - 1ns);
  EXPECT_EQ(t.state(), kTimeWait);
  t.silent_to(60s);
  EXPECT_EQ(t.state(), kClosed);
}

TEST(TimeWaitState, AcceptsNoData) {
  TimeWait t;
  t.in(data(1, 10, 2));
  t.out({ack(2, 2)});
  t.in(seg(".", 2, 2, "new"));
  t.out({ack(2, 2)});
  EXPECT_EQ(t.record().received, "");
}

TEST(TimeWaitState, FullPoolGivesUpTheOldest) {
  Given given;
  given.stack.max_time_wait = 2;
  Listening t(given);
  for (const std::uint16_t port : std::vector<std::uint16_t>{1, 2, 3}) {
    const auto from = [port](Segment segment) {
      segment.path.source_port = port;
      return segment;
    };
    t.in(from(t.given.peer_syn));
    t.in(from(ack(1, 1)));
    t.shutdown_send();
    t.in(from(seg("F.", 1, 2)));
    EXPECT_EQ(t.state(port), kTimeWait);
    t.run_for(1s);
  }
  EXPECT_EQ(t.state(1), kClosed);
  EXPECT_EQ(t.state(2), kTimeWait);
  EXPECT_EQ(t.counters().time_wait_evicted, 1u);
  t.take();
}

Segment syn_at(std::uint32_t seq, Timestamps ts = {}) {
  Segment syn = seg("S", seq, 0);
  syn.mss = 1460;
  syn.ts = ts;
  if (!ts.present) syn.raw_options = {std::byte{2}, std::byte{4}, std::byte{5}, std::byte{0xb4}};
  return syn;
}

bool is_accepted(Script& t, const Segment& syn) {
  t.in(syn);
  const std::vector<Segment> sent = t.take();
  EXPECT_EQ(sent.size(), 1u);
  if (sent.size() == 1 && sent[0].flags == "S.") {
    EXPECT_EQ(sent[0].ack, syn.seq + 1);
    EXPECT_EQ(t.state(), kSynReceived);
    return true;
  }
  // RFC 5961 4: what proves nothing is told where we are.
  EXPECT_EQ(sent.at(0).flags, ".");
  EXPECT_EQ(sent.at(0).seq, 2u);
  EXPECT_EQ(sent.at(0).ack, 2u);
  EXPECT_EQ(t.state(), kTimeWait);
  return false;
}

// RFC 9293 3.10.7.4, RFC 1122 4.2.2.13 (a): a sequence number beyond the old ones.
TEST(TimeWaitReuse, BySequenceNumber) {
  TimeWait t;
  t.run_to(1s);
  EXPECT_FALSE(is_accepted(t, syn_at(0)));
  EXPECT_FALSE(is_accepted(t, syn_at(2)));
  EXPECT_FALSE(is_accepted(t, syn_at(0x90000000)));
  EXPECT_TRUE(is_accepted(t, syn_at(3)));
  EXPECT_EQ(t.counters().time_wait_reused, 1u);
  EXPECT_EQ(t.stack().usage().time_wait, 0u);
}

// RFC 6191 2: a timestamp beyond the old ones counts more.
TEST(TimeWaitReuse, ByTimestamp) {
  Given given;
  given.peer_syn.ts = {5000, 0};
  struct Case {
    std::uint32_t seq, ts;
    bool accepted;
  };
  for (const Case c : {Case{0, 5001, true}, Case{1000, 5001, true}, Case{1000, 5000, true},
                       Case{2, 5000, false}, Case{1000, 4999, false}}) {
    SCOPED_TRACE("seq " + std::to_string(c.seq) + ", ts " + std::to_string(c.ts));
    TimeWait t(given);
    t.run_to(1s);
    EXPECT_EQ(is_accepted(t, syn_at(c.seq, {c.ts, 0})), c.accepted);
  }
  TimeWait t(given);
  EXPECT_FALSE(is_accepted(t, syn_at(2)));
  EXPECT_TRUE(is_accepted(t, syn_at(1000)));
}

TEST(TimeWaitReuse, NeedsAListener) {
  TimeWait t;
  t.stack().stop_listening(t.listener);
  EXPECT_FALSE(is_accepted(t, syn_at(1000)));
}

// RFC 9293 3.6.1, MAY-2 (1): our own numbers begin beyond those of the old connection too, even if
// it ran ahead of the ISN clock (one in 64 ns).
TEST(TimeWaitReuse, OurNumbersLieBeyondTheOldOnes) {
  Established t;
  std::uint32_t end = 1;
  for (int i = 0; i < 8; ++i, end += 14600) {
    t.write(14600);
    t.in(ack(1, end + 14600));
  }
  t.shutdown_send();
  t.take();
  t.in(seg("F.", 1, end + 1));
  t.take();
  const std::uint32_t old_end = t.isn() + end + 1;
  t.run_to(1ms);  // 15,625 numbers later
  EXPECT_TRUE(is_accepted(t, syn_at(1000)));
  EXPECT_GT(static_cast<std::int32_t>(t.isn() - old_end), 0);
}

}  // namespace
}  // namespace tern::test
