// SPDX-License-Identifier: BSD-3-Clause
#include "net/neighbour_table.h"

#include <algorithm>

#include "base/assert.h"
#include "wire/ethernet.h"

namespace tern {

std::string_view to_string(NeighbourState state) {
  switch (state) {
    case NeighbourState::kIdle:
      return "IDLE";
    case NeighbourState::kResolving:
      return "RESOLVING";
    case NeighbourState::kReachable:
      return "REACHABLE";
    case NeighbourState::kVerifying:
      return "VERIFYING";
    case NeighbourState::kFailed:
      return "FAILED";
  }
  return "?";
}

}  // namespace tern

namespace tern::net {
namespace {

// At most a quarter of the port's frames wait, where it says how many it has.
std::uint32_t waiting_limit(const PortInfo& port) {
  const std::uint32_t most = NeighbourTable::kMaxWaiting;
  return port.tx_frames == 0 ? most : std::clamp(port.tx_frames / 4, 1U, most);
}

}  // namespace

NeighbourTable::NeighbourTable(std::uint32_t max_neighbours, std::uint32_t gateway, ArpSender& arp,
                               Egress& egress, Counters& counters, const SipKey& key)
    : gateway_(gateway),
      max_waiting_(waiting_limit(egress.port_info())),
      arp_(arp),
      egress_(egress),
      counters_(counters),
      pool_(max_neighbours + (gateway != 0 ? 1 : 0)),
      index_(pool_.capacity(), key) {
  if (gateway_ != 0) insert(gateway_, false);
}

NeighbourTable::~NeighbourTable() {
  for (std::uint32_t i = 0; i < pool_.touched(); ++i) drop_waiting(i);
}

LinkState NeighbourTable::look_up(std::uint32_t address, MacAddress& mac, Instant now) {
  const std::uint32_t index = use(address, now);
  if (index == kNoIndex) return LinkState::kUnresolved;
  const Entry& entry = pool_[index];
  if (entry.state == NeighbourState::kFailed) return LinkState::kFailed;
  if (entry.state == NeighbourState::kResolving) return LinkState::kUnresolved;
  mac = entry.mac;
  return LinkState::kReady;
}

void NeighbourTable::send(const Frame& frame, std::uint32_t address, Instant now) {
  const std::uint32_t index = use(address, now);
  if (index == kNoIndex) {
    ++counters_.drop_neighbour_table;
    return egress_.discard(frame);
  }
  switch (pool_[index].state) {
    case NeighbourState::kReachable:
    case NeighbourState::kVerifying:
      return transmit(frame, pool_[index].mac);
    case NeighbourState::kIdle:  // use() has just left it
    case NeighbourState::kResolving:
      return enqueue(index, frame);
    case NeighbourState::kFailed:
      ++counters_.drop_neighbour_unresolved;
      return egress_.discard(frame);
  }
}

bool NeighbourTable::merge(std::uint32_t address, const MacAddress& mac, Instant now) {
  const std::uint32_t index = index_.find(address);
  // An idle gateway has not been asked for: a claim to be it would be believed unsolicited.
  if (index == kNoIndex || pool_[index].state == NeighbourState::kIdle) return false;
  confirm(index, mac, now);
  return true;
}

void NeighbourTable::learn(std::uint32_t address, const MacAddress& mac, Instant now) {
  std::uint32_t index = index_.find(address);
  if (index == kNoIndex) index = insert(address, false);
  if (index != kNoIndex) confirm(index, mac, now);
}

std::size_t NeighbourTable::expire(Instant now) {
  std::size_t handled = 0;
  for (IndexList* list : {&second_timers_, &reachable_timers_}) {
    while (handled < kMaxPerExpire) {
      const std::uint32_t index = list->front();
      if (index == kNoIndex || pool_[index].deadline > now) break;
      on_deadline(index, now);
      ++handled;
    }
  }
  return handled;
}

Instant NeighbourTable::next_deadline() const {
  Instant next = kNever;
  for (const IndexList* list : {&second_timers_, &reachable_timers_})
    if (list->front() != kNoIndex) next = std::min(next, pool_[list->front()].deadline);
  return next;
}

void NeighbourTable::list(Instant now, std::vector<NeighbourInfo>& out) const {
  for (std::uint32_t i = 0; i < pool_.touched(); ++i) {
    const Entry& entry = pool_[i];
    if (entry.address == 0) continue;
    const Duration age =
        entry.state == NeighbourState::kIdle ? Duration::zero() : now - entry.since;
    out.push_back({Ipv4Address(entry.address), entry.mac, entry.state, age, is_gateway(entry),
                   entry.waiting_count});
  }
}

// --- Entries -------------------------------------------------------------------------------------

// The entry that a packet to `address` needs, marked as used; kNoIndex when the table is full.
std::uint32_t NeighbourTable::use(std::uint32_t address, Instant now) {
  std::uint32_t index = index_.find(address);
  if (index == kNoIndex) index = insert(address, true);
  if (index == kNoIndex) return kNoIndex;
  Entry& entry = pool_[index];
  entry.used = entry.ever_used = true;
  set_age(index);
  const bool held_down = entry.state == NeighbourState::kFailed && now < entry.deadline;
  if (entry.state == NeighbourState::kIdle ||
      (entry.state == NeighbourState::kFailed && !held_down))
    begin_resolution(index, now);
  return index;
}

std::uint32_t NeighbourTable::insert(std::uint32_t address, bool displace_used) {
  if (pool_.available() == 0 && !make_room(displace_used)) return kNoIndex;
  const std::uint32_t index = pool_.acquire();
  pool_[index] = Entry{};
  pool_[index].address = address;
  index_.insert(address, index);
  set_age(index);
  return index;
}

bool NeighbourTable::make_room(bool displace_used) {
  std::uint32_t victim = unused_.front();
  if (victim == kNoIndex && displace_used) victim = used_.front();
  if (victim == kNoIndex) return false;
  remove(victim);
  return true;
}

// Forgets an entry. The gateway's stays in the table, idle, so that there is always room for it.
void NeighbourTable::remove(std::uint32_t index) {
  Entry& entry = pool_[index];
  TERN_ASSERT(entry.waiting_count == 0);
  answer_changed(entry);
  set_timer(index, nullptr, kNever);
  if (is_gateway(entry)) {
    entry.mac = {};
    entry.state = NeighbourState::kIdle;
    return;
  }
  if (entry.age_list != nullptr) entry.age_list->remove(age_links(), index);
  index_.erase(entry.address);
  entry.address = 0;
  pool_.release(index);
}

// --- The state machine ---------------------------------------------------------------------------

void NeighbourTable::begin_resolution(std::uint32_t index, Instant now) {
  Entry& entry = pool_[index];
  if (entry.state == NeighbourState::kFailed) answer_changed(entry);
  entry.state = NeighbourState::kResolving;
  entry.tries = 0;
  entry.since = now;
  ask(index, now);
}

void NeighbourTable::ask(std::uint32_t index, Instant now) {
  Entry& entry = pool_[index];
  ++entry.tries;
  if (entry.state == NeighbourState::kVerifying) {
    arp_.request(entry.address, entry.mac);
  } else {
    arp_.request(entry.address);
  }
  set_timer(index, &second_timers_, now + kRetryInterval);
}

// Any word from a neighbour refreshes its entry (RFC 1122 2.3.2.1).
void NeighbourTable::confirm(std::uint32_t index, const MacAddress& mac, Instant now) {
  Entry& entry = pool_[index];
  // Users remember the header and only come back when the generation changes. So verifying changes
  // it too: those who still send come and mark the entry as used before the next verification.
  const bool was_settled = entry.state == NeighbourState::kReachable;
  if (!was_settled || entry.mac != mac) answer_changed(entry);
  if (!was_settled) entry.used = entry.waiting_count > 0;
  entry.mac = mac;
  entry.state = NeighbourState::kReachable;
  entry.since = now;
  set_timer(index, &reachable_timers_, now + kReachableTime);
  send_waiting(index);
}

void NeighbourTable::fail(std::uint32_t index, Instant now) {
  Entry& entry = pool_[index];
  answer_changed(entry);
  entry.state = NeighbourState::kFailed;
  set_timer(index, &second_timers_, now + kHoldDown);
  counters_.drop_neighbour_unresolved += drop_waiting(index);
}

void NeighbourTable::on_deadline(std::uint32_t index, Instant now) {
  Entry& entry = pool_[index];
  TERN_ASSERT(entry.state != NeighbourState::kIdle);
  switch (entry.state) {
    case NeighbourState::kReachable:
      if (!entry.used && !is_gateway(entry)) return remove(index);
      entry.state = NeighbourState::kVerifying;
      entry.tries = 0;
      return ask(index, now);
    case NeighbourState::kVerifying:
      return entry.tries < kMaxTries ? ask(index, now) : remove(index);
    case NeighbourState::kResolving:
      return entry.tries < kMaxTries ? ask(index, now) : fail(index, now);
    case NeighbourState::kFailed:
      return remove(index);
    case NeighbourState::kIdle:  // has no timer
      break;
  }
}

// --- Waiting frames ------------------------------------------------------------------------------

void NeighbourTable::enqueue(std::uint32_t index, const Frame& frame) {
  Entry& entry = pool_[index];
  const bool full = entry.waiting_count == kMaxWaitingPerEntry ||
                    (waiting_frames_ >= max_waiting_ && !is_gateway(entry));
  if (full) ++counters_.drop_neighbour_queue;
  if (full && entry.waiting_count == 0) return egress_.discard(frame);
  if (full) {
    egress_.discard(entry.waiting[0]);
    std::move(entry.waiting.begin() + 1, entry.waiting.begin() + entry.waiting_count,
              entry.waiting.begin());
    --entry.waiting_count;
    --waiting_frames_;
  }
  entry.waiting[entry.waiting_count++] = frame;
  ++waiting_frames_;
  set_age(index);
}

void NeighbourTable::send_waiting(std::uint32_t index) {
  Entry& entry = pool_[index];
  if (entry.waiting_count == 0) return;
  for (unsigned i = 0; i < entry.waiting_count; ++i) transmit(entry.waiting[i], entry.mac);
  waiting_frames_ -= entry.waiting_count;
  entry.waiting_count = 0;
  set_age(index);
}

std::uint32_t NeighbourTable::drop_waiting(std::uint32_t index) {
  Entry& entry = pool_[index];
  const std::uint32_t dropped = entry.waiting_count;
  if (dropped == 0) return 0;
  for (unsigned i = 0; i < dropped; ++i) egress_.discard(entry.waiting[i]);
  waiting_frames_ -= dropped;
  entry.waiting_count = 0;
  set_age(index);
  return dropped;
}

void NeighbourTable::transmit(const Frame& frame, const MacAddress& mac) {
  wire::write_ethernet(frame.data, {mac, arp_.own_mac(), wire::ether_type::kIpv4});
  egress_.send(frame);
}

// --- Lists ---------------------------------------------------------------------------------------

void NeighbourTable::set_timer(std::uint32_t index, IndexList* list, Instant deadline) {
  Entry& entry = pool_[index];
  if (entry.timer_list != nullptr) entry.timer_list->remove(timer_links(), index);
  entry.timer_list = list;
  entry.deadline = deadline;
  if (list != nullptr) list->push_back(timer_links(), index);
}

// Puts an entry at the young end of the list that it belongs in.
void NeighbourTable::set_age(std::uint32_t index) {
  Entry& entry = pool_[index];
  if (entry.age_list != nullptr) entry.age_list->remove(age_links(), index);
  const bool pinned = entry.waiting_count > 0 || is_gateway(entry);
  entry.age_list = pinned ? nullptr : entry.ever_used ? &used_ : &unused_;
  if (entry.age_list != nullptr) entry.age_list->push_back(age_links(), index);
}

// An entry that nobody has asked for has given no answer: a flood of those that ARP packets make
// does not send TCP back to the table.
void NeighbourTable::answer_changed(const Entry& entry) {
  if (!entry.ever_used) return;
  if (++generation_ == 0) generation_ = 1;
}

}  // namespace tern::net
