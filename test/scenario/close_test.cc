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

// RFC 9293 3.10.4: in SYN-SENT there is nothing to close in order.
TEST(Close, InSynSentItIsOverAtOnce) {
  SynSent t;
  t.close();
  t.silent();
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
}

// SHLD-3: data that nobody will read is lost, and the peer is told.
TEST(Close, CloseWithUnreadDataIsAnAbort) {
  Established t;
  t.app.read = false;
  t.in(data(1, 10, 1));
  t.close();
  t.out({seg("R.", 1, 11)});
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
  EXPECT_EQ(t.counters().timed_out, 0u);
}

TEST(Close, CloseWithDataBehindAGapIsAnAbort) {  // unread as well
  Established t;
  t.in(data(101, 100, 1));
  t.out({ack(1, 1)});
  t.close();
  t.out({seg("R.", 1, 1)});
  EXPECT_EQ(t.state(), kClosed);
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

// What is thrown away must not look like the end of the stream: the FIN behind unread data is not
// announced when abort_all() comes after TIME-WAIT has begun.
TEST(Close, AbortAllInTimeWaitShowsNoEndOfStream) {
  FinWait2 t;
  t.app.read = false;
  t.in(data(1, 10, 2, "F."));
  t.out({ack(2, 12)});
  EXPECT_EQ(t.state(), kTimeWait);
  EXPECT_EQ(t.record().closed, 0u) << "the application has not read yet";
  t.stack().abort_all();
  t.poll();
  t.silent();
  EXPECT_EQ(t.record().peer_finished, 0u);
  EXPECT_EQ(t.record().closed, 1u);
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
  EXPECT_EQ(t.stack().usage().receive_chunks + t.stack().usage().held_frames, 0u);
}

TEST(Close, AbortAllWithNothingUnreadShowsTheEndOfStream) {
  FinWait2 t;
  t.in(data(1, 10, 2, "F."));
  t.out({ack(2, 12)});
  EXPECT_EQ(t.record().peer_finished, 1u);
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
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

// An embedding service may poll only at next_deadline(), so its last poll may lie minutes before
// its call: the time begins with the poll that follows.
TEST(Close, FinWait2TimeBeginsAtThePollAfterClose) {
  FinWait2 t;
  t.connection().close();
  EXPECT_LE(t.stack().next_deadline(), t.now()) << "asks to be polled";
  t.stack().poll(t.now() + 9min);
  t.silent_to(10min - 100us);
  EXPECT_EQ(t.state(), kFinWait2);
  t.silent_to(10min);
  EXPECT_EQ(t.state(), kClosed);
}

Segment zero_window(std::uint32_t seq, std::uint32_t acked) {
  Segment segment = ack(seq, acked);
  segment.window = 0;
  return segment;
}

// Lets `duration` pass while the peer answers every probe and takes nothing.
void answer_probes_for(Script& t, Duration duration, std::uint32_t seq, std::uint32_t acked) {
  const Duration end = t.clock() + duration;
  t.in(zero_window(seq, acked));
  while (t.clock() < end) {
    t.run_for(std::min<Duration>(100ms, end - t.clock()));
    for (const Segment& sent : t.take())
      if (!sent.has('R')) t.in(zero_window(seq, acked));
  }
}

// RFC 6429: MUST-37 keeps a connection whose window is shut for ever, but only while somebody is
// there who may want it. After close() nobody is.
TEST(Orphan, AnsweredProbesKeepItForTwoMinutes) {
  Established t;
  t.in(zero_window(1, 1));
  t.write(100);
  t.run_to(10s);
  t.take();
  t.close();
  answer_probes_for(t, 2min - 100us, 1, 1);
  EXPECT_EQ(t.state(), kFinWait1);
  t.out_at(2min + 10s, {seg("R.", 1, 1)});  // where the peer stands, whatever was probed
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
  EXPECT_EQ(t.counters().orphans_expired, 1u);
  EXPECT_EQ(t.stack().usage().send_chunks, 0u);
}

TEST(Orphan, TimeBeginsAtThePollAfterClose) {
  Given given;
  given.stack.tcp.orphan_timeout = 50s;  // before the next probe
  given.stack.tcp.initial_rto = given.stack.tcp.min_rto = 60s;
  Established t(given);
  t.in(zero_window(1, 1));
  t.write(100);
  t.connection().close();
  t.stack().poll(t.now() + 55s);
  t.silent_to(60s - 100us);
  t.out_at(60s, {data(1, 1, 1)});
  t.silent_to(105s - 100us);
  t.out_at(105s, {seg("R.", 1, 1)});
  EXPECT_EQ(t.state(), kClosed);
}

TEST(Orphan, ProgressBeginsTheTimeAnew) {
  Established t;
  t.in(zero_window(1, 1));
  t.write(100);
  t.close();
  t.silent();
  answer_probes_for(t, 110s, 1, 1);
  t.in(zero_window(1, 2));  // one byte is taken
  answer_probes_for(t, 2min - 100us, 1, 2);
  EXPECT_EQ(t.state(), kFinWait1);
  t.out_at(230s, {seg("R.", 2, 1)});
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
}

// The end of both streams has the same limit, whoever was first: nobody will read or write again.
TEST(Orphan, FinInAShutWindowOfAPeerThatHasFinished) {
  CloseWait t;
  t.in(zero_window(2, 1));
  t.write(100);
  t.shutdown_send();
  answer_probes_for(t, 2min - 100us, 2, 1);
  EXPECT_EQ(t.state(), kLastAck);
  t.out_at(2min, {seg("R.", 1, 2)});
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_EQ(t.record().reason, CloseReason::kTimedOut);
}

// MUST-37: while the application reads it can give up by itself, and the stack does not.
TEST(Orphan, AReaderIsNone) {
  Established t;
  t.in(zero_window(1, 1));
  t.write(100);
  t.shutdown_send();
  answer_probes_for(t, 1h, 1, 1);
  EXPECT_EQ(t.state(), kFinWait1);
  t.connection().close();
  answer_probes_for(t, 2min - 100us, 1, 1);
  EXPECT_EQ(t.state(), kFinWait1);
  t.out_at(1h + 2min, {seg("R.", 1, 1)});
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
    EXPECT_EQ(t->counters().timed_out, 1u);
  }
}

// Who waits for room to send waits in vain after that, and may have received data to give up.
TEST(Close, OfTheSendingSideWakesWhoWaitsForRoom) {
  Given given;
  given.stack.tcp.send_buffer = 65'536;
  Established t(given);
  const std::string text = stream(0, 100'000);
  EXPECT_LT(*t.connection().write(std::as_bytes(std::span(text))), text.size());
  t.poll();
  EXPECT_EQ(t.record().writable, 0u);
  t.shutdown_send();
  EXPECT_EQ(t.record().writable, 1u);
  t.take();
}

// Two connections of which the first one's callback closes the second, when that has just ended by
// itself and only its on_closed is still to come.
TEST(Close, OfWhatHasJustFinishedChangesNothing) {
  class CloseAnother final : public RecordingHandler {
   public:
    void on_readable(Connection c) override {
      RecordingHandler::on_readable(c);
      another.close();
    }
    Connection another;
  };
  CloseWait t;
  CloseAnother app;
  ASSERT_TRUE(t.stack().listen({.port = 7001}, app));
  Segment syn = t.given.peer_syn, third = ack(1, 1), text = data(1, 10, 1);
  for (Segment* s : {&syn, &third, &text}) s->path.destination_port = 7001;
  t.in(syn);
  t.in(third);
  app.another = t.connection();
  t.shutdown_send();
  t.take();
  t.in_burst({text, ack(2, 2)});
  EXPECT_EQ(t.record().reason, CloseReason::kFinished);
  EXPECT_EQ(t.record().closed, 1u);
  t.take();
}

}  // namespace
}  // namespace tern::test
