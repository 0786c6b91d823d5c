// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/device.h"

#include <absl/strings/str_cat.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tern::io {

namespace {

constexpr std::uint32_t kPoolCache =
    256;  // mbufs kept by the worker's core, out of the shared ring
constexpr std::uint32_t kStagedFrames =
    1088;  // net::Egress: 1024 staged, 32 spare, a burst in flight
constexpr std::uint32_t kLargeInRing = 128;  // sent large frames that the ring may hold
constexpr std::uint32_t kEthernetOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + RTE_VLAN_HLEN;

absl::Status device_error(std::string_view device, std::string_view what, int error) {
  return absl::InternalError(absl::StrCat(absl::string_view(device.data(), device.size()), ": ",
                                          absl::string_view(what.data(), what.size()), ": ",
                                          std::strerror(error < 0 ? -error : error)));
}

bool starts_with_any(std::string_view driver, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return driver.starts_with(name); });
}

// Drivers with no wire: what they say of a checksum is what the sender's software says.
bool is_virtual(std::string_view driver) {
  return starts_with_any(
      driver, {"net_tap", "net_af_packet", "net_af_xdp", "net_virtio", "net_vhost", "net_memif",
               "net_ring", "net_null", "net_pcap", "net_tun"});
}

bool cuts_in_software(std::string_view driver) { return driver.starts_with("net_tap"); }

// A large segment lies in one buffer. A descriptor of many NICs holds less than 16 KiB of it, which
// not every driver checks (net_vmxnet3); virtio's holds all that an IP packet can have.
std::uint32_t longest_buffer(std::string_view driver) {
  constexpr std::uint32_t kAnyNic = 16'000;
  return driver.starts_with("net_virtio") ? DeviceConfig::kMostTsoBytes : kAnyNic;
}

std::string device_name(std::uint16_t port_id) {
  std::array<char, RTE_ETH_NAME_MAX_LEN> text{};
  return rte_eth_dev_get_name_by_port(port_id, text.data()) == 0 ? text.data() : "?";
}

std::string_view yes(bool value) { return value ? "yes" : "no"; }

// Columns as wide as their longest word.
std::string table_row(const std::array<std::string_view, 5>& cells) {
  constexpr std::array<std::size_t, 5> kWidths = {19, 11, 11, 8, 0};
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (cells[i].size() < kWidths[i]) line.append(kWidths[i] - cells[i].size(), ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// As rte_eth_dev_configure() reckons it, which only says "invalid argument" (DPDK 22.11).
std::uint32_t largest_mtu(const rte_eth_dev_info& info) {
  const bool says_both = info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu;
  constexpr std::uint32_t kOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  const std::uint32_t overhead = says_both ? info.max_rx_pktlen - info.max_mtu : kOverhead;
  const std::uint32_t room = info.max_rx_pktlen > overhead ? info.max_rx_pktlen - overhead : 0;
  return std::min<std::uint32_t>(info.max_mtu, room);
}

// Receive buffers in steps of 1 KiB, which is the unit that many NICs count them in.
std::uint32_t frame_capacity(const DeviceConfig& config) {
  const std::uint32_t need = config.mtu + kEthernetOverhead;
  return std::max<std::uint32_t>(2048, (need + 1023) / 1024 * 1024);
}

// One of so many bytes of data: the object's header, struct rte_mbuf and the data, as rte_mempool
// lays it out.
std::uint64_t bytes_of_mbuf(std::uint32_t capacity) {
  rte_mempool_objsz size;
  return rte_mempool_calc_obj_size(sizeof(rte_mbuf) + RTE_PKTMBUF_HEADROOM + capacity, 0, &size);
}

std::uint64_t bytes_per_mbuf(const DeviceConfig& config) {
  return bytes_of_mbuf(frame_capacity(config));
}

std::uint64_t in_whole_pages(std::uint64_t bytes) {
  constexpr std::uint64_t kPage = 4096;
  return bytes <= kPage ? kPage / (kPage / bytes) : (bytes + kPage - 1) / kPage * kPage;
}

bool asks_for_tso(const DeviceConfig& config) { return config.tso_bytes > config.mtu; }

// Large frames of a queue: what the ring has before the driver frees what is sent, and as much
// again of what was sent since.
std::uint32_t large_mbufs(const DeviceConfig& config) {
  return asks_for_tso(config) ? kLargeInRing * 2 : 0;
}
std::uint32_t large_capacity(const DeviceConfig& config) {
  return config.tso_bytes + kEthernetOverhead;
}

// A tap's device address is the kernel's end of the wire. Ours must be another, or both ends would
// have the same one; the kernel hands everything over, so no filter has to know it. Devices without
// any address (net_ring) are given one likewise.
MacAddress own_mac_address(std::uint16_t port_id, std::string_view driver) {
  rte_ether_addr address{};
  rte_eth_macaddr_get(port_id, &address);
  MacAddress mac;
  std::copy(std::begin(address.addr_bytes), std::end(address.addr_bytes), mac.octets.begin());
  if (mac.is_zero()) return {{0x02, 0, 0, 0, static_cast<std::uint8_t>(port_id), 0x01}};
  if (driver.starts_with("net_tap")) {
    mac.octets[0] |= 0x02;  // locally administered
    mac.octets[5] ^= 0x01;
  }
  return mac;
}

}  // namespace

std::uint32_t mbufs_per_queue(const DeviceConfig& config) {
  // rte_mempool lets a core's cache keep half as much again as its size.
  constexpr std::uint32_t kCached = kPoolCache * 3 / 2;
  // Every other worker may have some of these buffers: in its receive queues, which hold half of
  // held_frames at most, in its ring, and in its core's cache.
  const std::uint32_t others = config.exchanged_frames == 0 ? 0 : std::uint32_t{config.queues} - 1;
  return config.rx_descriptors + config.tx_descriptors + config.held_frames + kStagedFrames +
         kCached + others * (config.held_frames / 2 + config.exchanged_frames + kCached);
}

std::uint64_t mbuf_bytes(const DeviceConfig& config) {
  return std::uint64_t{config.queues} * mbufs_per_queue(config) * bytes_per_mbuf(config) +
         large_mbuf_bytes(config);
}

std::uint64_t large_mbuf_bytes(const DeviceConfig& config) {
  return std::uint64_t{config.queues} * large_mbufs(config) * bytes_of_mbuf(large_capacity(config));
}

std::uint64_t ordinary_mbuf_bytes(const DeviceConfig& config) {
  return config.queues *
         (mbufs_per_queue(config) * in_whole_pages(bytes_per_mbuf(config)) +
          large_mbufs(config) * in_whole_pages(bytes_of_mbuf(large_capacity(config))));
}

absl::StatusOr<std::uint16_t> find_device(std::string_view name) {
  if (name.empty()) {
    const std::uint64_t first = rte_eth_find_next_owned_by(0, RTE_ETH_DEV_NO_OWNER);
    if (first < RTE_MAX_ETHPORTS) return static_cast<std::uint16_t>(first);
    return absl::NotFoundError(
        "no DPDK device: name one with --vdev=..., or bind a NIC with 'dpdk-devbind.py -b vfio-pci "
        "ADDRESS' and name it with -a ADDRESS");
  }
  std::uint16_t port_id = 0;
  if (rte_eth_dev_get_port_by_name(std::string(name).c_str(), &port_id) == 0) return port_id;
  std::string known;
  for (std::uint64_t id = rte_eth_find_next_owned_by(0, RTE_ETH_DEV_NO_OWNER);
       id < RTE_MAX_ETHPORTS;
       id = rte_eth_find_next_owned_by(static_cast<std::uint16_t>(id + 1), RTE_ETH_DEV_NO_OWNER))
    absl::StrAppend(&known, " ", device_name(static_cast<std::uint16_t>(id)));
  return absl::NotFoundError(absl::StrCat("no DPDK device is named '", std::string(name),
                                          "'; there are:", known.empty() ? " none" : known));
}

absl::StatusOr<std::unique_ptr<Device>> Device::open(std::uint16_t port_id,
                                                     const DeviceConfig& config) {
  if (rte_eth_dev_is_valid_port(port_id) == 0)
    return absl::NotFoundError(absl::StrCat("no DPDK port ", port_id));
  std::unique_ptr<Device> device(new Device(port_id, config));
  if (absl::Status status = device->configure(); !status.ok()) return status;
  if (absl::Status status = device->create_pools(); !status.ok()) return status;
  if (absl::Status status = device->set_up_queues(); !status.ok()) return status;
  if (absl::Status status = device->set_up_address(); !status.ok()) return status;
  device->fill_in_info();
  return device;
}

Device::Device(std::uint16_t port_id, const DeviceConfig& config)
    : port_id_(port_id), config_(config), name_(device_name(port_id)) {}

Device::~Device() {
  stop();
  if (is_configured_) rte_eth_dev_close(port_id_);
  for (rte_mempool* pool : pools_) rte_mempool_free(pool);
  for (rte_mempool* pool : large_pools_) rte_mempool_free(pool);
}

absl::Status Device::start() {
  const int error = rte_eth_dev_start(port_id_);
  if (error != 0) return device_error(name_, "the device does not start", error);
  is_started_ = true;
  if (rss_types_ != 0) rss_ = set_up_rss(port_id_, config_.queues, config_.rss_secret);
  if (!rss_ && config_.queues > 1) offloads_.back().remark = "unknown: workers hand frames over";
  return absl::OkStatus();
}

absl::Status Device::listen_to(const std::vector<MacAddress>& groups) {
  std::vector<rte_ether_addr> addresses(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i)
    std::copy(groups[i].octets.begin(), groups[i].octets.end(),
              std::begin(addresses[i].addr_bytes));
  const auto count = static_cast<std::uint32_t>(addresses.size());
  if (rte_eth_dev_set_mc_addr_list(port_id_, addresses.data(), count) == 0 ||
      rte_eth_allmulticast_enable(port_id_) == 0)
    return absl::OkStatus();
  // A device that knows neither, nor how to let in everything, has no filter.
  const int error = rte_eth_promiscuous_enable(port_id_);
  if (error != 0 && error != -ENOTSUP)
    return device_error(name_, "no way to receive what is sent to IPv6 groups", error);
  return absl::OkStatus();
}

void Device::stop() {
  if (is_started_) rte_eth_dev_stop(port_id_);
  is_started_ = false;
}

// A card tells one thread at a time: of two that ask its PHY at once, either may hear that the link
// is down (seen with e1000e). A worker does not wait for that, it takes the last answer.
bool Device::link_up() const {
  if (link_goes_under_polls_) return ask_link();
  const std::unique_lock lock(asking_, std::try_to_lock);
  if (lock.owns_lock()) link_was_up_.store(ask_link(), std::memory_order_relaxed);
  return link_was_up_.load(std::memory_order_relaxed);
}

bool Device::ask_link() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port_id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::uint64_t Device::frames_missed() const {
  const std::lock_guard lock(asking_);
  rte_eth_stats stats{};
  return rte_eth_stats_get(port_id_, &stats) == 0 ? stats.imissed + stats.rx_nombuf : 0;
}

std::uint64_t Device::trusted_rx_flags() const {
  constexpr std::uint64_t kVerdicts = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK;
  const std::uint64_t all = ~frame_flag::kHandedOver;
  return is_virtual(driver_) && !config_.trust_missing_checksum ? all & ~kVerdicts : all;
}

bool Device::is_kernel_backed() const {
  return starts_with_any(driver_,
                         {"net_tap", "net_af_packet", "net_af_xdp", "net_tun", "net_pcap"});
}

absl::Status Device::configure() {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(port_id_, &info); error != 0)
    return device_error(name_, "the device does not say what it can", error);
  driver_ = info.driver_name;
  link_goes_under_polls_ = driver_.starts_with("net_memif");
  if (config_.queues > std::min(info.max_rx_queues, info.max_tx_queues))
    return absl::InvalidArgumentError(
        absl::StrCat(name_, " has ", std::min(info.max_rx_queues, info.max_tx_queues),
                     " queue pairs, but ", config_.queues, " are needed: use fewer workers"));
  if (const std::uint32_t most = largest_mtu(info); config_.mtu > most)
    return absl::InvalidArgumentError(absl::StrCat(
        "mtu: ", name_, " (", driver_, ") carries packets of at most ", most, " bytes"));
  config_.tso_bytes = std::min(config_.tso_bytes, longest_buffer(driver_));
  choose_offloads();

  rte_eth_conf conf{};
  std::vector<std::uint8_t> rss_key;
  conf.rxmode.mtu = config_.mtu;
  conf.rxmode.offloads = rx_offloads_;
  conf.txmode.offloads = tx_offloads_;
  if (rss_types_ != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = rss_types_;
    if (config_.rss_secret != SipKey{}) {
      rss_key = make_rss_key(config_.rss_secret, info.hash_key_size);
      conf.rx_adv_conf.rss_conf.rss_key = rss_key.data();
      conf.rx_adv_conf.rss_conf.rss_key_len = static_cast<std::uint8_t>(rss_key.size());
    }
  }
  conf.intr_conf.rxq = config_.rx_interrupts ? 1 : 0;
  int error = rte_eth_dev_configure(port_id_, config_.queues, config_.queues, &conf);
  if (error != 0 && config_.rx_interrupts) {  // then without: sleeps are bounded anyway
    conf.intr_conf.rxq = 0;
    error = rte_eth_dev_configure(port_id_, config_.queues, config_.queues, &conf);
  }
  if (error == -EBUSY)
    return absl::UnavailableError(name_ + " is in use in this process: stop it first");
  if (error != 0) return device_error(name_, "the device refuses its configuration", error);
  is_configured_ = true;
  rte_eth_dev_adjust_nb_rx_tx_desc(port_id_, &config_.rx_descriptors, &config_.tx_descriptors);
  return absl::OkStatus();
}

void Device::choose_offloads() {
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(port_id_, &info);
  const auto ask = [this](std::string_view name, bool requested, std::uint64_t capabilities,
                          std::uint64_t bit, std::uint64_t& chosen, std::string_view remark) {
    const bool supported = (capabilities & bit) == bit;
    if (requested && supported) chosen |= bit;
    offloads_.push_back({name, requested, supported, requested && supported,
                         requested && supported ? std::string_view() : remark});
  };
  const bool rx_checksum =
      config_.rx_checksum && (!is_virtual(driver_) || config_.trust_missing_checksum);
  const std::string_view verified =
      config_.rx_checksum && !rx_checksum ? "in software: an untrusted wire" : "in software";
  ask("rx IPv4 checksum", rx_checksum, info.rx_offload_capa, RTE_ETH_RX_OFFLOAD_IPV4_CKSUM,
      rx_offloads_, verified);
  ask("rx TCP checksum", rx_checksum, info.rx_offload_capa, RTE_ETH_RX_OFFLOAD_TCP_CKSUM,
      rx_offloads_, verified);
  ask("tx IPv4 checksum", config_.tx_checksum, info.tx_offload_capa, RTE_ETH_TX_OFFLOAD_IPV4_CKSUM,
      tx_offloads_, "in software");
  ask("tx TCP checksum", config_.tx_checksum, info.tx_offload_capa, RTE_ETH_TX_OFFLOAD_TCP_CKSUM,
      tx_offloads_, "in software");
  // A tap's driver cuts in software, which costs as much as to build the pieces.
  const bool cuts =
      (tx_offloads_ & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0 && !cuts_in_software(driver_);
  ask("TCP segmentation", asks_for_tso(config_) && cuts, info.tx_offload_capa,
      RTE_ETH_TX_OFFLOAD_TCP_TSO, tx_offloads_, "one frame, one segment");
  // With large frames there are two pools.
  ask("tx fast free", (tx_offloads_ & RTE_ETH_TX_OFFLOAD_TCP_TSO) == 0, info.tx_offload_capa,
      RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE, tx_offloads_, "the driver frees one by one");
  ask("RSS", config_.queues > 1, info.flow_type_rss_offloads, RTE_ETH_RSS_NONFRAG_IPV4_TCP,
      rss_types_, config_.queues > 1 ? "the device has its own way" : "one queue");
  rss_types_ |= rss_types_ != 0 ? info.flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV6_TCP : 0;
}

absl::Status Device::create_pools() {
  const std::uint32_t count = mbufs_per_queue(config_);
  const auto data_room = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + frame_capacity(config_));
  const int socket = rte_eth_dev_socket_id(port_id_);
  for (std::uint16_t queue = 0; queue < config_.queues; ++queue) {
    const std::string name = absl::StrCat("tern_p", port_id_, "_q", queue);
    rte_mempool* pool =
        rte_pktmbuf_pool_create(name.c_str(), count, kPoolCache, 0, data_room, socket);
    if (pool == nullptr)
      return absl::ResourceExhaustedError(absl::StrCat(
          "no memory for ", count, " packet buffers x ", bytes_per_mbuf(config_),
          " bytes = ", count * bytes_per_mbuf(config_) >> 20, " MiB (", rte_strerror(rte_errno),
          "): lower the number of connections, raise -m, or reserve more hugepages"));
    pools_.push_back(pool);
  }
  return create_large_pools();
}

absl::Status Device::create_large_pools() {
  if ((tx_offloads_ & RTE_ETH_TX_OFFLOAD_TCP_TSO) == 0) return absl::OkStatus();
  const auto data_room = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + large_capacity(config_));
  for (std::uint16_t queue = 0; queue < config_.queues; ++queue) {
    const std::string name = absl::StrCat("tern_p", port_id_, "_l", queue);
    rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), large_mbufs(config_), 0, 0, data_room,
                                                rte_eth_dev_socket_id(port_id_));
    if (pool == nullptr)
      return absl::ResourceExhaustedError(
          absl::StrCat("no memory for ", large_mbufs(config_), " buffers of large segments (",
                       rte_strerror(rte_errno), "): give --no-tso, or raise -m"));
    large_pools_.push_back(pool);
  }
  return absl::OkStatus();
}

// A driver may keep what it has sent until its ring is nearly full, which would take all large
// frames: it is to look from kLargeInRing on. Not every driver takes that.
int Device::set_up_tx_queue(std::uint16_t queue, unsigned socket) {
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(port_id_, &info);
  rte_eth_txconf with_large = info.default_txconf;
  with_large.offloads = tx_offloads_;
  if (!large_pools_.empty() && config_.tx_descriptors > 2 * kLargeInRing) {
    with_large.tx_free_thresh = static_cast<std::uint16_t>(config_.tx_descriptors - kLargeInRing);
    if (rte_eth_tx_queue_setup(port_id_, queue, config_.tx_descriptors, socket, &with_large) == 0)
      return 0;
  }
  return rte_eth_tx_queue_setup(port_id_, queue, config_.tx_descriptors, socket, nullptr);
}

absl::Status Device::set_up_queues() {
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(port_id_));
  for (std::uint16_t queue = 0; queue < config_.queues; ++queue) {
    int error = rte_eth_rx_queue_setup(port_id_, queue, config_.rx_descriptors, socket, nullptr,
                                       pools_[queue]);
    if (error != 0) return device_error(name_, "no receive queue", error);
    error = set_up_tx_queue(queue, socket);
    if (error != 0) return device_error(name_, "no transmit queue", error);
  }
  return absl::OkStatus();
}

absl::Status Device::set_up_address() {
  info_.mac = config_.mac.value_or(own_mac_address(port_id_, driver_));
  if (!config_.mac.has_value()) return absl::OkStatus();
  rte_ether_addr address{};
  std::copy(info_.mac.octets.begin(), info_.mac.octets.end(), std::begin(address.addr_bytes));
  // A tap would give the address to the kernel's end.
  if (!driver_.starts_with("net_tap") && rte_eth_dev_default_mac_addr_set(port_id_, &address) == 0)
    return absl::OkStatus();
  // The filter cannot be told, so everything is let in, and parsing drops what is not for us.
  const int error = rte_eth_promiscuous_enable(port_id_);
  if (error != 0 && error != -ENOTSUP)
    return device_error(name_, "neither MAC filter nor promiscuous mode", error);
  return absl::OkStatus();
}

void Device::fill_in_info() {
  info_.mtu = config_.mtu;
  info_.frame_capacity = frame_capacity(config_);
  info_.rx_frames = config_.held_frames;
  info_.tx_frames = config_.tx_descriptors + kStagedFrames;
  info_.tx_ip_checksum = (tx_offloads_ & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
  info_.tx_tcp_checksum = (tx_offloads_ & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
  info_.tso_bytes = large_pools_.empty() ? 0 : config_.tso_bytes;
  info_.trust_missing_checksum = config_.trust_missing_checksum;
}

std::string Device::describe() const {
  std::string text = absl::StrCat(name_, " (", driver_, "): MAC ", to_string(info_.mac), ", MTU ",
                                  info_.mtu, "\nqueues: ", config_.queues, " of ",
                                  config_.rx_descriptors, " + ", config_.tx_descriptors,
                                  " descriptors, ", mbufs_per_queue(config_) * config_.queues,
                                  " buffers of ", info_.frame_capacity, " bytes\n");
  text += table_row({"offload", "requested", "supported", "chosen", {}});
  for (const Offload& offload : offloads_)
    text += table_row({offload.name, yes(offload.requested), yes(offload.supported),
                       yes(offload.chosen), offload.remark});
  return text;
}

}  // namespace tern::io
