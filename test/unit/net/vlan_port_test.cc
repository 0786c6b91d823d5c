// SPDX-License-Identifier: BSD-3-Clause
#include "net/vlan_port.h"

#include <gtest/gtest.h>

#include <array>

#include "fake_port.h"

namespace tern::net {
namespace {

class VlanPortTest : public testing::Test {
 protected:
  /// A frame of 20 bytes that says `tag` at its end.
  Frame frame(std::uint8_t tag) {
    Frame out;
    EXPECT_EQ(port_.allocate({&out, 1}), 1U);
    for (std::uint8_t i = 0; i < 20; ++i) out.data[i] = std::byte{i};
    out.data[19] = std::byte{tag};
    out.length = 20;
    return out;
  }
  static Bytes expected(std::uint8_t tag) {
    return {0,    1, 2,    3,    4,  5,  6,  7,  8,  9,  10, 11,
            0x81, 0, 0x01, 0x2c, 12, 13, 14, 15, 16, 17, 18, tag};
  }

  FakePort wire_;
  VlanPort port_{wire_, 300};
};

TEST_F(VlanPortTest, TagsWhatIsSent) {
  const std::array frames{frame(1), frame(2)};
  EXPECT_EQ(port_.transmit(frames), 2U);
  EXPECT_EQ(wire_.take_sent(), (std::vector<Bytes>{expected(1), expected(2)}));
}

TEST_F(VlanPortTest, AFrameThatIsNotTakenIsOfferedAgainUnchanged) {
  const std::array frames{frame(1), frame(2), frame(3)};
  wire_.set_tx_room(1);
  EXPECT_EQ(port_.transmit(frames), 1U);
  for (int again = 0; again < 3; ++again)
    EXPECT_EQ(port_.transmit(std::span(frames).subspan(1)), 0U);
  wire_.set_tx_room(SIZE_MAX);
  EXPECT_EQ(port_.transmit(std::span(frames).subspan(1)), 2U);
  EXPECT_EQ(wire_.take_sent(), (std::vector<Bytes>{expected(1), expected(2), expected(3)}));
}

TEST_F(VlanPortTest, TheTagTakesRoomFromTheFrameAndNoneFromTheMtu) {
  EXPECT_EQ(port_.info().frame_capacity, wire_.info().frame_capacity - 4);
  EXPECT_EQ(port_.info().mtu, wire_.info().mtu);
}

TEST_F(VlanPortTest, ADeviceThatCompletesChecksumsIsToldOfTheLongerHeader) {
  class Watching final : public Port {
   public:
    explicit Watching(Port& inner) : inner_(inner) {}
    const PortInfo& info() const override { return inner_.info(); }
    std::size_t receive(std::span<Frame>) override { return 0; }
    std::size_t transmit(std::span<const Frame> frames) override {
      metadata = frames[0].metadata;
      return inner_.transmit(frames);
    }
    std::size_t allocate(std::span<Frame> frames) override { return inner_.allocate(frames); }
    void release(std::span<const Frame> frames) override { inner_.release(frames); }
    std::uint32_t metadata = 0;

   private:
    Port& inner_;
  } watching(wire_);
  VlanPort port(watching, 1);
  Frame offloaded;
  ASSERT_EQ(port.allocate({&offloaded, 1}), 1U);
  offloaded.length = 60;
  offloaded.metadata = tx_metadata(14, 20);
  EXPECT_EQ(port.transmit({&offloaded, 1}), 1U);
  EXPECT_EQ(watching.metadata, tx_metadata(18, 20));
}

TEST_F(VlanPortTest, AFrameThatIsSentAgainHasRoomForTheTag) {
  Frame again = frame(1);
  again.data = static_cast<std::byte*>(again.handle) + 20;  // as its last user left it
  ASSERT_EQ(port_.recycle({&again, 1}), 1U);
  for (std::uint8_t i = 0; i < 20; ++i) again.data[i] = std::byte{i};
  again.length = 20;
  EXPECT_EQ(port_.transmit({&again, 1}), 1U);
  EXPECT_EQ(wire_.take_sent(), std::vector<Bytes>{expected(19)});
}

TEST_F(VlanPortTest, LongBurstsAreCutAndFramesComeBack) {
  std::vector<Frame> frames(150);
  EXPECT_EQ(port_.allocate(frames), 150U);
  for (Frame& one : frames) one.length = 60;
  EXPECT_EQ(port_.transmit(std::span(frames).first(140)), 140U);
  EXPECT_EQ(wire_.bursts(), (std::vector<std::size_t>{64, 64, 12}));
  port_.release(std::span(frames).subspan(140));
}

}  // namespace
}  // namespace tern::net
