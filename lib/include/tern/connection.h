// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tern/address.h"
#include "tern/config.h"
#include "tern/port.h"
#include "tern/result.h"
#include "tern/time.h"

namespace tern {

class Connection;
class ConnectionHandler;
class StackImpl;

/// RFC 9293 3.3.2.
enum class TcpState : std::uint8_t {
  kClosed,
  kListen,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait1,
  kFinWait2,
  kCloseWait,
  kClosing,
  kLastAck,
  kTimeWait,
};
inline constexpr std::size_t kTcpStateCount = 11;

/// The RFC's name, e.g. "FIN-WAIT-1".
std::string_view to_string(TcpState state);

/// Why a connection ended.
enum class CloseReason : std::uint8_t {
  kFinished,     ///< both directions were closed in order; every byte arrived
  kReset,        ///< the peer sent a RST
  kRefused,      ///< an active open was answered with a RST
  kTimedOut,     ///< no answer until R2: to SYN, data, FIN or zero-window probes
  kAborted,      ///< abort() was called here, or the stack went down
  kUnreachable,  ///< the next hop never answered ARP while connecting
};
std::string_view to_string(CloseReason reason);

/// The next in-order bytes of a connection, on loan, in the buffer that they arrived in; the holder
/// may change them in place. Destroying the chunk gives the buffer back and opens the receive
/// window. May outlive the callback and the connection, but not the stack. Thread: the stack's.
class RxChunk {
 public:
  RxChunk(RxChunk&& other) noexcept;
  RxChunk& operator=(RxChunk&& other) noexcept;
  RxChunk(const RxChunk&) = delete;
  RxChunk& operator=(const RxChunk&) = delete;
  ~RxChunk();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::span<std::byte> writable_bytes() { return {data_, size_}; }
  std::size_t size() const { return size_; }

 private:
  friend class Connection;
  friend class StackImpl;
  RxChunk() = default;
  StackImpl* stack_ = nullptr;  // nullptr = moved from
  std::byte* data_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t node_ = 0;  // the stack's record of the buffer
  std::uint32_t connection_ = 0;
  std::uint32_t generation_ = 0;
};

/// Room in a connection's send queue, to be written straight into. Obtained by reserve(), passed to
/// send() with the number of bytes written. Must be sent or dropped before the next call that sends
/// on or ends the same connection, and before the next poll: the memory is another's then.
class TxChunk {
 public:
  std::span<std::byte> writable_bytes() const { return {data_, capacity_}; }
  /// How many of the bytes count; at first all.
  void resize(std::size_t bytes) {
    size_ = static_cast<std::uint32_t>(bytes < capacity_ ? bytes : capacity_);
  }
  std::size_t size() const { return size_; }

 private:
  friend class Connection;
  friend class StackImpl;
  std::byte* data_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t size_ = 0;
};

enum class SendFlags : std::uint8_t {
  kNone = 0,
  kMore = 1,    ///< more follows at once: a partial segment may wait for it (until the next poll)
  kUrgent = 2,  ///< these bytes end urgent data (RFC 6093): the peer is told so, they stay in line
};
constexpr SendFlags operator|(SendFlags a, SendFlags b) {
  return static_cast<SendFlags>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr SendFlags operator&(SendFlags a, SendFlags b) {
  return static_cast<SendFlags>(static_cast<std::uint8_t>(a) & static_cast<std::uint8_t>(b));
}
constexpr SendFlags operator~(SendFlags a) {
  return static_cast<SendFlags>(~static_cast<std::uint8_t>(a));
}
constexpr bool has_flag(SendFlags flags, SendFlags flag) {
  return (static_cast<std::uint8_t>(flags) & static_cast<std::uint8_t>(flag)) != 0;
}

/// What an ICMP message, or ICMPv6 message, has said of a connection that goes on: its type and
/// code.
struct SoftError {
  std::uint8_t icmp_type = 0, icmp_code = 0;
  friend bool operator==(const SoftError&, const SoftError&) = default;
};

/// The timer of a connection that runs out next.
enum class ConnectionTimer : std::uint8_t {
  kNone,
  kRetransmit,
  kPersist,  ///< probes a closed window
  kDelayedAck,
  kState,  ///< ends a state that has lasted too long: SYN-SENT, FIN-WAIT-2
  kKeepalive,
  kTimeWait,
};

/// What holds a sender back (RFC 4898's SndLimState).
enum class SendLimit : std::uint8_t {
  kSender,      ///< nothing is left to send
  kReceiver,    ///< the peer's window
  kCongestion,  ///< the congestion window
};

/// A snapshot for socket lists.
struct ConnectionInfo {
  TcpState state = TcpState::kClosed;
  Endpoint local, remote;
  std::uint32_t receive_queue_bytes = 0;  ///< arrived, not yet taken by the application
  std::uint32_t send_queue_bytes = 0;     ///< queued or unacknowledged
  std::uint32_t cwnd_bytes = 0, ssthresh_bytes = 0;
  std::uint32_t send_mss = 0;
  std::uint32_t srtt_us = 0, rttvar_us = 0, rto_us = 0;
  std::uint32_t send_window_bytes = 0, receive_window_bytes = 0;
  std::uint64_t bytes_received = 0, bytes_acked = 0;
  std::uint32_t segments_retransmitted = 0;
  std::uint32_t flight_bytes = 0;             ///< sent and unacknowledged (RFC 4898 PipeSize)
  std::uint32_t time_outs = 0;                ///< since the last progress (CurTimeoutCount)
  SendLimit send_limit = SendLimit::kSender;  ///< at this moment (SndLimState)
  bool timestamps = false, window_scaling = false, sack = false;  ///< negotiated
  CongestionAlgorithm congestion = CongestionAlgorithm::kNewReno;
  std::uint8_t send_window_scale = 0, receive_window_scale = 0;
  ConnectionTimer timer = ConnectionTimer::kNone;
  std::uint32_t timer_us = 0;  ///< until then
  std::uint8_t backoffs = 0;   ///< time-outs, or probes, since the peer last answered
  std::uint64_t user_data = 0;
};

/// A copyable handle of one connection. Every call checks the generation: on a connection that has
/// ended it answers kStaleHandle, nothing or zero, and does nothing. Every call is legal in every
/// callback and between polls. Thread: the stack's.
class Connection {
 public:
  Connection() = default;

  /// The next in-order bytes, or nothing: none have arrived, or the next chunk is larger than
  /// `at_most`. In the second case on_writable is raised when the send queue has drained, so
  /// `receive(send_space())` followed by forward() never fails for want of room. Only this
  /// connection's own send_space() makes sense here: nothing would tell of another's.
  std::optional<RxChunk> receive(std::size_t at_most = SIZE_MAX);

  /// receive(send_space()) at once, for whoever sends back what arrives.
  std::optional<RxChunk> receive_to_forward();

  /// Room for up to `bytes` bytes in the send queue (maybe fewer: see TxChunk::writable_bytes).
  Result<TxChunk> reserve(std::size_t bytes);
  Errc send(TxChunk&& chunk, SendFlags flags = SendFlags::kNone);

  /// Sends what was received and gives its buffer back. All or nothing: when refused (kQueueFull,
  /// kNoBuffers, kWrongState, kStaleHandle) the caller keeps the chunk.
  Errc forward(RxChunk&& chunk, SendFlags flags = SendFlags::kNone);

  /// Copies as much as the send queue takes and says how much that was, which may be 0.
  Result<std::size_t> write(std::span<const std::byte> bytes, SendFlags flags = SendFlags::kNone);

  /// Bytes that a send may add now.
  std::size_t send_space() const;

  /// No more will be sent: what is queued goes out, then FIN. Receiving goes on (half close).
  void shutdown_send();
  /// Ends both directions at once with a RST; on_closed(kAborted) follows.
  void abort();
  /// Closes in order, and drops what still arrives: for an application that is done with the
  /// connection. Unread data makes it an abort (RFC 9293 SHLD-3).
  void close();
  /// The same, but for no longer than `linger` (SO_LINGER): if the peer has not acknowledged
  /// everything by then, FIN included, a RST ends the connection with kAborted. Zero: abort().
  void close(Duration linger);

  void set_nodelay(bool nodelay);  ///< true: Nagle's algorithm off
  /// Keepalive probes (RFC 9293 3.8.4): after `idle` of silence one every `interval`; `count`
  /// unanswered ones end the connection with kTimedOut. idle 0 = none. At most two days each.
  void set_keepalive(Duration idle, Duration interval = std::chrono::seconds(75),
                     unsigned count = 9);
  /// How long what was sent may stay unacknowledged before the connection ends with kTimedOut (RFC
  /// 5482's local value; RFC 9293 MUST-21). 0 = R2 alone decides. Looked at from the first
  /// retransmission time-out on. Where TcpConfig::user_timeout_option is set the peer is told, and
  /// the peer's own wish no longer counts.
  void set_user_timeout(Duration timeout);
  /// Whether on_soft_error is called (SHLD-20); at first as TcpConfig::report_soft_errors says.
  void set_error_reports(bool wanted);
  /// IP's time to live (1..255) of what is sent from now on.
  void set_ttl(std::uint8_t ttl);
  /// IP's differentiated services code point (0..63) of what is sent from now on. Best before
  /// anything is sent: a change in mid-flow may reorder it (RFC 9293 SHLD-23).
  void set_dscp(std::uint8_t dscp);
  void set_handler(ConnectionHandler& handler);  ///< from the next callback on
  void set_user_data(std::uint64_t value);       ///< the application's own word; 0 at first
  std::uint64_t user_data() const;

  bool valid() const;
  TcpState state() const;  ///< kClosed for a stale handle
  Endpoint local() const;
  Endpoint remote() const;
  ConnectionInfo info() const;

  friend bool operator==(const Connection&, const Connection&) = default;

 private:
  friend class StackImpl;
  Connection(StackImpl* stack, std::uint32_t index, std::uint32_t generation)
      : stack_(stack), index_(index), generation_(generation) {}
  StackImpl* stack_ = nullptr;
  std::uint32_t index_ = 0;
  std::uint32_t generation_ = 0;
};

}  // namespace tern
