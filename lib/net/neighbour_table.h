// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/index_list.h"
#include "base/index_pool.h"
#include "net/address_index.h"
#include "net/egress.h"
#include "net/link_state.h"
#include "net/neighbour_asker.h"
#include "net/token_bucket.h"
#include "tern/stats.h"
#include "tern/time.h"

namespace tern::net {

/// How the entries of an address family live.
struct NeighbourPolicy {
  std::uint16_t ether_type = 0;
  Duration reachable_time{};
  /// What has not been confirmed for that long is stale, and used all the same: with RFC 4861 7.3
  /// it is verified 5 s after that use. Else (ARP) it is verified at the first use, and instead of
  /// going stale if it was used since it was last verified; who has never been used is forgotten.
  bool uses_delay = false;
  /// Frames that may wait in all, besides those for pinned entries.
  std::uint32_t max_waiting = 0;
};

/// Who is who on the link (RFC 826, RFC 1122 2.3.2; RFC 4861 7), with the packets that wait for an
/// answer; of one address family.
///
///   kIdle -> kResolving -> kReachable <-> kVerifying -> gone
///                 \-> kFailed -> gone
///
/// and after silence, with kDelay for IPv6 only (RFC 4861's REACHABLE, STALE, DELAY, PROBE):
///
///   kReachable -> kStale (-> kDelay) -> kVerifying -> kReachable | gone
///
/// Every deadline is a constant after the event that sets it, so three FIFO lists keep all entries
/// in order of their deadlines. (A router may change the constants; entries from before then may
/// delay later ones.) All memory is taken at the start. What a flood of packets that claim
/// addresses, or that want an answer, can do is displace entries that nobody has used (RFC 6583);
/// connections to many hosts displace the least recently used ones. Pinned entries, those of
/// gateways, are there for good. Addresses are numbers: IPv4's in host byte order, or handles.
/// `now` must not go backwards. Thread: the stack's.
class NeighbourTable {
 public:
  static constexpr Duration kReachableTime = std::chrono::seconds(60);   // ARP's
  static constexpr Duration kDelayFirstProbe = std::chrono::seconds(5);  // RFC 4861 10
  static constexpr Duration kRetryInterval = std::chrono::seconds(1);    // RFC 1122: 1 per second
  static constexpr Duration kHoldDown = std::chrono::seconds(1);
  static constexpr unsigned kMaxTries = 3;
  static constexpr unsigned kMaxWaitingPerEntry = 3;
  /// Frames that may wait in all (besides the gateways'): unanswered addresses must not take the
  /// port's frames away from the answered ones. IPv4's, and IPv6's.
  static constexpr std::uint32_t kMaxWaiting = 512, kMaxWaiting6 = 256;
  /// Neighbours that may be asked for because of answers to packets, whose senders may be invented.
  static constexpr std::uint32_t kAnswerResolutionsPerSecond = 100, kAnswerResolutionBurst = 100;
  /// Entries that may be pinned: IPv4's gateway, IPv6's routers.
  static constexpr std::uint32_t kMaxPinned = 4;
  static_assert(kMaxWaiting + kMaxWaiting6 + 2 * kMaxPinned * kMaxWaitingPerEntry +
                    Egress::kStageLimit + 2 * Egress::kSpares <=
                Egress::kCapacity);
  /// Entries that one expire() handles; the rest are due at once in the next.
  static constexpr std::size_t kMaxPerExpire = 64;

  /// Holds `max_neighbours` entries besides the pinned ones. `generation`: advanced whenever an
  /// answer of look_up() may no longer be right.
  NeighbourTable(std::uint32_t max_neighbours, const NeighbourPolicy& policy, NeighbourAsker& asker,
                 Egress& egress, Counters& counters, const SipKey& key, Generation& generation);
  ~NeighbourTable();  // discards the waiting frames
  NeighbourTable(const NeighbourTable&) = delete;
  NeighbourTable& operator=(const NeighbourTable&) = delete;

  /// The address of an on-link host, written to `mac` if kReady. Begins a resolution if need be.
  LinkState look_up(std::uint32_t address, MacAddress& mac, Instant now);

  /// Takes the frame: sends it with its Ethernet header filled in, queues it, or drops it
  /// (counted).
  void send(const Frame& frame, std::uint32_t address, Instant now);

  /// The same for an answer to a packet that nothing is known of: a SYN, a stray, an echo request.
  /// It displaces no entry that was used, asks for its neighbour within a limit only, and takes at
  /// most half of the room for waiting frames.
  void answer(const Frame& frame, std::uint32_t address, Instant now);

  /// `address` has said that it is at `mac`: updates its entry (RFC 826's merge). False if there is
  /// none.
  bool merge(std::uint32_t address, const MacAddress& mac, Instant now);

  /// The same, and if there is no entry, makes one where that displaces none in use.
  void learn(std::uint32_t address, const MacAddress& mac, Instant now);

  /// RFC 4861 7.2.5: `address` advertises itself. Changes only an entry that there is. False if
  /// what it says is to be ignored.
  bool take_advertisement(std::uint32_t address, const NeighbourClaim& claim, Instant now);

  /// Something else came from `address`, and said that it is at `mac` (RFC 4861 7.2.3, 6.3.4): good
  /// enough to be tried, i.e. stale. Makes an entry where that displaces none in use.
  void note(std::uint32_t address, const MacAddress& mac, Instant now);

  /// Those above get no answer through `address` (RFC 9293 3.8.3, R1): it is verified at once,
  /// unless that is under way.
  void doubt(std::uint32_t address, Instant now);

  /// Keeps an entry for `address` from now on, at most kMaxPinned; or no longer. False if every
  /// entry is in use.
  bool pin(std::uint32_t address);
  void unpin(std::uint32_t address);

  /// Whether packets to `address` would leave at once.
  bool is_known(std::uint32_t address) const;
  /// Whether it has not answered when it was asked for, just now.
  bool has_failed(std::uint32_t address) const;

  /// What a router says (RFC 4861 6.3.4). Zero: as it is.
  void set_times(Duration reachable_time, Duration retry_interval);

  /// Returns entries handled. Asked in every poll: one comparison while nothing is due.
  std::size_t expire(Instant now) { return now < earliest_ ? 0 : expire_due(now); }
  Instant next_deadline() const;

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
    bool pinned = false;
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
  Asked request(const Entry& entry);
  void ask(std::uint32_t index, Instant now);
  void confirm(std::uint32_t index, const MacAddress& mac, Instant now);
  void make_stale(std::uint32_t index, const MacAddress& mac, Instant now);
  void begin_delay(std::uint32_t index, Instant now);
  void verify(std::uint32_t index, Instant now);
  void fail(std::uint32_t index, Instant now);
  void on_deadline(std::uint32_t index, Instant now);

  void enqueue(std::uint32_t index, const Frame& frame);
  void send_waiting(std::uint32_t index);
  std::uint32_t drop_waiting(std::uint32_t index);
  void transmit(const Frame& frame, const MacAddress& mac);
  void send_by(std::uint32_t index, const Frame& frame);
  void wake(std::uint32_t index, Instant now);

  std::size_t expire_due(Instant now);
  void set_timer(std::uint32_t index, IndexList* list, Instant deadline);
  void heed_front(const IndexList& timers);
  void set_age(std::uint32_t index);
  void answer_changed(const Entry& entry);
  auto timer_links() {
    return [this](std::uint32_t index) -> IndexLinks& { return pool_[index].timer_links; };
  }
  auto age_links() {
    return [this](std::uint32_t index) -> IndexLinks& { return pool_[index].age_links; };
  }

  const NeighbourPolicy policy_;
  const std::uint32_t max_waiting_;
  Duration reachable_time_;
  Duration retry_interval_ = kRetryInterval;
  NeighbourAsker& asker_;
  Egress& egress_;
  Counters& counters_;
  IndexPool<Entry> pool_;
  AddressIndex index_;
  IndexList second_timers_;     // retries and hold-downs: due a second after they were set
  IndexList reachable_timers_;  // due the reachable time after they were set
  IndexList delay_timers_;      // due kDelayFirstProbe after they were set
  Instant earliest_ = kNever;   // not after next_deadline(), and perhaps before it
  IndexList unused_;            // never used, oldest first   } pinned entries and those with
  IndexList used_;              // least recently used first  } waiting frames are in neither
  const std::uint32_t max_unpinned_;
  std::uint32_t pinned_ = 0;
  TokenBucket answer_resolutions_{kAnswerResolutionsPerSecond, kAnswerResolutionBurst};
  std::uint32_t waiting_frames_ = 0;
  Generation& generation_;
};

}  // namespace tern::net
