// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/recording_handler.h"
#include "support/script_port.h"
#include "support/wire_monitor.h"
#include "tern/stack.h"

namespace tern::test {

using namespace std::chrono_literals;

/// A line of a test, for the messages of what it calls.
struct Where {
  const char* file;
  int line;
};
constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return {file, line};
}

/// What a script begins with: the stack's configuration, and how its peer opens.
struct Given {
  /// Windows as NewReno has them and a receive buffer that does not grow: numbers to count with.
  Given();
  StackConfig stack;
  Segment peer_syn{.flags = "S", .mss = 1460};  ///< options and window of the peer's SYN or SYN,ACK
  Duration round_trip{0};                       ///< from our SYN or SYN,ACK to the peer's answer
  bool answer_arp = true;
  std::uint32_t tso_bytes = 0;  ///< of large segments that the port cuts; they are seen cut
  bool claims_intact = false;   ///< the port says so of all that arrives, and is believed
  /// The peer plays by the rules, so WireMonitor can judge what the stack sends.
  bool monitored = true;
};

/// A stack on a ScriptPort, an application, a peer whose segments are written by hand, and virtual
/// time. The stack is polled when it asks to be, a tick before that (when nothing may happen), and
/// when something arrives.
///
/// Numbers are relative: seq counts from the sender's ISN, ack and SACK blocks from the other
/// end's, so 1 is the first byte either way; the timestamps of the stack count milliseconds from
/// the script's beginning. Times count from mark(). The peer's ISN is 16 short of the wrap. A
/// connection has the ports of Path, unless a segment says otherwise, whoever opens it.
///
/// When the script goes, everything that is left is aborted, TIME-WAIT is sat out, and nothing may
/// remain: no connection, timer, frame or chunk.
class Script {
 public:
  explicit Script(const Given& given = {});
  virtual ~Script();
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  // Time.
  void mark() { mark_ = now_; }  ///< the clock reads 0
  Instant now() const { return now_; }
  Duration clock() const { return now_ - mark_; }
  void run_to(Duration time);
  void run_for(Duration time) { run_to(clock() + time); }
  void poll();                   ///< until there is nothing more to do at this instant
  void stall_to(Duration time);  ///< nobody polls until then: the process was stopped

  // The peer. Arrives now, and is processed. If the peer offered timestamps and the segment has no
  // options but SACK blocks, it gets the peer's clock and an echo of the last one that the stack
  // sent.
  void in(Segment segment) { in_burst({std::move(segment)}); }
  void in_burst(std::vector<Segment> segments);  ///< in one poll

  // The stack. What it has sent since the last call is this, all of it at this instant; or runs to
  // `time`, and it was at `time`. Window and timestamps are compared where the expected segment has
  // any (other than 65535); WireMonitor sees to it that they are there where they must be.
  void out(std::initializer_list<Segment> expected, Where where = here());
  void out_at(Duration time, std::initializer_list<Segment> expected, Where where = here());
  void silent(Where where = here()) { out({}, where); }
  void silent_to(Duration time, Where where = here()) { out_at(time, {}, where); }
  std::vector<Segment> take();  ///< without judging
  /// Its ISN for Path's ports, the absolute number.
  std::uint32_t isn() { return flow_of({}).our_isn; }
  /// A segment of the peer's with the numbers that it has on the wire.
  Segment absolute(Segment segment);

  // The application.
  Connection connection();  ///< the handler's last, or what connect() answered
  ConnectionRecord& record() { return app.record_of(connection()); }
  void write(std::size_t bytes, SendFlags flags = SendFlags::kNone);  ///< the next of stream()
  void shutdown_send() { connection().shutdown_send(), poll(); }
  void close() { connection().close(), poll(); }
  void abort() { connection().abort(), poll(); }
  void read() { app.read_all(connection()), poll(); }
  /// Opens towards the peer, from the ports of Path.
  Connection connect();
  ListenerId listen(std::uint32_t backlog = 0);

  /// The state as Stack::list tells it: of TIME-WAIT too, and CLOSED if there is nothing.
  TcpState state(std::uint16_t peer_port = Path{}.source_port) const;
  /// Every state that was seen, after each poll, without repetitions.
  const std::vector<TcpState>& history(std::uint16_t peer_port = Path{}.source_port) {
    return history_[peer_port];
  }
  bool seen(TcpState state) const;
  const Counters& counters() const { return stack().counters(); }
  ConnectionInfo info() { return connection().info(); }
  Stack& stack() const { return *stack_; }
  ScriptPort& port() { return port_; }

  const Given given;
  RecordingHandler app;

 private:
  struct Flow {
    std::uint32_t our_isn = 0;
    std::uint32_t last_timestamp = 0;
  };
  Flow& flow_of(const Path& from_peer);
  Segment relative(Segment segment);
  std::uint32_t milliseconds() const;
  void step_to(Instant time);
  void answer_arp();
  void collect_sent();
  void note_states();
  void expect_nothing_left();
  std::uint32_t count_neighbours6() const;

  ScriptPort port_;
  WireMonitor monitor_{"script"};
  std::unique_ptr<Stack> stack_;
  const Instant start_;
  Instant now_;
  Instant mark_;
  std::uint32_t timestamp_base_ = 0;
  bool timestamp_known_ = false;
  std::vector<Segment> sent_;
  std::uint64_t written_ = 0;
  Connection opened_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, Flow> flows_;
  std::map<std::uint16_t, std::vector<TcpState>> history_;  // by the peer's port; 0 = listeners
};

/// The bytes that write() writes, and the peer's data too: [from, from + bytes) of one pattern.
std::string stream(std::size_t from, std::size_t bytes);

/// A segment, in relative numbers.
Segment seg(std::string flags, std::uint32_t seq, std::uint32_t ack, std::string payload = {});
/// One with the stream's bytes for its numbers: seq 1 is the first.
Segment data(std::uint32_t seq, std::size_t bytes, std::uint32_t ack, std::string flags = ".");
inline Segment ack(std::uint32_t seq, std::uint32_t ack) { return seg(".", seq, ack); }

// The states, each of which begins where another ends. mark() is at the end.

struct Listening : Script {
  explicit Listening(const Given& given = {}, std::uint32_t backlog = 0);
  ListenerId listener;
};
struct SynReceived : Listening {  // the SYN,ACK is sent
  explicit SynReceived(const Given& given = {});
};
struct Established : SynReceived {  // by a passive open; nothing sent or received yet
  explicit Established(const Given& given = {});
};
struct SynSent : Script {
  explicit SynSent(const Given& given = {});
};
struct FinWait1 : Established {  // the application still reads
  explicit FinWait1(const Given& given = {});
};
struct FinWait2 : FinWait1 {
  explicit FinWait2(const Given& given = {});
};
struct Closing : FinWait1 {
  explicit Closing(const Given& given = {});
};
struct TimeWait : FinWait2 {
  explicit TimeWait(const Given& given = {});
};
struct CloseWait : Established {
  explicit CloseWait(const Given& given = {});
};
struct LastAck : CloseWait {
  explicit LastAck(const Given& given = {});
};

/// A script in that state, which is not CLOSED.
std::unique_ptr<Script> script_in(TcpState state, const Given& given = {});

/// Next to be sent by the stack, and by the peer, in a script_in() state that is synchronized.
struct NextNumbers {
  std::uint32_t ours, peers;
};
NextNumbers next_numbers(TcpState state);

inline constexpr TcpState kSynchronizedTcbStates[] = {TcpState::kEstablished, TcpState::kFinWait1,
                                                      TcpState::kFinWait2,    TcpState::kCloseWait,
                                                      TcpState::kClosing,     TcpState::kLastAck};

}  // namespace tern::test
