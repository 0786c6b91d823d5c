// SPDX-License-Identifier: BSD-3-Clause
#include "script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "base/assert.h"
#include "support/matchers.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

constexpr std::uint32_t kPeerIsn = 0xfffffff0;
constexpr Instant kStart{1000s};
constexpr Duration kTick = 100us;
constexpr int kMaxPollsPerInstant = 10'000;

std::unique_ptr<Stack> make_stack(const StackConfig& config, Port& port, Instant now) {
  auto stack = Stack::create(config, port, now);
  if (!stack.ok()) std::cerr << stack.status() << '\n';
  TERN_ASSERT(stack.ok());
  return std::move(*stack);
}

testing::Matcher<Segment> matches(Segment expected, Instant time) {
  using testing::AllOf;
  return AllOf(IsSegment(expected), SentAt(time));
}

// What the expected segment leaves at its default is not compared.
void ignore_unstated(const Segment& expected, Segment& sent) {
  if (expected.window == Segment{}.window) sent.window = expected.window;
  if (!expected.ts.present) sent.ts = {};
}

// Whatever the environment says, where the test does.
io::ModelPortConfig port_of(const Given& given) {
  io::ModelPortConfig port = test_port(numbered_host(1).port);
  if (given.claims_intact) {
    port.rx_checksum = io::ChecksumVerdict::kIntact;
    port.trust_missing_checksum = true;
  }
  if (given.tso_bytes == 0) return port;
  port.tx_checksum_offload = true;
  port.tso_bytes = given.tso_bytes;
  return port;
}

}  // namespace

Given::Given() : stack(numbered_host(1).stack) {
  stack.tcp.congestion = CongestionAlgorithm::kNewReno;
  stack.tcp.max_receive_buffer = 0;
}

Script::Script(const Given& s)
    : given(s),
      port_(port_of(s)),
      stack_(make_stack(s.stack, port_, kStart)),
      start_(kStart),
      now_(kStart),
      mark_(kStart) {
  app.close_with_peer = false;
  if (given.monitored) port_.observe(monitor_.observer());
  port_.set_now(now_);
  // The stack learns the peer's MAC from its question.
  if (given.answer_arp) port_.inject(Arp{});
  poll();
}

Script::~Script() {
  stack_->abort_all();
  run_for(2 * given.stack.tcp.msl + 1s);
  expect_nothing_left();
  stack_.reset();
  EXPECT_EQ(port_.outstanding(), 0u) << "frames that never came back";
  EXPECT_EQ(port_.violations(), std::vector<std::string>{});
  EXPECT_EQ(monitor_.violations(), std::vector<std::string>{});
}

void Script::expect_nothing_left() {
  const StackUsage usage = stack_->usage();
  EXPECT_EQ(usage.connections, 0u);
  EXPECT_EQ(usage.time_wait, 0u);
  EXPECT_EQ(usage.half_open, 0u);
  EXPECT_EQ(usage.table_entries, 0u);
  EXPECT_LE(usage.addresses6, count_neighbours6());
  EXPECT_EQ(usage.timers, 0u);
  EXPECT_EQ(usage.held_frames, 0u);
  EXPECT_EQ(usage.waiting_frames, 0u);
  EXPECT_EQ(usage.staged_frames, 0u);
  EXPECT_EQ(usage.send_chunks, 0u);
  EXPECT_EQ(usage.receive_chunks, 0u);
  EXPECT_EQ(usage.sack_senders, 0u);
  EXPECT_EQ(port_.outstanding(), usage.spare_frames);
}

// Each has a reference on its address, and so has the path on which a smaller MTU was found.
std::uint32_t Script::count_neighbours6() const {
  std::vector<NeighbourInfo> neighbours;
  stack_->list_neighbours(neighbours);
  return static_cast<std::uint32_t>(
             std::count_if(neighbours.begin(), neighbours.end(),
                           [](const NeighbourInfo& n) { return !n.address.is_v4(); })) +
         (counters().path_mtu_reductions > 0 ? 1 : 0);
}

void Script::poll() {
  for (int polls = 0; polls < kMaxPollsPerInstant; ++polls) {
    const std::size_t work = stack_->poll(now_);
    answer_arp();
    collect_sent();
    note_states();
    const bool frames_wait = port_.pending() > 0 || stack_->usage().staged_frames > 0;
    if (work == 0 && !frames_wait && stack_->next_deadline() > now_) return;
  }
  ADD_FAILURE() << "the stack never becomes idle at " << clock().count() << " ns";
}

void Script::step_to(Instant time) {
  now_ = std::max(now_, time);
  port_.set_now(now_);
  poll();
}

void Script::run_to(Duration time) {
  const Instant end = mark_ + time;
  for (Instant next = stack_->next_deadline(); next <= end; next = stack_->next_deadline()) {
    if (next - kTick > now_) step_to(next - kTick);
    step_to(next);
  }
  step_to(end);
}

void Script::stall_to(Duration time) {
  now_ = mark_ + time;
  port_.set_now(now_);
}

void Script::answer_arp() {
  const Path path;
  for (const Arp& arp : port_.take_sent_arp()) {
    if (!given.answer_arp || arp.operation != 1 || arp.target != path.source) continue;
    port_.inject(Arp{.operation = 2,
                     .target_mac = path.destination_mac,
                     .ethernet_destination = path.destination_mac});
  }
  for (const Solicitation& asked : port_.take_solicitations())
    if (given.answer_arp) port_.inject(build_advertisement(asked, path.source_mac));
}

void Script::note_states() {
  std::vector<ConnectionInfo> sockets;
  stack_->list(0, SIZE_MAX, sockets);
  std::map<std::uint16_t, TcpState> present;
  for (const ConnectionInfo& socket : sockets) present[socket.remote.port] = socket.state;
  for (const auto& [port, last] : history_) present.try_emplace(port, TcpState::kClosed);
  for (const auto& [port, state] : present) {
    std::vector<TcpState>& states = history_[port];
    if (states.empty() || states.back() != state) states.push_back(state);
  }
}

TcpState Script::state(std::uint16_t peer_port) const {
  std::vector<ConnectionInfo> sockets;
  stack_->list(0, SIZE_MAX, sockets);
  for (const ConnectionInfo& socket : sockets)
    if (socket.remote.port == peer_port) return socket.state;
  return TcpState::kClosed;
}

bool Script::seen(TcpState state) const {
  return std::any_of(history_.begin(), history_.end(), [&](const auto& entry) {
    return std::count(entry.second.begin(), entry.second.end(), state) > 0;
  });
}

std::uint32_t Script::milliseconds() const {
  return static_cast<std::uint32_t>((now_ - start_) / 1ms);
}

Script::Flow& Script::flow_of(const Path& from_peer) {
  return flows_[{from_peer.source_port, from_peer.destination_port}];
}

Segment Script::absolute(Segment segment) {
  const Flow& flow = flow_of(segment.path);
  segment.seq += kPeerIsn;
  if (segment.has('.')) segment.ack += flow.our_isn;
  for (SackRange& range : segment.sack)
    range = {range.begin + flow.our_isn, range.end + flow.our_isn};
  Segment without_sack = segment;
  without_sack.sack.clear();
  const bool has_options = without_sack.option_bytes() > 0;
  if (segment.ts.present && segment.has('.')) segment.ts.echo += timestamp_base_;
  if (given.peer_syn.ts.present && !has_options)
    segment.ts = {given.peer_syn.ts.value + milliseconds(), flow.last_timestamp};
  return segment;
}

Segment Script::relative(Segment segment) {
  Flow& flow = flow_of(segment.path.reversed());
  if (segment.has('S')) flow.our_isn = segment.seq;
  segment.seq -= flow.our_isn;
  if (segment.has('.')) segment.ack -= kPeerIsn;
  for (SackRange& range : segment.sack) range = {range.begin - kPeerIsn, range.end - kPeerIsn};
  if (!segment.ts.present) return segment;
  flow.last_timestamp = segment.ts.value;
  const auto sent_ms = static_cast<std::uint32_t>((segment.time - start_) / 1ms);
  if (!timestamp_known_) timestamp_base_ = segment.ts.value - sent_ms;
  timestamp_known_ = true;
  segment.ts.value -= timestamp_base_;
  return segment;
}

void Script::in_burst(std::vector<Segment> segments) {
  for (Segment& segment : segments)
    EXPECT_TRUE(port_.inject(absolute(std::move(segment)))) << "the port had no room";
  poll();
}

void Script::collect_sent() {
  for (Segment& segment : port_.take_sent()) sent_.push_back(relative(std::move(segment)));
}

std::vector<Segment> Script::take() {
  collect_sent();
  return std::exchange(sent_, {});
}

void Script::out(std::initializer_list<Segment> expected, Where where) {
  const testing::ScopedTrace trace(where.file, where.line, "");
  std::vector<Segment> sent = take();
  std::vector<testing::Matcher<Segment>> matchers;
  for (const Segment& e : expected) {
    if (matchers.size() < sent.size()) ignore_unstated(e, sent[matchers.size()]);
    matchers.push_back(matches(e, now_));
  }
  EXPECT_THAT(sent, testing::ElementsAreArray(matchers)) << "at " << clock() / 1us << " us";
}

void Script::out_at(Duration time, std::initializer_list<Segment> expected, Where where) {
  run_to(time);
  out(expected, where);
}

Connection Script::connection() {
  return opened_ == Connection{} && !app.records().empty() ? app.records().back().connection
                                                           : opened_;
}

void Script::write(std::size_t bytes, SendFlags flags) {
  const std::string text = stream(written_, bytes);
  const auto taken = connection().write(std::as_bytes(std::span(text)), flags);
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, bytes);
  written_ += *taken;
  poll();
}

Connection Script::connect() {
  const Path path;
  const auto connection = stack_->connect(
      {.remote = {path.source, path.source_port}, .local_port = path.destination_port}, app);
  EXPECT_TRUE(connection) << to_string(connection.error());
  if (connection) opened_ = *connection;
  poll();
  return opened_;
}

ListenerId Script::listen(std::uint32_t backlog) {
  const auto listener = stack_->listen(
      {.address = wildcard(), .port = Path{}.destination_port, .backlog = backlog}, app);
  EXPECT_TRUE(listener);
  poll();
  return listener ? *listener : ListenerId{};
}

std::string stream(std::size_t from, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::size_t at = from + i;
    text[i] = static_cast<char>('a' + (at + at / 26 + at / 676) % 26);
  }
  return text;
}

Segment seg(std::string flags, std::uint32_t seq, std::uint32_t ack, std::string payload) {
  return {.flags = std::move(flags), .seq = seq, .ack = ack, .payload = std::move(payload)};
}

Segment data(std::uint32_t seq, std::size_t bytes, std::uint32_t ack, std::string flags) {
  return seg(std::move(flags), seq, ack, stream(seq - 1, bytes));
}

Listening::Listening(const Given& s, std::uint32_t backlog) : Script(s), listener(listen(backlog)) {
  mark();
}

SynReceived::SynReceived(const Given& s) : Listening(s) {
  in(s.peer_syn);
  Segment answer = seg("S.", 0, 1);
  answer.mss = 1460;
  answer.sack_permitted = s.peer_syn.sack_permitted && s.stack.tcp.sack;
  answer.window = static_cast<std::uint16_t>(std::min(s.stack.tcp.receive_buffer, 65535u));
  if (s.peer_syn.wscale && s.stack.tcp.window_scaling)
    answer.wscale = s.stack.tcp.max_receive_buffer > 0 ? 2 : 3;
  out({answer});
  mark();
}

Established::Established(const Given& s) : SynReceived(s) {
  run_to(s.round_trip);
  Segment third = ack(1, 1);
  third.window = s.peer_syn.window;
  in(third);
  silent();
  EXPECT_EQ(record().established, 1u);
  mark();
}

SynSent::SynSent(const Given& s) : Script(s) {
  connect();
  Segment syn = seg("S", 0, 0);
  syn.mss = 1460;
  syn.sack_permitted = s.stack.tcp.sack;
  syn.window = static_cast<std::uint16_t>(std::min(s.stack.tcp.receive_buffer, 65535u));
  if (s.stack.tcp.window_scaling)
    for (syn.wscale = 0; (s.stack.tcp.receive_buffer >> *syn.wscale) > 65535;) ++*syn.wscale;
  out({syn});
  mark();
}

FinWait1::FinWait1(const Given& s) : Established(s) {
  shutdown_send();
  out({seg("F.", 1, 1)});
  mark();
}

FinWait2::FinWait2(const Given& s) : FinWait1(s) {
  in(ack(1, 2));
  silent();
  mark();
}

Closing::Closing(const Given& s) : FinWait1(s) {
  in(seg("F.", 1, 1));
  out({ack(2, 2)});
  mark();
}

TimeWait::TimeWait(const Given& s) : FinWait2(s) {
  in(seg("F.", 1, 2));
  out({ack(2, 2)});
  mark();
}

CloseWait::CloseWait(const Given& s) : Established(s) {
  in(seg("F.", 1, 1));
  out({ack(1, 2)});
  mark();
}

LastAck::LastAck(const Given& s) : CloseWait(s) {
  shutdown_send();
  out({seg("F.", 1, 2)});
  mark();
}

std::unique_ptr<Script> script_in(TcpState state, const Given& s) {
  switch (state) {
    case TcpState::kListen:
      return std::make_unique<Listening>(s);
    case TcpState::kSynSent:
      return std::make_unique<SynSent>(s);
    case TcpState::kSynReceived:
      return std::make_unique<SynReceived>(s);
    case TcpState::kEstablished:
      return std::make_unique<Established>(s);
    case TcpState::kFinWait1:
      return std::make_unique<FinWait1>(s);
    case TcpState::kFinWait2:
      return std::make_unique<FinWait2>(s);
    case TcpState::kCloseWait:
      return std::make_unique<CloseWait>(s);
    case TcpState::kClosing:
      return std::make_unique<Closing>(s);
    case TcpState::kLastAck:
      return std::make_unique<LastAck>(s);
    case TcpState::kTimeWait:
      return std::make_unique<TimeWait>(s);
    case TcpState::kClosed:
      break;
  }
  TERN_ASSERT(false);
  return nullptr;
}

NextNumbers next_numbers(TcpState state) {
  switch (state) {
    case TcpState::kEstablished:
      return {1, 1};
    case TcpState::kFinWait1:
    case TcpState::kFinWait2:
      return {2, 1};
    case TcpState::kCloseWait:
      return {1, 2};
    default:
      return {2, 2};
  }
}

}  // namespace tern::test
