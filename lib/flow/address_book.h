// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/index_pool.h"
#include "base/siphash.h"
#include "base/zeroed_array.h"
#include "flow/connection_table.h"
#include "flow/four_tuple.h"
#include "tern/address.h"

namespace tern::flow {

/// Gives IPv6 addresses names of 32 bits, so that everything that knows hosts by a 32-bit number
/// (tuples, TCBs, records, neighbours) serves both families. An *address* below is such a number: a
/// plain IPv4 address in host order, or a handle of this book. Handles lie in 240.0.0.0/4 (RFC 1112
/// class E), which no IPv4 packet may name here: the parser refuses it.
///
/// What keeps state about an address holds a reference to its handle, and nothing else makes an
/// entry, so the room is what all state together can take and no flood exhausts it. A handle that
/// nothing refers to any more stays valid until collect(): what was found for a frame of a burst is
/// still right when that frame's turn comes.
///
/// A packet from an address that is not in the book has kStranger for its source, whose address is
/// set while that packet is processed: enough to answer it. Whoever wants to remember the sender
/// calls keep() and goes on with what that returns.
///
/// All memory is taken at the start. Thread: the stack's.
class AddressBook {
 public:
  static constexpr std::uint32_t kNone = 0;               ///< no address
  static constexpr std::uint32_t kFirst = 0xf0000000;     ///< handles: from here on,
  static constexpr std::uint32_t kHandles = 0x0fffffff;   ///< so many (not 255.255.255.255)
  static constexpr std::uint32_t kStranger = kFirst;      ///< see set_stranger()
  static constexpr std::uint32_t kAny = kFirst + 1;       ///< `::`, a wildcard listener's
  static constexpr std::uint32_t kFirstOwn = kFirst + 2;  ///< the interface's own, in order
  static constexpr std::uint32_t kMaxOwn = 4;
  static constexpr std::uint32_t kMaxCapacity = kHandles - 2 - kMaxOwn;
  /// Entries that a burst may add while what it gave up is still there.
  static constexpr std::uint32_t kSpare = 64;

  /// Room for `capacity` addresses besides those of the interface. Throws std::bad_alloc.
  AddressBook(std::uint32_t capacity, const SipKey& key);

  /// Whether an address is a handle.
  static constexpr bool is_v6(std::uint32_t address) { return address - kFirst < kHandles; }

  /// Whether a handle is one of the interface's addresses.
  static constexpr bool is_own(std::uint32_t handle) { return handle - kFirstOwn < kMaxOwn; }

  /// The handle of an address that is in the book, or kNone.
  std::uint32_t find(const Ipv6Address& address) const;

  /// The handle, with one reference more; kNone if there is no room.
  std::uint32_t acquire(const Ipv6Address& address);

  /// The same for an address of either family, kStranger included. An IPv4 one is its own handle.
  std::uint32_t keep(std::uint32_t address) { return is_v6(address) ? keep_v6(address) : address; }

  /// One reference more, or less. Nothing for IPv4 addresses and the interface's own. Not for
  /// kStranger.
  void retain(std::uint32_t address) {
    if (is_v6(address)) retain_v6(address);
  }
  void release(std::uint32_t address) {
    if (is_v6(address)) release_v6(address);
  }

  /// Forgets addresses that nothing refers to: before a burst is looked up, and not amid one. So
  /// many in one call, which is more than a poll's timers give up.
  static constexpr std::uint32_t kCollectedAtOnce = 1024;
  void collect() {
    if (idle_count_ > 0) collect_idle(kCollectedAtOnce);
  }
  void collect_all() { collect_idle(idle_count_); }

  /// A permanent entry: the next of kFirstOwn... At most kMaxOwn.
  std::uint32_t add_own(const Ipv6Address& address);

  std::uint32_t own_count() const { return own_count_; }

  /// Who kStranger is, until it is set anew.
  void set_stranger(const Ipv6Address& address);

  /// The address behind a handle.
  const Ipv6Address& address(std::uint32_t handle) const { return entry(handle).address; }

  /// An address, or an end of a connection, of either family as the API speaks of it. Unspecified
  /// for a handle that was never given out.
  IpAddress ip(std::uint32_t address) const;
  Endpoint endpoint(std::uint32_t address, std::uint16_t port) const { return {ip(address), port}; }

  /// What keyed hashes are taken of (sequence numbers, cookies, ports): it follows from the true
  /// addresses, for strangers too, and is the same whenever the same hosts meet again.
  FlowName name(const FourTuple4& tuple) const {
    if (!is_v6(tuple.remote_address)) [[likely]]
      return FlowName(tuple);
    return {pair(tuple.local_address, tuple.remote_address), tuple.local_port, tuple.remote_port};
  }

  /// Who shares a limit on answers: an IPv4 address's /24, an IPv6 address's /64.
  std::uint64_t prefix(std::uint32_t address) const;

  std::uint32_t size() const { return index_.size(); }  ///< entries, but the interface's own
  std::uint32_t in_use() const;                         ///< those that something refers to
  std::uint32_t capacity() const { return index_.capacity(); }

 private:
  struct Entry {
    Ipv6Address address;
    std::uint64_t fingerprint;  // a keyed hash of the address
    std::uint32_t references;   // with kIdle: stands in idle_
    std::uint32_t hash;         // in index_
  };
  static_assert(sizeof(Entry) == 32);
  static constexpr std::uint32_t kIdle = 0x80000000;

  static constexpr std::uint32_t slot_of(std::uint32_t handle) { return handle - kFirst; }
  static constexpr bool is_counted(std::uint32_t handle) { return handle >= kFirstOwn + kMaxOwn; }
  Entry& entry(std::uint32_t handle) { return entries_[slot_of(handle)]; }
  const Entry& entry(std::uint32_t handle) const { return entries_[slot_of(handle)]; }

  std::uint32_t hash_of(const Ipv6Address& address) const;
  std::uint64_t fingerprint_of(const Ipv6Address& address) const;
  std::uint64_t pair(std::uint32_t local, std::uint32_t remote) const;
  std::uint32_t insert(const Ipv6Address& address);
  std::uint32_t keep_v6(std::uint32_t handle);
  void retain_v6(std::uint32_t handle);
  void release_v6(std::uint32_t handle);
  void collect_idle(std::uint32_t most);

  SipKey index_key_, name_key_;
  IndexPool<Entry> entries_;
  ConnectionTable index_;
  std::uint32_t own_count_ = 0;
  std::uint32_t idle_count_ = 0;
  ZeroedArray<std::uint32_t> idle_;  // handles without a reference, perhaps with one again
};

}  // namespace tern::flow
