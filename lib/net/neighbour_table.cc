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
    case NeighbourState::kStale:
      return "STALE";
    case NeighbourState::kDelay:
      return "DELAY";
  }
  return "?";
}

}  // namespace tern

namespace tern::net {
namespace {

// At most a quarter of the port's frames wait, where it says how many it has.
std::uint32_t waiting_limit(const PortInfo& port, std::uint32_t most) {
  return port.tx_frames == 0 ? most : std::clamp(port.tx_frames / 4, 1U, most);
}

}  // namespace

NeighbourTable::NeighbourTable(std::uint32_t max_neighbours, const NeighbourPolicy& policy,
                               NeighbourAsker& asker, Egress& egress, Counters& counters,
                               const SipKey& key, Generation& generation)
    : policy_(policy),
      max_waiting_(waiting_limit(egress.port_info(), policy.max_waiting)),
      reachable_time_(policy.reachable_time),
      asker_(asker),
      egress_(egress),
      counters_(counters),
      pool_(max_neighbours + kMaxPinned),
      index_(pool_.capacity(), key),
      max_unpinned_(max_neighbours),
      generation_(generation) {}

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
  send_by(index, frame);
}

void NeighbourTable::answer(const Frame& frame, std::uint32_t address, Instant now) {
  std::uint32_t index = index_.find(address);
  if (index == kNoIndex && answer_resolutions_.take(now)) index = insert(address, false);
  if (index == kNoIndex) {
    ++counters_.drop_neighbour_table;
    return egress_.discard(frame);
  }
  wake(index, now);
  send_by(index, frame);
}

// By what is known of the way to an entry that use() or wake() has just seen to.
void NeighbourTable::send_by(std::uint32_t index, const Frame& frame) {
  switch (pool_[index].state) {
    case NeighbourState::kReachable:
    case NeighbourState::kStale:
    case NeighbourState::kDelay:
    case NeighbourState::kVerifying:
      return transmit(frame, pool_[index].mac);
    case NeighbourState::kIdle:  // has just been left
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

// An unsolicited word proves nothing of the way there, so it is stale; and unless it says that it
// overrides what was known, it only casts doubt on that (RFC 4861 7.2.5, appendix C).
bool NeighbourTable::take_advertisement(std::uint32_t address, const NeighbourClaim& claim,
                                        Instant now) {
  const std::uint32_t index = index_.find(address);
  if (index == kNoIndex || pool_[index].state == NeighbourState::kIdle) return false;
  const Entry& entry = pool_[index];
  const bool unknown =
      entry.state == NeighbourState::kResolving || entry.state == NeighbourState::kFailed;
  if (unknown && !claim.mac) return false;
  const bool differs = !unknown && claim.mac && *claim.mac != entry.mac;
  if (differs && !claim.overrides) {
    if (entry.state == NeighbourState::kReachable) make_stale(index, entry.mac, now);
    return false;
  }
  const MacAddress mac = claim.mac.value_or(entry.mac);
  if (claim.solicited)
    confirm(index, mac, now);
  else if (unknown || differs)
    make_stale(index, mac, now);
  return true;
}

void NeighbourTable::note(std::uint32_t address, const MacAddress& mac, Instant now) {
  std::uint32_t index = index_.find(address);
  if (index == kNoIndex) index = insert(address, false);
  if (index == kNoIndex) return;
  const Entry& entry = pool_[index];
  if (entry.mac != mac || entry.state == NeighbourState::kIdle ||
      entry.state == NeighbourState::kResolving || entry.state == NeighbourState::kFailed)
    make_stale(index, mac, now);
}

void NeighbourTable::doubt(std::uint32_t address, Instant now) {
  const std::uint32_t index = index_.find(address);
  if (index == kNoIndex) return;
  const NeighbourState state = pool_[index].state;
  if (state == NeighbourState::kReachable || state == NeighbourState::kStale ||
      state == NeighbourState::kDelay)
    verify(index, now);
}

bool NeighbourTable::pin(std::uint32_t address) {
  std::uint32_t index = index_.find(address);
  if (index != kNoIndex && pool_[index].pinned) return true;
  TERN_ASSERT(pinned_ < kMaxPinned);
  ++pinned_;  // which makes room for it
  if (index == kNoIndex) index = insert(address, true);
  if (index == kNoIndex) {
    --pinned_;
    return false;
  }
  pool_[index].pinned = true;
  set_age(index);
  return true;
}

void NeighbourTable::unpin(std::uint32_t address) {
  const std::uint32_t index = index_.find(address);
  if (index == kNoIndex || !pool_[index].pinned) return;
  --pinned_;
  counters_.drop_neighbour_unresolved += drop_waiting(index);  // beyond the others' limit
  pool_[index].pinned = false;
  set_age(index);
  if (pool_[index].state == NeighbourState::kIdle) remove(index);
}

bool NeighbourTable::is_known(std::uint32_t address) const {
  const std::uint32_t index = index_.find(address);
  if (index == kNoIndex) return false;
  const NeighbourState state = pool_[index].state;
  return state != NeighbourState::kIdle && state != NeighbourState::kResolving &&
         state != NeighbourState::kFailed;
}

bool NeighbourTable::has_failed(std::uint32_t address) const {
  const std::uint32_t index = index_.find(address);
  return index != kNoIndex && pool_[index].state == NeighbourState::kFailed;
}

void NeighbourTable::set_times(Duration reachable_time, Duration retry_interval) {
  if (reachable_time > Duration::zero()) reachable_time_ = reachable_time;
  if (retry_interval > Duration::zero()) retry_interval_ = retry_interval;
}

std::size_t NeighbourTable::expire_due(Instant now) {
  std::size_t handled = 0;
  for (IndexList* list : {&second_timers_, &reachable_timers_, &delay_timers_}) {
    while (handled < kMaxPerExpire) {
      const std::uint32_t index = list->front();
      if (index == kNoIndex || pool_[index].deadline > now) break;
      on_deadline(index, now);
      ++handled;
    }
  }
  earliest_ = next_deadline();
  return handled;
}

Instant NeighbourTable::next_deadline() const {
  Instant next = kNever;
  for (const IndexList* list : {&second_timers_, &reachable_timers_, &delay_timers_})
    if (list->front() != kNoIndex) next = std::min(next, pool_[list->front()].deadline);
  return next;
}

void NeighbourTable::list(Instant now, std::vector<NeighbourInfo>& out) const {
  for (std::uint32_t i = 0; i < pool_.touched(); ++i) {
    const Entry& entry = pool_[i];
    if (entry.address == 0) continue;
    const Duration age =
        entry.state == NeighbourState::kIdle ? Duration::zero() : now - entry.since;
    out.push_back({asker_.address_of(entry.address), entry.mac, entry.state, age, entry.pinned,
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
  wake(index, now);
  return index;
}

// A packet goes there: has it asked for, if it is neither known nor held down.
void NeighbourTable::wake(std::uint32_t index, Instant now) {
  Entry& entry = pool_[index];
  const bool held_down = entry.state == NeighbourState::kFailed && now < entry.deadline;
  if (entry.state == NeighbourState::kIdle ||
      (entry.state == NeighbourState::kFailed && !held_down))
    begin_resolution(index, now);
  if (entry.state == NeighbourState::kStale)
    policy_.uses_delay ? begin_delay(index, now) : verify(index, now);
}

std::uint32_t NeighbourTable::insert(std::uint32_t address, bool displace_used) {
  const bool full = pool_.in_use() >= max_unpinned_ + pinned_;
  if (full && !make_room(displace_used)) return kNoIndex;
  const std::uint32_t index = pool_.acquire();
  if (index == kNoIndex) return kNoIndex;  // of formerly pinned entries
  pool_[index] = Entry{};
  pool_[index].address = address;
  asker_.keep(address);
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

// Forgets an entry. A pinned one stays in the table, idle, so that there is always room for it.
void NeighbourTable::remove(std::uint32_t index) {
  Entry& entry = pool_[index];
  counters_.drop_neighbour_queue += drop_waiting(index);
  answer_changed(entry);
  set_timer(index, nullptr, kNever);
  if (entry.pinned) {
    entry.mac = {};
    entry.state = NeighbourState::kIdle;
    return;
  }
  if (entry.age_list != nullptr) entry.age_list->remove(age_links(), index);
  index_.erase(entry.address);
  asker_.forget(entry.address);
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

Asked NeighbourTable::request(const Entry& entry) {
  return entry.state == NeighbourState::kVerifying ? asker_.request(entry.address, entry.mac)
                                                   : asker_.request(entry.address);
}

void NeighbourTable::ask(std::uint32_t index, Instant now) {
  Entry& entry = pool_[index];
  Asked asked = request(entry);
  if (asked == Asked::kNoFrame && entry.waiting_count > 0) {
    // What waits may hold every frame that there is, and then would do so for ever.
    counters_.drop_neighbour_queue += drop_waiting(index);
    asked = request(entry);
  }
  if (asked != Asked::kNoAddress) ++entry.tries;
  set_timer(index, &second_timers_, now + retry_interval_);
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
  set_timer(index, &reachable_timers_, now + reachable_time_);
  send_waiting(index);
}

// RFC 4861 7.3.3: nothing is sent until somebody uses it; those who remember its header are called.
void NeighbourTable::make_stale(std::uint32_t index, const MacAddress& mac, Instant now) {
  Entry& entry = pool_[index];
  answer_changed(entry);
  entry.mac = mac;
  entry.state = NeighbourState::kStale;
  entry.since = now;
  set_timer(index, nullptr, kNever);
  if (entry.waiting_count == 0) return;
  send_waiting(index);
  wake(index, now);
}

// Time for those above to hear from the neighbour by themselves.
void NeighbourTable::begin_delay(std::uint32_t index, Instant now) {
  pool_[index].state = NeighbourState::kDelay;
  set_timer(index, &delay_timers_, now + kDelayFirstProbe);
}

void NeighbourTable::verify(std::uint32_t index, Instant now) {
  pool_[index].state = NeighbourState::kVerifying;
  pool_[index].tries = 0;
  ask(index, now);
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
  TERN_ASSERT(entry.state != NeighbourState::kIdle && entry.state != NeighbourState::kStale);
  switch (entry.state) {
    case NeighbourState::kReachable:
      if (!policy_.uses_delay && (entry.used || entry.pinned)) return verify(index, now);
      if (!policy_.uses_delay && !entry.ever_used) return remove(index);
      return make_stale(index, entry.mac, entry.since);
    case NeighbourState::kDelay:
      return verify(index, now);
    case NeighbourState::kVerifying:
      return entry.tries < kMaxTries ? ask(index, now) : remove(index);
    case NeighbourState::kResolving:
      return entry.tries < kMaxTries ? ask(index, now) : fail(index, now);
    case NeighbourState::kFailed:
      return remove(index);
    case NeighbourState::kIdle:  // have no timer
    case NeighbourState::kStale:
      break;
  }
}

// --- Waiting frames ------------------------------------------------------------------------------

void NeighbourTable::enqueue(std::uint32_t index, const Frame& frame) {
  Entry& entry = pool_[index];
  const std::uint32_t room = entry.ever_used ? max_waiting_ : max_waiting_ / 2;
  const bool full =
      entry.waiting_count == kMaxWaitingPerEntry || (waiting_frames_ >= room && !entry.pinned);
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
  wire::write_ethernet(frame.data, {mac, egress_.port_info().mac, policy_.ether_type});
  egress_.send(frame);
}

// --- Lists ---------------------------------------------------------------------------------------

void NeighbourTable::set_timer(std::uint32_t index, IndexList* list, Instant deadline) {
  Entry& entry = pool_[index];
  if (entry.timer_list != nullptr) {
    entry.timer_list->remove(timer_links(), index);
    heed_front(*entry.timer_list);
  }
  entry.timer_list = list;
  entry.deadline = deadline;
  if (list == nullptr) return;
  list->push_back(timer_links(), index);
  heed_front(*list);
}

// Whatever has become the next one of a list, expire() must not overlook it.
void NeighbourTable::heed_front(const IndexList& timers) {
  if (!timers.empty()) earliest_ = std::min(earliest_, pool_[timers.front()].deadline);
}

// Puts an entry at the young end of the list that it belongs in.
void NeighbourTable::set_age(std::uint32_t index) {
  Entry& entry = pool_[index];
  if (entry.age_list != nullptr) entry.age_list->remove(age_links(), index);
  const bool pinned = (entry.waiting_count > 0 && entry.ever_used) || entry.pinned;
  entry.age_list = pinned ? nullptr : entry.ever_used ? &used_ : &unused_;
  if (entry.age_list != nullptr) entry.age_list->push_back(age_links(), index);
}

// An entry that nobody has asked for has given no answer: a flood of those that ARP packets make
// does not send TCP back to the table.
void NeighbourTable::answer_changed(const Entry& entry) {
  if (entry.ever_used) generation_.advance();
}

}  // namespace tern::net
