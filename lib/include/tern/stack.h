// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tern/config.h"
#include "tern/connection.h"
#include "tern/handler.h"
#include "tern/neighbour.h"
#include "tern/port.h"
#include "tern/stats.h"
#include "tern/steering.h"
#include "tern/time.h"

namespace tern {

struct ListenOptions {
  /// One of the stack's own, or unspecified: any of that family's. [::] takes IPv6 alone, as a
  /// socket with IPV6_V6ONLY does, and 0.0.0.0 IPv4: who wants both listens twice.
  IpAddress address{};
  std::uint16_t port = 0;     ///< 1..65535
  std::uint32_t backlog = 0;  ///< half-open connections; 0 = StackConfig::max_half_open
};

struct ConnectOptions {
  Endpoint remote{};
  std::uint16_t local_port = 0;  ///< 0 = drawn (RFC 6056 algorithm 4)
  /// One of the stack's own, of the remote's family (RFC 9293 MUST-43); unspecified of either
  /// family: IP's choice.
  IpAddress local_address{};
};

/// A listener: stays valid until stop_listening().
struct ListenerId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const ListenerId&, const ListenerId&) = default;
};

/// What a stack holds right now: for leak checks, drains and socket lists.
struct StackUsage {
  std::uint32_t connections = 0;       ///< TCBs in use
  std::uint32_t half_open = 0;         ///< records in the SYN cache: SYN-RECEIVED by passive open
  std::uint32_t time_wait = 0;         ///< TIME-WAIT records
  std::uint32_t table_entries = 0;     ///< connections in the table + time_wait + half_open
  std::uint32_t addresses6 = 0;        ///< IPv6 addresses that any of this, or a neighbour, has
  std::uint32_t timers = 0;            ///< connections armed in the wheel
  std::uint32_t held_frames = 0;       ///< received frames in receive queues or on loan
  std::uint32_t waiting_frames = 0;    ///< frames waiting for a neighbour's address
  std::uint32_t reassembling = 0;      ///< datagrams of which not all fragments have come yet
  std::uint32_t staged_frames = 0;     ///< frames waiting for the port to take them
  std::uint32_t spare_frames = 0;      ///< empty frames allocated ahead of use
  std::uint32_t returning_frames = 0;  ///< frames that are done with; the next poll gives them back
  std::uint32_t send_chunks = 0;
  std::uint32_t receive_chunks = 0;
  std::uint32_t sack_senders = 0;  ///< connections whose peers' SACK blocks are noted
  /// Connections by their state; TIME-WAIT records count in `time_wait`, not here.
  std::array<std::uint32_t, kTcpStateCount> by_state{};

  /// The sum, of several workers.
  StackUsage& operator+=(const StackUsage& other);
};

/// A SYN flood, as an operator wants to hear of it: once when it begins and once when it is over.
struct SynFlood {
  bool active = false;
  Instant since{};                  ///< when it began, or the last one ended
  std::uint32_t half_open = 0;      ///< SYN-RECEIVED connections now
  std::uint32_t cache_entries = 0;  ///< room for them
  std::uint64_t cookies_sent = 0;   ///< since the stack began, as are these
  std::uint64_t cookies_accepted = 0;
  std::uint64_t cookies_rejected = 0;
};

/// A complete TCP endpoint for one interface on one core. No locks, no globals, no clock: whoever
/// owns the loop calls poll(now). Thread rule: one thread at a time, for every call.
class Stack {
 public:
  /// Allocates everything the configuration can ever need; refuses, with the arithmetic, what does
  /// not fit or contradicts itself. The port must outlive the stack. `now` is the time by the clock
  /// that poll() will be told. `steering` joins it to the other stacks of the same address, which
  /// must have the same secret; it must outlive the stack. Without one this stack is alone.
  static absl::StatusOr<std::unique_ptr<Stack>> create(const StackConfig& config, Port& port,
                                                       Instant now = Instant{},
                                                       Steering* steering = nullptr);

  /// Gives every frame back to the port; connections end without a word to their peers.
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  /// Accepts connections; the handler must outlive the listener and the connections it accepts.
  Result<ListenerId> listen(const ListenOptions& options, ConnectionHandler& handler);
  void stop_listening(ListenerId listener);  ///< established connections go on

  /// Opens a connection; on_established or on_closed follows.
  Result<Connection> connect(const ConnectOptions& options, ConnectionHandler& handler);

  /// One turn of the loop: receive a burst, expire timers, run callbacks, transmit. Bounded work.
  /// `now` must not go backwards. Returns how much there was to do; 0 = idle.
  std::size_t poll(Instant now);

  /// When poll wants to be called at the latest if no frame arrives; kNever when idle. A value in
  /// the past means "at once".
  Instant next_deadline() const;

  /// Its own, and its port's as they are at the call.
  const Counters& counters() const;
  const StackConfig& config() const;
  StackUsage usage() const;

  SynFlood syn_flood() const;
  /// Calls `observer` from poll() when a SYN flood begins and when none has been seen for 10 s.
  void on_syn_flood(std::function<void(const SynFlood&)> observer);

  /// Appends a snapshot of up to `limit` sockets (listeners, connections, TIME-WAIT) from position
  /// `cursor` on, and returns the position to go on from, or 0 at the end. Looks at a number of
  /// positions that grows with `limit` only, so a page may hold fewer.
  std::uint64_t list(std::uint64_t cursor, std::size_t limit,
                     std::vector<ConnectionInfo>& out) const;

  /// Appends a snapshot of the neighbour table, in no particular order.
  void list_neighbours(std::vector<NeighbourInfo>& out) const;

  /// The connection between these two endpoints; nothing if there is none, if it is half open
  /// still, or only its TIME-WAIT record is left.
  std::optional<Connection> find(const Endpoint& local, const Endpoint& remote);

  /// Ends whatever there is between these two endpoints (RFC 9293 3.10.5): a connection as
  /// Connection::abort() does, a half-open one with a RST to the peer, a TIME-WAIT record without a
  /// word. False: there is nothing.
  bool abort(const Endpoint& local, const Endpoint& remote);

  /// Closes every connection in order and refuses new ones; usage().connections falls to 0.
  void drain();
  /// Ends every connection that there is with a RST: some hundreds at the next poll, the others as
  /// the port takes those RSTs. Connections that come meanwhile are left alone.
  void abort_all();

 private:
  explicit Stack(std::unique_ptr<StackImpl> impl);
  std::unique_ptr<StackImpl> impl_;
};

}  // namespace tern
