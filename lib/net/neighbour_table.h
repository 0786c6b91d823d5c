// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/index_list.h"
#include "base/index_pool.h"
#include "net/address_index.h"
#include "net/arp_sender.h"
#include "net/egress.h"
#include "net/link_state.h"
#include "tern/stats.h"
#include "tern/time.h"

namespace tern::net {

/// Who is who on the link (RFC 826, RFC 1122 2.3.2), with the packets that wait for an answer.
///
///   kIdle -> kResolving -> kReachable <-> kVerifying -> gone
///                 \-> kFailed -> gone
///
/// Every deadline is a constant after the event that sets it, so two FIFO lists keep all entries in
/// order of their deadlines. All memory is taken at the start. What a flood of ARP packets can do
/// is displace entries that nobody has used; what a flood of packets to be answered can do is
/// displace the least recently used ones. The gateway's entry is there for good. Addresses in host
/// byte order. `now` must not go backwards. Thread: the stack's.
class NeighbourTable {
 public:
  static constexpr Duration kReachableTime = std::chrono::seconds(60);
  static constexpr Duration kRetryInterval = std::chrono::seconds(1);  // RFC 1122: 1 per second
  static constexpr Duration kHoldDown = std::chrono::seconds(1);
  static constexpr unsigned kMaxTries = 3;
  static constexpr unsigned kMaxWaitingPerEntry = 3;
  /// Frames that may wait in all (besides the gateway's): unanswered addresses must not take the
  /// port's frames away from the answered ones.
  static constexpr std::uint32_t kMaxWaiting = 512;
  static_assert(kMaxWaiting + kMaxWaitingPerEntry + Egress::kStageLimit + 2 * Egress::kSpares <=
                Egress::kCapacity);
  /// Entries that one expire() handles; the rest are due at once in the next.
  static constexpr std::size_t kMaxPerExpire = 64;

  /// `gateway`: 0 = none. Holds `max_neighbours` entries besides the gateway's.
  NeighbourTable(std::uint32_t max_neighbours, std::uint32_t gateway, ArpSender& arp,
                 Egress& egress, Counters& counters, const SipKey& key);
  ~NeighbourTable();  // discards the waiting frames
  NeighbourTable(const NeighbourTable&) = delete;
  NeighbourTable& operator=(const NeighbourTable&) = delete;

  /// The address of an on-link host, written to `mac` if kReady. Begins a resolution if need be.
  LinkState look_up(std::uint32_t address, MacAddress& mac, Instant now);

  /// Takes the frame: sends it with its Ethernet header filled in, queues it, or drops it
  /// (counted).
  void send(const Frame& frame, std::uint32_t address, Instant now);

  /// `address` has said that it is at `mac`: updates its entry (RFC 826's merge). False if there is
  /// none.
  bool merge(std::uint32_t address, const MacAddress& mac, Instant now);

  /// The same, and if there is no entry, makes one where that displaces none in use.
  void learn(std::uint32_t address, const MacAddress& mac, Instant now);

  std::size_t expire(Instant now);  // returns entries handled
  Instant next_deadline() const;

  std::uint32_t generation() const { return generation_; }
  std::uint32_t waiting_frames() const { return waiting_frames_; }
  std::uint32_t size() const { return pool_.in_use(); }
  void list(Instant now, std::vector<NeighbourInfo>& out) const;

 private:
  struct Entry {
    std::uint32_t address = 0;  // 0 = not in use
    MacAddress mac;
    NeighbourState state = NeighbourState::kIdle;
    std::uint8_t tries = 0;          // requests sent in this state
    std::uint8_t waiting_count = 0;  // oldest first in `waiting`
    bool used = false;               // since it was last verified
    bool ever_used = false;          // so an answer of ours may be remembered
    IndexLinks timer_links, age_links;
    Instant deadline = kNever;
    Instant since{};  // last confirmed, or begun to resolve
    std::array<Frame, kMaxWaitingPerEntry> waiting;
    IndexList* timer_list = nullptr;  // that it is in
    IndexList* age_list = nullptr;
  };

  std::uint32_t use(std::uint32_t address, Instant now);
  std::uint32_t insert(std::uint32_t address, bool displace_used);
  bool make_room(bool displace_used);
  void remove(std::uint32_t index);

  void begin_resolution(std::uint32_t index, Instant now);
  void ask(std::uint32_t index, Instant now);
  void confirm(std::uint32_t index, const MacAddress& mac, Instant now);
  void fail(std::uint32_t index, Instant now);
  void on_deadline(std::uint32_t index, Instant now);

  void enqueue(std::uint32_t index, const Frame& frame);
  void send_waiting(std::uint32_t index);
  std::uint32_t drop_waiting(std::uint32_t index);
  void transmit(const Frame& frame, const MacAddress& mac);

  void set_timer(std::uint32_t index, IndexList* list, Instant deadline);
  void set_age(std::uint32_t index);
  void answer_changed(const Entry& entry);
  auto timer_links() {
    return [this](std::uint32_t index) -> IndexLinks& { return pool_[index].timer_links; };
  }
  auto age_links() {
    return [this](std::uint32_t index) -> IndexLinks& { return pool_[index].age_links; };
  }
  bool is_gateway(const Entry& entry) const { return entry.address == gateway_; }

  const std::uint32_t gateway_;
  const std::uint32_t max_waiting_;
  ArpSender& arp_;
  Egress& egress_;
  Counters& counters_;
  IndexPool<Entry> pool_;
  AddressIndex index_;
  IndexList second_timers_;     // retries and hold-downs: due a second after they were set
  IndexList reachable_timers_;  // due kReachableTime after they were set
  IndexList unused_;            // never used, oldest first   } the gateway and entries with
  IndexList used_;              // least recently used first  } waiting frames are in neither
  std::uint32_t waiting_frames_ = 0;
  std::uint32_t generation_ = 1;
};

}  // namespace tern::net
