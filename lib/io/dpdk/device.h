// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "io/dpdk/rss.h"
#include "tern/address.h"
#include "tern/port.h"

struct rte_mempool;

namespace tern::io {

/// What is asked of a device. Counts are per queue.
struct DeviceConfig {
  std::uint16_t queues = 1;             ///< receive and transmit queue pairs, one for each worker
  std::uint16_t rx_descriptors = 1024;  ///< adjusted to what the device can
  std::uint16_t tx_descriptors = 1024;
  std::uint32_t held_frames = 4096;  ///< received frames that may be held outside the ring
  std::uint16_t mtu = 1500;
  std::optional<MacAddress> mac =
      {};                   ///< ours; by default the device's (a tap: see own_mac_address)
  bool rx_checksum = true;  ///< have the device verify checksums
  bool tx_checksum = true;  ///< have the device fill checksums in
  /// Bytes of IP packet that is handed over to be cut, in frames of a pool for them alone; above
  /// the MTU asks for TSO. At most kMostTsoBytes.
  std::uint32_t tso_bytes = 0;
  static constexpr std::uint32_t kMostTsoBytes = 65'280;  // with headroom, what an mbuf can hold
  /// A frame whose checksum "was not computed" comes from a trusted neighbour on a virtual wire.
  /// Also makes the verdicts of a virtual device count, which are worth no more than that
  /// neighbour.
  bool trust_missing_checksum = false;
  bool rx_interrupts = false;  ///< wanted; see RxInterrupt for whether they are there
  /// With several queues: the device's RSS key is drawn from it. Zero: the driver's own key.
  SipKey rss_secret{};
  /// Frames that may be under way to each other queue's worker when the device does not steer.
  std::uint32_t exchanged_frames = 0;
};

/// One line of the offload table.
struct Offload {
  std::string_view name;
  bool requested = false;
  bool supported = false;
  bool chosen = false;
  std::string_view remark;  ///< who does it if the device does not
};

/// Buffers that one queue needs so that no path starves another.
std::uint32_t mbufs_per_queue(const DeviceConfig& config);
/// Bytes of EAL memory for all of a device's buffers.
std::uint64_t mbuf_bytes(const DeviceConfig& config);
/// Of those, the bytes of large segments' buffers: 0 without TSO.
std::uint64_t large_mbuf_bytes(const DeviceConfig& config);
/// The whole in ordinary memory: rte_mempool then lets no buffer cross a page of 4 KiB.
std::uint64_t ordinary_mbuf_bytes(const DeviceConfig& config);

/// The port id of the device of this name ("net_tap0", "0000:00:05.0"), or the first one if the
/// name is empty.
absl::StatusOr<std::uint16_t> find_device(std::string_view name);

/// An Ethernet device, configured: asked what it can, given what it has, its buffers allocated. Any
/// driver will do; what it lacks is done in software. Thread rule: EAL's main thread. Owned by
/// whoever opened it, destroyed before the Eal.
class Device {
 public:
  static absl::StatusOr<std::unique_ptr<Device>> open(std::uint16_t port_id,
                                                      const DeviceConfig& config);
  ~Device();  // stops and closes the device, then frees its buffers
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Frames pass from here on. With several queues, RSS is set up and read back.
  absl::Status start();
  /// Has frames to these groups' MAC addresses come in as well: by the device's filter, else by
  /// letting in all groups', else by letting in everything. What the stack does not listen to, the
  /// parser drops. After start().
  absl::Status listen_to(const std::vector<MacAddress>& groups);
  /// No frame passes any more; the rings' frames go back to the pools where the driver does so.
  void stop();

  std::uint16_t port_id() const { return port_id_; }
  std::uint16_t queues() const { return config_.queues; }
  const std::string& name() const { return name_; }      ///< "net_tap0"
  const std::string& driver() const { return driver_; }  ///< "net_tap"
  const PortInfo& info() const { return info_; }
  rte_mempool* pool(std::uint16_t queue) const { return pools_[queue]; }
  /// Of frames of PortInfo::tso_bytes; nullptr if the device does not cut.
  rte_mempool* large_pool(std::uint16_t queue) const {
    return large_pools_.empty() ? nullptr : large_pools_[queue];
  }
  bool link_up() const;  ///< now, or when it was last asked if another thread is asking. Any thread
  /// Frames that it lost on their way in since it started: no buffer for them, or no room in its
  /// ring. Any thread.
  std::uint64_t frames_missed() const;
  /// How it spreads TCP over its queues; nothing if it has one, or does not say. After start().
  const std::optional<DeviceRss>& rss() const { return rss_; }

  /// The RTE_MBUF_F_RX_* bits that are believed: on a virtual wire a checksum verdict is the word
  /// of whoever wrote the frame, so it counts only where trust_missing_checksum says so.
  std::uint64_t trusted_rx_flags() const;
  /// net_memif unmaps its rings, in another thread, when its peer leaves: a poll of a moment later
  /// crashes (DPDK 22.11). The link is down by then, so it is worth asking often.
  bool link_goes_under_polls() const { return link_goes_under_polls_; }
  /// A virtual device whose other end is the Linux kernel: polling it without a pause starves that.
  bool is_kernel_backed() const;

  const std::vector<Offload>& offloads() const { return offloads_; }
  /// The device in two lines, then the offload table: each line ended, at most 80 columns.
  std::string describe() const;

 private:
  Device(std::uint16_t port_id, const DeviceConfig& config);
  absl::Status configure();
  absl::Status create_pools();
  absl::Status create_large_pools();
  int set_up_tx_queue(std::uint16_t queue, unsigned socket);
  absl::Status set_up_queues();
  absl::Status set_up_address();
  void choose_offloads();
  void fill_in_info();
  bool ask_link() const;

  std::uint16_t port_id_;
  DeviceConfig config_;
  std::string name_;
  std::string driver_;
  PortInfo info_;
  std::uint64_t rx_offloads_ = 0;
  std::uint64_t tx_offloads_ = 0;
  std::uint64_t rss_types_ = 0;
  std::optional<DeviceRss> rss_;
  std::vector<Offload> offloads_;
  mutable std::mutex asking_;  // held by whoever asks the card
  mutable std::atomic<bool> link_was_up_ = false;
  std::vector<rte_mempool*> pools_;        // one for each queue: what MBUF_FAST_FREE asks for
  std::vector<rte_mempool*> large_pools_;  // likewise, if it cuts
  bool link_goes_under_polls_ = false;
  bool is_configured_ = false;
  bool is_started_ = false;
};

}  // namespace tern::io
