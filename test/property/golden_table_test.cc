// SPDX-License-Identifier: BSD-3-Clause
// The total state machine: what each of the 11 states does with a segment without text, for all 256
// flag sets, SEG.SEQ at RCV.NXT, inside and outside the window, and SEG.ACK old, exact and of the
// future. Every cell stands in golden_table.txt, which was reviewed against RFC 9293 3.10.7, RFC
// 5961, RFC 1337 and RFC 6191. After a change that is meant, TERN_UPDATE_GOLDEN=1 makes this
// program write the file anew; then its diff is what is to be reviewed.
#include "golden_table.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "script.h"
#include "support/rounds.h"

namespace tern::test {
namespace {

using enum TcpState;

constexpr std::uint32_t kWindow = 8192;

// A state, and how to come there.
struct Start {
  std::string name;
  TcpState state;
  bool active = false;  // SYN-RECEIVED by a simultaneous open (MUST-11)
};

const std::vector<Start>& starts() {
  static const std::vector<Start> kStarts = {
      {"CLOSED", kClosed},
      {"LISTEN", kListen},
      {"SYN-SENT", kSynSent},
      {"SYN-RECEIVED", kSynReceived},
      {"SYN-RECEIVED after an active open", kSynReceived, true},
      {"ESTABLISHED", kEstablished},
      {"FIN-WAIT-1", kFinWait1},
      {"FIN-WAIT-2", kFinWait2},
      {"CLOSE-WAIT", kCloseWait},
      {"CLOSING", kClosing},
      {"LAST-ACK", kLastAck},
      {"TIME-WAIT", kTimeWait}};
  return kStarts;
}

// Time stands still, so that nothing but the segment's own consequences is seen.
Given golden_given() {
  Given given;
  given.stack.max_connections = given.stack.max_time_wait = 4;
  given.stack.send_memory = given.stack.receive_memory = 65'536;
  given.stack.tcp.receive_buffer = kWindow;
  given.stack.tcp.msl = 1s;
  given.monitored = false;
  return given;
}

std::unique_ptr<Script> begin(const Start& start) {
  std::unique_ptr<Script> script;
  if (start.state == kClosed)
    script = std::make_unique<Script>(golden_given());
  else
    script = script_in(start.active ? kSynSent : start.state, golden_given());
  if (start.active) script->in(golden_given().peer_syn);
  script->take();
  return script;
}

NextNumbers numbers_in(TcpState state) {
  switch (state) {
    case kClosed:
    case kListen:
    case kSynReceived:
      return {1, 1};
    case kSynSent:  // no number of the peer's is known yet
      return {1, 0};
    case kTimeWait:
      return {2, 2};
    default:
      return next_numbers(state);
  }
}

Segment segment_of(const GoldenState::Cell& cell, const NextNumbers& next) {
  constexpr std::string_view kLetters = "FSRP.UEW";
  constexpr std::uint32_t kSeqOffset[] = {0, 100, kWindow + 50'000};
  constexpr std::uint32_t kAckOffset[] = {0xffffffff, 0, 10'000};
  Segment s{.flags = "",
            .seq = next.peers + kSeqOffset[cell.seq],
            .ack = next.ours + kAckOffset[cell.ack]};
  for (std::size_t bit = 0; bit < kLetters.size(); ++bit)
    if ((cell.flags >> bit & 1) != 0) s.flags.push_back(kLetters[bit]);
  return s;
}

// "ACK", "RST seq=SEG.ACK", "RST,ACK seq=0 ack=SEG.END", "SYN,ACK"; with its numbers where they are
// not the connection's own.
std::string spell_reply(const Segment& reply, const Segment& to, const NextNumbers& next) {
  std::string text;
  const auto add = [&](std::string_view part) { text += text.empty() ? "" : ",", text += part; };
  if (reply.has('S')) add("SYN");
  if (reply.has('F')) add("FIN");
  if (reply.has('R')) add("RST");
  if (reply.has('.')) add("ACK");
  if (reply.has('S')) {
    return reply.ack == (to.has('S') ? to.seq + 1 : next.peers)
               ? text
               : text + " ack=" + std::to_string(reply.ack);
  }
  const bool own_seq = reply.seq == next.ours, seg_ack = to.has('.') && reply.seq == to.ack;
  if (reply.has('R') && seg_ack)
    text += " seq=SEG.ACK";
  else if (!own_seq)
    text += " seq=" + std::to_string(reply.seq);
  return text;
}

std::string next_state(Script& script, const Start& start) {
  const TcpState state = script.state();
  const bool listens = start.state == kListen || (start.state == kSynReceived && !start.active);
  return std::string(to_string(state == kClosed && listens ? kListen : state));
}

std::string ending(Script& script) {
  for (const ConnectionRecord& r : script.app.records())
    if (r.closed > 0) return "; " + std::string(to_string(*r.reason));
  return "";
}

std::string outcome_of(const Start& start, const GoldenState::Cell& cell) {
  const auto script = begin(start);
  const std::string before = ending(*script);  // TIME-WAIT: the application has heard already
  const NextNumbers next = numbers_in(start.state);
  const Segment segment = segment_of(cell, next);
  script->in(segment);
  std::string replies;
  for (Segment& reply : script->take()) {
    // Script counts a RST,ACK that answers no connection from the ISNs that it knows.
    if (reply.has('R') && reply.has('.') && !segment.has('.')) {
      const std::uint32_t end = segment.seq + segment.length();
      replies += reply.ack == end ? " RST,ACK ack=SEG.END" : " RST,ACK ack=?";
      continue;
    }
    replies += " " + spell_reply(reply, segment, next);
  }
  const std::string end = ending(*script);
  return next_state(*script, start) + (replies.empty() ? " none" : replies) +
         (end != before ? end : "");
}

GoldenState observe(const Start& start) {
  GoldenState state;
  for (std::size_t i = 0; i < GoldenState::kCells; ++i)
    state[i] = outcome_of(start, GoldenState::cell(i));
  return state;
}

std::string describe(const GoldenState::Cell& cell) {
  constexpr const char* kSeq[] = {"exact", "inside", "outside"};
  constexpr const char* kAck[] = {"old", "exact", "future"};
  return "flags " + std::to_string(cell.flags) + ", SEG.SEQ " + kSeq[cell.seq] + ", SEG.ACK " +
         kAck[cell.ack];
}

class Golden : public testing::TestWithParam<Start> {};

TEST_P(Golden, EveryCell) {
  static const GoldenTable table = read_golden_table(TERN_GOLDEN_TABLE);
  const auto found = table.find(GetParam().name);
  ASSERT_NE(found, table.end()) << "no table of this state in " << TERN_GOLDEN_TABLE;
  int wrong = 0;
  for (std::size_t i = 0; i < GoldenState::kCells && wrong < 10; ++i) {
    if (!is_tried(i)) continue;
    const std::string observed = outcome_of(GetParam(), GoldenState::cell(i));
    EXPECT_EQ(observed, found->second[i]) << describe(GoldenState::cell(i));
    wrong += observed != found->second[i] ? 1 : 0;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Golden, testing::ValuesIn(starts()), [](const auto& test) {
  std::string name = test.param.name;
  std::erase_if(name, [](char c) { return c == '-' || c == ' '; });
  return name;
});

// What is written can be read, and is what was written: the compression loses nothing.
TEST(GoldenTableFile, RowsAreTheCells) {
  GoldenState state;
  for (std::size_t i = 0; i < GoldenState::kCells; ++i)
    state[i] = "outcome " + std::to_string((i % 7) * (i / 300));
  GoldenState read;
  for (const std::string& row : state.rows()) EXPECT_TRUE(read.add_row(row)) << row;
  for (std::size_t i = 0; i < GoldenState::kCells; ++i) EXPECT_EQ(read[i], state[i]);
  EXPECT_FALSE(read.add_row(state.rows()[0])) << "a second time";
}

}  // namespace

void update_golden_table() {
  GoldenTable table;
  std::vector<std::string> names;
  for (const Start& start : starts()) {
    names.push_back(start.name);
    table[start.name] = observe(start);
  }
  write_golden_table(TERN_GOLDEN_TABLE, names, table);
}

}  // namespace tern::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (std::getenv("TERN_UPDATE_GOLDEN") == nullptr) return RUN_ALL_TESTS();
  tern::test::update_golden_table();
  return testing::UnitTest::GetInstance()->Failed() ? 1 : 0;
}
