// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "net/token_bucket.h"
#include "steering/exchange.h"
#include "tern/port.h"
#include "tern/steering.h"

namespace tern::steering {

/// One worker's side of an Exchange: in front of its port, it mixes the frames that the others hand
/// over into what is received, those first since they have waited longer. A frame may have another
/// port's buffer: release() must take any port's of the exchange (DPDK's mbufs know their pool).
/// Thread: the worker's. The exchange and the inner port outlive it.
class SteeringPort final : public Port, public Steering {
 public:
  /// Segments of unknown flows that go round, at most: as many as strays are answered.
  static constexpr std::uint32_t kAsksPerSecond = 10'000;
  static constexpr std::uint32_t kAskBurst = 1'000;
  /// Fragments that are handed over, lest a flood of them fills the rings that segments need.
  static constexpr std::uint32_t kFragmentsPerSecond = 10'000;
  static constexpr std::uint32_t kFragmentBurst = 256;

  SteeringPort(Port& inner, Exchange& exchange, std::uint16_t worker);
  /// Gives back what the others have handed over and nobody has received. Only when no worker is at
  /// work any more.
  ~SteeringPort() override;

  // Port
  const PortInfo& info() const override { return inner_.info(); }
  std::size_t receive(std::span<Frame> frames) override;
  std::size_t transmit(std::span<const Frame> frames) override { return inner_.transmit(frames); }
  std::size_t allocate(std::span<Frame> frames) override { return inner_.allocate(frames); }
  bool allocate_large(Frame& frame) override { return inner_.allocate_large(frame); }
  void release(std::span<const Frame> frames) override { inner_.release(frames); }
  std::size_t recycle(std::span<Frame> frames) override { return inner_.recycle(frames); }
  PortCounters counters() const override { return inner_.counters(); }
  bool link_up() const override { return inner_.link_up(); }
  bool wants_drops() const override { return inner_.wants_drops(); }
  /// A frame that was handed over has been seen by the port that it arrived at.
  void note_drop(std::size_t index, DropReason reason) override {
    if (index >= handed_) inner_.note_drop(index - handed_, reason);
  }

  // Steering
  StackNumber number() const override { return {self_, workers()}; }
  bool is_home(const Flow& flow) const override { return exchange_.homes().home_of(flow) == self_; }
  Placement place(const Frame& frame, const Flow& flow, Instant now) override;
  Placement place_fragment(const Frame& frame, const IpAddress& source,
                           const IpAddress& destination, std::uint32_t id, Instant now) override;
  void claim(const Flow& flow) override;
  std::size_t tell(const NeighbourNews& news) override;
  std::size_t hear(std::span<NeighbourNews> news) override;

 private:
  Placement send(const Frame& frame, std::uint16_t to, std::uint16_t origin, std::uint16_t passes);
  Placement pass_on(const Frame& frame, std::uint16_t origin, std::uint16_t passes, Instant now);
  std::size_t receive_handed_over(std::span<Frame> frames);
  std::uint16_t workers() const { return exchange_.workers(); }

  Port& inner_;
  Exchange& exchange_;
  const std::uint16_t self_;
  std::size_t handed_ = 0;        // of the last receive(), the first so many
  std::uint16_t first_lane_ = 0;  // takes turns, so that no worker's frames starve another's
  net::TokenBucket asks_{kAsksPerSecond, kAskBurst};
  net::TokenBucket fragments_{kFragmentsPerSecond, kFragmentBurst};
};

}  // namespace tern::steering
