// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/dpdk_test_env.h"

#include <fcntl.h>
#include <rte_dev.h>
#include <rte_mempool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "io/dpdk/eal.h"

namespace tern::io {

namespace {
std::string unique_name(const std::string& driver) {
  static int count = 0;
  return driver + std::to_string(count++);
}

std::string own_path() {
  std::array<char, 4096> path{};
  return ::readlink("/proc/self/exe", path.data(), path.size() - 1) < 0 ? "/bin/false"
                                                                        : path.data();
}
}  // namespace

TestDevice::TestDevice(const std::string& driver, const std::string& arguments,
                       const DeviceConfig& config)
    : name_(unique_name(driver)) {
  EXPECT_EQ(rte_eal_hotplug_add("vdev", name_.c_str(), arguments.c_str()), 0);
  const auto id = find_device(name_);
  EXPECT_TRUE(id.ok()) << id.status();
  auto device = Device::open(*id, config);
  EXPECT_TRUE(device.ok()) << device.status();
  device_ = *std::move(device);
  EXPECT_TRUE(device_->start().ok());
  port_ = std::make_unique<DpdkPort>(*device_, std::uint16_t{0});
}

TestDevice::~TestDevice() {
  port_.reset();
  device_.reset();
  rte_eal_hotplug_remove("vdev", name_.c_str());
}

DeviceConfig TestDevice::small_config() {
  return {.rx_descriptors = 256, .tx_descriptors = 256, .held_frames = 512};
}

unsigned TestDevice::available() const { return rte_mempool_avail_count(device_->pool(0)); }
unsigned TestDevice::size() const { return device_->pool(0)->size; }

std::string try_eal(const std::string& arguments) {
  std::FILE* pipe = ::popen((own_path() + " --try-eal " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  std::string output;
  for (int c; (c = std::fgetc(pipe)) != EOF;) output.push_back(static_cast<char>(c));
  ::pclose(pipe);
  return output;
}

std::FILE* start_eal(const std::string& arguments) {
  // Its input is ours to close; its output, a file, says when it is up.
  const std::string said = testing::TempDir() + "tern-eal-" + std::to_string(::getpid());
  std::FILE* pipe =
      ::popen((own_path() + " --hold-eal " + arguments + " >" + said + " 2>&1").c_str(), "w");
  bool up = false;
  for (int i = 0; i < 200 && !up; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::string line;
    std::ifstream file(said);
    up = std::getline(file, line) && line == "OK" && !file.eof();
  }
  std::filesystem::remove(said);
  if (up || pipe == nullptr) return pipe;
  ::pclose(pipe);
  return nullptr;
}

pid_t pid_of_nobody() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

std::string why_no_tap() {
  if (::geteuid() != 0) return "only root can make a tap device";
  const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return "/dev/net/tun cannot be opened";
  ::close(fd);
  return {};
}

}  // namespace tern::io
