// SPDX-License-Identifier: BSD-3-Clause
#include "io/sim/model_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>

#include "io/sim/nic_checksum.h"
#include "support/matchers.h"
#include "support/script_port.h"
#include "support/segment.h"

namespace tern::io {
namespace {

using test::Bytes;
using test::ScriptPort;
using test::Segment;
using testing::ElementsAre;
using testing::HasSubstr;

Frame allocate_one(Port& port) {
  Frame frame;
  EXPECT_EQ(port.allocate({&frame, 1}), 1u);
  return frame;
}

Frame receive_one(Port& port) {
  Frame frame;
  EXPECT_EQ(port.receive({&frame, 1}), 1u);
  return frame;
}

Frame written(Frame frame, const Bytes& bytes) {
  std::copy(bytes.begin(), bytes.end(), frame.data);
  frame.length = static_cast<std::uint32_t>(bytes.size());
  return frame;
}

// Polls without receiving anything.
void poll(Port& port, int times) {
  Frame frame;
  for (int i = 0; i < times; ++i) EXPECT_EQ(port.receive({&frame, 1}), 0u);
}

#if defined(__SANITIZE_ADDRESS__)
TEST(ModelPortDeathTest, AddressSanitizerSeesOneByteBeyondAReceivedFrame) {
  ScriptPort port;
  port.inject(Segment{.flags = "S"});
  const Frame frame = receive_one(port);
  [[maybe_unused]] volatile std::byte sink{};
  EXPECT_DEATH(sink = frame.data[frame.length], "heap-buffer-overflow");
  port.release({&frame, 1});
}

TEST(ModelPortDeathTest, AddressSanitizerSeesOneByteBeyondAnAllocatedFrame) {
  ScriptPort port;
  const Frame frame = allocate_one(port);
  EXPECT_DEATH(frame.data[port.info().frame_capacity] = std::byte{1}, "heap-buffer-overflow");
  port.release({&frame, 1});
}
#endif

TEST(ModelPort, AllocatedFramesAreEmptyAndNotZeroed) {
  ScriptPort port;
  const Frame frame = allocate_one(port);
  EXPECT_EQ(frame.length, 0u);
  EXPECT_EQ(frame.flags, 0u);
  EXPECT_EQ(frame.data[0], std::byte{0xa5});
  EXPECT_EQ(frame.data[port.info().frame_capacity - 1], std::byte{0xa5});
  port.release({&frame, 1});
}

TEST(ModelPort, AllocateIsShortWhenThePoolIsDry) {
  ScriptPort port({.blocks = {.tx_frames = 3}});
  EXPECT_EQ(port.info().tx_frames, 3u);
  std::array<Frame, 5> frames;
  EXPECT_EQ(port.allocate(frames), 3u);
  EXPECT_EQ(port.counts().allocations_refused, 2u);
  EXPECT_EQ(port.outstanding(), 3u);
  port.release({frames.data(), 2});
  EXPECT_EQ(port.allocate({frames.data(), 5}), 2u);
}

TEST(ModelPort, SentFramesStayInThePoolUntilTheDeviceIsThrough) {
  ScriptPort port({.blocks = {.tx_frames = 1, .dma_polls = 3}});
  const Frame frame = written(allocate_one(port), test::build(Segment{}));
  EXPECT_EQ(port.transmit({&frame, 1}), 1u);
  EXPECT_EQ(port.outstanding(), 0u);
  Frame next;
  poll(port, 2);
  EXPECT_EQ(port.allocate({&next, 1}), 0u);
  poll(port, 1);
  EXPECT_EQ(port.in_flight(), 0u);
  EXPECT_EQ(port.allocate({&next, 1}), 1u);
  port.release({&next, 1});
}

TEST(ModelPort, ReceiveDropsWhenThePoolIsDry) {
  ScriptPort port({.blocks = {.rx_frames = 2}});
  EXPECT_TRUE(port.inject(Segment{.seq = 1}));
  EXPECT_TRUE(port.inject(Segment{.seq = 2}));
  EXPECT_FALSE(port.inject(Segment{.seq = 3}));
  EXPECT_EQ(port.counts().rx_dropped_no_frame, 1u);
  std::array<Frame, 4> frames;
  EXPECT_EQ(port.receive(frames), 2u);
  EXPECT_FALSE(port.inject(Segment{.seq = 4}));  // the stack holds both
  port.release({frames.data(), 1});
  EXPECT_TRUE(port.inject(Segment{.seq = 5}));
  port.release({frames.data() + 1, 1});
}

TEST(ModelPort, DropsFramesBeyondTheMtu) {
  ScriptPort port({.mtu = 1500});
  EXPECT_TRUE(port.inject(Bytes(1514 + 4)));  // a VLAN tag fits
  EXPECT_FALSE(port.inject(Bytes(1514 + 5)));
  EXPECT_EQ(port.counts().rx_dropped_too_long, 1u);
}

TEST(ModelPort, BurstsAreCapped) {
  ScriptPort port({.transmit_limit = 2, .receive_limit = 3});
  for (std::uint32_t i = 0; i < 5; ++i) port.inject(Segment{.seq = i});
  std::array<Frame, 8> frames;
  EXPECT_EQ(port.receive(frames), 3u);
  EXPECT_EQ(port.receive({frames.data() + 3, 5}), 2u);
  // Received frames may be sent.
  EXPECT_EQ(port.transmit({frames.data(), 5}), 2u);
  EXPECT_EQ(port.counts().tx_refused, 3u);
  port.set_transmit_limit(0);
  EXPECT_EQ(port.transmit({frames.data() + 2, 3}), 0u);
  EXPECT_EQ(port.outstanding(), 3u);
  port.release({frames.data() + 2, 3});
  const auto sent = port.take_sent();
  EXPECT_THAT(sent, ElementsAre(test::HasSeq(0u), test::HasSeq(1u)));
}

TEST(ModelPort, AFullRingTakesNoMoreUntilTheDeviceIsThrough) {
  ScriptPort port({.blocks = {.dma_polls = 2}, .tx_ring = 2});
  std::array<Frame, 3> frames;
  ASSERT_EQ(port.allocate(frames), 3u);
  for (Frame& frame : frames) frame = written(frame, test::build(Segment{}));
  EXPECT_EQ(port.transmit(frames), 2u);
  EXPECT_EQ(port.transmit({&frames[2], 1}), 0u);  // one poll
  EXPECT_EQ(port.transmit({&frames[2], 1}), 1u);  // two polls: the ring is empty
}

TEST(ModelPort, ADmaViolationIsDetected) {
  ScriptPort port({.blocks = {.dma_polls = 2}});
  const Frame frame = written(allocate_one(port), test::build(Segment{}));
  ASSERT_EQ(port.transmit({&frame, 1}), 1u);
  poll(port, 1);
  EXPECT_TRUE(port.violations().empty());
  frame.data[frame.length - 1] ^= std::byte{1};  // the bug that is to be found
  poll(port, 1);
  EXPECT_THAT(port.violations(), ElementsAre(HasSubstr("changed while the device was reading")));
}

TEST(ModelPort, AnUntouchedSentFrameIsNoViolation) {
  ScriptPort port({.blocks = {.dma_polls = 2}});
  const Frame frame = written(allocate_one(port), test::build(Segment{}));
  ASSERT_EQ(port.transmit({&frame, 1}), 1u);
  poll(port, 2);
  EXPECT_EQ(port.in_flight(), 0u);
  EXPECT_TRUE(port.violations().empty());
}

TEST(ModelPort, OutstandingCountsWhatTheStackHolds) {
  ScriptPort port;
  std::array<Frame, 4> frames;
  ASSERT_EQ(port.allocate({frames.data(), 2}), 2u);
  port.inject(Segment{});
  port.inject(Segment{});
  EXPECT_EQ(port.outstanding(),
            2u);  // what waits in the queue is not the stack's yet
  EXPECT_EQ(port.pending(), 2u);
  ASSERT_EQ(port.receive({frames.data() + 2, 2}), 2u);
  EXPECT_EQ(port.outstanding(), 4u);
  port.release(frames);
  EXPECT_EQ(port.outstanding(), 0u);
}

TEST(ModelPortDeathTest, DoubleReleaseAsserts) {
  ScriptPort port;
  const Frame frame = allocate_one(port);
  port.release({&frame, 1});
  EXPECT_DEATH(port.release({&frame, 1}), "frame_is_known");
}

TEST(ModelPortDeathTest, DoubleReleaseAssertsEvenWhenTheMemoryHasANewOwner) {
  ScriptPort port;
  const Frame first = allocate_one(port);
  port.release({&first, 1});
  const Frame second = allocate_one(port);  // likely at the same address
  EXPECT_DEATH(port.release({&first, 1}), "frame_is_known");
  port.release({&second, 1});
}

TEST(ModelPortDeathTest, ReleasingOrResendingASentFrameAsserts) {
  ScriptPort port;
  const Frame frame = written(allocate_one(port), test::build(Segment{}));
  ASSERT_EQ(port.transmit({&frame, 1}), 1u);
  EXPECT_DEATH(port.release({&frame, 1}), "frame_is_the_stacks");
  EXPECT_DEATH(port.transmit({&frame, 1}), "frame_is_the_stacks");
}

TEST(ModelPortDeathTest, ReleasingAnUnknownFrameAsserts) {
  ScriptPort port;
  const Frame made_up{};
  EXPECT_DEATH(port.release({&made_up, 1}), "frame_is_known");
}

TEST(ModelPortDeathTest, SendingBeyondTheBlockAsserts) {
  ScriptPort port({.blocks = {.frame_capacity = 100}});
  Frame frame = allocate_one(port);
  frame.length = 101;
  EXPECT_DEATH(port.transmit({&frame, 1}), "frame_lies_in_its_block");
  port.release({&frame, 1});
}

TEST(ModelPort, FramesThatNoWireCarriesAreViolations) {
  ScriptPort port({.mtu = 1500});
  const Frame runt = written(allocate_one(port), Bytes(13));
  const Frame giant = written(allocate_one(port), Bytes(1515));
  ASSERT_EQ(port.transmit({&runt, 1}), 1u);
  ASSERT_EQ(port.transmit({&giant, 1}), 1u);
  EXPECT_THAT(port.violations(), ElementsAre(HasSubstr("shorter"), HasSubstr("longer")));
}

TEST(ModelPort, ReceivedVerdicts) {
  using namespace frame_flag;
  const auto flags_for = [](ChecksumVerdict verdict, const Segment& segment) {
    ScriptPort port({.rx_checksum = verdict});
    port.inject(segment);
    const Frame frame = receive_one(port);
    port.release({&frame, 1});
    return frame.flags;
  };
  const Segment good{.payload = "odd"};
  const Segment bad_tcp{.payload = "odd", .tcp_checksum_ok = false};
  const Segment bad_ip{.ip_checksum_ok = false};
  EXPECT_EQ(flags_for(ChecksumVerdict::kNone, good), 0u);
  EXPECT_EQ(flags_for(ChecksumVerdict::kVerified, good), kRxIpChecksumGood | kRxL4ChecksumGood);
  EXPECT_EQ(flags_for(ChecksumVerdict::kVerified, bad_tcp), kRxIpChecksumGood | kRxL4ChecksumBad);
  EXPECT_EQ(flags_for(ChecksumVerdict::kVerified, bad_ip), kRxIpChecksumBad | kRxL4ChecksumGood);
  EXPECT_EQ(flags_for(ChecksumVerdict::kIntact, good),
            kRxIpChecksumGood | kRxIpChecksumBad | kRxL4ChecksumGood | kRxL4ChecksumBad);
}

TEST(ModelPort, NoVerdictOnWhatIsNotWholeIp) {
  EXPECT_EQ(verify_checksums(test::build(test::Arp{})), 0u);
  Bytes frame = test::build(Segment{.payload = "abc"});
  for (std::size_t bytes = 0; bytes < frame.size(); ++bytes) {
    // In a block of its own, for AddressSanitizer.
    const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_EQ(verify_checksums(cut), 0u) << bytes;
  }
  const test::Datagram fragment{.protocol = 6, .payload = Bytes(40), .fragment = 0x2000};
  EXPECT_EQ(verify_checksums(test::build(fragment)), frame_flag::kRxIpChecksumGood);
}

// A frame as a stack leaves it to the device: no IP checksum, and the
// pseudo-header's sum for TCP.
Bytes left_to_the_device(const Segment& segment) {
  Bytes frame = test::build(segment);
  frame[24] = frame[25] = std::byte{0};
  const std::size_t tcp_bytes = frame.size() - 34;
  Bytes pseudo(frame.begin() + 26, frame.begin() + 34);
  for (const unsigned b : {0u, 6u, unsigned(tcp_bytes >> 8), unsigned(tcp_bytes & 0xff)})
    pseudo.push_back(static_cast<std::byte>(b));
  const unsigned sum = 0xffffu ^ test::textbook_checksum(pseudo);
  frame[50] = static_cast<std::byte>(sum >> 8);
  frame[51] = static_cast<std::byte>(sum);
  return frame;
}

Frame asking_for_checksums(Port& port, const Bytes& bytes) {
  Frame frame = written(allocate_one(port), bytes);
  frame.flags = frame_flag::kTxIpv4 | frame_flag::kTxIpChecksum | frame_flag::kTxTcpChecksum;
  frame.metadata = tx_metadata(14, 20);
  return frame;
}

TEST(ModelPort, CompletesChecksumsOnTheWireAndNotInTheHostsBuffer) {
  ScriptPort port({.blocks = {.dma_polls = 1}, .tx_checksum_offload = true});
  EXPECT_TRUE(port.info().tx_tcp_checksum);
  EXPECT_TRUE(port.info().tx_ip_checksum);
  const Segment segment{.flags = "P.", .seq = 7, .ts = {1, 2}, .payload = "three"};
  const Bytes partial = left_to_the_device(segment);
  const Frame frame = asking_for_checksums(port, partial);
  ASSERT_EQ(port.transmit({&frame, 1}), 1u);
  EXPECT_TRUE(std::equal(partial.begin(), partial.end(), frame.data));
  const auto sent = port.take_frames();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].bytes, test::build(segment));
  poll(port, 1);
  EXPECT_TRUE(port.violations().empty());
}

TEST(ModelPort, WrongOffloadRequestsAreViolations) {
  ScriptPort port({.tx_checksum_offload = true});
  const auto send_and_name = [&](const Frame& frame) {
    const std::size_t before = port.violations().size();
    EXPECT_EQ(port.transmit({&frame, 1}), 1u);
    return port.violations().size() == before ? "none" : port.violations().back();
  };
  const Bytes partial = left_to_the_device(Segment{.payload = "x"});
  EXPECT_EQ(send_and_name(asking_for_checksums(port, partial)), "none");

  Frame frame = asking_for_checksums(port, partial);
  frame.metadata = tx_metadata(14, 24);
  EXPECT_THAT(send_and_name(frame), HasSubstr("header lengths"));

  frame = asking_for_checksums(port, partial);
  frame.flags &= ~frame_flag::kTxIpv4;
  EXPECT_THAT(send_and_name(frame), HasSubstr("without kTxIpv4"));

  frame = asking_for_checksums(port, test::build(Segment{.payload = "x"}));  // a complete one
  EXPECT_THAT(send_and_name(frame), HasSubstr("pseudo-header sum"));

  frame = asking_for_checksums(port, partial);
  frame.flags |= frame_flag::kTxTcpSegmentation;
  EXPECT_THAT(send_and_name(frame), HasSubstr("segmentation"));
}

TEST(ModelPort, AnOffloadThatThePortDoesNotHaveIsAViolation) {
  ScriptPort port;
  EXPECT_FALSE(port.info().tx_tcp_checksum);
  const Frame frame = asking_for_checksums(port, left_to_the_device(Segment{}));
  ASSERT_EQ(port.transmit({&frame, 1}), 1u);
  EXPECT_THAT(port.violations(), ElementsAre(HasSubstr("does not have")));
}

TEST(ModelPort, ObserversSeeFramesAsTheyPass) {
  ScriptPort port;
  std::vector<std::pair<FrameDirection, std::uint32_t>> seen;
  port.observe([&](Instant now, FrameDirection direction, std::span<const std::byte> frame) {
    EXPECT_EQ(now, Instant(Duration(5)));
    seen.emplace_back(direction, test::parse_segment(frame)->seq);
  });
  port.set_now(Instant(Duration(5)));
  port.inject(Segment{.seq = 10});
  EXPECT_TRUE(seen.empty());  // seen when the stack takes it
  const Frame received = receive_one(port);
  const Frame sent = written(allocate_one(port), test::build(Segment{.seq = 20}));
  ASSERT_EQ(port.transmit({&sent, 1}), 1u);
  EXPECT_THAT(seen, ElementsAre(std::pair(FrameDirection::kReceived, 10u),
                                std::pair(FrameDirection::kSent, 20u)));
  port.release({&received, 1});
}

}  // namespace
}  // namespace tern::io
