// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "io/sim/model_port.h"
#include "io/sim/sim_link.h"
#include "tern/time.h"

namespace tern::io {

/// A port of a simulated network. Until it is connected its link is down and what it sends is lost.
class SimPort final : public ModelPort, public FrameReceiver {
 public:
  explicit SimPort(const ModelPortConfig& config = {}) : ModelPort(config) {}

  bool link_up() const override { return outgoing_ != nullptr && outgoing_->up(); }
  void frame_arrived(std::span<const std::byte> frame) override { deliver(frame); }

 private:
  friend class SimNetwork;
  void put_on_wire(std::vector<std::byte> frame) override;
  Instant now() const override;

  SimNetwork* network_ = nullptr;
  SimLink* outgoing_ = nullptr;
};

/// A learning Ethernet switch: what it does not know, and what is for a group, goes to every other
/// port. Made by SimNetwork.
class SimSwitch {
 public:
  /// For SimNetwork: one more port, whose frames to the outside go into `out`.
  FrameReceiver& add_port(SimLink& out);

 private:
  struct SwitchPort final : FrameReceiver {
    SwitchPort(SimSwitch& the_switch, SimLink& link) : owner(the_switch), out(link) {}
    void frame_arrived(std::span<const std::byte> frame) override { owner.forward(*this, frame); }
    SimSwitch& owner;
    SimLink& out;
  };
  void forward(SwitchPort& from, std::span<const std::byte> frame);

  std::vector<std::unique_ptr<SwitchPort>> ports_;
  std::map<MacAddress, SwitchPort*> learned_;
};

/// The two directions of a connection.
struct LinkPair {
  SimLink& a_to_b;
  SimLink& b_to_a;

  void set_up(bool up) const {
    a_to_b.set_up(up);
    b_to_a.set_up(up);
  }
};

/// Ports, wires and a virtual clock. Frames that are due at the same time arrive in the order in
/// which they were sent: the same calls with the same seeds give the same trace. Ports must outlive
/// the network's use. Thread: one.
class SimNetwork {
 public:
  SimNetwork() = default;
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  Instant now() const { return now_; }

  /// A wire between two ports, of which neither is connected yet.
  LinkPair connect(SimPort& a, SimPort& b, const LinkConfig& a_to_b = {},
                   const LinkConfig& b_to_a = {});

  /// A segment that more than two ports share; attach() connects a port to it ("a" is the port).
  SimSwitch& add_switch();
  LinkPair attach(SimPort& port, SimSwitch& to, const LinkConfig& port_to_switch = {},
                  const LinkConfig& switch_to_port = {});

  /// Delivers all that is due up to and including `time` into the ports' receive queues, in order,
  /// and makes it the present. `time` must not be before now().
  void advance_to(Instant time);
  /// When the next frame arrives; kNever if none is under way.
  Instant next_event() const { return events_.empty() ? kNever : events_.begin()->first.first; }
  /// Frames under way.
  std::size_t in_flight() const { return events_.size(); }

  /// For SimLink: the frame arrives at the link's end at `time`.
  void schedule(Instant time, SimLink& link, std::vector<std::byte> frame);

 private:
  struct Event {
    SimLink* link;
    std::vector<std::byte> frame;
  };
  SimLink& add_link(FrameReceiver& receiver, const LinkConfig& config);
  void plug_in(SimPort& port, SimLink& outgoing);

  Instant now_{};
  std::uint64_t next_sequence_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, Event> events_;  // by (time, sequence)
  std::vector<std::unique_ptr<SimLink>> links_;
  std::vector<std::unique_ptr<SimSwitch>> switches_;
};

}  // namespace tern::io
