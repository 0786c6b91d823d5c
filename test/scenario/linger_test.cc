// SPDX-License-Identifier: BSD-3-Clause
// close() that waits no longer than it is told (SO_LINGER); and R1's advice.
#include <gtest/gtest.h>

#include "script.h"

namespace tern::test {
namespace {

using enum TcpState;

struct Lingering : Established {
  explicit Lingering(Duration linger) {
    write(100);
    connection().close(linger);
    poll();
    out({data(1, 100, 1, "P."), seg("F.", 101, 1)});
  }
};

TEST(Linger, EndsWithAResetWhenItIsOver) {
  Lingering t(150ms);
  t.silent_to(150ms - 100us);
  t.out_at(150ms, {seg("R.", 102, 1)});
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
  EXPECT_EQ(t.counters().lingers_expired, 1u);
}

// All is acknowledged in time: what follows has no limit but FIN-WAIT-2's.
TEST(Linger, IsOverWhenAllIsAcknowledged) {
  Lingering t(150ms);
  t.run_to(100ms);
  t.in(ack(1, 102));
  EXPECT_EQ(t.state(), kFinWait2);
  t.silent_to(1s);
  t.in(seg("F.", 1, 102));
  t.out({ack(102, 2)});
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
  EXPECT_EQ(t.counters().lingers_expired, 0u);
}

// Progress does not prolong it, nor a peer that only answers probes.
TEST(Linger, CountsFromTheCall) {
  Lingering t(150ms);
  t.run_to(100ms);
  Segment shut = ack(1, 51);
  shut.window = 0;
  t.in(shut);
  t.run_to(150ms);
  const auto sent = t.take();
  ASSERT_FALSE(sent.empty());
  EXPECT_NE(sent.back().flags.find('R'), std::string::npos);
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
}

TEST(Linger, OfTheSecondToClose) {
  CloseWait t;
  t.connection().close(150ms);
  t.poll();
  EXPECT_EQ(t.state(), kLastAck);
  t.take();
  t.run_to(150ms);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.counters().lingers_expired, 1u);
  t.take();
}

// The limit of a connection that is closing already gives way to the shorter one.
TEST(Linger, OfOneThatIsClosingAlready) {
  LastAck t;
  t.connection().close(1s);
  t.poll();
  t.run_to(1s - 100us);
  EXPECT_EQ(t.state(), kLastAck);
  t.run_to(1s);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
  t.take();
}

TEST(Linger, ForNoTimeIsAnAbort) {
  Established t;
  t.write(100);
  t.take();
  t.connection().close(0ms);
  t.poll();
  t.out({seg("R.", 101, 1)});
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
}

// R1 (SHLD-9, SHLD-10): once for each standstill.
TEST(Stalled, IsToldAfterThreeRepetitions) {
  Established t;
  t.write(100);
  t.run_to(600ms);  // 200 ms, 600 ms
  EXPECT_EQ(t.record().stalled, 0u);
  t.run_to(1400ms);
  EXPECT_EQ(t.record().stalled, 1u);
  t.run_to(3s);
  EXPECT_EQ(t.record().stalled, 1u);
  t.in(ack(1, 101));
  t.write(100);
  t.run_for(60s);  // the time-out is still backed off (Karn)
  EXPECT_EQ(t.record().stalled, 2u);
  t.take();
}

// MUST-20: IP hears of it as well, and looks whether the next hop is there.
TEST(Stalled, HasTheNextHopLookedAt) {
  Established t;
  const auto asked = [&] {
    return t.counters().arp_requests_out + t.counters().nd_solicitations_out;
  };
  t.run_to(5s);  // the stack has announced itself
  t.mark();
  t.write(100);
  t.run_to(1400ms - 100us);
  const std::uint64_t before = asked();
  t.run_to(1400ms);
  EXPECT_EQ(asked(), before + 1);
  t.run_to(3s);
  EXPECT_EQ(asked(), before + 1) << "it has answered";
  t.take();
}

TEST(Stalled, IsNotToldIfNotWanted) {
  Given given;
  given.stack.tcp.advise_after = 0;
  Established t(given);
  t.write(100);
  t.run_to(10s);
  EXPECT_EQ(t.record().stalled, 0u);
  t.take();
}

}  // namespace
}  // namespace tern::test
