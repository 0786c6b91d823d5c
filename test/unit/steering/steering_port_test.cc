// SPDX-License-Identifier: BSD-3-Clause
#include "steering/steering_port.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "queue_port.h"

namespace tern::steering {
namespace {

constexpr Instant kNow{};

// Some workers' sides of one exchange, without stacks.
class SteeringPorts : public testing::Test {
 protected:
  void make(std::uint16_t workers) {
    exchange_ = std::make_unique<Exchange>(HomeMap(SipKey{1, 2}, workers), 1000);
    for (std::uint16_t i = 0; i < workers; ++i) {
      queues_.push_back(std::make_unique<QueuePort>(MacAddress{{2, 0, 0, 0, 0, 1}}, out_,
                                                    [](std::span<const std::byte>) {}));
      ports_.push_back(std::make_unique<SteeringPort>(*queues_[i], *exchange_, i));
    }
  }
  ~SteeringPorts() override {
    ports_.clear();
    queues_.clear();
    EXPECT_EQ(out_, 0) << "frames were not given back";
  }

  SteeringPort& port(std::size_t i) { return *ports_.at(i); }

  Frame new_frame() {
    std::array<Frame, 1> frame;
    EXPECT_EQ(port(0).allocate(frame), 1u);
    frame[0].length = 60;
    return frame[0];
  }
  // What waits at a worker; the frame is the caller's.
  std::vector<Frame> receive(std::size_t worker) {
    std::array<Frame, 64> frames;
    const std::size_t count = port(worker).receive(frames);
    return {frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(count)};
  }
  // A flow whose home is that worker.
  Flow flow_of(std::uint16_t home, std::uint16_t first_port = 1) {
    Flow flow{{Ipv4Address(10, 0, 0, 1), 9999}, {Ipv4Address(10, 0, 0, 2), first_port}};
    while (exchange_->homes().home_of(flow) != home) ++flow.remote.port;
    return flow;
  }

  FrameCount out_{0};
  std::unique_ptr<Exchange> exchange_;
  std::vector<std::unique_ptr<QueuePort>> queues_;
  std::vector<std::unique_ptr<SteeringPort>> ports_;
};

TEST_F(SteeringPorts, AloneEverythingIsHere) {
  make(1);
  const Frame frame = new_frame();
  EXPECT_TRUE(port(0).is_home(flow_of(0)));
  EXPECT_EQ(port(0).place(frame, flow_of(0), kNow), Placement::kHere);
  EXPECT_EQ(port(0).tell({}), 0u);
  port(0).release({&frame, 1});
}

TEST_F(SteeringPorts, AnUnknownFlowGoesToItsHomeWithItsFrame) {
  make(2);
  const Frame frame = new_frame();
  EXPECT_EQ(port(0).place(frame, flow_of(1), kNow), Placement::kTaken);
  EXPECT_EQ(exchange_->frames_under_way(), 1u);
  const auto received = receive(1);
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(received[0].handle, frame.handle);
  EXPECT_EQ(received[0].length, 60u);
  EXPECT_NE(received[0].flags & frame_flag::kHandedOver, 0u);
  // Nobody else is left to ask.
  EXPECT_EQ(port(1).place(received[0], flow_of(1), kNow), Placement::kHere);
  port(1).release(received);
}

TEST_F(SteeringPorts, EveryWorkerIsAskedOnceAndTheLastAnswers) {
  for (std::uint16_t arrival = 0; arrival < 4; ++arrival) {
    for (std::uint16_t home = 0; home < 4; ++home) {
      ports_.clear();
      queues_.clear();
      make(4);
      const Flow flow = flow_of(home);
      std::vector<int> visits(4);
      std::vector<Frame> frames{new_frame()};
      std::size_t at = arrival;
      ++visits[at];
      while (port(at).place(frames[0], flow, kNow) == Placement::kTaken) {
        frames.clear();
        for (std::size_t i = 0; i < 4 && frames.empty(); ++i)
          if (frames = receive(i); !frames.empty()) at = i;
        ASSERT_EQ(frames.size(), 1u);
        ++visits[at];
      }
      EXPECT_EQ(visits, (std::vector<int>{1, 1, 1, 1})) << arrival << " " << home;
      port(at).release(frames);
    }
  }
}

TEST_F(SteeringPorts, WhoClaimsAFlowIsAskedFirst) {
  make(4);
  const Flow flow = flow_of(1);
  port(3).claim(flow);
  const Frame frame = new_frame();
  EXPECT_EQ(port(0).place(frame, flow, kNow), Placement::kTaken);
  const auto received = receive(3);
  ASSERT_EQ(received.size(), 1u);
  port(3).release(received);
}

// A flood of strays at the place where they are at home must not become a flood everywhere.
TEST_F(SteeringPorts, AskingAroundIsLimited) {
  make(2);
  const Flow flow = flow_of(0);
  std::uint32_t taken = 0;
  for (std::uint32_t i = 0; i < SteeringPort::kAskBurst + 500; ++i) {
    const Frame frame = new_frame();
    const Placement placement = port(0).place(frame, flow, kNow);
    if (placement == Placement::kTaken) {
      ++taken;
      port(1).release(receive(1));
    } else {
      EXPECT_EQ(placement, Placement::kLimited);
      port(0).release({&frame, 1});
    }
  }
  EXPECT_EQ(taken, SteeringPort::kAskBurst);
}

TEST_F(SteeringPorts, AFullRingRefusesAndTheFrameStays) {
  make(2);
  const Flow flow = flow_of(1);
  for (std::size_t i = 0; i < Exchange::kRingFrames; ++i)
    ASSERT_EQ(port(0).place(new_frame(), flow, kNow), Placement::kTaken);
  const Frame frame = new_frame();
  EXPECT_EQ(port(0).place(frame, flow, kNow), Placement::kFull);
  port(0).release({&frame, 1});
  EXPECT_EQ(exchange_->frames_under_way(), Exchange::kRingFrames);  // given back at the end
}

TEST_F(SteeringPorts, HandedOverFramesComeFirstAndLeaveRoomForTheRest) {
  make(2);
  queues_[1]->deliver(Bytes(60));
  const Frame frame = new_frame();
  ASSERT_EQ(port(0).place(frame, flow_of(1), kNow), Placement::kTaken);
  const auto received = receive(1);
  ASSERT_EQ(received.size(), 2u);
  EXPECT_EQ(received[0].handle, frame.handle);
  port(1).release(received);
}

TEST_F(SteeringPorts, NewsReachesAllOthersAndIsBounded) {
  make(3);
  const NeighbourNews news{Ipv4Address(10, 0, 0, 9), {{2, 0, 0, 0, 0, 9}}, true};
  for (std::size_t i = 0; i < Exchange::kRingNews; ++i) ASSERT_EQ(port(0).tell(news), 0u);
  EXPECT_EQ(port(0).tell(news), 2u);
  std::array<NeighbourNews, 4> heard;
  EXPECT_EQ(port(0).hear(heard), 0u);
  for (const std::size_t worker : {1, 2}) {
    ASSERT_EQ(port(worker).hear(heard), 4u);
    EXPECT_EQ(heard[0].mac, news.mac);
    EXPECT_TRUE(heard[0].wants_us);
  }
}

}  // namespace
}  // namespace tern::steering
