// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/memory_plan.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <limits>

#include "io/dpdk/eal.h"
#include "net/reassembler.h"
#include "stack/config_check.h"
#include "tcp/engine.h"

namespace tern::runtime {

namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;
constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kTableSlotBytes = 8;  // {tag32, index32}
// Beside a connection's TCB: its node in the timer wheel, its place in the pool's free list.
constexpr std::uint64_t kWheelNodeBytes = 16, kFreeListBytes = 4;

// The table is at most half full, and a power of two.
std::uint64_t table_slots(const StackConfig& config) {
  return std::bit_ceil(2 * (std::uint64_t{config.max_connections} + config.max_time_wait +
                            config.syn_cache_entries));
}

std::uint64_t meminfo_available() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  for (std::string unit; file >> key >> kib; std::getline(file, unit))
    if (key == "MemAvailable:") return kib * 1024;
  return kUnlimited;
}

std::uint64_t number_in(const std::string& path) {
  std::uint64_t value = kUnlimited;  // "max", or no such file
  std::ifstream file(path);
  return file >> value ? value : kUnlimited;
}

// "0::/system.slice/x" in /proc/self/cgroup names the group; every group above limits as well.
std::uint64_t control_group_available() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("0::")) continue;
  std::uint64_t least = kUnlimited;
  for (std::string group = line.starts_with("0::/") ? line.substr(3) : "/"; !group.empty();
       group.erase(group.rfind('/'))) {
    const std::uint64_t limit = number_in("/sys/fs/cgroup" + group + "/memory.max");
    if (limit == kUnlimited) continue;
    const std::uint64_t used = number_in("/sys/fs/cgroup" + group + "/memory.current");
    least = std::min(least, used < limit ? limit - used : 0);
  }
  return least;
}

std::string in_mebibytes(std::uint64_t bytes) {
  return absl::StrCat((bytes + kMebibyte - 1) / kMebibyte, " MiB");
}

// An entry of the address book: itself, its share of the index, its places in lists.
constexpr std::uint64_t kAddressBytes = 64;

std::string row_text(const MemoryRow& row) {
  if (row.bytes_each == 1)
    return absl::StrCat(std::string(row.what), " ", in_mebibytes(row.bytes()));
  return absl::StrCat(row.count, " ", std::string(row.what), " x ", row.bytes_each,
                      " B = ", in_mebibytes(row.bytes()));
}

}  // namespace

std::uint64_t MemoryPlan::total() const {
  std::uint64_t sum = 0;
  for (const MemoryRow& row : rows) sum += row.bytes();
  return sum;
}

std::string MemoryPlan::to_string() const {
  std::string text = "memory: ";
  for (const MemoryRow& row : rows) absl::StrAppend(&text, row_text(row), ", ");
  return absl::StrCat(text, "together at most ", in_mebibytes(total()));
}

std::uint32_t held_frames(const StackConfig& config) {
  return std::clamp<std::uint32_t>(config.max_connections, 1024, 16384);
}

MemoryPlan plan_memory(const StackConfig& stack, const io::DeviceConfig& device) {
  const std::uint64_t mbufs = std::uint64_t{device.queues} * io::mbufs_per_queue(device);
  MemoryPlan plan;
  plan.mbuf_bytes = io::mbuf_bytes(device);
  const std::uint64_t large = io::large_mbuf_bytes(device);
  const std::uint64_t stacks = device.queues;
  constexpr std::uint64_t kConnectionBytes =
      sizeof(tcp::Tcb) + sizeof(tcp::Extras) + kWheelNodeBytes + kFreeListBytes;
  plan.rows = {
      {"connections", stacks * stack.max_connections, kConnectionBytes},
      {"TIME-WAIT records", stacks * stack.max_time_wait, sizeof(tcp::TimeWaitRecord)},
      {"half-open connections", stacks * stack.syn_cache_entries, sizeof(tcp::HalfOpen)},
      {"table slots", stacks * table_slots(stack), kTableSlotBytes},
      {"send memory", stacks * stack.send_memory, 1},
      {"receive memory", stacks * stack.receive_memory, 1},
      {"datagrams in fragments", stacks * stack.max_reassembly, net::Reassembler::datagram_bytes()},
      {"packet buffers", mbufs, (plan.mbuf_bytes - large) / mbufs, true}};
  if (large > 0) plan.rows.push_back({"large segments", large, 1, true});
  if (stack.ip6)
    plan.rows.push_back({"IPv6 addresses", stacks * address_book_room(stack), kAddressBytes});
  return plan;
}

AvailableMemory available_memory() {
  return {.ordinary_bytes = std::min(meminfo_available(), control_group_available()),
          .hugepage_bytes = io::free_hugepage_bytes()};
}

absl::Status check_memory(const MemoryPlan& plan, const AvailableMemory& available) {
  const bool in_hugepages = available.hugepage_bytes >= plan.mbuf_bytes;
  const std::uint64_t need = plan.total() - (in_hugepages ? plan.mbuf_bytes : 0);
  if (need <= available.ordinary_bytes) return absl::OkStatus();
  std::string sum;
  for (const MemoryRow& row : plan.rows) {
    if (in_hugepages && row.is_mbufs) continue;
    absl::StrAppend(&sum, sum.empty() ? "" : " + ", row_text(row));
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("not enough memory: ", sum, "; together ", in_mebibytes(need), " of ",
                   in_mebibytes(available.ordinary_bytes),
                   " available: lower the number of connections or of workers"));
}

}  // namespace tern::runtime
