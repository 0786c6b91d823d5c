// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/sim_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>
#include <vector>

#include "support/segment.h"

namespace tern::io {
namespace {

using namespace std::chrono_literals;
using test::Bytes;
using testing::ElementsAre;

constexpr Instant at(Duration since_start) { return Instant(since_start); }

ModelPortConfig port_number(std::uint8_t n) {
  ModelPortConfig config;
  config.mac.octets[5] = n;
  config.blocks.rx_frames = 0;
  config.blocks.tx_frames = 0;
  config.tx_ring = 1'000'000;
  return config;
}

Bytes frame_of(std::size_t bytes, std::uint32_t tag = 0, std::uint8_t to = 2,
               std::uint8_t from = 1) {
  Bytes frame(bytes, std::byte{0});
  frame[0] = frame[6] = std::byte{2};
  frame[5] = std::byte{to};
  frame[11] = std::byte{from};
  for (int i = 0; i < 4; ++i) frame[14 + i] = static_cast<std::byte>(tag >> 8 * i);
  return frame;
}

void send(SimPort& port, const Bytes& bytes) {
  Frame frame;
  ASSERT_EQ(port.allocate({&frame, 1}), 1u);
  std::copy(bytes.begin(), bytes.end(), frame.data);
  frame.length = static_cast<std::uint32_t>(bytes.size());
  ASSERT_EQ(port.transmit({&frame, 1}), 1u);
}

// Takes what has arrived.
std::vector<Bytes> take(SimPort& port) {
  std::vector<Bytes> taken;
  std::array<Frame, 16> frames;
  while (const std::size_t n = port.receive(frames)) {
    for (const Frame& frame : std::span(frames).first(n))
      taken.emplace_back(frame.data, frame.data + frame.length);
    port.release(std::span(frames).first(n));
  }
  return taken;
}

std::uint32_t tag_of(const Bytes& frame) {
  std::uint32_t tag = 0;
  for (int i = 0; i < 4; ++i) tag |= static_cast<std::uint32_t>(frame[14 + i]) << 8 * i;
  return tag;
}

std::vector<std::uint32_t> take_tags(SimPort& port) {
  std::vector<std::uint32_t> tags;
  for (const Bytes& frame : take(port)) tags.push_back(tag_of(frame));
  return tags;
}

// Two ports, and every arrival with its time.
class TwoPorts : public testing::Test {
 protected:
  void connect(const LinkConfig& a_to_b) { pair_.emplace(network_.connect(a_, b_, a_to_b)); }
  void send_tagged(std::uint32_t count, std::size_t bytes = 60) {
    for (std::uint32_t tag = 0; tag < count; ++tag) send(a_, frame_of(bytes, tag));
  }
  using Arrivals = std::vector<std::pair<Instant, std::uint32_t>>;
  // Lets everything arrive, one event at a time.
  Arrivals run() {
    Arrivals arrivals;
    while (network_.next_event() != kNever) {
      network_.advance_to(network_.next_event());
      for (const std::uint32_t tag : take_tags(b_)) arrivals.emplace_back(network_.now(), tag);
    }
    return arrivals;
  }
  const LinkCounts& counts() const { return pair_->a_to_b.counts(); }

  SimNetwork network_;
  SimPort a_{port_number(1)}, b_{port_number(2)};
  std::optional<LinkPair> pair_;
};

TEST_F(TwoPorts, DelayIsExact) {
  connect({.delay = 250us});
  network_.advance_to(at(1ms));
  send(a_, frame_of(60, 7));
  EXPECT_EQ(network_.next_event(), at(1250us));
  network_.advance_to(at(1250us - 1ns));
  EXPECT_EQ(b_.pending(), 0u);
  network_.advance_to(at(1250us));
  EXPECT_THAT(take_tags(b_), ElementsAre(7u));
  EXPECT_EQ(network_.next_event(), kNever);
}

TEST_F(TwoPorts, DirectionsAreIndependent) {
  network_.connect(a_, b_, {.delay = 10us}, {.delay = 30us});
  send(a_, frame_of(60, 1));
  send(b_, frame_of(60, 2, 1, 2));
  network_.advance_to(at(10us));
  EXPECT_THAT(take_tags(b_), ElementsAre(1u));
  EXPECT_EQ(a_.pending(), 0u);
  network_.advance_to(at(30us));
  EXPECT_THAT(take_tags(a_), ElementsAre(2u));
}

TEST_F(TwoPorts, RateIsExact) {
  connect({.delay = 1us, .bits_per_second = 1e9});
  send_tagged(3, 1500);  // 12 us each at 1 Gbit/s
  EXPECT_THAT(run(), ElementsAre(std::pair(at(13us), 0u), std::pair(at(25us), 1u),
                                 std::pair(at(37us), 2u)));
  // An idle link begins at once again.
  network_.advance_to(at(100us));
  send(a_, frame_of(1000, 9));
  EXPECT_THAT(run(), ElementsAre(std::pair(at(109us), 9u)));
}

TEST_F(TwoPorts, QueueDropsItsTailByFrames) {
  connect({.bits_per_second = 1e9, .queue_frames = 2});
  send_tagged(5, 1250);  // 10 us each; one being sent and one waiting
  EXPECT_EQ(counts().dropped_queue, 3u);
  network_.advance_to(at(10us));  // one has left: room for one
  send(a_, frame_of(1250, 10));
  send(a_, frame_of(1250, 11));
  EXPECT_EQ(counts().dropped_queue, 4u);
  run();
  EXPECT_EQ(counts().delivered, 3u);
}

TEST_F(TwoPorts, QueueDropsItsTailByBytes) {
  connect({.bits_per_second = 1e9, .queue_bytes = 3000});
  send_tagged(1, 1500);
  send_tagged(1, 1499);
  send_tagged(1, 60);  // 3059 > 3000
  EXPECT_EQ(counts().dropped_queue, 1u);
  network_.advance_to(at(12us));
  send_tagged(1, 1501);
  EXPECT_EQ(counts().dropped_queue, 1u);
}

TEST_F(TwoPorts, LossFollowsItsRatioAndSeed) {
  connect({.loss = 0.01, .seed = 42});
  send_tagged(100'000);
  run();
  // Binomial: mean 1000, standard deviation 31.5; five of them.
  EXPECT_NEAR(static_cast<double>(counts().dropped_loss), 1000.0, 158.0);
  EXPECT_EQ(counts().delivered + counts().dropped_loss, 100'000u);
}

TEST_F(TwoPorts, DuplicatesArriveTwiceAndNothingIsMissing) {
  connect({.duplicate = 0.25, .seed = 3});
  send_tagged(1000);
  const Arrivals arrivals = run();
  EXPECT_EQ(arrivals.size(), 1000 + counts().duplicated);
  EXPECT_NEAR(static_cast<double>(counts().duplicated), 250.0, 69.0);
  std::vector<unsigned> copies(1000, 0);
  for (const auto& [time, tag] : arrivals) ++copies.at(tag);
  EXPECT_THAT(copies, testing::Each(testing::AnyOf(1u, 2u)));
}

TEST_F(TwoPorts, ReorderedFramesArriveLateByExactlyTheDelay) {
  connect({.delay = 1ms, .reorder = 0.1, .reorder_delay = 40us, .seed = 5});
  std::uint64_t late = 0;
  for (std::uint32_t tag = 0; tag < 500; ++tag) {
    network_.advance_to(at(tag * 1us));
    send(a_, frame_of(60, tag));
  }
  std::uint32_t before = 0;
  bool overtaken = false;
  for (const auto& [time, tag] : run()) {
    const Duration on_the_way = time - at(tag * 1us);
    EXPECT_TRUE(on_the_way == 1000us || on_the_way == 1040us) << on_the_way.count();
    late += on_the_way == 1040us;
    overtaken |= tag < before;
    before = tag;
  }
  EXPECT_EQ(late, counts().reordered);
  EXPECT_NEAR(static_cast<double>(late), 50.0, 34.0);
  EXPECT_TRUE(overtaken);
}

TEST_F(TwoPorts, CorruptionFlipsOneBit) {
  connect({.corrupt = 1.0, .seed = 8});
  const Bytes original = frame_of(100, 0xdeadbeef);
  for (int i = 0; i < 50; ++i) send(a_, original);
  network_.advance_to(at(0ns));
  for (const Bytes& frame : take(b_)) {
    ASSERT_EQ(frame.size(), original.size());
    int flipped = 0;
    for (std::size_t i = 0; i < frame.size(); ++i)
      flipped += std::popcount(static_cast<unsigned>(frame[i] ^ original[i]));
    EXPECT_EQ(flipped, 1);
  }
  EXPECT_EQ(counts().corrupted, 50u);
}

// What arrives when, for one seed, with everything on.
std::vector<std::pair<Instant, Bytes>> rough_trace(std::uint64_t seed) {
  SimNetwork network;
  SimPort a(port_number(1)), b(port_number(2));
  network.connect(a, b,
                  {.delay = 20us,
                   .bits_per_second = 1e8,
                   .queue_frames = 50,
                   .loss = 0.1,
                   .duplicate = 0.1,
                   .reorder = 0.1,
                   .corrupt = 0.1,
                   .seed = seed});
  for (std::uint32_t tag = 0; tag < 300; ++tag) {
    network.advance_to(at(tag * 3us));
    send(a, frame_of(60 + tag, tag));
  }
  std::vector<std::pair<Instant, Bytes>> trace;
  while (network.next_event() != kNever) {
    network.advance_to(network.next_event());
    for (Bytes& frame : take(b)) trace.emplace_back(network.now(), std::move(frame));
  }
  return trace;
}

TEST(SimNetwork, SameSeedSameTrace) {
  const auto trace = rough_trace(77);
  EXPECT_GT(trace.size(), 100u);
  EXPECT_EQ(rough_trace(77), trace);
  EXPECT_NE(rough_trace(78), trace);
}

TEST_F(TwoPorts, TurningDuplicationOnDoesNotChangeWhichFramesAreLost) {
  connect({.loss = 0.3, .seed = 11});
  send_tagged(200);
  std::vector<std::uint32_t> without;
  for (const auto& [time, tag] : run()) without.push_back(tag);
  pair_->a_to_b.set_config({.loss = 0.3, .duplicate = 0.5, .seed = 11});
  send_tagged(200);
  std::vector<std::uint32_t> with;
  for (const auto& [time, tag] : run())
    if (with.empty() || with.back() != tag) with.push_back(tag);
  EXPECT_EQ(with, without);
}

TEST_F(TwoPorts, HookDropsDelaysAndReplaces) {
  connect({.delay = 10us});
  pair_->a_to_b.set_hook([](std::span<const std::byte> frame, std::uint64_t index) {
    EXPECT_EQ(frame.size(), 60u);
    if (index == 2) return Verdict::drop();
    if (index == 0) return Verdict::delay(5us);
    if (index == 3) return Verdict::replace(frame_of(61, 99));
    return Verdict::pass();
  });
  send_tagged(4);
  EXPECT_THAT(run(), ElementsAre(std::pair(at(10us), 1u), std::pair(at(10us), 99u),
                                 std::pair(at(15us), 0u)));
  EXPECT_EQ(counts().dropped_hook, 1u);
}

TEST_F(TwoPorts, LinkDownLosesWhatEntersAndWhatIsUnderWay) {
  connect({.delay = 10us});
  EXPECT_TRUE(a_.link_up());
  send(a_, frame_of(60, 1));
  pair_->set_up(false);
  EXPECT_FALSE(a_.link_up());
  EXPECT_FALSE(b_.link_up());
  send(a_, frame_of(60, 2));
  EXPECT_TRUE(run().empty());
  EXPECT_EQ(counts().dropped_down, 2u);
  pair_->set_up(true);
  send(a_, frame_of(60, 3));
  EXPECT_THAT(run(), ElementsAre(std::pair(at(20us), 3u)));
}

TEST_F(TwoPorts, CountsAddUp) {
  connect({.bits_per_second = 1e9,
           .queue_frames = 100,
           .loss = 0.1,
           .duplicate = 0.2,
           .reorder = 0.3,
           .corrupt = 0.4,
           .seed = 1});
  for (int i = 0; i < 5; ++i) {
    send_tagged(150);
    network_.advance_to(network_.now() + 20us);
  }
  const LinkCounts& c = counts();
  EXPECT_EQ(c.offered, 750u);
  EXPECT_GT(c.dropped_queue, 0u);
  EXPECT_EQ(c.offered + c.duplicated,
            c.delivered + network_.in_flight() + c.dropped_queue + c.dropped_loss);
}

TEST(SimPort, UnconnectedIsDownAndLosesWhatItSends) {
  SimPort port(port_number(1));
  EXPECT_FALSE(port.link_up());
  send(port, frame_of(60));
  EXPECT_EQ(port.counts().sent, 1u);
}

TEST(SimSwitch, LearnsAndFloods) {
  SimNetwork network;
  std::array<SimPort, 3> ports{SimPort(port_number(1)), SimPort(port_number(2)),
                               SimPort(port_number(3))};
  SimSwitch& shared = network.add_switch();
  for (SimPort& port : ports) network.attach(port, shared, {.delay = 1us}, {.delay = 2us});
  const auto run = [&] { network.advance_to(network.now() + 3us); };

  send(ports[0], frame_of(60, 1, 2, 1));  // 2 is not known yet: flooded
  network.advance_to(at(3us - 1ns));
  EXPECT_EQ(ports[1].pending() + ports[2].pending(), 0u);
  network.advance_to(at(3us));
  EXPECT_THAT(take_tags(ports[1]), ElementsAre(1u));
  EXPECT_THAT(take_tags(ports[2]), ElementsAre(1u));

  send(ports[1], frame_of(60, 2, 1, 2));  // 1 is known
  run();
  EXPECT_THAT(take_tags(ports[0]), ElementsAre(2u));
  EXPECT_EQ(ports[2].pending(), 0u);

  Bytes broadcast = frame_of(60, 3, 0, 2);
  std::fill_n(broadcast.begin(), 6, std::byte{0xff});
  send(ports[1], broadcast);
  run();
  EXPECT_THAT(take_tags(ports[0]), ElementsAre(3u));
  EXPECT_THAT(take_tags(ports[2]), ElementsAre(3u));
  EXPECT_EQ(ports[1].pending(), 0u);  // not back to the sender
}

TEST(SimNetworkDeathTest, TimeDoesNotGoBack) {
  SimNetwork network;
  network.advance_to(at(5us));
  EXPECT_DEATH(network.advance_to(at(4us)), "time >= now_");
}

}  // namespace
}  // namespace tern::io
