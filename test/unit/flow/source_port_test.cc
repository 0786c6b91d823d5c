// SPDX-License-Identifier: BSD-3-Clause
#include "flow/source_port.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "base/prng.h"

namespace tern::flow {
namespace {

constexpr SipKey kKey{0x243f6a8885a308d3, 0x13198a2e03707344};
constexpr std::uint32_t kLocal = 0x0a000202;
constexpr std::uint32_t kRemote = 0x0a000102;
FlowName to(std::uint32_t remote, std::uint16_t port) {
  return FourTuple4{kLocal, remote, 0, port};
}

const auto kAllFree = [](std::uint16_t) { return true; };

TEST(SourcePortsTest, WalksEveryPortTowardsOneDestinationBeforeOneRepeats) {
  SourcePorts ports(kKey);
  std::set<std::uint16_t> seen;
  for (std::uint32_t i = 0; i < ports.port_count(); ++i)
    seen.insert(*ports.draw(to(kRemote, 9999), kAllFree));
  EXPECT_EQ(ports.port_count(), 28232U);
  EXPECT_EQ(seen.size(), 28232U);
  EXPECT_EQ(*seen.begin(), 32768);
  EXPECT_EQ(*seen.rbegin(), 60999);
}

TEST(SourcePortsTest, GoesUpByOneAndWrapsInsideItsRange) {
  SourcePorts ports(kKey, 65533, 65535);
  std::uint16_t last = *ports.draw(to(kRemote, 9999), kAllFree);
  for (int i = 0; i < 10; ++i) {
    const std::uint16_t port = *ports.draw(to(kRemote, 9999), kAllFree);
    EXPECT_EQ(port, last == 65535 ? 65533 : last + 1);
    last = port;
  }
}

TEST(SourcePortsTest, SkipsPortsInUseAndFindsTheOnlyFreeOne) {
  SourcePorts ports(kKey);
  const auto only = [](std::uint16_t port) { return port == 40000; };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ports.draw(to(kRemote, 9999), only), 40000);
}

TEST(SourcePortsTest, AnswersNothingWhenNoneIsFreeHavingAskedForEachOnce) {
  SourcePorts ports(kKey, 1000, 1999);
  std::set<std::uint16_t> asked;
  int calls = 0;
  const auto none = [&](std::uint16_t port) {
    asked.insert(port);
    ++calls;
    return false;
  };
  EXPECT_EQ(ports.draw(to(kRemote, 9999), none), std::nullopt);
  EXPECT_EQ(asked.size(), 1000U);
  EXPECT_EQ(calls, 1000);
  EXPECT_TRUE(ports.draw(to(kRemote, 9999), kAllFree));
}

TEST(SourcePortsTest, ARangeOfOnePort) {
  SourcePorts ports(kKey, 4242, 4242);
  EXPECT_EQ(ports.draw(to(kRemote, 9999), kAllFree), 4242);
  EXPECT_EQ(ports.draw(to(kRemote, 9998), kAllFree), 4242);
}

TEST(SourcePortsTest, TheKeyDecidesAndNothingElse) {
  SourcePorts a(kKey), b(kKey), c(SipKey{1, 2});
  int equal = 0;
  for (std::uint16_t remote_port = 1; remote_port <= 100; ++remote_port) {
    const auto port = a.draw(to(kRemote, remote_port), kAllFree);
    EXPECT_EQ(b.draw(to(kRemote, remote_port), kAllFree), port);
    equal += c.draw(to(kRemote, remote_port), kAllFree) == port;
  }
  EXPECT_LT(equal, 3);
}

double chi_square(const std::vector<int>& counts, double expected) {
  double sum = 0;
  for (int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// chi-square with many degrees of freedom f is close to normal, with variance 2 f.
double limit(double freedom) { return freedom + 4 * std::sqrt(2 * freedom); }

TEST(SourcePortsTest, PortsTowardsVariedDestinationsAreUniform) {
  constexpr std::uint64_t kSeed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Prng rng(kSeed);
  SourcePorts ports(kKey);
  std::vector<int> each(ports.port_count()), coarse(64);
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const auto remote = static_cast<std::uint32_t>(rng.next());
    const std::uint32_t offset =
        *ports.draw(to(remote, static_cast<std::uint16_t>(rng.next())), kAllFree) -
        std::uint32_t{SourcePorts::kDefaultFirst};
    ++each.at(offset);
    ++coarse[offset * 64 / ports.port_count()];
  }
  EXPECT_LT(chi_square(each, double{kDraws} / ports.port_count()), limit(ports.port_count() - 1));
  EXPECT_LT(chi_square(coarse, kDraws / 64.0), limit(63));
}

// Neighbouring destinations, as an attacker would choose them: the difference between the ports
// towards one and the next must tell nothing.
TEST(SourcePortsTest, DifferencesBetweenNeighbouringDestinationsAreUniform) {
  SourcePorts ports(kKey);
  std::vector<int> coarse(64);
  std::uint32_t last = 0;
  constexpr std::uint32_t kDraws = 100000;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const std::uint32_t port = *ports.draw(to(kRemote + i, 443), kAllFree);
    const std::uint32_t difference = (port + ports.port_count() - last) % ports.port_count();
    ++coarse[difference * 64 / ports.port_count()];
    last = port;
  }
  EXPECT_LT(chi_square(coarse, kDraws / 64.0), limit(63));
}

TEST(SourcePortsDeathTest, WantsARange) {
  EXPECT_DEATH(SourcePorts(kKey, 2000, 1999), "assertion failed");
  EXPECT_DEATH(SourcePorts(kKey, 0, 1999), "assertion failed");
}

}  // namespace
}  // namespace tern::flow
