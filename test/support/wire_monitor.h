// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/frame_observer.h"
#include "support/segment.h"

namespace tern::test {

/// Watches one end of the wire and checks what that end sends against what a TCP may send, given
/// what it has received. Knows nothing of the stack's state. Attach with
/// `port.observe(monitor.observer())` before the first frame; a test's fixture asserts that
/// violations() is empty.
///
/// Checked, for each flow: IPv4 and TCP checksums; a SYN comes first and nowhere else, and its
/// options are offered or answered as RFC 7323 says; every later segment has an ACK; no gap in the
/// sequence numbers; the same bytes at the same number; no data beyond the peer's right edge + 1 (a
/// window probe); no IP packet larger than the peer's MSS + 40; FIN stays where it is, with nothing
/// behind it; the ACK never goes backwards nor beyond what arrived; the offered right edge never
/// shrinks; timestamps on every segment once agreed, never decreasing; only RSTs after a RST.
class WireMonitor {
 public:
  /// The name stands at the head of the sentences.
  explicit WireMonitor(std::string name = "monitor") : name_(std::move(name)) {}
  WireMonitor(const WireMonitor&) = delete;
  WireMonitor& operator=(const WireMonitor&) = delete;

  /// For ModelPort::observe. The monitor must outlive its use.
  io::FrameObserver observer();
  /// The watched end has taken this frame from the wire.
  void received(Instant now, std::span<const std::byte> frame);
  /// The watched end has put this frame on the wire.
  void sent(Instant now, std::span<const std::byte> frame);

  /// One sentence each; no more than kMaxViolations are kept.
  const std::vector<std::string>& violations() const { return violations_; }
  /// TCP segments sent that were checked: a test that expects some asserts it.
  std::uint64_t segments_checked() const { return segments_checked_; }

  static constexpr std::size_t kMaxViolations = 100;

 private:
  // The watched end is the local one.
  struct Key {
    IpAddress local, remote;
    std::uint16_t local_port, remote_port;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Flow {
    // What the watched end has sent.
    std::optional<Segment> own_syn;
    std::uint32_t snd_una = 0;      // the highest acceptable ACK that arrived
    std::uint32_t snd_max = 0;      // behind the highest number sent
    std::string unacked;            // payload from snd_una on,
    std::size_t unacked_front = 0;  // behind so much that is acknowledged
    std::optional<std::uint32_t> fin_seq;
    std::optional<std::uint32_t> last_ack;
    std::optional<std::uint32_t> own_edge;
    bool own_edge_from_syn = false;  // not scaled: rounding may cost less than one unit of scale
    std::uint32_t last_ts_value = 0;
    Instant last_sent{};
    bool reset = false;  // a RST ended it
    // What has arrived from the peer.
    std::optional<Segment> last_peer_syn;  // of this or of a following incarnation
    std::optional<Segment> peer_syn;       // the one that this connection is about
    std::uint32_t peer_max = 0;            // behind the highest number that arrived
    std::optional<std::uint32_t> peer_edge;
    bool established = false;  // our SYN was acknowledged
    bool peer_finished = false;

    bool scaled() const;
    bool timestamped() const;
    bool finished() const;
  };
  struct Event;  // one sent segment and its circumstances

  void peer_acknowledges(Flow& flow, const Segment& segment);
  void check_syn(Event& event);
  static bool has_shown_nothing(const Flow& flow);
  bool begins_anew(const Event& event) const;
  void check_syn_options(Event& event);
  void adopt_peer_syn(Flow& flow, const Segment& syn);
  void check_ack(Event& event);
  void check_window(Event& event);
  void check_timestamps(Event& event);
  void check_sequence(Event& event);
  void check_content(Event& event);
  void check_fin(Event& event);
  void violate(const Event& event, const std::string& sentence);

  std::string name_;
  std::map<Key, Flow> flows_;
  std::vector<std::string> violations_;
  std::uint64_t segments_checked_ = 0;
};

}  // namespace tern::test
