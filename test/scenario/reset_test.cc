// SPDX-License-Identifier: BSD-3-Clause
// RST in and out, and what RFC 5961 makes of segments that an attacker may have sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::IsEmpty;

std::string name_of(TcpState state) { return std::string(to_string(state)); }

TEST(Abort, InEveryState) {
  SynSent opening;
  opening.abort();
  opening.silent();  // the peer knows nothing yet
  EXPECT_EQ(opening.record().reason, CloseReason::kAborted);
  for (const TcpState state : kSynchronizedTcbStates) {
    SCOPED_TRACE(name_of(state));
    const auto t = script_in(state);
    const auto [ours, peers] = next_numbers(state);
    t->abort();
    t->out({seg("R.", ours, peers)});
    EXPECT_EQ(t->record().reason, CloseReason::kAborted);
    EXPECT_EQ(t->state(), kClosed);
  }
}

TEST(Abort, InSynReceived) {
  SynReceived passive;
  passive.stack().stop_listening(passive.listener);
  passive.poll();
  passive.out({seg("R.", 1, 1)});
  EXPECT_EQ(passive.state(), kClosed);

  SynSent active;
  active.in(active.given.peer_syn);
  active.take();
  EXPECT_EQ(active.state(), kSynReceived);
  active.abort();
  active.out({seg("R.", 1, 1)});
  EXPECT_EQ(active.record().reason, CloseReason::kAborted);
}

// The RST has the number that follows what was sent; what is queued is lost.
TEST(Abort, WithDataInFlight) {
  Given given;
  given.peer_syn.window = 1000;
  Established t(given);
  t.write(3000);
  t.out({data(1, 1000, 1)});
  t.abort();
  t.out({seg("R.", 1001, 1)});
}

TEST(Abort, InTimeWaitThereIsNothingToAbort) {
  TimeWait t;
  t.connection().abort();
  t.stack().abort_all();
  t.poll();
  t.silent();
  EXPECT_EQ(t.state(), kTimeWait);
}

// With more connections than the way out has room for RSTs at once.
struct Crowded : Script {
  static constexpr std::uint16_t kConnections = 1301, kAtOnce = 50;
  static Given roomy() {
    Given given;
    given.stack.max_connections = kConnections + 3;
    return given;
  }
  Crowded() : Script(roomy()) {
    listen();
    open(1, 1);  // finds the peer's link address
    for (std::uint16_t port = 2; port <= kConnections; port += kAtOnce) open(port, kAtOnce);
    EXPECT_EQ(stack().usage().connections, kConnections);
    take();
  }
  void open(std::uint16_t first, std::uint16_t count) {
    for (Segment segment : {given.peer_syn, ack(1, 1)}) {
      std::vector<Segment> burst(count, segment);
      for (std::uint16_t i = 0; i < count; ++i)
        burst[i].path.source_port = static_cast<std::uint16_t>(first + i);
      in_burst(std::move(burst));
    }
  }
  Connection connect_to(std::uint16_t port) {
    return *stack().connect({.remote = {Path{}.source, port}}, app);
  }
};

TEST(Abort, AllOfManyConnectionsGetTheirReset) {
  Crowded t;
  t.stack().abort_all();
  t.poll();
  EXPECT_EQ(t.stack().usage().connections, 0u);
  EXPECT_EQ(t.counters().rst_out, Crowded::kConnections);
  EXPECT_EQ(t.take().size(), Crowded::kConnections);
}

// Those that there are when it is called, and no others, however long it takes.
TEST(Abort, AllDoesNotMeanThoseThatComeLater) {
  Crowded t;
  t.stack().abort_all();
  const Connection first = t.connect_to(5001);
  t.poll();
  EXPECT_TRUE(first.valid());
  EXPECT_EQ(t.stack().usage().connections, 1u);
  EXPECT_EQ(t.counters().rst_out, Crowded::kConnections);
}

TEST(Abort, AllWhileAllAreBeingAbortedMeansThoseThatCameBetween) {
  Crowded t;
  t.stack().abort_all();
  const Connection first = t.connect_to(5001);
  t.stack().abort_all();
  const Connection second = t.connect_to(5002);
  t.poll();
  EXPECT_FALSE(first.valid());
  EXPECT_TRUE(second.valid());
  EXPECT_EQ(t.stack().usage().connections, 1u);
}

// Whoever sleeps until next_deadline() polls in time to send what was staged between two polls.
TEST(Abort, OfAHalfOpenConnectionAsksForAPoll) {
  for (const bool all : {false, true}) {
    SynReceived t;
    if (all)
      t.stack().abort_all();
    else
      t.stack().stop_listening(t.listener);
    EXPECT_EQ(t.stack().next_deadline(), t.now());
    t.poll();
    t.out({seg("R.", 1, 1)});
  }
}

// RFC 5961 3.2: only a RST with exactly the next number ends a connection; inside the window it is
// challenged; outside it is nothing.
TEST(Reset, InEverySynchronizedState) {
  for (const TcpState state : kSynchronizedTcbStates) {
    SCOPED_TRACE(name_of(state));
    const auto t = script_in(state);
    const auto [ours, peers] = next_numbers(state);
    for (const std::uint32_t outside : {peers - 1, peers + 65535, peers + 0x80000000})
      t->in(seg("R", outside, 0));
    t->silent();
    t->in(seg("R", peers + 1, 0));
    // After the peer's FIN its window is still there.
    t->out({ack(ours, peers)});
    EXPECT_EQ(t->state(), state);
    t->in(seg("R", peers, 0));
    t->silent();
    EXPECT_EQ(t->state(), kClosed);
    EXPECT_EQ(t->record().reason, CloseReason::kReset);
  }
}

// SHLD-2: data on a RST is not the stream's, and makes no difference.
TEST(Reset, MayCarryData) {
  for (const char* flags : {"R", "R."}) {
    Established t;
    t.in(seg(flags, 1, 1, "port closed by the administrator"));
    t.silent();
    EXPECT_EQ(t.state(), kClosed);
    EXPECT_EQ(t.record().reason, CloseReason::kReset);
    EXPECT_EQ(t.record().received, "");
    EXPECT_EQ(t.record().peer_finished, 0u);
  }
}

TEST(Reset, ChallengeAcksAreLimited) {
  Established t;
  t.in(seg("R", 2, 0));
  t.out({ack(1, 1)});
  for (int i = 0; i < 100; ++i) t.in(seg("R", 2, 0));
  t.silent_to(500ms - 1ns);
  t.in(seg("R", 2, 0));
  t.silent();
  t.run_to(750ms);  // the limit has a jitter, which nobody without the key can tell
  t.in(seg("R", 3, 0));
  t.out({ack(1, 1)});
  EXPECT_EQ(t.counters().challenge_acks, 2u);
  EXPECT_EQ(t.counters().challenge_acks_suppressed, 101u);
}

// CVE-2016-5696: a limit that connections share, or whose next moment can be reckoned, tells a
// third party about them. Ours is of each connection, and its interval is drawn anew each time.
TEST(Reset, ChallengeLimitsAreOfEachConnectionAndUnpredictable) {
  Established t;
  const auto from_another = [](Segment segment) {
    segment.path.source_port = 1;
    return segment;
  };
  t.in(from_another(t.given.peer_syn));
  t.in(from_another(ack(1, 1)));
  t.take();
  t.in(seg("R", 2, 0));
  t.out({ack(1, 1)});
  t.in(from_another(seg("R", 2, 0)));
  EXPECT_EQ(t.take().size(), 1u) << "the other one's limit is untouched";
  std::set<Duration> intervals;
  Duration last = t.clock();
  for (int i = 0; i < 20; ++i) {
    t.run_to(last + 499ms);
    do {
      t.run_for(1ms);
      t.in(seg("R", 2, 0));
    } while (t.take().empty() && t.clock() < last + 1s);
    intervals.insert(t.clock() - last);
    last = t.clock();
  }
  EXPECT_GE(*intervals.begin(), 500ms);
  EXPECT_LE(*intervals.rbegin(), 751ms);
  EXPECT_GE(intervals.size(), 15u);
}

TEST(Reset, InSynReceived) {
  SynReceived t;
  t.in(seg("R", 0, 0));
  t.in(seg("R", 65536, 0));
  t.silent();
  t.in(seg("R", 2, 0));
  t.out({ack(1, 1)});
  EXPECT_EQ(t.state(), kSynReceived);
  t.in(seg("R", 1, 0));
  t.silent();
  EXPECT_EQ(t.state(), kClosed);
  EXPECT_THAT(t.app.records(), IsEmpty());
}

TEST(Reset, OfASimultaneousOpenIsARefusal) {
  SynSent t;
  t.in(t.given.peer_syn);
  t.take();
  t.in(seg("R", 1, 0));
  EXPECT_EQ(t.record().reason, CloseReason::kRefused);
}

TEST(Reset, AtAZeroWindowCounts) {  // MUST-66
  Given given;
  given.stack.tcp.receive_buffer = 4096;
  Established t(given);
  t.app.read = false;
  t.in_burst({data(1, 1460, 1), data(1461, 1460, 1), data(2921, 1176, 1)});
  Segment full = ack(1, 4097);
  full.window = 0;
  t.out({full});
  t.in(seg("R", 4098, 0));
  t.silent();
  EXPECT_EQ(t.state(), kEstablished);
  t.in(seg("R", 4097, 0));
  EXPECT_EQ(t.record().reason, CloseReason::kReset);
  EXPECT_EQ(t.record().received, "") << "P1: what a reset cuts short is not shown as a whole";
}

// RFC 5961 4: whatever its number, a SYN proves nothing.
TEST(Reset, SynInEverySynchronizedState) {
  for (const TcpState state : kSynchronizedTcbStates) {
    for (const std::uint32_t seq : {0u, 1u, 2u, 1000u, 70'000u}) {
      SCOPED_TRACE(name_of(state) + ", SYN at " + std::to_string(seq));
      const auto t = script_in(state);
      const auto [ours, peers] = next_numbers(state);
      for (const char* flags : {"S", "S."}) t->in(seg(flags, seq, ours));
      t->out({ack(ours, peers)});
      EXPECT_EQ(t->state(), state);
    }
  }
}

// A SYN with another number inside the window ends a passive open, which can do no harm: there is a
// listener to begin anew (RFC 9293 3.10.7.4).
TEST(Reset, AnotherSynInSynReceived) {
  SynReceived t;
  t.in(seg("S", 1000, 0));
  t.silent();
  EXPECT_EQ(t.state(), kClosed);
  t.in(seg("S", 1000, 0));
  Segment answer = seg("S.", 0, 1001);
  answer.mss = 1460;
  t.out({answer});
}

Segment reset_of(std::uint32_t seq) {
  Segment reset = seg("R", seq, 0);
  reset.window = 0;
  return reset;
}
Segment reset_acknowledging(std::uint32_t ack) {
  Segment reset = seg("R.", 0, ack);
  reset.window = 0;
  return reset;
}

// RFC 9293 3.10.7.1: the state CLOSED.
TEST(Stray, NoListener) {
  Given given;
  given.monitored = false;
  Script t(given);
  t.in(seg("S", 100, 0));
  t.out({reset_acknowledging(101)});
  t.in(seg("S", 100, 0, "data"));
  t.out({reset_acknowledging(105)});
  t.in(seg("F", 100, 0, "data"));
  t.out({reset_acknowledging(105)});
  t.in(seg("S.", 100, 77));
  t.out({reset_of(77)});
  t.in(seg("P.", 100, 77, "data"));
  t.out({reset_of(77)});
  t.in(seg("F.", 100, 77));
  t.out({reset_of(77)});
  for (const char* flags : {"R", "R."}) t.in(seg(flags, 100, 77));
  t.silent();
}

// RFC 9293 3.10.7.2: the state LISTEN.
TEST(Stray, AtAListener) {
  Given given;
  given.monitored = false;
  Listening t(given);
  for (const char* flags : {"R", "R."}) t.in(seg(flags, 100, 77));
  t.silent();
  for (const char* flags : {".", "S.", "F.", "P."}) {
    t.in(seg(flags, 100, 77));
    t.out({reset_of(77)});
  }
  t.in(seg("F", 100, 0));
  t.in(seg("P", 100, 0, "data"));
  t.silent();
  EXPECT_EQ(t.stack().usage().connections, 0u);
}

}  // namespace
}  // namespace tern::test
