// SPDX-License-Identifier: BSD-3-Clause
#include "stage.h"

#include <algorithm>
#include <cstdio>

#include "base/prng.h"

namespace tern::tour {

namespace {

using test::Segment;

constexpr int kLabelColumns = 44;

test::HostConfig host(const char* name, std::uint8_t subnet, std::uint8_t number) {
  test::HostConfig config = test::numbered_host(number);
  config.name = name;
  config.stack.address = {Ipv4Address(10, 0, subnet, 2), 16};
  return config;
}

// "ESTAB" and so on, as ss and this page have it.
std::string name_of(TcpState state) {
  return state == TcpState::kEstablished ? "ESTABLISHED" : std::string(to_string(state));
}

}  // namespace

Stage::Options::Options() : ant(host("ant", 1, 1)), apple(host("apple", 2, 2)) {}

Stage::Stage(const Options& options)
    : ant_(&simulation_.add_host(options.ant)), apple_(&simulation_.add_host(options.apple)) {
  const io::LinkConfig link{.delay = kDelay};
  const io::LinkPair pair = simulation_.connect(*ant_, *apple_, link, link);
  pair.a_to_b.set_hook([this](auto frame, std::uint64_t) { return pass(true, frame); });
  pair.b_to_a.set_hook([this](auto frame, std::uint64_t) { return pass(false, frame); });
  meet();
  start_ = now();
  recording_ = true;
}

// ARP is not this page's subject, so it happens before the curtain rises.
void Stage::meet() {
  constexpr std::uint16_t kMeetingPort = 1;
  test::RecordingHandler nobody;
  ant_->stack().connect({.remote = {apple_->address(), kMeetingPort}}, nobody).ok();
  simulation_.run_for(1s);  // apple answers with RST
}

void Stage::listen(bool echo) {
  apple_->handler().echo = echo;
  apple_->stack().listen({.port = kPort}, apple_->handler()).ok();
  note_states();
}

Connection Stage::connect(std::uint16_t local_port) {
  const auto connection = ant_->stack().connect(
      {.remote = {apple_->address(), kPort}, .local_port = local_port}, ant_->handler());
  return connection.ok() ? *connection : Connection();
}

std::string Stage::text_of(std::size_t bytes) {
  std::string text(bytes, 'a');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

TcpState Stage::state_of(test::Host& host) const {
  const IpAddress peer = (&host == ant_ ? apple_ : ant_)->address();
  std::vector<ConnectionInfo> sockets;
  for (std::uint64_t cursor = 0;;) {
    cursor = host.stack().list(cursor, 64, sockets);
    if (cursor == 0) break;
  }
  TcpState state = TcpState::kClosed;
  for (const ConnectionInfo& socket : sockets)
    if (socket.state == TcpState::kListen)
      state = TcpState::kListen;
    else if (socket.remote.address == peer)
      return socket.state;
  return state;
}

void Stage::flood(int syns) {
  Prng prng(1);
  Segment syn;
  syn.flags = "S";
  syn.mss = 1460;
  syn.path.source_mac = ant_->port().info().mac;
  syn.path.destination_mac = apple_->port().info().mac;
  syn.path.destination = apple_->address();
  syn.path.destination_port = kPort;
  for (int i = 0; i < syns; ++i) {
    syn.path.source = Ipv4Address(static_cast<std::uint32_t>(0xc0000000 + prng.below(0x10000000)));
    syn.path.source_port = static_cast<std::uint16_t>(1024 + prng.below(60000));
    syn.seq = static_cast<std::uint32_t>(prng.next());
    apple_->port().deliver(test::build(syn));
    run(Duration(1s) / syns);
  }
}

void Stage::run(Duration time) {
  simulation_.run_until(
      [this] {
        note_states();
        return false;
      },
      time);
  simulation_.settle();
  note_states();
}

void Stage::run_until(const std::function<bool()>& done, Duration limit) {
  simulation_.run_until(
      [&] {
        note_states();
        return done();
      },
      limit);
}

void Stage::note(const std::string& text) {
  Event event;
  event.time = now();
  event.text = text;
  events_.push_back(std::move(event));
}

void Stage::lose_next(bool ant_sends, Pick pick, int times) {
  losses_.push_back({ant_sends, std::move(pick), times});
}

bool Stage::lost(bool by_ant, const Segment& segment) {
  for (Loss& loss : losses_)
    if (loss.times > 0 && loss.ant_sends == by_ant && loss.pick(segment)) {
      --loss.times;
      return true;
    }
  return false;
}

// Every frame comes by here as it enters the wire.
io::Verdict Stage::pass(bool by_ant, std::span<const std::byte> frame) {
  const auto segment = test::parse_segment(frame);
  const bool ours = segment && (by_ant ? segment->path.destination == apple_->address()
                                       : segment->path.destination == ant_->address());
  if (!recording_ || !ours) return io::Verdict::pass();
  Event event;
  event.time = now();
  event.is_frame = true;
  event.by_ant = by_ant;
  event.packet = format_(frame);
  event.lost = lost(by_ant, *segment);
  if (segment->has('S')) {
    if (by_ant && !segment->has('.')) apple_isn_ = 0;  // a connection begins
    (by_ant ? ant_isn_ : apple_isn_) = segment->seq;
  }
  event.label = label(by_ant, *segment);
  frames_.emplace_back(by_ant, test::Bytes(frame.begin(), frame.end()));
  const bool drop = event.lost;
  events_.push_back(std::move(event));
  return drop ? io::Verdict::drop() : io::Verdict::pass();
}

test::Bytes Stage::last_frame(bool ant_sent, const Pick& pick) const {
  for (auto i = frames_.rbegin(); i != frames_.rend(); ++i)
    if (const auto segment = test::parse_segment(i->second);
        i->first == ant_sent && segment && pick(*segment))
      return i->second;
  return {};
}

void Stage::deliver_again(const test::Bytes& frame, const std::string& text) {
  note(text);
  apple_->port().deliver(frame);
  settle();
}

// A state that changed at this instant is told beside the host's last segment of this instant,
// which is what it sent in the new state; or on a line of its own.
void Stage::note_states() {
  if (!recording_) return;
  const TcpState ant = state_of(*ant_), apple = state_of(*apple_);
  const auto tell = [this](bool is_ant, TcpState state) {
    for (auto event = events_.rbegin(); event != events_.rend() && event->time == now(); ++event)
      if (event->is_frame && event->by_ant == is_ant) {
        (is_ant ? event->ant : event->apple) = state;
        return;
      }
    Event event;
    event.time = now();
    (is_ant ? event.ant : event.apple) = state;
    events_.push_back(std::move(event));
  };
  if (ant != ant_state_) tell(true, ant);
  if (apple != apple_state_) tell(false, apple);
  ant_state_ = ant;
  apple_state_ = apple;
}

// Numbers count from the sender's initial sequence number, but in a SYN, where they are that
// number.
std::string Stage::label(bool by_ant, const Segment& s) const {
  const std::uint32_t own = by_ant ? ant_isn_ : apple_isn_;
  const std::uint32_t other = by_ant ? apple_isn_ : ant_isn_;
  const bool syn = s.has('S');
  std::string text = "[" + s.flags + "]";
  const std::uint32_t seq = syn ? s.seq : s.seq - own;
  if (syn || s.length() > 0 || s.has('R')) text += " seq " + std::to_string(seq);
  if (!s.payload.empty()) text += ":" + std::to_string(seq + s.payload.size());
  if (s.has('.')) text += " ack " + std::to_string(syn ? s.ack : s.ack - other);
  for (const test::SackRange& range : s.sack)
    text +=
        " sack " + std::to_string(range.begin - other) + ":" + std::to_string(range.end - other);
  if (s.window == 0 && !s.has('R')) text += " win 0";
  return text;
}

double Stage::seconds(Instant time) const {
  return std::chrono::duration<double>(time - start_).count();
}

void Stage::print_event(const Event& event) {
  if (!event.text.empty()) {
    std::printf("%7.3f  %s\n", seconds(event.time), event.text.c_str());
    return;
  }
  std::string arrow;
  if (event.is_frame) {
    const std::string words = " " + event.label + " ";
    const std::size_t dashes = std::max<std::size_t>(
        4, kLabelColumns - std::min<std::size_t>(kLabelColumns - 4, words.size()));
    const std::string left(dashes / 2 - 1, '-'), right(dashes - dashes / 2 - 1, '-');
    arrow = event.by_ant ? left + "-" + words + right + (event.lost ? "X" : ">")
                         : (event.lost ? "X" : "<") + left + words + right + "-";
  }
  std::string line(7, ' ');
  std::snprintf(line.data(), line.size() + 1, "%7.3f", seconds(event.time));
  const std::string ant = event.ant ? name_of(*event.ant) : "",
                    apple = event.apple ? name_of(*event.apple) : "";
  line += "  " + ant + std::string(13 - ant.size(), ' ') + arrow;
  if (!apple.empty())
    line +=
        std::string(22 + kLabelColumns + 1 > line.size() ? 22 + kLabelColumns + 1 - line.size() : 1,
                    ' ') +
        apple;
  while (line.ends_with(' ')) line.pop_back();
  std::printf("%s\n", line.c_str());
}

void Stage::print_diagram() {
  std::printf("   time  %-13s%*s\n", "ant", kLabelColumns + 6, "apple");
  for (; diagrams_ < events_.size(); ++diagrams_) print_event(events_[diagrams_]);
}

void Stage::print_packets() {
  for (; packets_ < events_.size(); ++packets_)
    if (const Event& event = events_[packets_]; event.is_frame)
      std::printf("%s%s\n", event.packet.c_str(), event.lost ? "   (lost)" : "");
}

}  // namespace tern::tour
