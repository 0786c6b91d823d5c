// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/index_list.h"
#include "flow/four_tuple.h"
#include "tcp/congestion/controller.h"
#include "tcp/receive_queue.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/state.h"
#include "tern/address.h"
#include "tern/config.h"
#include "tern/connection.h"
#include "tern/handler.h"
#include "timer/timer_wheel.h"
#include "wire/seq_num.h"
#include "wire/tcp.h"

namespace tern::tcp {

using timer::Tick;
using wire::SeqNum;

/// What the application will hear after the burst; bits of Tcb::events.
namespace event {
inline constexpr std::uint8_t kEstablished = 1, kReadable = 2, kWritable = 4, kPeerFinished = 8,
                              kClosed = 16, kUrgent = 32, kStalled = 64, kSoftError = 128;
}

/// Bits of Tcb::flags.
namespace flag {
// Set = the connection is not in the plain state that header prediction assumes.
inline constexpr std::uint32_t kInRecovery = 1u << 0;  // fast recovery (RFC 6582)
inline constexpr std::uint32_t kDupAcks = 1u << 1;     // dup_acks > 0
inline constexpr std::uint32_t kHasGap = 1u << 2;      // Engine::reassemblies holds something of it
inline constexpr std::uint32_t kFinSeen = 1u << 3;     // peer_fin_seq is valid
inline constexpr std::uint32_t kInputClosed = 1u
                                              << 4;  // the application closed: arriving data resets
inline constexpr std::uint32_t kBackedOff = 1u << 5;   // an RTO or persist time-out is unanswered
inline constexpr std::uint32_t kSackSender = 1u << 6;  // sack_sender is valid: blocks are noted
inline constexpr std::uint32_t kLossProbe = 1u << 15;  // a tail loss probe is due or unanswered
inline constexpr std::uint32_t kNotPlain = ((1u << 7) - 1) | kLossProbe;  // any of the above

inline constexpr std::uint32_t kSack = 1u << 7;  // negotiated (RFC 2018)

inline constexpr std::uint32_t kTimestamps = 1u << 8;     // negotiated (RFC 7323)
inline constexpr std::uint32_t kWindowScaling = 1u << 9;  // negotiated
inline constexpr std::uint32_t kNoDelay = 1u << 10;       // Nagle off
inline constexpr std::uint32_t kCork = 1u << 11;  // SendFlags::kMore on the last bytes, this poll
inline constexpr std::uint32_t kSynPending = 1u << 12;  // a SYN or SYN,ACK is to be sent
inline constexpr std::uint32_t kSynUnacked = 1u << 13;  // our SYN takes the number snd_una
inline constexpr std::uint32_t kFinQueued = 1u << 14;   // a FIN follows the last queued byte
inline constexpr std::uint32_t kAckDelayed = 1u << 16;  // owes an ACK, at its leisure
inline constexpr std::uint32_t kAckNow = 1u << 17;      // owes an ACK in this poll
inline constexpr std::uint32_t kRetransmitHead =
    1u << 18;  // resend one segment at snd_una, whatever cwnd says
inline constexpr std::uint32_t kProbe = 1u << 19;  // send a zero-window probe, or a path probe
inline constexpr std::uint32_t kWantWritable =
    1u << 20;  // something was refused: tell when there is room
inline constexpr std::uint32_t kExtras = 1u << 21;  // Engine::extras has something of it
inline constexpr std::uint32_t kClosePending =
    1u << 22;  // the protocol is through; on_closed when all is read
inline constexpr std::uint32_t kInTable = 1u << 23;      // the connection table names this TCB
inline constexpr std::uint32_t kCwndLimited = 1u << 24;  // the last transmission stopped for cwnd
inline constexpr std::uint32_t kReady = 1u << 25;        // on the ready list
inline constexpr std::uint32_t kOutput = 1u << 26;       // on the output list
inline constexpr std::uint32_t kTiming = 1u << 27;       // rtt_seq/rtt_start time a segment
inline constexpr std::uint32_t kRecoverValid =
    1u << 28;                                        // recover is meaningful (RFC 6582 3.2 step 1)
inline constexpr std::uint32_t kStarved = 1u << 30;  // on the starved list
inline constexpr std::uint32_t kSpecial =
    1u << 29;  // Extras says of what it sends: urgent, ECN, or an option
inline constexpr std::uint32_t kDsack = 1u << 31;  // the next ACK reports `dsack` (RFC 2883)
}  // namespace flag

/// Where probing for a larger path MTU stands: see path_probe.h.
enum class PathProbe : std::uint8_t {
  kNone,     // a search begins when the timer is up, if it runs
  kWaiting,  // a probe is to be sent, and cannot be at present
  kDue,      // it will be sent as soon as the window allows; flag::kProbe is set
  kSent,     // and not known to be lost
};

/// What few connections have any of, and so is kept beside the TCBs: see extras_of().
struct Extras {
  SeqNum snd_up;      // SND.UP (RFC 9293 3.8.5), if urgent
  SeqNum window_end;  // of the window that has been reduced for a mark (RFC 3168 6.1.2)
  std::uint8_t icmp_type, icmp_code;  // of the last soft error
  bool urgent : 1;                    // snd_up is after snd_una
  bool tell_timeout : 1;     // the next segment with an ACK says our user time-out (RFC 5482)
  bool fixed_timeout : 1;    // the application has set it: the peer's does not count
  bool adopted_timeout : 1;  // it follows from the peer's: R2 is a time and no number
  bool ecn : 1;              // negotiated (RFC 3168)
  bool echo_mark : 1;        // a mark has come: ECE on every ACK until the peer's CWR
  bool tell_reduced : 1;     // CWR goes with the next new data
  bool reduced : 1;          // window_end means something
  PathProbe path_probe : 2;
  bool probe_repair : 1;      // the recovery repairs nothing but the probe
  SeqNum probe_seq;           // the last probe: its first byte
  std::uint16_t probe_mss;    // and its bytes of text
  std::uint16_t too_big_mss;  // the least text of a segment that was too big; 0 = none was
};
static_assert(sizeof(Extras) <= 24);

/// The deadlines of a connection; one wheel node stands for the earliest.
/// kState serves the states before and after ESTABLISHED, and probing for a larger path MTU in it.
enum class TimerKind : std::uint8_t { kRetransmit, kPersist, kDelayedAck, kState, kKeepalive };
inline constexpr std::size_t kTimerKinds = 5;

/// What TimerKind::kRetransmit stands for: one timer serves RTO, TLP and RACK (RFC 8985 8).
enum class LossTimer : std::uint8_t {
  kTimeOut,    // RFC 6298
  kProbe,      // the PTO, counted from an ACK or the first transmission after it
  kLateProbe,  // the PTO, counted from a later transmission
  kReordering  // what is late may be lost; the RTO is SackSender::time_out_at
};

/// What the link and IP headers of a connection's segments say beside its four-tuple. In the order
/// in which write_link_header() wants them.
struct Headers {
  MacAddress next_hop;  // if usable
  bool usable;          // its address is known, and is what it was at neighbour_generation
  std::uint8_t ttl;     // or IPv6's hop limit
  std::uint32_t neighbour_generation;
  /// Of the IP header, in host order: version, traffic class, IPv6's flow label; IPv4's length is
  /// 0. 0: nothing of it has been decided yet.
  std::uint32_t first_word;
};
static_assert(sizeof(Headers) == 16);

/// What an echo touches of a Tcb: its first lines.
inline constexpr std::size_t kWarmTcbBytes = 5 * 64;

/// Transmission control block: all that is known of one connection. Split by use: line 0 is what an
/// in-order segment or a pure ACK touches, lines 1 and 2 sending, RTT and timers, lines 3 and 4 the
/// rest of an echo, line 5 is cold. Names are RFC 9293's (3.3.1).
struct alignas(64) Tcb {
  // Line 0: identity, receive sequence variables, the send edge.
  flow::FourTuple4 tuple;
  std::uint32_t hash;  // table_hash(tuple)
  std::uint32_t flags;
  SeqNum rcv_nxt;
  SeqNum rcv_adv;  // right edge advertised: rcv_nxt + the window the peer has seen
  SeqNum snd_una;
  SeqNum snd_nxt;           // next to send; goes back to snd_una on a time-out
  SeqNum snd_max;           // highest ever sent + 1
  std::uint32_t snd_wnd;    // bytes, scaled
  std::uint32_t ts_recent;  // RFC 7323 TS.Recent
  SeqNum last_ack_sent;     // RFC 7323 Last.ACK.sent
  TcpState state;
  std::uint8_t events;      // event bits
  std::uint8_t snd_wscale;  // shift of windows received
  std::uint8_t rcv_wscale;  // shift of windows sent
  std::uint8_t dup_acks;
  std::uint8_t
      acks_owed;  // duplicate ACKs to send, one for each out-of-order segment (RFC 5681 4.2)
  std::uint16_t snd_mss;  // bytes of payload in a full segment, timestamps already deducted
  std::uint32_t loaned;   // bytes lent to the application; they still count against the window

  // Lines 1, 2: queues, RTT, congestion, timers.
  ReceiveQueue receive_queue;
  SendQueue send_queue;  // [snd_una (+1 while our SYN is unacknowledged), ...)
  RttEstimator rtt;
  CongestionController congestion;
  Tick deadline[kTimerKinds];
  Tick armed_at;        // where the wheel node is, if timers_armed
  std::uint8_t timers;  // bit per TimerKind that is running
  bool timer_armed;
  std::uint8_t retransmits;     // time-outs since the last progress
  std::uint8_t persist_probes;  // unanswered probes
  Tick last_received;           // an acceptable segment
  SeqNum rtt_seq;               // ACK of more than this ends the timing

  // Lines 3, 4: what else an echo touches, and what has found room behind it.
  Headers headers;
  ConnectionHandler* handler;
  std::uint64_t user_data;
  union {
    SeqNum iss{};           // in the handshake
    std::uint32_t grow_at;  // later: at this rcv_nxt the size of the receive buffer is looked at
  };
  SeqNum recover;           // RFC 6582, RFC 6675 RecoveryPoint; RFC 8985 TLP.end_seq if kLossProbe
  SeqNum snd_wl1, snd_wl2;  // seq and ack of the last window update
  std::uint32_t max_snd_wnd;
  union {
    std::uint32_t rtt_start_us{};  // Engine::now_us, if kTiming
    std::uint32_t ssthresh_kept;   // in a recovery of a path probe alone, which times nothing
  };
  std::uint32_t ts_recent_age;  // when ts_recent was taken, in kTimestampAgeUnit (RFC 7323 5.5)
  Tick last_sent;               // last data sent, for the idle restart (RFC 5681 4.1)
  std::uint32_t ts_offset;      // of our timestamps
  std::uint32_t generation;
  std::uint64_t bytes_received, bytes_acked;
  IndexLinks ready_links, output_links;
  Tick user_timeout;       // RFC 5482's local value, in ticks; 0 = none
  std::uint16_t rcv_mss;   // largest segment the peer has sent: how much is "two full segments"
  std::uint16_t peer_mss;  // as announced, or 536 (MUST-15)
  CloseReason close_reason : 4;
  bool announced : 1;         // the application knows of the connection
  bool peer_finish_told : 1;  // on_peer_finished has been called
  bool no_error_reports : 1;  // the application wants no on_soft_error (SHLD-20)
  bool partial_ack_seen : 1;  // in this recovery (RFC 6582 3.2 step 3)
  bool syn_retransmitted : 1;
  bool timed_out : 1;         // and no round trip has been sampled since
  bool unreachable_seen : 1;  // by an ICMP error about what is being sent again and again
  LossTimer loss_timer : 2;
  bool probe_due : 1;         // of kLossProbe: not sent yet
  bool probe_repeats : 1;     // TLP.is_retrans
  bool abort_round : 1;       // Engine's when the connection came to be
  std::uint8_t refused_at;    // a hash of rcv_nxt and snd_una when an ACK was last refused
  std::uint8_t refused_acks;  // answered since the connection last moved on
  std::uint8_t keepalive_count, keepalive_probes;
  std::uint16_t reordering_seen : 1;    // RFC 8985 6.2 step 3
  std::uint16_t reo_window_raised : 1;  // in this round trip
  std::uint16_t reo_persist : 5;        // recoveries until reo_steps is 0 again
  std::uint16_t reo_steps : 4;          // RACK.reo_wnd_mult - 1
  std::uint16_t buffer_doublings : 4;   // of config.receive_buffer
  std::uint16_t lingering : 1;          // keepalive_interval is how long at most
  std::uint32_t time_out_timestamp;     // our timestamp at the last RTO
  std::uint32_t sack_sender;            // in Engine::sack_senders, if kSackSender

  // Line 5: what only losses, gaps and silence touch.
  std::uint32_t reassembly;      // in Engine::reassemblies, if kHasGap
  Tick stalled_since;            // what timed out first was sent; only if time-outs are unanswered
  std::uint32_t dup_ack_flight;  // bytes in flight at the first duplicate ACK
  SeqNum peer_fin_seq;           // sequence number of the peer's FIN, if kFinSeen
  IndexLinks starved_links;
  wire::SackBlock dsack;         // the last duplicate that arrived, if kDsack
  std::uint32_t next_challenge;  // no limited ACK before this (RFC 5961), in kChallengeUnit
  union {
    SeqNum irs{};
    Tick grow_since;  // when half a buffer before grow_at had been read
  };
  std::uint32_t segments_retransmitted;
  SeqNum rcv_up;                            // RCV.UP, if after rcv_nxt (RFC 9293 3.8.5)
  Tick keepalive_idle, keepalive_interval;  // ticks; keepalive_idle 0 = off

  bool has(std::uint32_t f) const { return (flags & f) != 0; }
  void set(std::uint32_t f) { flags |= f; }
  void clear(std::uint32_t f) { flags &= ~f; }

  /// Bytes of receive window that the peer believes in.
  std::uint32_t advertised_window() const { return rcv_adv.after(rcv_nxt) ? rcv_adv - rcv_nxt : 0; }
  /// Sequence numbers sent and not acknowledged.
  std::uint32_t flight() const { return snd_nxt - snd_una; }
};
static_assert(offsetof(Tcb, receive_queue) == 64, "line 0 ends where the queues begin");
static_assert(offsetof(Tcb, headers) == 192, "sending and timers take lines 1 and 2");
static_assert(offsetof(Tcb, reassembly) == kWarmTcbBytes, "an echo does without the last line");
static_assert(sizeof(Tcb) == 384,
              "with a table slot pair, a wheel node and Extras: <= 512 bytes a connection");

}  // namespace tern::tcp
