// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/watch_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/sim/nic_checksum.h"
#include "support/script_port.h"

namespace tern::io {
namespace {

using test::build;
using test::ScriptPort;
using test::Segment;

struct Seen {
  CapturedFrame about;
  std::vector<std::byte> bytes;
};

std::vector<Seen> take_all(CaptureStream& stream) {
  std::vector<Seen> seen;
  while (stream.take([&](const CapturedFrame& about, std::span<const std::byte> frame) {
    seen.push_back({about, {frame.begin(), frame.end()}});
  }))
    continue;
  return seen;
}

PacketFilter filter(const std::string& text) {
  auto filter = PacketFilter::compile(text);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return *filter;
}

class WatchPortTest : public testing::Test {
 protected:
  // Receives all that is there and gives it back.
  std::size_t receive() {
    std::array<Frame, 32> frames;
    const std::size_t count = watch_.receive(frames);
    watch_.release(std::span(frames).first(count));
    return count;
  }
  void send(std::span<const std::byte> bytes, std::uint64_t flags = 0, std::uint32_t metadata = 0) {
    std::array<Frame, 1> frame;
    ASSERT_EQ(watch_.allocate(frame), 1u);
    std::copy(bytes.begin(), bytes.end(), frame[0].data);
    frame[0].length = static_cast<std::uint32_t>(bytes.size());
    frame[0].flags = flags;
    frame[0].metadata = metadata;
    ASSERT_EQ(watch_.transmit(frame), 1u);
  }

  Instant now_{std::chrono::seconds(5)};
  ScriptPort port_;
  WatchPort watch_{port_, [this] { return now_; }};
  CaptureStream stream_{PacketFilter(), 1 << 16};
};

TEST_F(WatchPortTest, WithoutACaptureNothingIsKept) {
  EXPECT_FALSE(watch_.wants_drops());
  port_.inject(Segment{});
  EXPECT_EQ(receive(), 1u);
  EXPECT_TRUE(take_all(stream_).empty());
}

TEST_F(WatchPortTest, RecordsBothDirectionsInTheirOrder) {
  ASSERT_TRUE(watch_.attach(stream_));
  EXPECT_TRUE(watch_.wants_drops());
  const auto in = build(Segment{}), out = build(Segment{.flags = "S."});
  port_.inject(in);
  receive();
  EXPECT_TRUE(take_all(stream_).empty()) << "the stack may still drop it";
  send(out);
  const auto seen = take_all(stream_);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].about.direction, FrameDirection::kReceived);
  EXPECT_EQ(seen[0].bytes, in);
  EXPECT_EQ(seen[0].about.time, now_);
  EXPECT_EQ(seen[1].about.direction, FrameDirection::kSent);
  EXPECT_EQ(seen[1].bytes, out);
}

TEST_F(WatchPortTest, ADropIsRecordedWithItsReason) {
  ASSERT_TRUE(watch_.attach(stream_));
  port_.inject(Segment{});
  port_.inject(Segment{});
  receive();
  watch_.note_drop(1, DropReason::drop_tcp_checksum);
  watch_.note_drop(7, DropReason::drop_arp);  // there is no such frame
  receive();
  const auto seen = take_all(stream_);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].about.drop, DropReason::kNone);
  EXPECT_EQ(seen[1].about.drop, DropReason::drop_tcp_checksum);
}

TEST_F(WatchPortTest, TheFilterChooses) {
  CaptureStream other(filter("tcp dst port 80"), 1 << 16);
  CaptureStream same(filter("tcp"), 1 << 16);
  ASSERT_TRUE(watch_.attach(other));
  ASSERT_TRUE(watch_.attach(same));
  port_.inject(Segment{});
  receive();
  watch_.settle();
  EXPECT_TRUE(take_all(other).empty());
  EXPECT_EQ(take_all(same).size(), 1u);
}

TEST_F(WatchPortTest, AFullRingLosesRecordsAndCountsThem) {
  CaptureStream small(PacketFilter(), 4096);
  ASSERT_TRUE(watch_.attach(small));
  for (int i = 0; i < 100; ++i) {
    port_.inject(Segment{});
    EXPECT_EQ(receive(), 1u) << "traffic goes on";
  }
  watch_.settle();
  const auto seen = take_all(small);
  EXPECT_GT(small.frames_lost(), 0u);
  EXPECT_EQ(seen.size() + small.frames_lost(), 100u);
}

TEST_F(WatchPortTest, ADetachedCaptureSeesNoMore) {
  ASSERT_TRUE(watch_.attach(stream_));
  port_.inject(Segment{});
  receive();
  watch_.detach(stream_);
  port_.inject(Segment{});
  receive();
  EXPECT_EQ(take_all(stream_).size(), 1u);
}

TEST_F(WatchPortTest, TooManyAreRefused) {
  std::vector<std::unique_ptr<CaptureStream>> streams;
  for (std::size_t i = 0; i < WatchPort::kMostStreams; ++i) {
    streams.push_back(std::make_unique<CaptureStream>(PacketFilter(), 4096));
    EXPECT_TRUE(watch_.attach(*streams.back()));
  }
  EXPECT_FALSE(watch_.attach(stream_));
}

// What a device would put on the wire: so a capture holds no wrong checksum.
void expect_right_checksums(const Segment& segment, std::uint64_t tso_flag, unsigned piece_bytes) {
  auto frame = build(segment);
  ASSERT_EQ(verify_checksums(frame), frame_flag::kRxIpChecksumGood | frame_flag::kRxL4ChecksumGood);
  const std::vector<std::byte> whole = frame;
  frame[14 + 10] = frame[14 + 11] = std::byte{0};
  std::uint32_t sum = 6 + (tso_flag != 0 ? 0 : static_cast<std::uint32_t>(frame.size()) - 34);
  for (std::size_t i = 26; i < 34; i += 2)
    sum += static_cast<std::uint32_t>(frame[i]) << 8 | static_cast<std::uint32_t>(frame[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  frame[34 + 16] = static_cast<std::byte>(sum >> 8);
  frame[34 + 17] = static_cast<std::byte>(sum);
  using namespace frame_flag;
  fill_in_checksums(frame, kTxIpv4 | kTxIpChecksum | kTxTcpChecksum | tso_flag,
                    tx_metadata(14, 20, piece_bytes));
  EXPECT_EQ(frame, whole);
}

TEST_F(WatchPortTest, ChecksumsThatTheDeviceFillsInAreRight) {
  expect_right_checksums(Segment{.flags = "P.", .payload = "hello"}, 0, 0);
}

TEST_F(WatchPortTest, SoAreThoseOfLargeSegments) {
  expect_right_checksums(Segment{.flags = "P.", .payload = std::string(9999, 'x')},
                         frame_flag::kTxTcpSegmentation, 1460);
}

TEST(PacketFilter, SaysWhatItDoesNotUnderstand) {
  const auto filter = PacketFilter::compile("tcp prot 9999");
  EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(filter.status().message()), testing::HasSubstr("tcp prot 9999"));
}

}  // namespace
}  // namespace tern::io
