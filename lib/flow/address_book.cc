// SPDX-License-Identifier: BSD-3-Clause
#include "flow/address_book.h"

#include "base/assert.h"

namespace tern::flow {
namespace {

enum Purpose : std::uint64_t { kIndex = 1, kName = 2 };

constexpr std::uint32_t kReserved = 2 + AddressBook::kMaxOwn;  // stranger, any, own

struct Halves {
  std::uint64_t high, low;
};

Halves halves_of(const Ipv6Address& address) {
  Halves halves;
  std::memcpy(&halves.high, address.octets().data(), 8);
  std::memcpy(&halves.low, address.octets().data() + 8, 8);
  return halves;
}

template <int kCompress, int kFinalize>
std::uint64_t hash_address(const SipKey& key, const Ipv6Address& address) {
  SipHasher<kCompress, kFinalize> hasher(key);
  const Halves halves = halves_of(address);
  hasher.add(halves.high);
  hasher.add(halves.low);
  hasher.add(std::uint64_t{16} << 56);
  return hasher.finish();
}

}  // namespace

AddressBook::AddressBook(std::uint32_t capacity, const SipKey& key)
    : index_key_(derive_key(key, kIndex)),
      name_key_(derive_key(key, kName)),
      entries_(capacity + kReserved),
      index_(capacity),
      idle_(capacity + std::size_t{1}) {
  static_assert(kMaxCapacity <= ConnectionTable::kMaxEntries);
  TERN_ASSERT(capacity <= kMaxCapacity);
  for (std::uint32_t i = 0; i < kReserved; ++i) entries_[entries_.acquire()] = {};
  set_stranger({});
}

std::uint32_t AddressBook::find(const Ipv6Address& address) const {
  for (std::uint32_t i = 0; i < own_count_; ++i)
    if (this->address(kFirstOwn + i) == address) return kFirstOwn + i;
  const std::uint32_t slot = index_.find(
      hash_of(address), [&](std::uint32_t i) { return entries_[i].address == address; });
  return slot == kNoIndex ? kNone : kFirst + slot;
}

std::uint32_t AddressBook::acquire(const Ipv6Address& address) {
  std::uint32_t handle = find(address);
  if (handle == kNone) handle = insert(address);
  if (handle != kNone) retain_v6(handle);
  return handle;
}

std::uint32_t AddressBook::insert(const Ipv6Address& address) {
  const std::uint32_t slot = entries_.acquire();
  if (slot == kNoIndex) return kNone;
  const std::uint32_t hash = hash_of(address);
  if (!index_.insert(hash, slot)) {
    entries_.release(slot);
    return kNone;
  }
  entries_[slot] = {address, fingerprint_of(address), 0, hash};
  return kFirst + slot;
}

std::uint32_t AddressBook::keep_v6(std::uint32_t handle) {
  if (handle == kStranger) return acquire(address(kStranger));
  retain_v6(handle);
  return handle;
}

void AddressBook::retain_v6(std::uint32_t handle) {
  TERN_ASSERT(handle != kStranger);
  if (is_counted(handle)) ++entry(handle).references;
}

void AddressBook::release_v6(std::uint32_t handle) {
  TERN_ASSERT(handle != kStranger);
  if (!is_counted(handle)) return;
  Entry& e = entry(handle);
  TERN_ASSERT((e.references & ~kIdle) > 0);
  if (--e.references != 0) return;  // in use, or known to be idle already
  e.references = kIdle;
  idle_[idle_count_++] = handle;
}

void AddressBook::collect_idle(std::uint32_t most) {
  for (; idle_count_ > 0 && most > 0; --idle_count_, --most) {
    const std::uint32_t handle = idle_[idle_count_ - 1];
    Entry& e = entry(handle);
    e.references &= ~kIdle;
    if (e.references > 0) continue;  // somebody came back to it
    index_.erase(e.hash, slot_of(handle));
    entries_.release(slot_of(handle));
  }
}

std::uint32_t AddressBook::in_use() const {
  std::uint32_t idle = 0;
  for (std::uint32_t i = 0; i < idle_count_; ++i)
    if ((entry(idle_[i]).references & ~kIdle) == 0) ++idle;
  return size() - idle;
}

std::uint32_t AddressBook::add_own(const Ipv6Address& address) {
  TERN_ASSERT(own_count_ < kMaxOwn && find(address) == kNone);
  const std::uint32_t handle = kFirstOwn + own_count_++;
  entry(handle) = {address, fingerprint_of(address), 0, 0};
  return handle;
}

void AddressBook::set_stranger(const Ipv6Address& address) {
  entry(kStranger) = {address, fingerprint_of(address), 0, 0};
}

IpAddress AddressBook::ip(std::uint32_t address) const {
  if (!is_v6(address)) return Ipv4Address(address);
  return entries_.is_touched(slot_of(address)) ? this->address(address) : Ipv6Address();
}

std::uint64_t AddressBook::prefix(std::uint32_t address) const {
  return is_v6(address) ? halves_of(this->address(address)).high : address >> 8;
}

std::uint32_t AddressBook::hash_of(const Ipv6Address& address) const {
  return static_cast<std::uint32_t>(hash_address<1, 3>(index_key_, address));
}

std::uint64_t AddressBook::fingerprint_of(const Ipv6Address& address) const {
  return hash_address<2, 4>(name_key_, address);
}

std::uint64_t AddressBook::pair(std::uint32_t local, std::uint32_t remote) const {
  SipHasher<2, 4> hasher(name_key_);
  hasher.add(entry(local).fingerprint);
  hasher.add(entry(remote).fingerprint);
  hasher.add(std::uint64_t{32} << 56);
  return hasher.finish();
}

}  // namespace tern::flow
