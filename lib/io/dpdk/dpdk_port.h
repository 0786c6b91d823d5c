// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "io/dpdk/device.h"
#include "tern/port.h"

struct rte_mbuf;
struct rte_mempool;

namespace tern::io {

/// Frames that a DpdkPort treated in an unusual way.
struct DpdkPortCounters {
  std::uint64_t rx_linearised = 0;  ///< came in several buffers and were copied into one
  std::uint64_t rx_dropped = 0;     ///< came in several buffers and did not fit into one
  std::uint64_t tx_rejected = 0;    ///< the device cannot send what was asked for; dropped
};

/// One queue pair of a device as the engine's Port. A Frame's handle is its mbuf. Thread rule: one
/// thread at a time; two queues of one device are independent. The device must outlive it, and must
/// be running when frames are received or sent.
class DpdkPort final : public Port {
 public:
  DpdkPort(const Device& device, std::uint16_t queue);

  const PortInfo& info() const override { return info_; }
  std::size_t receive(std::span<Frame> frames) override;
  std::size_t transmit(std::span<const Frame> frames) override;
  std::size_t allocate(std::span<Frame> frames) override;
  void release(std::span<const Frame> frames) override;
  std::size_t recycle(std::span<Frame> frames) override;

  /// The device's link, asked for every 10 ms, since asking can be a system call. Where polling a
  /// link that is going down is a danger (Device::link_goes_under_polls), before each poll that may
  /// find nothing.
  bool link_up() const override;

  std::uint16_t queue() const { return queue_; }
  const DpdkPortCounters& counters() const { return counters_; }

 private:
  static constexpr std::size_t kBurst = 64;

  std::size_t fill(rte_mbuf* const* mbufs, std::size_t count, Frame* frames);
  bool linearise(rte_mbuf* mbuf);
  std::size_t transmit_burst(const Frame* frames, std::size_t count);
  std::size_t send(rte_mbuf** mbufs, std::size_t count);
  void free_mbufs(rte_mbuf** mbufs, std::size_t count);

  const Device& device_;
  const PortInfo info_;
  rte_mempool* const pool_;
  const std::uint64_t rx_flags_mask_;
  const std::uint16_t port_id_;
  const std::uint16_t queue_;
  DpdkPortCounters counters_;
  // link_up() is const to its caller, and remembers what it asked.
  const bool watch_link_;
  bool received_ = false;  // by the last receive(): then the link is up
  mutable bool link_is_up_ = false;
  mutable std::uint64_t next_link_check_ = 0;  // TSC
  const std::uint64_t link_check_cycles_;
};

}  // namespace tern::io
