// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_mempool.h>

#include <algorithm>
#include <sstream>

#include "dpdk/dpdk_test_env.h"

namespace tern::io {
namespace {

using testing::HasSubstr;

const Offload& row(const Device& device, std::string_view name) {
  const auto found = std::find_if(device.offloads().begin(), device.offloads().end(),
                                  [&](const Offload& offload) { return offload.name == name; });
  EXPECT_NE(found, device.offloads().end()) << name;
  return *found;
}

TEST(Device, NothingIsChosenThatTheDeviceLacks) {
  TestDevice null("net_null");
  EXPECT_FALSE(null.port().info().tx_ip_checksum);
  EXPECT_FALSE(null.port().info().tx_tcp_checksum);
  EXPECT_EQ(null.port().info().tso_bytes, 0u);
  const Offload& checksum = row(null.device(), "tx TCP checksum");
  EXPECT_TRUE(checksum.requested);
  EXPECT_FALSE(checksum.supported);
  EXPECT_FALSE(checksum.chosen);
  EXPECT_EQ(checksum.remark, "in software");
}

TEST(Device, ATapFillsChecksumsInButIsNotTrustedToVerifyThem) {
  if (const std::string why = why_no_tap(); !why.empty()) GTEST_SKIP() << why;
  TestDevice tap("net_tap", "iface=ternt0");
  EXPECT_TRUE(tap.port().info().tx_tcp_checksum);
  EXPECT_TRUE(row(tap.device(), "tx TCP checksum").chosen);
  EXPECT_FALSE(row(tap.device(), "rx TCP checksum").requested);
  EXPECT_TRUE(row(tap.device(), "rx TCP checksum").supported);
  EXPECT_TRUE(tap.device().is_kernel_backed());
}

TEST(Device, WhatIsNotAskedForIsNotChosen) {
  if (const std::string why = why_no_tap(); !why.empty()) GTEST_SKIP() << why;
  DeviceConfig config = TestDevice::small_config();
  config.tx_checksum = false;
  TestDevice tap("net_tap", "iface=ternt1", config);
  EXPECT_FALSE(tap.port().info().tx_tcp_checksum);
  EXPECT_TRUE(row(tap.device(), "tx TCP checksum").supported);
}

TEST(Device, ADriverThatCutsInSoftwareIsNotAskedTo) {
  if (const std::string why = why_no_tap(); !why.empty()) GTEST_SKIP() << why;
  DeviceConfig config = TestDevice::small_config();
  config.tso_bytes = 16000;
  TestDevice tap("net_tap", "iface=ternt2", config);
  EXPECT_FALSE(row(tap.device(), "TCP segmentation").chosen);
  EXPECT_EQ(tap.port().info().tso_bytes, 0u);
  Frame frame;
  EXPECT_FALSE(tap.port().allocate_large(frame));
}

TEST(Device, DescribesItselfAsATable) {
  TestDevice null("net_null");
  const std::string text = null.device().describe();
  EXPECT_THAT(text, HasSubstr(null.device().name() + " (net_null): MAC "));
  EXPECT_THAT(text, HasSubstr("\noffload            requested  supported  chosen\n"));
  EXPECT_THAT(text, HasSubstr("\ntx TCP checksum    yes        no         no      in software\n"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_TRUE(text.ends_with("\n"));
}

TEST(Device, BuffersAreWhatTheSumSays) {
  const DeviceConfig config = TestDevice::small_config();
  // Rings of 256 + 256, 512 held, 1088 staged by the engine, 384 in the core's cache.
  EXPECT_EQ(mbufs_per_queue(config), 256u + 256 + 512 + 1088 + 384);
  TestDevice null("net_null");
  EXPECT_EQ(null.size(), mbufs_per_queue(config));
  EXPECT_EQ(null.port().info().rx_frames, 512u);
  EXPECT_GE(null.port().info().frame_capacity, 1514u);
}

TEST(Device, MemoryOfTheBuffersIsWhatThePoolTakes) {
  const DeviceConfig config = TestDevice::small_config();
  TestDevice null("net_null");
  const rte_mempool* pool = null.device().pool(0);
  const std::uint64_t element = pool->header_size + pool->elt_size + pool->trailer_size;
  EXPECT_EQ(mbuf_bytes(config), element * pool->size);
}

TEST(Device, TooManyQueuesAreRefusedByName) {
  DeviceConfig config = TestDevice::small_config();
  config.queues = 2000;
  TestDevice null("net_null");
  const auto id = find_device(null.device().name());
  ASSERT_TRUE(id.ok());
  const auto device = Device::open(*id, config);
  EXPECT_EQ(device.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(device.status().message()), HasSubstr("1024 queue pairs, but 2000"));
}

TEST(FindDevice, AnUnknownNameListsTheKnownOnes) {
  TestDevice null("net_null");
  const auto id = find_device("net_foo0");
  EXPECT_EQ(id.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(id.status().message()), HasSubstr("'net_foo0'"));
  EXPECT_THAT(std::string(id.status().message()), HasSubstr(null.device().name()));
}

TEST(FindDevice, WithoutAnyDeviceTheRemedyIsNamed) {
  EXPECT_THAT(std::string(find_device("").status().message()), HasSubstr("--vdev"));
}

TEST(Device, AnOwnAddressIsTaken) {
  DeviceConfig config = TestDevice::small_config();
  config.mac = MacAddress{{0x02, 1, 2, 3, 4, 5}};
  TestDevice null("net_null", "", config);
  EXPECT_EQ(null.port().info().mac, *config.mac);
}

TEST(Device, ARingHasAnAddressAllTheSame) {
  TestDevice ring("net_ring");
  EXPECT_FALSE(ring.port().info().mac.is_zero());
  EXPECT_FALSE(ring.port().info().mac.is_multicast());
}

TEST(Device, AnMtuAboveTwoKibibytesHasFramesToHoldIt) {
  DeviceConfig config = TestDevice::small_config();
  config.mtu = 9000;
  TestDevice null("net_null", "", config);
  EXPECT_EQ(null.port().info().mtu, 9000);
  EXPECT_EQ(null.port().info().frame_capacity, 9216u);
}

// net_null has the settings of RSS, if no use for them.
TEST(Rss, TheKeyIsDrawnAndTheTableIsEvenAndBothAreReadBack) {
  DeviceConfig config = TestDevice::small_config();
  config.queues = 2;
  config.rss_secret = {1, 2};
  TestDevice null("net_null", "", config);
  const auto& rss = null.device().rss();
  ASSERT_TRUE(rss.has_value());
  EXPECT_EQ(rss->key, make_rss_key({1, 2}, rss->key.size()));
  ASSERT_EQ(rss->reta.size(), 128u);
  EXPECT_EQ(std::count(rss->reta.begin(), rss->reta.end(), 0), 64);
  EXPECT_EQ(std::count(rss->reta.begin(), rss->reta.end(), 1), 64);
}

TEST(Rss, OneQueueNeedsNone) { EXPECT_FALSE(TestDevice("net_null").device().rss().has_value()); }

// net_ring hands frames over by queue number, and says nothing.
TEST(Rss, ADeviceThatDoesNotSayHasNone) {
  DeviceConfig config = TestDevice::small_config();
  config.queues = 2;
  TestDevice ring("net_ring", "", config);
  EXPECT_FALSE(ring.device().rss().has_value());
  EXPECT_NE(ring.device().describe().find("workers hand frames over"), std::string::npos);
}

TEST(Rss, KeysDifferBySecretAndHaveTheLengthAskedFor) {
  EXPECT_EQ(make_rss_key({1, 2}, 0).size(), 40u);
  EXPECT_EQ(make_rss_key({1, 2}, 52).size(), 52u);
  EXPECT_NE(make_rss_key({1, 2}, 40), make_rss_key({1, 3}, 40));
}

}  // namespace
}  // namespace tern::io
