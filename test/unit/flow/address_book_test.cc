// SPDX-License-Identifier: BSD-3-Clause
#include "flow/address_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/prng.h"

namespace tern::flow {
namespace {

constexpr SipKey kKey{1, 2};

Ipv6Address address(unsigned last) {
  return Ipv6Address({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                      static_cast<std::uint8_t>(last >> 8), static_cast<std::uint8_t>(last)});
}

TEST(AddressBook, HandlesAreNoIpv4Addresses) {
  EXPECT_FALSE(AddressBook::is_v6(0));
  EXPECT_FALSE(AddressBook::is_v6(Ipv4Address(10, 0, 0, 1).value()));
  EXPECT_FALSE(AddressBook::is_v6(0xefffffff));
  EXPECT_TRUE(AddressBook::is_v6(0xf0000000));
  EXPECT_TRUE(AddressBook::is_v6(0xfffffffe));
  EXPECT_FALSE(AddressBook::is_v6(0xffffffff));
}

TEST(AddressBook, AnAddressHasOneHandleWhileAnybodyHoldsIt) {
  AddressBook book(4, kKey);
  EXPECT_EQ(book.find(address(1)), AddressBook::kNone);
  const std::uint32_t handle = book.acquire(address(1));
  EXPECT_TRUE(AddressBook::is_v6(handle));
  EXPECT_EQ(book.acquire(address(1)), handle);
  EXPECT_EQ(book.find(address(1)), handle);
  EXPECT_EQ(book.address(handle), address(1));
  EXPECT_EQ(book.size(), 1u);
  book.release(handle);
  book.collect();
  EXPECT_EQ(book.find(address(1)), handle);
  book.release(handle);
  EXPECT_EQ(book.find(address(1)), handle) << "until the burst is over";
  book.collect();
  EXPECT_EQ(book.find(address(1)), AddressBook::kNone);
  EXPECT_EQ(book.size(), 0u);
}

TEST(AddressBook, AHandleIsNotGivenAwayAmidABurst) {
  AddressBook book(4, kKey);
  const std::uint32_t first = book.acquire(address(1));
  book.release(first);
  EXPECT_NE(book.acquire(address(2)), first);
  EXPECT_EQ(book.acquire(address(1)), first) << "its own address may have it again";
  book.release(first);
  EXPECT_EQ(book.acquire(address(1)), first);
  book.collect();
  EXPECT_EQ(book.find(address(1)), first);
  EXPECT_EQ(book.size(), 2u);
}

TEST(AddressBook, ForgettingIsBounded) {
  constexpr std::uint32_t kMany = 2 * AddressBook::kCollectedAtOnce + 1;
  AddressBook book(kMany, kKey);
  for (std::uint32_t i = 0; i < kMany; ++i) book.release(book.acquire(address(i)));
  EXPECT_EQ(book.size(), kMany);
  EXPECT_EQ(book.in_use(), 0u);
  book.collect();
  EXPECT_EQ(book.size(), kMany - AddressBook::kCollectedAtOnce);
  book.collect_all();
  EXPECT_EQ(book.size(), 0u);
}

TEST(AddressBook, AHandleThatNobodyGaveOutIsNobodys) {
  const AddressBook book(4, kKey);
  EXPECT_TRUE(book.ip(0xff000001).is_unspecified());
  EXPECT_TRUE(book.endpoint(0xfffffffe, 80).address.is_unspecified());
}

TEST(AddressBook, FullSaysSo) {
  AddressBook book(2, kKey);
  const std::uint32_t first = book.acquire(address(1));
  EXPECT_NE(book.acquire(address(2)), AddressBook::kNone);
  EXPECT_EQ(book.acquire(address(3)), AddressBook::kNone);
  EXPECT_EQ(book.acquire(address(1)), first);
  book.release(first);
  book.release(first);
  book.collect();
  EXPECT_NE(book.acquire(address(3)), AddressBook::kNone);
}

TEST(AddressBook, ABookWithoutRoomServesIpv4) {
  AddressBook book(0, kKey);
  const std::uint32_t v4 = Ipv4Address(10, 0, 1, 2).value();
  EXPECT_EQ(book.keep(v4), v4);
  book.retain(v4);
  book.release(v4);
  EXPECT_EQ(book.acquire(address(1)), AddressBook::kNone);
  EXPECT_EQ(book.endpoint(v4, 80), (Endpoint{Ipv4Address(10, 0, 1, 2), 80}));
  EXPECT_EQ(book.prefix(v4), 0x0a0001u);
}

TEST(AddressBook, TheInterfacesOwnStay) {
  AddressBook book(1, kKey);
  EXPECT_EQ(book.add_own(address(7)), AddressBook::kFirstOwn);
  EXPECT_EQ(book.add_own(address(8)), AddressBook::kFirstOwn + 1);
  EXPECT_EQ(book.find(address(8)), AddressBook::kFirstOwn + 1);
  book.retain(AddressBook::kFirstOwn);
  for (int i = 0; i < 3; ++i) book.release(AddressBook::kFirstOwn);
  book.collect();
  EXPECT_EQ(book.address(AddressBook::kFirstOwn), address(7));
  EXPECT_EQ(book.size(), 0u);
  EXPECT_TRUE(book.ip(AddressBook::kAny).is_unspecified());
}

TEST(AddressBook, AStrangerIsKeptUnderAHandleOfItsOwn) {
  AddressBook book(2, kKey);
  book.set_stranger(address(5));
  EXPECT_EQ(book.address(AddressBook::kStranger), address(5));
  EXPECT_EQ(book.find(address(5)), AddressBook::kNone);
  const std::uint32_t kept = book.keep(AddressBook::kStranger);
  EXPECT_NE(kept, AddressBook::kStranger);
  book.set_stranger(address(6));
  EXPECT_EQ(book.address(kept), address(5));
  EXPECT_EQ(book.keep(kept), kept);
  book.release(kept);
  book.release(kept);
  book.collect();
  EXPECT_EQ(book.size(), 0u);
}

TEST(AddressBook, TheNameFollowsFromTheAddressesNotTheHandles) {
  AddressBook book(4, kKey);
  const std::uint32_t own = book.add_own(address(1));
  book.set_stranger(address(2));
  const FlowName strange = book.name({own, AddressBook::kStranger, 80, 4000});
  const std::uint32_t kept = book.keep(AddressBook::kStranger);
  EXPECT_EQ(book.name({own, kept, 80, 4000}).addresses, strange.addresses);
  EXPECT_EQ(book.name({own, kept, 80, 4000}).remote_port, 4000);
  book.set_stranger(address(3));
  EXPECT_NE(book.name({own, AddressBook::kStranger, 80, 4000}).addresses, strange.addresses);
  EXPECT_NE(book.name({kept, own, 80, 4000}).addresses, strange.addresses);
  AddressBook other(4, {1, 3});
  other.add_own(address(1));
  other.set_stranger(address(2));
  EXPECT_NE(other.name({own, AddressBook::kStranger, 80, 4000}).addresses, strange.addresses);
  const FourTuple4 v4{0x0a000001, 0x0a000002, 1, 2};
  EXPECT_EQ(book.name(v4).addresses, 0x0a0000010a000002u);
}

TEST(AddressBook, APrefixIs64Bits) {
  AddressBook book(4, kKey);
  std::array<std::uint8_t, 16> octets{0xfd, 1, 2, 3, 4, 5, 6, 7, 8};
  const std::uint32_t one = book.acquire(Ipv6Address(octets));
  octets[8] = 99;
  const std::uint32_t neighbour = book.acquire(Ipv6Address(octets));
  octets[7] = 99;
  const std::uint32_t other = book.acquire(Ipv6Address(octets));
  EXPECT_EQ(book.prefix(one), book.prefix(neighbour));
  EXPECT_NE(book.prefix(one), book.prefix(other));
}

// Against a map: who holds how many references, and bursts in which nothing changes hands.
TEST(AddressBook, RandomUseAgainstAnOracle) {
  constexpr std::uint32_t kCapacity = 100;
  AddressBook book(kCapacity, kKey);
  Prng random(20261127);
  std::map<Ipv6Address, std::uint32_t> references;
  std::map<Ipv6Address, std::uint32_t> handles;  // what must not change, this burst
  for (int step = 0; step < 200'000; ++step) {
    const Ipv6Address a = address(random.below(150));
    if (random.below(32) == 0) {
      ASSERT_EQ(book.in_use(),
                std::ranges::count_if(references, [](const auto& r) { return r.second > 0; }));
      book.collect();
      std::erase_if(references, [](const auto& r) { return r.second == 0; });
      std::erase_if(handles, [&](const auto& h) { return !references.contains(h.first); });
      ASSERT_EQ(book.size(), references.size());
    }
    const bool known = references.contains(a);
    ASSERT_EQ(book.find(a), known ? handles.at(a) : AddressBook::kNone);
    if (random.below(2) == 0) {
      const std::uint32_t handle = book.acquire(a);
      ASSERT_EQ(handle == AddressBook::kNone, !known && references.size() == kCapacity);
      if (handle == AddressBook::kNone) continue;
      ++references[a];
      ASSERT_EQ(handles.try_emplace(a, handle).first->second, handle);
      ASSERT_EQ(book.address(handle), a);
    } else if (known && references[a] > 0) {
      --references[a];
      book.release(handles.at(a));
    }
  }
  std::set<std::uint32_t> distinct;
  for (const auto& [a, handle] : handles) distinct.insert(handle);
  EXPECT_EQ(distinct.size(), handles.size());
}

}  // namespace
}  // namespace tern::flow
