// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <optional>
#include <span>

#include "base/frame_bin.h"
#include "flow/address_book.h"
#include "net/egress.h"
#include "net/icmp_error.h"
#include "net/interface.h"
#include "net/vlan_port.h"
#include "tcp/engine.h"
#include "tern/stack.h"
#include "wire/parse.h"

namespace tern {

/// What Stack and Connection are made of: the port, the layers, and the loop that turns them. One
/// thread, like all of them.
class StackImpl {
 public:
  /// `config` is valid, with every derived size filled in.
  StackImpl(const StackConfig& config, Port& port, Instant now, Steering* steering);
  ~StackImpl();
  StackImpl(const StackImpl&) = delete;
  StackImpl& operator=(const StackImpl&) = delete;

  // The loop (stack.cc).
  std::size_t poll(Instant now);
  Instant next_deadline() const;

  // Stack's calls (stack.cc).
  Result<ListenerId> listen(const ListenOptions& options, ConnectionHandler& handler);
  void stop_listening(ListenerId id);
  Result<Connection> connect(const ConnectOptions& options, ConnectionHandler& handler);
  StackUsage usage() const;
  SynFlood syn_flood() const;
  void on_syn_flood(std::function<void(const SynFlood&)> observer) {
    flood_observer_ = std::move(observer);
  }
  std::uint64_t list(std::uint64_t cursor, std::size_t limit,
                     std::vector<ConnectionInfo>& out) const;
  void list_neighbours(std::vector<NeighbourInfo>& out) const {
    interface_.list_neighbours(engine_.now, out);
  }
  std::optional<Connection> find(const Endpoint& local, const Endpoint& remote);
  bool abort(const Endpoint& local, const Endpoint& remote);
  void drain();
  void abort_all();
  void abort_more(bool link_up);

  // Connection's calls (connection.cc). nullptr: the handle is stale.
  tcp::Tcb* find(const Connection& connection);
  std::optional<RxChunk> receive(const Connection& connection, std::size_t at_most);
  std::optional<RxChunk> receive_to_forward(const Connection& connection);
  Errc forward(const Connection& connection, RxChunk& chunk, SendFlags flags);
  Result<TxChunk> reserve(const Connection& connection, std::size_t bytes);
  Errc send(const Connection& connection, const TxChunk& chunk, SendFlags flags);
  Result<std::size_t> write(const Connection& connection, std::span<const std::byte> bytes,
                            SendFlags flags);
  std::size_t send_space(const tcp::Tcb& c) const;
  /// What the connection's own send buffer has room for.
  std::uint32_t queue_room(const tcp::Tcb& c) const;
  ConnectionInfo info(const tcp::Tcb& c) const;  // socket_list.cc
  void return_chunk(RxChunk& chunk);

  Endpoint endpoint(std::uint32_t address, std::uint16_t port) const {
    return book_.endpoint(address, port);
  }

  tcp::Engine& engine() { return engine_; }
  const StackConfig& config() const { return config_; }
  /// With the port's, as they are now.
  const Counters& counters();

 private:
  static constexpr std::size_t kBurst = 32;           // frames taken from the port per poll
  static constexpr std::size_t kLookUpBehind = 4;     // frames, after parsing
  static constexpr std::size_t kSendChunksAhead = 4;  // frames
  static constexpr std::size_t kNewsPerPoll = 16;     // of neighbours, from other stacks
  static constexpr unsigned kMaxTimersDeferred = 16;  // polls in a row
  static constexpr std::size_t kTimersPerPoll =
      256;  // expired timers per poll; the wheel carries the rest over

  // rx_pipeline.cc: what is known of each frame of a burst between the passes.
  struct Slot {
    wire::ParsedFrame parsed;
    std::uint32_t hash = 0;
    tcp::Tcb* candidate = nullptr;  // a guess; of nobody maybe
    /// Of a segment.
    flow::FourTuple4 tuple() const {
      const wire::TcpSegment& s = parsed.segment;
      return {s.destination_address, s.source_address, s.destination_port, s.source_port};
    }
  };
  std::size_t receive_burst(Instant now) {
    const std::size_t count = port_.receive(frames_);
    if (count > 0) make_passes(count, now);
    return count;
  }
  [[gnu::noinline]] void make_passes(std::size_t count, Instant now);
  Slot& slot_of(std::size_t frame) { return slots_[1 + frame]; }
  void parse(Slot& slot, const Slot& before, const Frame& frame);
  void look_up(Slot& slot, const Slot& before);
  void prefetch_send_chunk(const Slot& slot) const;
  void process_burst(std::size_t count, Instant now);
  [[gnu::noinline]] void process_telling_drops(std::size_t count, Instant now);
  [[gnu::noinline]] void process_frame(Slot& slot, Frame& frame, Instant now);
  static bool candidate_holds(const Slot& slot, const Frame& frame);
  void name_addresses(Slot& slot) const;
  static void forget_flow(Slot& slot);
  std::uint32_t find_entry(Slot& slot);
  [[gnu::noinline]] tcp::Tcb* find_connection(Slot& slot, Frame& frame);
  void recognise_stranger(Slot& slot);
  Flow flow_of(const flow::FourTuple4& tuple) const;
  bool can_be_ours(const net::IcmpError& error) const;
  void process_segment(Slot& slot, Frame& frame);
  [[gnu::noinline]] void process_unpredicted(tcp::Tcb& c, Slot& slot, Frame& frame);
  void receive_unknown(const Slot& slot, tcp::Arrival& arrival);
  void claim(const flow::FourTuple4& tuple);
  bool receive_icmp(const wire::ParsedFrame& frame, const Frame& buffer, Instant now);
  bool receive_icmp6(const wire::ParsedFrame& frame, const Frame& buffer, Instant now);
  bool receive_icmp_error(const net::IcmpError& error, const Frame& buffer);
  [[gnu::noinline]] void receive_fragment(Slot& slot, Frame& frame, Instant now);
  Placement place_fragment(const wire::ParsedFrame& parsed, const Frame& frame, Instant now);
  Frame whole_frame() const;
  void process_whole(Slot& slot, Frame& frame, Instant now);
  Placement place(const Frame& frame, const flow::FourTuple4& tuple);
  Placement place_whole(const Flow& flow);
  void receive_problem6(const wire::ParsedFrame& frame, const Frame& buffer, Instant now);
  void receive_arp(const wire::ParsedFrame& frame, Instant now);
  std::size_t hear_news(Instant now);
  void receive_without_tcb(std::uint32_t entry, const Slot& slot, tcp::Arrival& arrival);
  void tell_of_drop(std::size_t index, Counters& before);

  // stack.cc
  Port& sending_port() { return vlan_port_ ? static_cast<Port&>(*vlan_port_) : port_; }
  std::uint32_t own_address(const IpAddress& address) const;
  std::uint32_t find_address(const IpAddress& address) const;
  void start_interface(Instant now);
  void follow_own6();
  std::size_t expire_timers(Instant now);
  [[gnu::noinline]] std::size_t turn_wheel();
  std::size_t transmit(bool link_up);
  [[gnu::noinline]] void give_frames_back();
  void watch_floods();
  template <class F>
  void for_each_half_open(F&& f) {
    for (std::uint32_t i = 0; i < engine_.syn_cache.touched(); ++i)
      if (engine_.syn_cache.is_in_use(i)) f(i);
  }
  template <class F>
  void for_each_connection(F&& f) {
    for (std::uint32_t i = 0; i < engine_.tcbs.touched(); ++i)
      if (tcp::Tcb& c = engine_.tcbs[i]; c.handler != nullptr) f(c);
  }

  // events.cc
  bool has_callbacks() const { return !engine_.ready.empty() || !engine_.starved.empty(); }
  [[gnu::noinline]] std::size_t run_callbacks();
  bool can_wake_starved() const;
  void wake_starved();
  void deliver(std::uint32_t index);
  [[gnu::noinline]] void deliver_later_events(std::uint32_t index);
  void deliver_urgent(std::uint32_t index);
  void deliver_soft_error(std::uint32_t index);
  void deliver_end(std::uint32_t index);
  Connection handle_of(std::uint32_t index) {
    return Connection(this, index, engine_.tcbs[index].generation);
  }

  // connection.cc
  std::size_t room_for_text(const tcp::Tcb& c) const;  // send_space() of one that may send
  template <class Fits>
  std::optional<RxChunk> receive_if(const Connection& connection, Fits fits);
  bool has_room_for(const tcp::Tcb& c, std::size_t bytes) const;
  void take_back(RxChunk& chunk, tcp::Tcb* c);
  Errc check_sendable(const tcp::Tcb* c) const;
  void after_send(tcp::Tcb& c, SendFlags flags);
  Errc refuse_send(tcp::Tcb& c, Errc error);

  const StackConfig config_;
  Counters counters_;
  Port& port_;
  Steering* const steering_;  // nullptr: no other stack has this address
  const tcp::Keys keys_;
  std::optional<net::VlanPort> vlan_port_;  // in front of port_, where frames to be sent come from
  FrameBin bin_;
  net::Egress egress_;
  flow::AddressBook book_;
  net::Interface interface_;
  tcp::Engine engine_;
  const std::uint32_t
      ample_below_;  // large send chunks in use: half of any share is a whole buffer
  wire::ParseContext parse_context_;
  std::span<std::byte> whole_;  // the Ethernet frame of the reassembled datagram that is being
                                // processed; empty: what is processed lies in its own frame
  bool announced_ = false;
  std::uint8_t lost_own6_ = 0;  // bit i: the i-th own IPv6 address has been found to be another's
  std::function<void(const SynFlood&)> flood_observer_;
  bool flood_reported_ = false;
  unsigned timers_deferred_ = 0;  // polls since timers were last looked at
  bool stalled_ = false;          // output waits for the port: for frames, or for room in its ring
  std::uint32_t abort_next_ = kNoIndex;  // the first connection that abort_all() has still to end
  std::array<Frame, kBurst> frames_;
  std::array<Slot, 1 + kBurst> slots_;  // the first is nobody's, and stands before frames_[0]'s
};

}  // namespace tern
