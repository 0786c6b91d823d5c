// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>

#include "io/dpdk/device.h"
#include "io/dpdk/rx_split.h"
#include "tern/port.h"

struct rte_mbuf;
struct rte_mempool;

namespace tern::io {

/// One queue pair of a device as the engine's Port. A Frame's handle is its mbuf. Thread rule: one
/// thread at a time; two queues of one device are independent. The device must outlive it, and must
/// be running when frames are received or sent.
class DpdkPort final : public Port {
 public:
  DpdkPort(const Device& device, std::uint16_t queue);
  ~DpdkPort() override;  // frees what was received and not taken
  DpdkPort(const DpdkPort&) = delete;
  DpdkPort& operator=(const DpdkPort&) = delete;

  const PortInfo& info() const override { return info_; }
  std::size_t receive(std::span<Frame> frames) override;
  std::size_t transmit(std::span<const Frame> frames) override;
  std::size_t allocate(std::span<Frame> frames) override;
  bool allocate_large(Frame& frame) override;
  void release(std::span<const Frame> frames) override;
  std::size_t recycle(std::span<Frame> frames) override;
  PortCounters counters() const override { return counters_; }

  /// The device's link, asked for every 10 ms, since asking can be a system call. Where polling a
  /// link that is going down is a danger (Device::link_goes_under_polls), before each poll that may
  /// find nothing.
  bool link_up() const override;

  std::uint16_t queue() const { return queue_; }

 private:
  static constexpr std::size_t kBurst = 64;

  std::size_t fill(rte_mbuf* const* mbufs, std::size_t count, std::span<Frame> frames);
  Frame received_frame(rte_mbuf* mbuf) const;
  std::size_t deliver_waiting(std::span<Frame> frames);
  bool linearise(rte_mbuf* mbuf);
  bool begin_split(rte_mbuf* mbuf);
  std::size_t transmit_burst(const Frame* frames, std::size_t count);
  std::size_t send(rte_mbuf** mbufs, std::size_t count);
  void free_mbufs(rte_mbuf** mbufs, std::size_t count);

  const Device& device_;
  const PortInfo info_;
  rte_mempool* const pool_;
  rte_mempool* const large_pool_;  // nullptr: the device does not cut
  const std::uint64_t rx_flags_mask_;
  const std::uint16_t port_id_;
  const std::uint16_t queue_;
  PortCounters counters_;
  // Received, and to be handed over before anything else: from a chain of buffers on, which may
  // become more frames than there was room for.
  RxSplit split_;
  std::array<rte_mbuf*, kBurst> waiting_;
  std::size_t waiting_next_ = 0, waiting_end_ = 0;
  // link_up() is const to its caller, and remembers what it asked.
  const bool watch_link_;
  bool received_ = false;  // by the last receive(): then the link is up
  mutable bool link_is_up_ = false;
  mutable std::uint64_t next_link_check_ = 0;  // TSC
  const std::uint64_t link_check_cycles_;
};

}  // namespace tern::io
