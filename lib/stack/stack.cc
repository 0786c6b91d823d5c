// SPDX-License-Identifier: BSD-3-Clause
#include "tern/stack.h"

#include <algorithm>

#include "net/interface6.h"
#include "stack/config_check.h"
#include "stack/stack_impl.h"
#include "tcp/close.h"
#include "tcp/connect.h"
#include "tcp/half_open.h"
#include "tcp/timers.h"
#include "tcp/transmit.h"
#include "wire/ipv6_scope.h"

namespace tern {

using flow::AddressBook;
using tcp::Tcb;

namespace {

constexpr std::uint32_t kNotOwn = 0xffffffff;  // 255.255.255.255 is nobody's

std::optional<net::VlanPort> tagging_port(Port& port, std::uint16_t vlan) {
  if (vlan == 0) return std::nullopt;
  return std::optional<net::VlanPort>(std::in_place, port, vlan);
}

}  // namespace

StackImpl::StackImpl(const StackConfig& config, Port& port, Instant now, Steering* steering)
    : config_(config),
      port_(port),
      steering_(steering),
      keys_(config.secret),
      vlan_port_(tagging_port(port, config_.vlan)),
      bin_(sending_port()),
      egress_(sending_port(), bin_, counters_),
      book_(static_cast<std::uint32_t>(address_book_room(config_)), keys_.addresses),
      interface_(config_, egress_, counters_, keys_.neighbours, book_,
                 steering != nullptr ? steering->number() : StackNumber{}),
      engine_(config_, port.info(), keys_, book_, interface_, egress_, bin_, counters_, now,
              steering),
      ample_below_(
          engine_.send_chunks.large_in_use_below(3 * std::uint64_t{config_.tcp.send_buffer})),
      parse_context_{.mac = port.info().mac,
                     .address = config.address.address.value(),
                     .subnet_broadcast = config.address.broadcast().value(),
                     .trust_missing_checksum = port.info().trust_missing_checksum,
                     .vlan = config_.vlan} {
  if (interface_.six() == nullptr) return;
  for (const net::OwnAddresses6::Address& own : interface_.six()->own().all()) {
    book_.add_own(own.address);
    parse_context_.own6[parse_context_.own6_count++] = own.address;
  }
  follow_own6();
}

StackImpl::~StackImpl() {
  for (std::uint32_t i = 0; i < engine_.tcbs.touched(); ++i) {
    engine_.tcbs[i].receive_queue.clear(engine_.receive_buffers);
    tcp::release_reassembly(engine_, engine_.tcbs[i]);
  }
}

std::size_t StackImpl::poll(Instant now) {
  engine_.set_time(now);
  book_.collect();
  const bool link_up = port_.link_up();
  if (!announced_ && link_up) [[unlikely]]
    start_interface(now);
  std::size_t work = link_up ? receive_burst(now) : 0;
  if (steering_ != nullptr) work += hear_news(now);
  // A full burst says that more is waiting, perhaps the very ACKs that timers are about to give up
  // on: after a stall, what has arrived goes first (threats.md P7), for a bounded time.
  if (work < kBurst || ++timers_deferred_ == kMaxTimersDeferred) {
    timers_deferred_ = 0;
    work += expire_timers(now);
  }
  if (has_callbacks()) work += run_callbacks();
  watch_floods();
  work += transmit(link_up);
  if (bin_.size() > 0) give_frames_back();
  return work;
}

// Those that the next answers will take stay here.
void StackImpl::give_frames_back() {
  egress_.restock();
  bin_.flush();
}

[[gnu::noinline]] void StackImpl::start_interface(Instant now) {
  announced_ = true;
  interface_.announce(now);
  follow_own6();
}

// Which of the own IPv6 addresses packets may be for, now that another one may be used or not.
void StackImpl::follow_own6() {
  if (interface_.six() == nullptr) return;
  const net::OwnAddresses6& own = interface_.six()->own();
  parse_context_.own6_usable = own.usable_mask();
  const auto lost = static_cast<std::uint8_t>(own.duplicate_mask() & ~lost_own6_);
  if (lost == 0) return;
  lost_own6_ |= lost;
  for_each_connection([&](Tcb& c) {  // they had been opened meanwhile, and have sent nothing yet
    const std::uint32_t index = c.tuple.local_address - AddressBook::kFirstOwn;
    if (index < 8 && (lost >> index & 1) != 0 && c.state == TcpState::kSynSent)
      tcp::finish(engine_, c, CloseReason::kUnreachable);
  });
}

std::size_t StackImpl::turn_wheel() {
  const std::size_t fired =
      engine_.wheel.advance(static_cast<timer::Tick>(engine_.tick), kTimersPerPoll,
                            [this](std::uint32_t index) { tcp::on_timer_node(engine_, index); });
  if (engine_.wheel.has_backlog()) ++counters_.timers_carried_over;
  return fired;
}

std::size_t StackImpl::expire_timers(Instant now) {
  std::size_t work = 0;
  if (!engine_.wheel.is_idle_at(static_cast<timer::Tick>(engine_.tick))) work += turn_wheel();
  work += engine_.time_wait.expire(
      now, kTimersPerPoll, [this](std::uint32_t record) { tcp::leave_time_wait(engine_, record); });
  work += tcp::expire_half_open(engine_, kTimersPerPoll);
  engine_.flood_watch.expire(now);
  const std::size_t interface_work = interface_.expire(now);
  if (interface_work > 0) follow_own6();
  return work + interface_work;
}

// Everything that this poll has made ready leaves in one burst; what the port does not take stays.
std::size_t StackImpl::transmit(bool link_up) {
  const std::size_t visited = engine_.output.empty() ? 0 : tcp::transmit_all(engine_);
  const bool out_of_frames = !engine_.output.empty() && visited == 0;
  const std::size_t taken = link_up ? egress_.flush() : 0;
  if (abort_next_ != kNoIndex) [[unlikely]]
    abort_more(link_up);
  stalled_ = out_of_frames || egress_.staged() > 0;
  return visited + taken;
}

Instant StackImpl::next_deadline() const {
  if (engine_.wheel.has_backlog() || !engine_.ready.empty() || can_wake_starved())
    return engine_.now;
  Instant next = std::min({engine_.time_wait.next_deadline(), interface_.next_deadline(),
                           engine_.syn_cache.next_deadline(), engine_.flood_watch.next_deadline()});
  if (stalled_)
    next = std::min(next, engine_.now + timer::kTick);
  else if (!engine_.output.empty() || egress_.staged() > 0)  // since the last poll
    return engine_.now;
  if (const auto tick = engine_.wheel.next_deadline())
    next = std::min(next, engine_.instant_of(*tick));
  return next;
}

// What a listener's address is here: a wildcard, or one of the interface's own; else kNotOwn.
std::uint32_t StackImpl::own_address(const IpAddress& address) const {
  if (address.is_v4()) {
    const std::uint32_t v4 = address.v4().value();
    return v4 == 0 || v4 == engine_.address ? v4 : kNotOwn;
  }
  if (!config_.ip6) return kNotOwn;
  if (address.is_unspecified()) return AddressBook::kAny;
  const std::uint32_t handle = book_.find(address.v6());
  return AddressBook::is_own(handle) ? handle : kNotOwn;
}

// kNone for an IPv6 address that no state is kept of, and where IPv4 has none: no tuple has it.
std::uint32_t StackImpl::find_address(const IpAddress& address) const {
  if (!address.is_v4()) return book_.find(address.v6());
  return AddressBook::is_v6(address.v4().value()) ? AddressBook::kNone : address.v4().value();
}

Result<ListenerId> StackImpl::listen(const ListenOptions& options, ConnectionHandler& handler) {
  const std::uint32_t address = own_address(options.address);
  if (options.port == 0 || address == kNotOwn) return Errc::kInvalidArgument;
  const std::uint32_t index = engine_.listeners.acquire();
  if (index == kNoIndex) return Errc::kNoBuffers;
  if (!engine_.listener_table.insert(address, options.port, index)) {
    engine_.listeners.release(index);
    return Errc::kAddressInUse;
  }
  tcp::Listener& l = engine_.listeners[index];
  l = {.handler = &handler,
       .address = address,
       .port = options.port,
       .open = true,
       .backlog = options.backlog != 0 ? options.backlog : config_.max_half_open,
       .generation = l.generation + 1};
  return ListenerId{index, l.generation};
}

void StackImpl::stop_listening(ListenerId id) {
  if (!engine_.listeners.is_touched(id.index)) return;
  tcp::Listener& l = engine_.listeners[id.index];
  if (!l.open || l.generation != id.generation) return;
  for_each_half_open([&](std::uint32_t index) {
    if (engine_.syn_cache[index].listener == id.index) tcp::abort_half_open(engine_, index);
  });
  engine_.listener_table.erase(l.address, l.port);
  l.open = false;
  engine_.listeners.release(id.index);
}

// Tells of a flood when it begins and when it is over.
void StackImpl::watch_floods() {
  const bool active = engine_.flood_watch.active();
  if (active == flood_reported_) [[likely]]
    return;
  flood_reported_ = active;
  if (active) ++counters_.syn_floods;
  if (flood_observer_) flood_observer_(syn_flood());
}

SynFlood StackImpl::syn_flood() const {
  return {.active = engine_.flood_watch.active(),
          .since = engine_.flood_watch.since(),
          .half_open = engine_.syn_cache.size(),
          .cache_entries = engine_.syn_cache.capacity(),
          .cookies_sent = counters_.syn_cookies_sent,
          .cookies_accepted = counters_.syn_cookies_accepted,
          .cookies_rejected = counters_.syn_cookies_rejected};
}

Result<Connection> StackImpl::connect(const ConnectOptions& options, ConnectionHandler& handler) {
  const IpAddress& remote = options.remote.address;
  if (remote.is_v4() && remote.v4().is_reserved()) return Errc::kInvalidArgument;
  if (!remote.is_v4() && !config_.ip6) return Errc::kUnreachable;
  const bool choose = options.local_address.is_unspecified();
  const std::uint32_t local = choose ? 0 : own_address(options.local_address);
  if (local == kNotOwn || (!choose && options.local_address.is_v4() != remote.is_v4()))
    return Errc::kInvalidArgument;
  std::uint32_t address = remote.is_v4() ? remote.v4().value() : book_.acquire(remote.v6());
  if (address == AddressBook::kNone && !remote.is_v4()) {
    book_.collect_all();
    address = book_.acquire(remote.v6());
  }
  if (!remote.is_v4() && address == AddressBook::kNone) return Errc::kNoConnections;
  const auto index =
      tcp::connect(engine_, {local, address, options.local_port, options.remote.port}, handler);
  book_.release(address);  // the connection has its own reference
  if (!index) return index.error();
  return handle_of(*index);
}

const Counters& StackImpl::counters() {
  const PortCounters port = port_.counters();
  counters_.rx_linearised = port.rx_linearised;
  counters_.rx_split = port.rx_split;
  counters_.drop_rx_buffers = port.drop_rx_buffers;
  counters_.drop_tx_refused = port.drop_tx_refused;
  return counters_;
}

StackUsage StackImpl::usage() const {
  auto by_state = engine_.by_state;
  by_state[static_cast<std::size_t>(TcpState::kSynReceived)] += engine_.syn_cache.size();
  return {.connections = engine_.tcbs.in_use(),
          .half_open = engine_.syn_cache.size(),
          .time_wait = engine_.time_wait.size(),
          .table_entries = engine_.table.size(),
          .addresses6 = book_.in_use(),
          .timers = engine_.wheel.armed(),
          .held_frames = engine_.receive_buffers.held_frames(),
          .waiting_frames = interface_.waiting_frames(),
          .reassembling = interface_.reassembling(),
          .staged_frames = static_cast<std::uint32_t>(egress_.staged()),
          .spare_frames = static_cast<std::uint32_t>(egress_.spare()),
          .returning_frames = static_cast<std::uint32_t>(bin_.size()),
          .send_chunks = engine_.send_chunks.in_use(),
          .receive_chunks = engine_.receive_buffers.chunks_in_use(),
          .sack_senders = engine_.sack_senders.in_use(),
          .by_state = by_state};
}

std::optional<Connection> StackImpl::find(const Endpoint& local, const Endpoint& remote) {
  const flow::FourTuple4 tuple{find_address(local.address), find_address(remote.address),
                               local.port, remote.port};
  const std::uint32_t index =
      tcp::find(engine_, flow::table_hash(engine_.keys.table, tuple), tuple);
  if (index == kNoIndex || !tcp::names_tcb(index)) return std::nullopt;
  return handle_of(index);
}

bool StackImpl::abort(const Endpoint& local, const Endpoint& remote) {
  const flow::FourTuple4 tuple{find_address(local.address), find_address(remote.address),
                               local.port, remote.port};
  const std::uint32_t hash = flow::table_hash(engine_.keys.table, tuple);
  const std::uint32_t entry = tcp::find(engine_, hash, tuple);
  if (entry == kNoIndex) return false;
  if (tcp::names_tcb(entry)) {
    handle_of(entry).abort();
  } else if ((entry & tcp::kHalfOpenBit) != 0) {
    tcp::abort_half_open(engine_, entry & ~tcp::kHalfOpenBit);
  } else {
    tcp::leave_time_wait(engine_, entry & ~tcp::kTimeWaitBit);
    engine_.time_wait.remove(entry & ~tcp::kTimeWaitBit);
  }
  return true;
}

StackUsage& StackUsage::operator+=(const StackUsage& other) {
  for (const auto member :
       {&StackUsage::connections, &StackUsage::time_wait, &StackUsage::table_entries,
        &StackUsage::addresses6, &StackUsage::timers, &StackUsage::held_frames,
        &StackUsage::waiting_frames, &StackUsage::reassembling, &StackUsage::staged_frames,
        &StackUsage::spare_frames, &StackUsage::returning_frames, &StackUsage::send_chunks,
        &StackUsage::receive_chunks, &StackUsage::sack_senders})
    this->*member += other.*member;
  for (std::size_t i = 0; i < by_state.size(); ++i) by_state[i] += other.by_state[i];
  return *this;
}

void StackImpl::drain() {
  engine_.draining = true;
  for (std::uint32_t i = 0; i < engine_.listeners.touched(); ++i)
    if (engine_.listeners[i].open) stop_listening({i, engine_.listeners[i].generation});
  for_each_connection([this](Tcb& c) {
    if (c.state == TcpState::kSynSent || c.state == TcpState::kSynReceived)
      tcp::abort_connection(engine_, c);
    else
      tcp::shutdown_send(engine_, c);
  });
}

void StackImpl::abort_all() {
  for_each_half_open([this](std::uint32_t index) { tcp::abort_half_open(engine_, index); });
  if (abort_next_ != kNoIndex)  // those that have come since the last call, too
    for_each_connection([this](Tcb& c) { c.abort_round = engine_.abort_round; });
  engine_.abort_round = !engine_.abort_round;
  abort_next_ = 0;
  abort_more(port_.link_up());
}

// A RST is sent once, so no more of them at a time than the way out has room for; without a link
// they go nowhere.
[[gnu::noinline]] void StackImpl::abort_more(bool link_up) {
  const std::size_t room = link_up ? net::Egress::kStageLimit / 2 : net::Egress::kCapacity;
  for (; abort_next_ < engine_.tcbs.touched(); ++abort_next_) {
    if (egress_.staged() >= room) return;
    Tcb& c = engine_.tcbs[abort_next_];
    if (c.handler != nullptr && c.abort_round != engine_.abort_round)
      tcp::abort_connection(engine_, c);
  }
  abort_next_ = kNoIndex;
}

absl::StatusOr<std::unique_ptr<Stack>> Stack::create(const StackConfig& config, Port& port,
                                                     Instant now, Steering* steering) {
  const StackConfig complete = with_derived_sizes(config);
  if (absl::Status status = check_config(complete, port.info()); !status.ok()) return status;
  return std::unique_ptr<Stack>(
      new Stack(std::make_unique<StackImpl>(complete, port, now, steering)));
}

Stack::Stack(std::unique_ptr<StackImpl> impl) : impl_(std::move(impl)) {}
Stack::~Stack() = default;

Result<ListenerId> Stack::listen(const ListenOptions& options, ConnectionHandler& handler) {
  return impl_->listen(options, handler);
}
void Stack::stop_listening(ListenerId listener) { impl_->stop_listening(listener); }
Result<Connection> Stack::connect(const ConnectOptions& options, ConnectionHandler& handler) {
  return impl_->connect(options, handler);
}
std::size_t Stack::poll(Instant now) { return impl_->poll(now); }
Instant Stack::next_deadline() const { return impl_->next_deadline(); }
const Counters& Stack::counters() const { return impl_->counters(); }
const StackConfig& Stack::config() const { return impl_->config(); }
StackUsage Stack::usage() const { return impl_->usage(); }
SynFlood Stack::syn_flood() const { return impl_->syn_flood(); }
void Stack::on_syn_flood(std::function<void(const SynFlood&)> observer) {
  impl_->on_syn_flood(std::move(observer));
}
std::uint64_t Stack::list(std::uint64_t cursor, std::size_t limit,
                          std::vector<ConnectionInfo>& out) const {
  return impl_->list(cursor, limit, out);
}
void Stack::list_neighbours(std::vector<NeighbourInfo>& out) const { impl_->list_neighbours(out); }
std::optional<Connection> Stack::find(const Endpoint& local, const Endpoint& remote) {
  return impl_->find(local, remote);
}
bool Stack::abort(const Endpoint& local, const Endpoint& remote) {
  return impl_->abort(local, remote);
}
void Stack::drain() { impl_->drain(); }
void Stack::abort_all() { impl_->abort_all(); }

}  // namespace tern
