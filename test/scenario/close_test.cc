// SPDX-License-Identifier: BSD-3-Clause
// Connections end in order, or because the other end has gone silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::ElementsAre;

std::string name_of(TcpState state) { return std::string(to_string(state)); }

TEST(Close, ActiveFourWay) {
  Established t;
  t.run_to(1s);
  t.shutdown_send();
  t.out({seg("F.", 1, 1)});
  t.in(ack(1, 2));
  t.silent();
  EXPECT_EQ(t.state(), kFinWait2);
  t.in(seg("F.", 1, 2));
  t.out({ack(2, 2)});
  EXPECT_THAT(t.history(),
              ElementsAre(kSynReceived, kEstablished, kFinWait1, kFinWait2, kTimeWait));
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
  EXPECT_FALSE(t.connection().valid());
  t.silent_to(61s - 1ns);
  EXPECT_EQ(t.state(), kTimeWait);
  t.silent_to(61s);
  EXPECT_EQ(t.state(), kClosed);
}

TEST(Close, ThreePackets) {
  FinWait1 t;
  t.in(seg("F.", 1, 2));
  t.out({ack(2, 2)});
  EXPECT_EQ(t.state(), kTimeWait);
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
}

TEST(Close, PassiveFourWay) {
  CloseWait t;
  EXPECT_EQ(t.record().peer_finished, 1u);
  t.run_to(1s);
  t.shutdown_send();
  t.out({seg("F.", 1, 2)});
  t.in(ack(2, 2));
  t.silent();
  EXPECT_THAT(t.history(), ElementsAre(kSynReceived, kEstablished, kCloseWait, kLastAck, kClosed));
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
  EXPECT_EQ(t.counters().time_wait_entered, 0u);
}

// The default handler answers FIN with FIN, and the ACK rides on it.
TEST(Close, PassiveThreePackets) {
  Established t;
  t.app.close_with_peer = true;
  t.in(seg("F.", 1, 1));
  t.out({seg("F.", 1, 2)});
  t.in(ack(2, 2));
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
}

TEST(Close, HalfCloseThenThePeerGoesOn) {
  FinWait2 t;
  t.in(data(1, 1000, 2));
  t.out_at(40ms, {ack(2, 1001)});
  t.in(data(1001, 500, 2, "FP."));
  t.out({ack(2, 1502)});
  EXPECT_EQ(t.record().received, stream(0, 1500));
  EXPECT_EQ(t.record().peer_finished, 1u);
  EXPECT_EQ(t.state(), kTimeWait);
}

TEST(Close, ThePeerHalfClosesAndWeGoOn) {
  CloseWait t;
  t.write(1000);
  t.out({data(1, 1000, 2, "P.")});
  t.in(ack(2, 1001));
  t.run_to(1h);
  EXPECT_EQ(t.state(), kCloseWait) << "how long the application takes is its own affair";
  t.write(500);
  t.connection().shutdown_send();
  t.poll();
  t.out({data(1001, 500, 2, "P."), seg("F.", 1501, 2)});
  t.in(ack(2, 1502));
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
}

TEST(Close, Simultaneous) {
  Closing t;
  EXPECT_EQ(t.state(), kClosing);
  t.in(ack(2, 2));
  t.silent();
  EXPECT_EQ(t.state(), kTimeWait);
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
}

// Both FINs carry data, and cross.
TEST(Close, SimultaneousWithData) {
  Established t;
  t.write(100);
  t.out({data(1, 100, 1, "P.")});
  t.shutdown_send();
  t.out({seg("F.", 101, 1)});
  t.in(data(1, 50, 1, "FP."));
  t.out({ack(102, 52)});
  EXPECT_EQ(t.state(), kClosing);
  t.in(ack(52, 101));  // the data only
  EXPECT_EQ(t.state(), kClosing);
  t.in(ack(52, 102));
  EXPECT_EQ(t.state(), kTimeWait);
  EXPECT_EQ(t.record().received, stream(0, 50));
}

TEST(Close, CloseWithNothingUnreadIsOrderly) {
  Established t;
  t.write(10);
  t.out({data(1, 10, 1, "P.")});
  t.close();
  t.out({seg("F.", 11, 1)});
  t.in(seg("F.", 1, 12));
  t.out({ack(12, 2)});
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
  EXPECT_EQ(t.record().peer_finished, 0u);
}

// SHLD-3: data that nobody will read is lost, and the peer is told.
TEST(Close, CloseWithUnreadDataIsAnAbort) {
  Established t;
  t.app.read = false;
  t.in(data(1, 10, 1));
  t.close();
  t.out({seg("R.", 1, 11)});
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
}

TEST(Close, DataAfterCloseIsAnAbort) {
  for (const TcpState state : {kFinWait1, kFinWait2}) {
    SCOPED_TRACE(name_of(state));
    const auto t = script_in(state);
    t->close();
    t->silent();
    t->in(data(1, 10, 2));
    t->out({seg("R.", 2, 1)});
    EXPECT_EQ(t->record().reason, CloseReason::kAborted);
  }
}

// The end of stream and the end of the connection wait for the reader.
TEST(Close, UnreadDataIsKeptForTheReader) {
  CloseWait t;
  t.shutdown_send();
  t.out({seg("F.", 1, 2)});
  t.in(ack(2, 2));
  EXPECT_EQ(t.record().closed, 1u);

  Established slow;
  slow.app.read = false;
  slow.in(data(1, 10, 1, "F."));
  slow.out({ack(1, 12)});
  EXPECT_EQ(slow.record().peer_finished, 0u);
  slow.shutdown_send();
  slow.out({seg("F.", 1, 12)});
  slow.in(ack(12, 2));
  EXPECT_EQ(slow.record().closed, 0u);
  slow.read();
  EXPECT_EQ(slow.record().received, stream(0, 10));
  EXPECT_EQ(slow.record().peer_finished, 1u);
  EXPECT_EQ(slow.record().reason, CloseReason::kFinished);
}

TEST(Close, AbortAllEndsAlsoWhatNobodyReads) {
  Established t;
  t.app.read = false;
  t.in(data(1, 10, 1, "F."));
  t.out({ack(1, 12)});
  t.shutdown_send();
  t.out({seg("F.", 1, 12)});
  t.in(ack(12, 2));
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().closed, 0u);
  t.stack().abort_all();
  t.poll();
  t.silent();
  EXPECT_EQ(t.record().closed, 1u);
  EXPECT_EQ(t.stack().usage().connections, 0u);
}

TEST(Close, FinWait2ExpiresAfterClose) {
  FinWait2 t;
  t.run_to(1s);
  t.close();
  t.silent_to(61s - 100us);
  EXPECT_EQ(t.state(), kFinWait2);
  t.silent_to(61s);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
  EXPECT_EQ(t.counters().fin_wait_2_expired, 1u);
  t.in(seg("F.", 1, 2));  // nobody knows it any more
  Segment reset = seg("R", 2, 0);
  reset.window = 0;
  t.out({reset});
}

TEST(Close, FinWait2ExpiresWhenClosedBeforeTheAck) {
  FinWait1 t;
  t.close();
  t.run_to(100ms);
  t.in(ack(1, 2));
  t.silent_to(60s + 100ms - 100us);
  EXPECT_EQ(t.state(), kFinWait2);
  t.silent_to(60s + 100ms);
  EXPECT_EQ(t.state(), kClosed);
}

// While the application reads, ten minutes of silence are allowed at a time.
TEST(Close, HalfClosedFinWait2ExpiresAfterTenMinutesOfSilence) {
  FinWait2 t;
  t.run_to(9min);
  t.in(data(1, 10, 2));
  t.out_at(9min + 40ms, {ack(2, 11)});
  t.silent_to(19min - 100us);
  EXPECT_EQ(t.state(), kFinWait2);
  t.silent_to(19min);
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
}

// The FIN is repeated as data is, and the connection given up as with data: the handshake took no
// time, so the RTO is its least, 200 ms.
TEST(Close, UnansweredFinIsRepeatedAndGivenUp) {
  for (const TcpState state : {kFinWait1, kClosing, kLastAck}) {
    SCOPED_TRACE(name_of(state));
    const auto t = script_in(state);
    const std::uint32_t acknowledged = state == kFinWait1 ? 1 : 2;
    Duration time = 0s, interval = 200ms;
    for (int i = 0; i < 15; ++i) {
      time += interval;
      interval = std::min<Duration>(2 * interval, 60s);
      t->out_at(time, {seg("F.", 1, acknowledged)});
    }
    EXPECT_EQ(time, 200ms * 511 + 6 * 60s);
    t->silent_to(time + 60s - 100us);
    EXPECT_EQ(t->state(), state);
    t->silent_to(time + 60s);
    EXPECT_EQ(t->state(), kClosed);
    EXPECT_EQ(t->record().reason, CloseReason::kTimedOut);
  }
}

}  // namespace
}  // namespace tern::test
