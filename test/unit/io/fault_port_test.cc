// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/fault_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>

#include "support/matchers.h"
#include "support/script_port.h"
#include "support/segment.h"

namespace tern::io {
namespace {

using test::Bytes;
using test::HasSeq;
using test::ScriptPort;
using test::Segment;
using testing::ElementsAre;

Frame written(Port& port, const Segment& segment) {
  Frame frame;
  EXPECT_EQ(port.allocate({&frame, 1}), 1u);
  const Bytes bytes = test::build(segment);
  std::copy(bytes.begin(), bytes.end(), frame.data);
  frame.length = static_cast<std::uint32_t>(bytes.size());
  return frame;
}

// Receives up to `burst` frames, gives them back and says their sequence
// numbers.
std::vector<std::uint32_t> take(Port& port, std::size_t burst = 32) {
  std::vector<Frame> frames(burst);
  const std::size_t count = port.receive(frames);
  std::vector<std::uint32_t> seqs;
  for (std::size_t i = 0; i < count; ++i)
    seqs.push_back(test::parse_segment(frames[i].bytes())->seq);
  port.release({frames.data(), count});
  return seqs;
}

TEST(FaultPort, PassesEverythingByDefault) {
  ScriptPort inner;
  FaultPort port(inner, {});
  for (std::uint32_t i = 0; i < 3; ++i) inner.inject(Segment{.seq = i});
  EXPECT_THAT(take(port), ElementsAre(0u, 1u, 2u));
  std::array<Frame, 2> frames{written(port, {.seq = 5}), written(port, {.seq = 6})};
  EXPECT_EQ(port.transmit(frames), 2u);
  EXPECT_THAT(inner.take_sent(), ElementsAre(HasSeq(5u), HasSeq(6u)));
  EXPECT_EQ(port.held(), 0u);
}

TEST(FaultPort, LossReleasesTheFrame) {
  ScriptPort inner;
  FaultPort port(inner, {.rx = {.loss = 1.0}, .tx = {.loss = 1.0}});
  inner.inject(Segment{});
  EXPECT_TRUE(take(port).empty());
  const Frame frame = written(port, {});
  EXPECT_EQ(port.transmit({&frame, 1}), 1u);
  EXPECT_EQ(inner.counts().sent, 0u);
  EXPECT_EQ(inner.outstanding(), 0u);
  EXPECT_EQ(port.rx_counts().lost, 1u);
  EXPECT_EQ(port.tx_counts().lost, 1u);
}

TEST(FaultPort, DuplicatesAreFramesOfTheirOwn) {
  ScriptPort inner;
  FaultPort port(inner, {.rx = {.duplicate = 1.0}, .tx = {.duplicate = 1.0}});
  inner.inject(Segment{.seq = 1});
  EXPECT_THAT(take(port), ElementsAre(1u, 1u));
  const Frame frame = written(port, {.seq = 2, .payload = "x"});
  EXPECT_EQ(port.transmit({&frame, 1}), 1u);
  EXPECT_THAT(inner.take_sent(), ElementsAre(HasSeq(2u), HasSeq(2u)));
  EXPECT_EQ(inner.outstanding(), 0u);
}

TEST(FaultPort, DuplicatesThatDoNotFitTheBurstComeNext) {
  ScriptPort inner;
  FaultPort port(inner, {.rx = {.duplicate = 1.0}});
  inner.inject(Segment{.seq = 1});
  inner.inject(Segment{.seq = 2});
  EXPECT_THAT(take(port, 1), ElementsAre(1u));
  EXPECT_EQ(port.held(), 1u);
  EXPECT_THAT(take(port, 1), ElementsAre(1u));
  EXPECT_THAT(take(port, 1), ElementsAre(2u));
  EXPECT_THAT(take(port, 1), ElementsAre(2u));
  EXPECT_TRUE(take(port, 1).empty());
}

TEST(FaultPort, ADryPoolMakesNoDuplicates) {
  ScriptPort inner({.blocks = {.tx_frames = 1}});
  FaultPort port(inner, {.tx = {.duplicate = 1.0}});
  const Frame frame = written(port, {});
  EXPECT_EQ(port.transmit({&frame, 1}), 1u);
  EXPECT_EQ(inner.take_sent().size(), 1u);
  EXPECT_EQ(port.tx_counts().duplicates_refused, 1u);
}

TEST(FaultPort, ReorderedFramesAreOvertakenByTheGap) {
  ScriptPort inner;
  // With this seed the first of six frames is held back, and only that.
  FaultPort port(inner, {.rx = {.reorder = 0.2, .reorder_gap = 2}, .seed = 10});
  for (std::uint32_t i = 0; i < 6; ++i) inner.inject(Segment{.seq = i});
  const auto seqs = take(port);
  EXPECT_EQ(port.rx_counts().reordered, 1u);
  EXPECT_THAT(seqs, ElementsAre(1u, 2u, 0u, 3u, 4u, 5u));
}

TEST(FaultPort, AReorderedFrameThatNothingFollowsComesAfterThePolls) {
  ScriptPort inner;
  FaultPort port(inner, {.rx = {.reorder = 1.0, .reorder_polls = 3}});
  inner.inject(Segment{.seq = 1});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(take(port).empty());
  EXPECT_THAT(take(port), ElementsAre(1u));
}

TEST(FaultPort, CorruptionFlipsABitAndTheDevicesVerdict) {
  ScriptPort inner({.rx_checksum = ChecksumVerdict::kVerified});
  FaultPort port(inner, {.rx = {.corrupt = 1.0}});
  const Bytes original = test::build(Segment{.payload = "payload"});
  inner.inject(original);
  Frame frame;
  ASSERT_EQ(port.receive({&frame, 1}), 1u);
  EXPECT_EQ(frame.flags, 0u);
  int flipped = 0;
  for (std::size_t i = 0; i < original.size(); ++i)
    flipped += std::popcount(static_cast<unsigned>(original[i] ^ frame.data[i]));
  EXPECT_EQ(flipped, 1);
  port.release({&frame, 1});
}

TEST(FaultPort, HidesChecksumOffloadWhenItCorruptsWhatIsSent) {
  ScriptPort inner({.tx_checksum_offload = true});
  EXPECT_TRUE(FaultPort(inner, {.tx = {.loss = 0.1}}).info().tx_tcp_checksum);
  const FaultPort corrupting(inner, {.tx = {.corrupt = 0.1}});
  EXPECT_FALSE(corrupting.info().tx_tcp_checksum);
  EXPECT_FALSE(corrupting.info().tx_ip_checksum);
}

TEST(FaultPort, KeepsWhatAFullRingDoesNotTakeAndThenRefuses) {
  ScriptPort inner;
  FaultPort port(inner, {});
  inner.set_transmit_limit(1);
  std::array<Frame, 3> frames;
  for (std::uint32_t i = 0; i < 3; ++i) frames[i] = written(port, {.seq = i});
  EXPECT_EQ(port.transmit(frames), 3u);  // all are this port's now
  EXPECT_EQ(port.held(), 2u);
  EXPECT_EQ(inner.outstanding(), 2u);
  const Frame more = written(port, {.seq = 3});
  EXPECT_EQ(port.transmit({&more, 1}), 0u);  // one left, one still waits
  EXPECT_EQ(port.transmit({&more, 1}), 1u);  // the last has left: room again
  EXPECT_EQ(port.held(), 0u);
  EXPECT_THAT(inner.take_sent(), ElementsAre(HasSeq(0u), HasSeq(1u), HasSeq(2u), HasSeq(3u)));
}

TEST(FaultPort, ReceivingPushesWhatWaitsForTheRing) {
  ScriptPort inner;
  FaultPort port(inner, {});
  inner.set_transmit_limit(0);
  const Frame frame = written(port, {.seq = 3});
  EXPECT_EQ(port.transmit({&frame, 1}), 1u);
  inner.set_transmit_limit(1);
  EXPECT_TRUE(take(port).empty());
  EXPECT_THAT(inner.take_sent(), ElementsAre(HasSeq(3u)));
}

TEST(FaultPort, GivesHeldFramesBackWhenItGoes) {
  ScriptPort inner;
  {
    FaultPort port(inner, {.rx = {.reorder = 1.0}, .tx = {.reorder = 1.0}});
    inner.inject(Segment{});
    EXPECT_TRUE(take(port).empty());
    const Frame frame = written(port, {});
    EXPECT_EQ(port.transmit({&frame, 1}), 1u);
    EXPECT_EQ(port.held(), 2u);
    EXPECT_EQ(inner.outstanding(), 2u);
  }
  EXPECT_EQ(inner.outstanding(), 0u);
}

// 100,000 frames each way through everything at once, over tight pools and a
// short ring: every frame is accounted for at every step.
TEST(FaultPort, ConservesFramesUnderEverythingAtOnce) {
  constexpr std::uint64_t kSeed = 99;
  constexpr std::uint64_t kFrames = 100'000;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  ScriptPort inner({.blocks = {.rx_frames = 64, .tx_frames = 64, .dma_polls = 2}, .tx_ring = 24});
  const FaultRates rates{.loss = 0.1, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0.1};
  FaultPort port(inner, {.rx = rates, .tx = rates, .seed = kSeed});
  Prng prng(kSeed);
  const Bytes bytes = test::build(Segment{.payload = "conserve me"});
  std::uint64_t injected = 0, taken_by_us = 0, offered = 0;
  std::vector<Frame> ours;  // what a stack would hold
  while (injected < kFrames || offered < kFrames) {
    for (std::uint32_t n = prng.below(16); n > 0; --n) injected += inner.inject(bytes);
    std::array<Frame, 16> burst;
    const std::size_t received = port.receive({burst.data(), prng.below(17)});
    taken_by_us += received;
    ours.insert(ours.end(), burst.begin(), burst.begin() + static_cast<std::ptrdiff_t>(received));
    const std::size_t allocated = port.allocate({burst.data(), prng.below(9)});
    for (Frame& frame : std::span(burst).first(allocated)) {
      std::copy(bytes.begin(), bytes.end(), frame.data);
      frame.length = static_cast<std::uint32_t>(bytes.size());
      ours.push_back(frame);
    }
    // Of what we hold some is sent and some released.
    const std::size_t sent =
        port.transmit({ours.data(), prng.below(static_cast<std::uint32_t>(ours.size() + 1))});
    offered += sent;
    ours.erase(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(sent));
    const std::size_t back = prng.below(static_cast<std::uint32_t>(ours.size() + 1));
    port.release({ours.data() + ours.size() - back, back});
    ours.resize(ours.size() - back);
    ASSERT_EQ(inner.outstanding(), ours.size() + port.held());
    ASSERT_LE(port.held(), 64u + 64u);
    inner.take_frames();
  }
  const auto& rx = port.rx_counts();
  const auto& tx = port.tx_counts();
  EXPECT_NEAR(static_cast<double>(tx.lost) / static_cast<double>(offered), 0.1, 0.01);
  EXPECT_GT(rx.duplicated + tx.duplicated, 0u);
  EXPECT_GT(rx.reordered + tx.reordered, 0u);
  EXPECT_GT(taken_by_us, kFrames / 2);
  port.release(ours);
  EXPECT_EQ(inner.outstanding(), port.held());
  EXPECT_TRUE(inner.violations().empty());
}

TEST(FaultPort, SameSeedSameFaults) {
  const auto fates = [](std::uint64_t seed) {
    ScriptPort inner;
    FaultPort port(inner, {.rx = {.loss = 0.3, .duplicate = 0.3, .reorder = 0.3}, .seed = seed});
    std::vector<std::uint32_t> seqs;
    for (std::uint32_t i = 0; i < 100; ++i) {
      inner.inject(Segment{.seq = i});
      for (const std::uint32_t seq : take(port)) seqs.push_back(seq);
    }
    return seqs;
  };
  EXPECT_EQ(fates(1), fates(1));
  EXPECT_NE(fates(1), fates(2));
}

}  // namespace
}  // namespace tern::io
