// SPDX-License-Identifier: BSD-3-Clause
#include "net/interface.h"

#include <gtest/gtest.h>

#include <map>

#include "base/prng.h"
#include "interface_fixture.h"

namespace tern::net {
namespace {

TEST_F(InterfaceTest, HasARouteToOthersOnlyAndToOneHost) {
  EXPECT_TRUE(net().has_route(kPeer));
  EXPECT_TRUE(net().has_route(kGateway));
  EXPECT_TRUE(net().has_route(kFar));
  EXPECT_FALSE(net().has_route(kOwn));
  EXPECT_FALSE(net().has_route(ip(255)));
  EXPECT_FALSE(net().has_route(0));
  EXPECT_FALSE(net().has_route(0xffffffff));
  EXPECT_FALSE(net().has_route(0xe0000001));
}

TEST_F(InterfaceTest, IsIdleAtFirst) {
  EXPECT_EQ(net().next_deadline(), kNever);
  EXPECT_EQ(net().expire(now_), 0U);
  EXPECT_NE(net().generation(), 0U);
  EXPECT_EQ(net().waiting_frames(), 0U);
  EXPECT_EQ(sent(), Sent{});
}

// What happens on a busy link, at random. The oracle is the contract itself: an answer of
// link_header holds for as long as generation() stays the same; every frame is somewhere; the table
// never outgrows its limit; time never stands still.
class InterfacePropertyTest : public InterfaceTest {
 protected:
  struct Remembered {
    std::uint32_t generation;
    LinkState state;
    std::optional<Bytes> header;
  };

  void use(std::uint32_t destination) {
    const std::uint32_t generation = net().generation();
    const auto header = link_header(destination);
    const LinkState state = link_state(destination);
    const auto it = memory_.find(destination);
    // That a hold-down is over shows when expire() or a use comes to it, this one here.
    const bool began_anew = it != memory_.end() && it->second.state == LinkState::kFailed &&
                            state == LinkState::kUnresolved && net().generation() != generation;
    if (it != memory_.end() && it->second.generation == generation && !began_anew) {
      ASSERT_EQ(static_cast<int>(state), static_cast<int>(it->second.state));
      ASSERT_EQ(header, it->second.header);
      ++confirmed_;
    }
    // As TCP does: the generation is read before the answer is asked for.
    memory_[destination] = {generation, state, header};
  }

  void step(Prng& prng) {
    const auto some_host = [&] { return ip(static_cast<std::uint8_t>(3 + prng.below(12))); };
    const auto some_mac = [&] {
      return MacAddress{{0x02, 0, 0, 0, 1, static_cast<std::uint8_t>(prng.below(2))}};
    };
    switch (prng.below(8)) {
      case 0:
      case 1:
        return use(prng.chance(0.2) ? kFar : some_host());
      case 2: {
        const std::uint32_t destination = prng.chance(0.2) ? kFar : some_host();
        for (std::uint32_t n = 1 + prng.below(4); n > 0; --n) send_ip(destination, 1);
        return;
      }
      case 3:
        return receive_reply(prng.chance(0.2) ? kGateway : some_host(), some_mac());
      case 4:
        return receive_request(some_host(), some_mac(), prng.chance(0.5) ? kOwn : some_host());
      case 5:
        now_ += std::chrono::milliseconds(prng.below(700));
        return;
      case 6:
        now_ += std::chrono::seconds(prng.chance(0.05) ? 60 : 0);
        return;
      default:
        net().expire(now_);
        EXPECT_GT(net().next_deadline(), now_);
    }
  }

  std::map<std::uint32_t, Remembered> memory_;
  std::uint64_t confirmed_ = 0;
};

TEST_F(InterfacePropertyTest, AnswersHoldUntilTheGenerationChangesAndNoFrameIsLost) {
  std::uint64_t unresolved = 0, queue = 0, table = 0;  // dropped: every such path was taken
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    config_.max_neighbours = 1 + prng.below(14);
    memory_.clear();
    restart();
    for (int i = 0; i < 3000; ++i) {
      step(prng);
      if (HasFatalFailure()) return;
      ASSERT_EQ(egress_->handed_out(), net().waiting_frames());
      ASSERT_LE(neighbours().size(), config_.max_neighbours + 1);
      if (i % 50 == 0) sent();
    }
    unresolved += counters_.drop_neighbour_unresolved;
    queue += counters_.drop_neighbour_queue;
    table += counters_.drop_neighbour_table;
  }
  EXPECT_GT(unresolved, 1000U);
  EXPECT_GT(queue, 1000U);
  EXPECT_GT(table, 1000U);
  EXPECT_GT(confirmed_, 1000U) << "the property was hardly ever put to the test";
}

}  // namespace
}  // namespace tern::net
