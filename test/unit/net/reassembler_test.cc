// SPDX-License-Identifier: BSD-3-Clause
#include "net/reassembler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "net/fragment_sender.h"
#include "support/fragments.h"

namespace tern::net {
namespace {

using namespace std::chrono_literals;
using test::Bytes;
using test::Datagram;

struct Family {
  bool v6;
  std::size_t header() const { return v6 ? 54 : 34; }
};

Bytes whole(Family family, std::size_t bytes, std::uint8_t host = 2, std::uint8_t subnet = 0) {
  Datagram d{.protocol = 17, .ip_id = 1, .fragment = 0};
  if (family.v6) {
    std::array<std::uint8_t, 16> address{0xfd};
    address[7] = subnet, address[15] = host;
    d.path.source = Ipv6Address(address);
    address[7] = 0, address[15] = 1;
    d.path.destination = Ipv6Address(address);
  } else {
    d.path.source = Ipv4Address(10, 0, subnet, host);
    d.path.destination = Ipv4Address(10, 0, 0, 1);
  }
  for (std::size_t i = 0; i < bytes; ++i) d.payload.push_back(std::byte((i * 31 + i / 7) & 0xff));
  return build(d);
}

class ReassemblerTest : public testing::TestWithParam<bool> {
 protected:
  Family family() const { return {GetParam()}; }

  Bytes take(const Bytes& bytes) {
    Bytes block = bytes;
    const Frame frame{.data = block.data(), .length = static_cast<std::uint32_t>(block.size())};
    const std::size_t ip_bytes =
        family().v6 ? 40u + load_be16(&block[18]) : std::size_t{load_be16(&block[16])};
    const auto out = parts_.take(frame, std::span(block).subspan(14, ip_bytes), now_);
    return {out.begin(), out.end()};
  }
  Bytes take_all(const std::vector<Bytes>& frames) {
    Bytes last;
    for (const Bytes& frame : frames) {
      EXPECT_TRUE(last.empty()) << "whole before all had come";
      last = take(frame);
    }
    return last;
  }
  std::size_t expire() {
    return parts_.expire(
        now_, [&](std::span<const std::byte> p) { told_.emplace_back(p.begin(), p.end()); });
  }

  Counters counters_;
  Reassembler parts_{8, SipKey{1, 2}, counters_};
  Instant now_{1s};
  std::vector<Bytes> told_;
};

TEST_P(ReassemblerTest, GivesTheFrameThatWasCut) {
  for (const std::size_t bytes : {9u, 16u, 1000u, 9000u, 65'515u}) {
    const Bytes frame = whole(family(), bytes);
    std::vector<Bytes> parts = test::cut(frame, std::max<std::size_t>(bytes / 100 * 8, 8));
    EXPECT_EQ(take_all(parts), frame) << bytes;
    std::ranges::reverse(parts);
    EXPECT_EQ(take_all(parts), frame) << bytes << " backwards";
  }
  EXPECT_EQ(parts_.in_use(), 0U);
  EXPECT_EQ(counters_.datagrams_reassembled, 10U);
}

TEST_P(ReassemblerTest, ALinkHeaderWithATagComesBackToo) {
  const Bytes frame = whole(family(), 100);
  Bytes tagged = frame;
  const std::byte tag[] = {std::byte{0x81}, std::byte{0}, std::byte{0}, std::byte{7}};
  tagged.insert(tagged.begin() + 12, std::begin(tag), std::end(tag));
  Bytes out;
  for (Bytes part : test::cut(frame, 64)) {
    part.insert(part.begin() + 12, std::begin(tag), std::end(tag));
    const Frame f{.data = part.data(), .length = static_cast<std::uint32_t>(part.size())};
    const auto bytes = parts_.take(f, std::span(part).subspan(18), now_);
    out.assign(bytes.begin(), bytes.end());
  }
  EXPECT_EQ(out, tagged);
}

TEST_P(ReassemblerTest, EthernetPaddingIsNoData) {
  const Bytes frame = whole(family(), 20);
  std::vector<Bytes> parts = test::cut(frame, 16);
  for (Bytes& part : parts) part.resize(100, std::byte{0xee});
  EXPECT_EQ(take_all(parts), frame);
}

TEST_P(ReassemblerTest, KeepsApartWhatHasAnotherNameAndOnlyThat) {
  const Bytes a = whole(family(), 100), b = whole(family(), 100, 3, 1);
  EXPECT_TRUE(take(test::cut(a, 64, 1)[0]).empty());
  EXPECT_TRUE(take(test::cut(a, 64, 2)[1]).empty()) << "another number";
  EXPECT_TRUE(take(test::cut(b, 64, 1)[1]).empty()) << "another source";
  EXPECT_EQ(parts_.in_use(), 3U);
  EXPECT_EQ(take(test::cut(a, 64, 1)[1]), a);
}

TEST_P(ReassemblerTest, TheDestinationAndIPv4sProtocolAreOfTheName) {
  const Bytes a = whole(family(), 100);
  std::vector<std::size_t> places{family().header() - 1};
  if (!family().v6) places.push_back(23);  // in IPv6 the first fragment says
  for (const std::size_t at : places) {
    Bytes other = a;
    other[at] ^= std::byte{3};
    EXPECT_TRUE(take(test::cut(a, 64)[0]).empty());
    EXPECT_TRUE(take(test::cut(other, 64)[1]).empty()) << at;
    EXPECT_EQ(take(test::cut(a, 64)[1]), a) << at;
    now_ += 60s;
    EXPECT_EQ(expire(), 1U);
  }
}

// Each way in which two fragments can overlap, in both orders.
TEST_P(ReassemblerTest, OverlapsSpoilTheDatagram) {
  const Bytes frame = whole(family(), 400);
  const test::Part kept{80, 160};
  for (const test::Part& other :
       {test::Part{72, 88}, test::Part{80, 88}, test::Part{88, 96}, test::Part{152, 160},
        test::Part{152, 168}, test::Part{72, 168}, test::Part{80, 168}, test::Part{72, 160}}) {
    for (const bool swapped : {false, true}) {
      const std::uint64_t before = counters_.drop_ip_fragment_overlap;
      take(test::fragment_of(frame, swapped ? other : kept));
      take(test::fragment_of(frame, swapped ? kept : other));
      EXPECT_EQ(counters_.drop_ip_fragment_overlap, before + 1) << other.begin << "-" << other.end;
      for (const Bytes& part : test::cut(frame, 80)) EXPECT_TRUE(take(part).empty());
      EXPECT_EQ(counters_.drop_ip_fragment_overlap, before + 6) << "what comes later";
      now_ += 60s;
      EXPECT_EQ(expire(), 1U);
    }
  }
  EXPECT_EQ(told_.size(), 0U);
  EXPECT_EQ(counters_.reassembly_timeouts, 0U);
}

TEST_P(ReassemblerTest, ADuplicateMustBeExact) {
  const Bytes frame = whole(family(), 400);
  take(test::fragment_of(frame, {80, 160}));
  take(test::fragment_of(frame, {80, 160}));
  EXPECT_EQ(counters_.drop_ip_fragment_duplicate, 1U);
  Bytes changed = test::fragment_of(frame, {80, 160});
  changed.back() ^= std::byte{1};
  take(changed);
  EXPECT_EQ(counters_.drop_ip_fragment_overlap, 1U) << "the same place, other bytes";
}

TEST_P(ReassemblerTest, ContradictionsAboutTheEndSpoilIt) {
  const Bytes frame = whole(family(), 400);
  const std::vector<std::vector<test::Part>> cases = {
      {{320, 400}, {320, 392, false}},      // two ends
      {{320, 400}, {400 - 80, 400, true}},  // the end is none
      {{320, 400, true}, {320, 400}},       // it was said to be none
      {{80, 160, false}, {160, 240}},       // something behind the end
      {{160, 240}, {80, 160, false}},       // an end before something
  };
  std::uint32_t id = 0;
  for (const auto& parts : cases) {
    const std::uint64_t before = counters_.drop_ip_fragment;
    ++id;
    for (const test::Part& part : parts) take(test::fragment_of(frame, part, id));
    EXPECT_EQ(counters_.drop_ip_fragment, before + 1) << id;
    now_ += 60s;
    EXPECT_EQ(expire(), 1U);
  }
}

TEST_P(ReassemblerTest, SoManyFragmentsAndNoMore) {
  const Bytes frame = whole(family(), 8 * (Reassembler::kMaxFragments + 1));
  std::vector<Bytes> parts = test::cut(frame, 8);
  for (const Bytes& part : parts) EXPECT_TRUE(take(part).empty());
  EXPECT_EQ(counters_.fragments_in, Reassembler::kMaxFragments);
  EXPECT_EQ(counters_.drop_ip_fragment_many, 1U);
  now_ += 60s, expire();
  const Bytes fits = whole(family(), 8 * Reassembler::kMaxFragments);
  EXPECT_EQ(take_all(test::cut(fits, 8)), fits);
}

// The ping of death: each fragment could be, the whole cannot.
TEST_P(ReassemblerTest, NothingBecomesLongerThanItsLengthFieldCanSay) {
  Bytes frame = whole(family(), 65'515);
  Bytes last = test::fragment_of(frame, {65'504, 65'515});
  for (std::size_t i = 0; i < 20; ++i) last.push_back(std::byte{1});
  if (family().v6) {
    store_be16(&last[18], static_cast<std::uint16_t>(load_be16(&last[18]) + 20));
  } else {
    // With options, the first fragment's header is longer than the last one's.
    last = test::fragment_of(frame, {65'504, 65'515});
    frame.insert(frame.begin() + 34, 40, std::byte{1});
    frame[14] = std::byte{0x4f};
  }
  take(last);
  if (family().v6) {
    EXPECT_EQ(counters_.fragments_in, 1U) << "65535 bytes in all";
    return;
  }
  Bytes first(frame.begin(), frame.begin() + 14 + 60 + 8);
  store_be16(&first[16], 68), store_be16(&first[18], 1), store_be16(&first[20], 0x2000);
  take(first);
  EXPECT_EQ(counters_.drop_ip_fragment, 1U);
}

TEST_P(ReassemblerTest, TimeIsCountedFromTheFirstToCome) {
  const Bytes frame = whole(family(), 100);
  EXPECT_EQ(parts_.next_deadline(), kNever);
  take(test::fragment_of(frame, {0, 40}));
  now_ += 59s;
  take(test::fragment_of(frame, {40, 80}));
  EXPECT_EQ(parts_.next_deadline(), Instant(61s));
  now_ += 1s;
  EXPECT_EQ(expire(), 1U);
  const Bytes first = test::fragment_of(frame, {0, 40});
  EXPECT_EQ(told_, (std::vector<Bytes>{Bytes(first.begin() + 14, first.end())}));
  EXPECT_EQ(counters_.reassembly_timeouts, 1U);
}

TEST_P(ReassemblerTest, OneSourceHasAQuarter) {
  const Bytes other = whole(family(), 100, 7, 1);
  take(test::cut(other, 64)[0]);
  for (std::uint32_t id = 1; id <= 100; ++id) take(test::cut(whole(family(), 100), 64, id)[0]);
  EXPECT_EQ(parts_.in_use(), 3U);
  EXPECT_EQ(counters_.reassembly_evicted, 98U);
  EXPECT_EQ(take(test::cut(other, 64)[1]), other) << "of another source";
  EXPECT_FALSE(take(test::cut(whole(family(), 100), 64, 100)[1]).empty()) << "the newest stays";
}

TEST_P(ReassemblerTest, AShareIsGivenBack) {
  const Bytes frame = whole(family(), 100);
  for (std::uint32_t id = 1; id <= 10; id += 2) {
    take(test::cut(frame, 64, id)[0]);
    take(test::cut(frame, 64, id + 1)[0]);
    EXPECT_FALSE(take(test::cut(frame, 64, id)[1]).empty());
    now_ += 60s;
    EXPECT_EQ(expire(), 1U);
  }
  EXPECT_EQ(counters_.reassembly_evicted, 0U);
}

TEST_P(ReassemblerTest, TheOldestGivesWay) {
  for (std::uint8_t host = 1; host <= 9; ++host)
    take(test::cut(whole(family(), 100, 2, host), 64)[0]);
  EXPECT_EQ(parts_.in_use(), 8U);
  EXPECT_EQ(counters_.reassembly_evicted, 1U);
  EXPECT_TRUE(take(test::cut(whole(family(), 100, 2, 1), 64)[1]).empty());
  EXPECT_FALSE(take(test::cut(whole(family(), 100, 2, 9), 64)[1]).empty());
}

INSTANTIATE_TEST_SUITE_P(Family, ReassemblerTest, testing::Bool(),
                         [](const auto& family) { return family.param ? "v6" : "v4"; });

// RFC 8200 4.5: headers before the fragment header are the first fragment's, and stay.
TEST(Reassembler6, HeadersBeforeTheFragmentHeaderStay) {
  Counters counters;
  Reassembler parts(4, SipKey{1, 2}, counters);
  const std::byte options[] = {std::byte{17}, std::byte{0}, std::byte{1}, std::byte{4},
                               std::byte{0},  std::byte{0}, std::byte{0}, std::byte{0}};
  const Bytes frame = whole({true}, 100);
  Bytes expected = frame;
  expected.insert(expected.begin() + 54, std::begin(options), std::end(options));
  store_be16(&expected[18], 108);
  expected[20] = std::byte{60};
  Bytes out;
  for (Bytes part : test::cut(frame, 64)) {
    part.insert(part.begin() + 54, std::begin(options), std::end(options));
    store_be16(&part[18], static_cast<std::uint16_t>(load_be16(&part[18]) + 8));
    part[20] = std::byte{60}, part[54] = std::byte{44};
    const Frame f{.data = part.data(), .length = static_cast<std::uint32_t>(part.size())};
    const auto bytes = parts.take(f, std::span(part).subspan(14), Instant(1s));
    out.assign(bytes.begin(), bytes.end());
  }
  EXPECT_EQ(out, expected);
}

// RFC 6864 4.3: not again for 65,536 datagrams; RFC 7739: not what another host's were.
TEST(FragmentIds, AreNotRepeatedAndTellNobodyOfOthers) {
  const std::byte a[4] = {std::byte{1}}, b[4] = {std::byte{2}};
  FragmentIds ids(SipKey{1, 2}), others(SipKey{1, 3});
  EXPECT_NE(ids.next(a), ids.next(b));
  EXPECT_NE(ids.next(a), others.next(a));
  std::vector<bool> seen(65'536);
  for (int i = 0; i < 65'536; ++i) {
    const auto id = static_cast<std::uint16_t>(ids.next(a));
    EXPECT_FALSE(seen[id]);
    seen[id] = true;
  }
}

}  // namespace
}  // namespace tern::net
