// SPDX-License-Identifier: BSD-3-Clause
#include "io/dpdk/eal.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <net/if.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_pdump.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "io/dpdk/output_capture.h"
#include "io/dpdk/runtime_directory.h"

namespace tern::io {

namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;
// What EAL takes for itself before the first pool: services, memzones, the heap's own overhead.
constexpr std::uint64_t kEalOwnBytes = 32 * kMebibyte;

using Arguments = std::vector<std::string>;

// "--vdev=x" and "--vdev x", "-l1" and "-l 1": all are the option.
bool is_option(std::string_view argument, std::string_view option) {
  if (!argument.starts_with(option)) return false;
  const bool is_short = option.size() == 2;
  return is_short || argument.size() == option.size() || argument[option.size()] == '=';
}

bool has_any(const Arguments& arguments, std::initializer_list<std::string_view> options) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return std::any_of(options.begin(), options.end(),
                       [&](std::string_view option) { return is_option(argument, option); });
  });
}

void add_memory(const EalConfig& config, std::uint64_t hugepage_bytes, Arguments& line) {
  if (has_any(config.arguments, {"--no-huge", "--in-memory", "--huge-dir", "--huge-unlink",
                                 "--legacy-mem", "--socket-mem", "--proc-type"}))
    return;
  const std::uint64_t need = config.memory_bytes + kEalOwnBytes;
  if (hugepage_bytes >= need) {
    line.push_back("--in-memory");
    return;
  }
  line.push_back("--no-huge");
  if (!has_any(config.arguments, {"--no-shconf"})) line.push_back("--no-shconf");
  if (!has_any(config.arguments, {"-m"})) {
    line.push_back("-m");
    const std::uint64_t bytes = std::max(need, config.ordinary_memory_bytes + kEalOwnBytes);
    line.push_back(std::to_string((bytes + kMebibyte - 1) / kMebibyte));
  }
}

void add_devices(const EalConfig& config, Arguments& line) {
  if (has_any(config.arguments, {"-a", "--allow", "-b", "--block"})) return;
  if (!has_any(config.arguments, {"--no-pci"})) line.push_back("--no-pci");
  if (!config.vdev.empty() && !has_any(config.arguments, {"--vdev"}))
    line.push_back("--vdev=" + config.vdev);
}

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

// "0@(0,1)": lcore 0 floats over the CPUs that the process may use, as a thread of any program
// does. "0@4,1@5": two, each with a CPU of its own.
void add_cores(const EalConfig& config, Arguments& line) {
  if (has_any(config.arguments, {"-l", "-c", "-s", "-S", "--lcores", "--main-lcore"})) return;
  const std::vector<int> cpus = usable_cpus();
  if (cpus.empty()) return;
  if (config.cores == 1) {
    line.push_back(absl::StrCat("--lcores=0@(", absl::StrJoin(cpus, ","), ")"));
    return;
  }
  std::string list;
  for (unsigned i = 0; i < config.cores && i < cpus.size(); ++i)
    absl::StrAppend(&list, i == 0 ? "" : ",", i, "@", cpus[i]);
  line.push_back("--lcores=" + list);
}

// The value of "-l 0-1", "-l0-1", "--lcores=0-1" or "--lcores 0-1"; empty if there is none.
std::string value_of(const Arguments& arguments, std::string_view option) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_option(arguments[i], option)) continue;
    std::string value = arguments[i].substr(option.size());
    if (value.empty()) return i + 1 < arguments.size() ? arguments[i + 1] : "";
    return value[0] == '=' ? value.substr(1) : value;
  }
  return {};
}

// "3" is one, "0-3" are four.
unsigned count_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return text.empty() ? 0 : 1;
  const int first = std::atoi(std::string(text.substr(0, dash)).c_str());
  const int last = std::atoi(std::string(text.substr(dash + 1)).c_str());
  return last < first ? 0 : static_cast<unsigned>(last - first) + 1;
}

// DPDK's grammar: "0-3,5", and for --lcores also "(0,1)@2,3@(4-5)" where what follows an @ are
// CPUs.
unsigned count_list(std::string_view text) {
  unsigned count = 0;
  bool is_cpu = false;  // behind an @
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-') continue;
    if (!is_cpu) count += count_range(text.substr(begin, i - begin));
    begin = i + 1;
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == '@') is_cpu = true;
    if (c == ',' && depth == 0) is_cpu = false;
  }
  return count;
}

std::string own_file_prefix() { return "tern-" + std::to_string(::getpid()); }

// The vdev descriptions of a command line, e.g. "net_tap0,iface=tern0".
Arguments vdevs_of(const Arguments& line) {
  constexpr std::string_view kOption = "--vdev";
  Arguments found;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == kOption && i + 1 < line.size())
      found.push_back(line[i + 1]);
    else if (line[i].starts_with("--vdev="))
      found.push_back(line[i].substr(kOption.size() + 1));
  }
  return found;
}

// Only a tap may be left over from a program that ended; other devices are the host's.
std::string way_out(const std::string& name) {
  if (::access(("/sys/class/net/" + name + "/tun_flags").c_str(), F_OK) != 0) return "";
  return "stop the program that owns it, remove it with 'ip link delete " + name + "', or ";
}

// A second process that opens the same tap would be given a share of its packets, without a word:
// the driver opens every tap for several queues. So a name that exists is refused beforehand.
absl::Status check_tap_names(const Arguments& line) {
  for (const std::string& vdev : vdevs_of(line)) {
    constexpr std::string_view kKey = "iface=";
    const std::size_t at = vdev.find(kKey);
    if (!vdev.starts_with("net_tap") || at == std::string::npos ||
        vdev.find("persist") != std::string::npos)
      continue;
    const std::size_t begin = at + kKey.size();
    const std::string name = vdev.substr(begin, vdev.find(',', begin) - begin);
    if (name.size() >= IFNAMSIZ)
      return absl::InvalidArgumentError("tap name '" + name +
                                        "' is too long: use at most 15 characters");
    if (::if_nametoindex(name.c_str()) != 0)
      return absl::AlreadyExistsError("tap name '" + name + "' is in use: " + way_out(name) +
                                      "choose another name");
  }
  return absl::OkStatus();
}

int call_rte_eal_init(const EalConfig& config, const Arguments& arguments) {
  Arguments line;
  line.push_back(config.program);
  line.insert(line.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : line) argv.push_back(argument.data());
  argv.push_back(nullptr);
  return rte_eal_init(static_cast<int>(line.size()), argv.data());
}

// Hugepages with files keep these until somebody removes them, and the pages with them.
void remove_hugepage_files(const Arguments& line, const std::string& prefix) {
  Arguments directories{value_of(line, "--huge-dir")};
  std::ifstream mounts("/proc/self/mounts");  // "SOURCE DIRECTORY TYPE ..."
  std::string source, directory, type, rest;
  while (mounts >> source >> directory >> type && std::getline(mounts, rest))
    if (type == "hugetlbfs") directories.push_back(directory);
  std::error_code ignored;
  for (const std::string& in : directories)
    for (const auto& entry : std::filesystem::directory_iterator(in, ignored))
      if (entry.path().filename().string().starts_with(prefix + "map_"))
        std::filesystem::remove(entry.path(), ignored);
}

std::uint64_t read_number(const std::filesystem::path& file) {
  std::uint64_t value = 0;
  std::ifstream(file) >> value;
  return value;
}

}  // namespace

unsigned count_lcores(const Arguments& arguments) {
  for (const std::string_view option : {"-l", "--lcores"})
    if (const std::string list = value_of(arguments, option); !list.empty())
      return count_list(list);
  const std::string mask = value_of(arguments, "-c");
  return static_cast<unsigned>(std::popcount(std::strtoull(mask.c_str(), nullptr, 16)));
}

std::uint64_t free_hugepage_bytes(const std::string& root) {
  constexpr std::string_view kPrefix = "hugepages-";  // hugepages-2048kB
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const std::uint64_t page_kib = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10);
    bytes += page_kib * 1024 * read_number(entry.path() / "free_hugepages");
  }
  return bytes;
}

bool may_cut_segments(const Arguments& arguments) {
  if (has_any(arguments, {"-a", "--allow", "-b", "--block"})) return true;
  const auto cuts = [](const std::string& vdev) {
    constexpr std::array<std::string_view, 7> kNever = {
        "net_tap", "net_memif", "net_ring", "net_null", "net_pcap", "net_af_packet", "net_af_xdp"};
    return std::none_of(kNever.begin(), kNever.end(),
                        [&](std::string_view driver) { return vdev.starts_with(driver); });
  };
  const std::vector<std::string> vdevs = vdevs_of(arguments);
  return std::any_of(vdevs.begin(), vdevs.end(), cuts);
}

std::vector<std::string> complete_eal_arguments(const EalConfig& config,
                                                std::uint64_t hugepage_bytes) {
  Arguments line;
  add_memory(config, hugepage_bytes, line);
  add_devices(config, line);
  add_cores(config, line);
  if (!has_any(config.arguments, {"--file-prefix"}))
    line.push_back("--file-prefix=" + own_file_prefix());
  // The given ones last: one that lacks its value must not take ours for it.
  line.insert(line.end(), config.arguments.begin(), config.arguments.end());
  return line;
}

absl::StatusOr<std::unique_ptr<Eal>> Eal::start(const EalConfig& config, LogSink sink) {
  static std::atomic<bool> started = false;
  std::vector<std::string> arguments = complete_eal_arguments(config, free_hugepage_bytes());
  if (absl::Status names = check_tap_names(arguments); !names.ok()) return names;
  if (started.exchange(true))
    return absl::FailedPreconditionError(
        "DPDK's EAL has been started in this process before; it can be once");

  std::unique_ptr<Eal> eal(
      new Eal(config, std::move(arguments), std::make_unique<LogStream>(std::move(sink))));
  remove_empty_directory_at_exit();
  OutputCapture capture;
  const int used = call_rte_eal_init(config, eal->arguments_);
  const int error = used < 0 ? rte_errno : 0;
  const std::string output = eal->recent_log() + capture.finish();
  eal->is_up_ = used >= 0;
  eal->runtime_directory_ = rte_eal_get_runtime_dir();
  name_directory_of_exit(eal->runtime_directory_);
  sweep_runtime_directories(eal->runtime_directory_);
  // A virtual device that fails does not fail rte_eal_init.
  const bool failed =
      used < 0 || output.find("vdev_probe(): failed to initialize") != std::string::npos;
  eal->log_->release(failed ? RTE_LOG_DEBUG : 0);
  if (failed) return explain_eal_failure(config, output, error);
  eal->offer_pdump();
  return eal;
}

Eal::Eal(EalConfig config, std::vector<std::string> arguments, std::unique_ptr<LogStream> log)
    : config_(std::move(config)), arguments_(std::move(arguments)), log_(std::move(log)) {}

// Where memory and configuration have files, other DPDK processes can attach: dpdk-dumpcap, which
// wants to find a server for its requests. Elsewhere that would only cost its 4 MiB of counters.
void Eal::offer_pdump() {
  is_shared_ = !has_any(arguments_, {"--in-memory", "--no-huge", "--no-shconf"}) &&
               rte_eal_process_type() == RTE_PROC_PRIMARY;
  has_pdump_ = is_shared_ && rte_pdump_init() == 0;
}

Eal::~Eal() {
  if (has_pdump_) rte_pdump_uninit();
  if (is_up_) rte_eal_cleanup();
  if (runtime_directory_.empty()) return;  // it was not even looked for
  const std::filesystem::path directory = runtime_directory_;
  remove_runtime_directory(directory, has_any(arguments_, {"--file-prefix=" + own_file_prefix()}));
  if (is_shared_) remove_hugepage_files(arguments_, directory.filename());
}

}  // namespace tern::io
