// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/tap/format_frame.h"
#include "support/segment.h"
#include "support/simulation.h"

namespace tern::tour {

using namespace std::chrono_literals;

/// Two hosts of the documents' lab, 5 ms apart, in virtual time: what crosses the wire and how the
/// states change is written down while it happens, and printed as a sequence diagram and as tcpdump
/// would. The same steps give the same output.
class Stage {
 public:
  static constexpr std::uint16_t kPort = 9999, kClientPort = 47762;
  static constexpr Duration kDelay = 5ms;

  struct Options {
    Options();
    test::HostConfig ant, apple;  ///< 10.0.1.2 and 10.0.2.2, MSL 30 s
  };
  explicit Stage(const Options& options = Options());

  test::Host& ant() { return *ant_; }
  test::Host& apple() { return *apple_; }

  /// Apple listens; its application echoes in upper case like tcp-upper-server if `echo`.
  void listen(bool echo = true);
  /// Ant connects from kClientPort, unless another is given.
  Connection connect(std::uint16_t local_port = kClientPort);
  static std::string text_of(std::size_t bytes);  ///< "abcd..."

  /// Lets time pass, or passes it until something is so.
  void run(Duration time);
  void run_until(const std::function<bool()>& done, Duration limit = 10min);
  /// Until nothing is on the wire and neither state changes for a while.
  void settle() { run(200ms); }
  Instant now() const { return simulation_.now(); }

  /// Sends the diagram a line of the story.
  void note(const std::string& text);
  /// The wire loses the next segment that `ant_sends` or apple sends and that fits.
  using Pick = std::function<bool(const test::Segment&)>;
  void lose_next(bool ant_sends, Pick pick, int times = 1);
  /// The bytes of the last frame that fits, for an old duplicate.
  test::Bytes last_frame(bool ant_sent, const Pick& pick) const;
  /// An old frame turns up at apple.
  void deliver_again(const test::Bytes& frame, const std::string& note);

  /// What has happened since the last call: the diagram, and the same packets as text.
  void print_diagram();
  void print_packets();

  TcpState state_of(test::Host& host) const;

  /// So many SYNs arrive at apple within a second, from addresses that are nobody's.
  void flood(int syns);

 private:
  struct Event {
    Instant time;
    bool is_frame = false, by_ant = false, lost = false;
    std::string label;                   // the segment's, for the diagram
    std::string packet;                  // as tcpdump prints it
    std::string text;                    // a note
    std::optional<TcpState> ant, apple;  // new states
  };
  struct Loss {
    bool ant_sends;
    Pick pick;
    int times;
  };

  void meet();
  io::Verdict pass(bool by_ant, std::span<const std::byte> frame);
  bool lost(bool by_ant, const test::Segment& segment);
  void note_states();
  std::string label(bool by_ant, const test::Segment& segment) const;
  void print_event(const Event& event);
  double seconds(Instant time) const;

  test::Simulation simulation_;
  test::Host* ant_;
  test::Host* apple_;
  bool recording_ = false;
  Instant start_{};
  TcpState ant_state_ = TcpState::kClosed, apple_state_ = TcpState::kClosed;
  std::vector<Event> events_;
  std::size_t diagrams_ = 0, packets_ = 0;  // events printed so far
  std::vector<Loss> losses_;
  std::vector<std::pair<bool, test::Bytes>> frames_;
  io::RelativeFormatter format_;
  std::uint32_t ant_isn_ = 0, apple_isn_ = 0;
};

}  // namespace tern::tour
