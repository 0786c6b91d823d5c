// SPDX-License-Identifier: BSD-3-Clause
// Segments that no honest peer sends, in every state. Not what exactly the stack answers (that is
// test/scenario's business), but what it never does: crash, leak, take a byte from outside the
// window, answer one segment with two, or close for anything but a RST at exactly rcv_nxt. Every
// frame lies in a heap block of its exact size, where AddressSanitizer sees a byte too many.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/prng.h"
#include "conservation.h"
#include "script.h"
#include "support/rounds.h"

namespace tern::test {
namespace {

constexpr std::string_view kFlagLetters = "FSRP.UEW";  // bit 0 first
constexpr std::uint32_t kWindow = 8192;                // what the stack offers

std::string letters(unsigned bits) {
  std::string flags;
  for (unsigned bit = 0; bit < kFlagLetters.size(); ++bit)
    if ((bits >> bit & 1) != 0) flags.push_back(kFlagLetters[bit]);
  return flags;
}

// No retransmission, delayed ACK or other timer comes into it: time stands still.
Given hostile_given(bool timestamps) {
  Given given;
  given.stack.max_connections = 4;
  given.stack.max_time_wait = 4;
  given.stack.send_memory = given.stack.receive_memory = 65'536;
  given.stack.tcp.receive_buffer = kWindow;
  given.stack.tcp.msl = 1s;
  given.monitored = false;
  if (timestamps) given.peer_syn.ts = {1'000'000, 0};
  return given;
}

enum class Place { kExact, kInside, kOutside };
enum class AckKind { kOld, kExact, kFuture };

struct Case {
  unsigned flags;
  Place seq;
  AckKind ack;
  bool with_text;
};

constexpr std::string_view kText = "0123456789";

bool is_synchronized(TcpState s) {
  return s != TcpState::kListen && s != TcpState::kSynSent && s != TcpState::kSynReceived;
}

NextNumbers expected_numbers(TcpState state) {
  if (state == TcpState::kTimeWait) return {2, 2};
  return is_synchronized(state) ? next_numbers(state) : NextNumbers{1, 1};
}

Segment segment_of(const Case& c, TcpState state) {
  const NextNumbers next = expected_numbers(state);
  Segment s{.flags = letters(c.flags), .seq = next.peers, .ack = next.ours, .urgent = 1};
  // In SYN-SENT no number of the peer's is known yet, and a SYN is as exact as can be.
  if (state == TcpState::kSynSent) s.seq = 0;
  if (c.seq == Place::kInside) s.seq += 100;
  if (c.seq == Place::kOutside) s.seq += kWindow + 50'000;
  if (c.ack == AckKind::kOld) s.ack -= 1;
  if (c.ack == AckKind::kFuture) s.ack += 10'000;
  if (c.with_text) s.payload = kText;
  return s;
}

class EveryFlagSet : public testing::TestWithParam<std::tuple<TcpState, bool>> {
 protected:
  void try_one(const Case& c) {
    const auto [state, timestamps] = GetParam();
    const auto script = script_in(state, hostile_given(timestamps));
    script->take();
    const Segment hostile = segment_of(c, state);
    script->in(hostile);
    SCOPED_TRACE(testing::PrintToString(hostile));
    EXPECT_LE(script->take().size(), 1u) << "replies";
    expect_conserved(script->stack(), script->port());
    if (state != TcpState::kSynSent) expect_bytes(*script, c);  // there, any number may be right
    expect_open(*script, c, state);
    if (state == TcpState::kEstablished) expect_alive(*script, c);
  }

 private:
  static bool has(const Case& c, char flag) {
    return (c.flags >> kFlagLetters.find(flag) & 1) != 0;
  }

  // Nothing but the text at its place, with an ACK that can be right, reaches the application.
  static void expect_bytes(Script& script, const Case& c) {
    const bool may_take = c.with_text && c.seq == Place::kExact && has(c, '.') &&
                          c.ack != AckKind::kFuture && !has(c, 'R');
    std::string received;
    for (const ConnectionRecord& record : script.app.records()) received += record.received;
    if (!received.empty()) {
      EXPECT_TRUE(may_take) << received;
      EXPECT_EQ(received, kText);
    }
    const StackUsage usage = script.stack().usage();
    EXPECT_TRUE(c.seq != Place::kOutside || usage.held_frames + usage.receive_chunks == 0);
  }

  // A synchronized connection ends by an exact RST, or by what its own state was waiting for.
  static void expect_open(Script& script, const Case& c, TcpState before) {
    if (!is_synchronized(before) || before == TcpState::kTimeWait) return;
    const bool exact_reset = has(c, 'R') && c.seq == Place::kExact;
    const bool in_order_end = before == TcpState::kClosing || before == TcpState::kLastAck ||
                              before == TcpState::kFinWait2 || before == TcpState::kFinWait1;
    for (const ConnectionRecord& record : script.app.records()) {
      if (record.closed == 0) continue;
      const bool graceful = record.reason == CloseReason::kFinished;
      EXPECT_TRUE(graceful ? in_order_end : exact_reset)
          << to_string(before) << ": " << to_string(*record.reason);
    }
    EXPECT_TRUE(exact_reset || in_order_end || script.state() != TcpState::kClosed);
  }

  // The peer's next byte is still taken.
  static void expect_alive(Script& script, const Case& c) {
    if (script.state() != TcpState::kEstablished) return;
    std::string& received = script.record().received;
    const auto taken = static_cast<std::uint32_t>(received.size());
    std::string expected = received + "after";
    // What lies ahead of rcv_nxt may have been kept, and stays there.
    script.in(seg(".", 1 + taken, 1, "after"));
    EXPECT_EQ(received, expected) << "after " << letters(c.flags);
  }
};

TEST_P(EveryFlagSet, BreaksNothing) {
  const auto [state, timestamps] = GetParam();
  const std::uint64_t sweep =
      4 * static_cast<unsigned>(state) + (timestamps ? 2 : 0) + (speaks_v6() ? 1 : 0);
  std::uint64_t n = 0;
  for (unsigned flags = 0; flags < 256; ++flags)
    for (const Place seq : {Place::kExact, Place::kInside, Place::kOutside})
      for (const AckKind ack : {AckKind::kOld, AckKind::kExact, AckKind::kFuture})
        for (const bool with_text : {false, true}) {
          if (is_tried(n++, sweep)) try_one({flags, seq, ack, with_text});
          if (HasFailure()) return;
        }
}

using enum TcpState;
INSTANTIATE_TEST_SUITE_P(
    Hostile, EveryFlagSet,
    testing::Combine(testing::Values(kListen, kSynSent, kSynReceived, kEstablished, kFinWait1,
                                     kFinWait2, kCloseWait, kClosing, kLastAck, kTimeWait),
                     testing::Bool()),
    [](const auto& test) {
      std::string name(to_string(std::get<0>(test.param)));
      std::erase(name, '-');
      return name + (std::get<1>(test.param) ? "Timestamps" : "");
    });

// URGENT/11: the pointer never changes how much is copied.
TEST(Hostile, UrgentPointers) {
  for (const std::size_t length : {0u, 1u, 2u, 10u, 1448u}) {
    const auto n = static_cast<std::uint16_t>(length);
    for (const std::uint16_t urgent : {std::uint16_t{0}, std::uint16_t{1}, n,
                                       static_cast<std::uint16_t>(n + 1), std::uint16_t{65535}}) {
      for (const std::size_t split : {std::size_t{0}, length / 2, length}) {
        Established script(hostile_given(true));
        const std::string text = stream(0, length);
        Segment first = seg("U.", 1, 1, text.substr(0, split));
        Segment second = seg("PU.", 1 + static_cast<std::uint32_t>(split), 1, text.substr(split));
        first.urgent = second.urgent = urgent;
        script.in(second);  // the second half first
        script.in(first);
        EXPECT_EQ(script.record().received, text) << "urgent " << urgent << " split " << split;
      }
    }
  }
}

// Option bytes of every kind, length and place; what the header says there is, is there.
TEST(Hostile, OptionsOfEveryKindLengthAndPlace) {
  Established script(hostile_given(false));
  std::uint32_t next = 1;
  for (unsigned kind = 0; kind <= 9; ++kind) {
    for (unsigned length = 0; length <= 41; ++length) {
      for (unsigned place = 0; place <= 40; ++place) {
        Segment s = seg(".", next, 1, "x");
        s.raw_options.assign(40, std::byte{1});
        if (place < 40) s.raw_options[place] = std::byte(kind);
        if (place < 39) s.raw_options[place + 1] = std::byte(length);
        script.in(s);
        ++next;
      }
    }
  }
  EXPECT_EQ(script.record().closed, 0u);
  EXPECT_EQ(script.record().received, std::string(next - 1, 'x'));
}

TEST(Hostile, RandomOptionsNeverEndAConnection) {
  for (std::uint64_t seed = 1; seed <= rounds(20); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    Established script(hostile_given(true));
    for (int i = 0; i < 500; ++i) {
      Segment s = seg(letters(prng.below(256) & ~4u), prng.below(20'000), prng.below(3));  // no RST
      s.payload = stream(0, prng.below(20));
      s.raw_options.resize(4 * (1 + prng.below(10)));
      for (std::byte& b : s.raw_options)
        b = std::byte(prng.chance(0.5) ? prng.below(10) : prng.below(256));
      script.in(s);
      expect_conserved(script.stack(), script.port());
    }
    EXPECT_EQ(script.record().closed, 0u);
  }
}

// A SYN's options decide about memory and arithmetic for the whole connection.
TEST(Hostile, SynOptions) {
  for (const unsigned mss : {0u, 1u, 47u, 48u, 49u, 535u, 1459u, 65535u}) {
    for (const unsigned wscale : {0u, 13u, 14u, 15u, 255u}) {
      Given given = hostile_given(false);
      given.peer_syn.mss = static_cast<std::uint16_t>(mss);
      given.peer_syn.wscale = static_cast<std::uint8_t>(wscale);
      Listening script(given);
      script.in(given.peer_syn);
      script.in(ack(1, 1));
      ASSERT_EQ(script.state(), TcpState::kEstablished);
      EXPECT_GE(script.info().send_mss, 48u);
      EXPECT_LE(script.info().send_mss, 1460u);
      EXPECT_LE(script.info().send_window_scale, 14u);
      script.write(1000);
      for (const Segment& s : script.take()) EXPECT_LE(s.payload.size(), 1460u);
    }
  }
}

// Frames of random bytes behind right headers and checksums, by the thousand, at every state.
TEST(Hostile, RandomSegmentsLeaveNothing) {
  for (std::uint64_t seed = 1; seed <= rounds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    constexpr TcpState kStates[] = {kListen,   kSynSent,   kSynReceived, kEstablished, kFinWait1,
                                    kFinWait2, kCloseWait, kClosing,     kLastAck,     kTimeWait};
    const auto script = script_in(kStates[seed % 10], hostile_given(prng.chance(0.5)));
    for (int i = 0; i < 200; ++i) {
      Segment s{.flags = letters(prng.below(256)),
                .seq = prng.chance(0.7) ? prng.below(50) : static_cast<std::uint32_t>(prng.next()),
                .ack = prng.chance(0.7) ? prng.below(5) : static_cast<std::uint32_t>(prng.next()),
                .window = static_cast<std::uint16_t>(prng.next()),
                .urgent = static_cast<std::uint16_t>(prng.next())};
      s.payload = stream(0, prng.chance(0.3) ? prng.below(1400) : 0);
      script->in(s);
      if (prng.chance(0.1)) script->run_for(1ms * prng.below(700));
      expect_conserved(script->stack(), script->port());
      if (HasFailure()) return;
    }
  }
}

// 10^5 RSTs anywhere but at rcv_nxt (threats.md: 10^9; this is what fits a test run).
TEST(Hostile, RandomResetsDoNotClose) {
  Established script(hostile_given(false));
  Prng prng(1);
  constexpr std::uint64_t kResets = rounds(100'000);
  for (std::uint64_t i = 0; i < kResets; ++i) {
    Segment s = seg(prng.chance(0.5) ? "R" : "R.", static_cast<std::uint32_t>(prng.next()), 1);
    if (s.seq == 1) continue;
    if (prng.chance(0.5)) s.seq = 2 + prng.below(kWindow - 1);
    script.in(s);
  }
  EXPECT_EQ(script.state(), TcpState::kEstablished);
  EXPECT_LE(script.take().size(), 1u) << "challenge ACKs within 500 ms";
  EXPECT_EQ(script.counters().rst_in, 0u);
}

// A RST that is not believed must not move the clock that later segments are judged by.
TEST(Hostile, RefusedResetDoesNotPoisonTimestamps) {
  Established script(hostile_given(true));
  script.in(seg(".", 1, 1, "abc"));
  Segment reset = seg("R.", 3, 1, "xyz");  // straddles rcv_nxt
  reset.ts = {0x40000000, 0};
  script.in(reset);
  script.in(seg(".", 4, 1, "def"));
  EXPECT_EQ(script.record().received, "abcdef");
}

}  // namespace
}  // namespace tern::test
