// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/dpdk/log_stream.h"

namespace tern::io {

/// What to start EAL with.
struct EalConfig {
  std::string program = "tern";  ///< argv[0]
  std::vector<std::string> arguments =
      {};                 ///< EAL's own, e.g. {"-l", "1", "--vdev=net_null0"}; may be empty
  std::string vdev = {};  ///< the device if `arguments` name none, e.g. "net_tap0,iface=tern0"
  std::uint64_t memory_bytes = 64 << 20;  ///< what pools and drivers will take from EAL's memory
  /// The same without hugepages, where buffers do not cross pages; 0 = memory_bytes.
  std::uint64_t ordinary_memory_bytes = 0;
  unsigned cores = 1;  ///< threads, if `arguments` do not say which cores
};

/// How many threads the arguments ask for by -l, -c or --lcores; 0 if they leave that open.
unsigned count_lcores(const std::vector<std::string>& arguments);

/// Whether a device that the arguments let EAL find may cut large segments (TSO): memory for them
/// is planned then, since that happens before there is a device to ask. With no argument at all the
/// device is a tap, which does not.
bool may_cut_segments(const std::vector<std::string>& arguments);

/// Bytes in free hugepages of all sizes, by the counts under `root`; 0 when there are none.
std::uint64_t free_hugepage_bytes(const std::string& root = "/sys/kernel/mm/hugepages");

/// EAL's whole command line: the given arguments, preceded by what they leave open.
///  - memory: hugepages without files (--in-memory) if enough are free, else ordinary memory
///    (--no-huge -m N --no-shconf), which leaves no files either; where the arguments say how
///    memory is to be shared (--proc-type, --huge-dir and the like), DPDK's own default, hugepages
///    with files, so that other DPDK processes can attach: dpdk-dumpcap is served then, and the
///    files go with the Eal;
///  - devices: `vdev`, if the arguments name none (-a, -b, --vdev); the PCI bus is left alone
///  unless
///    -a or -b names something on it, since the machine's own NIC may be there;
///  - cores: one thread, on any of the CPUs that the process may use, or `cores` threads, each on a
///    CPU of its own;
///  - a file prefix of its own ("tern-PID").
std::vector<std::string> complete_eal_arguments(const EalConfig& config,
                                                std::uint64_t hugepage_bytes);

/// One sentence for what went wrong at bring-up, with the remedy: `output` is what EAL and its
/// drivers printed, `error` an errno value or 0. Public for its test.
absl::Status explain_eal_failure(const EalConfig& config, std::string_view output, int error);

/// EAL, from start to complete clean-up. DPDK allows this once per process: a second start answers
/// kFailedPrecondition, also after the first has been destroyed. Thread rule: the thread that
/// starts it becomes EAL's main lcore and destroys it, after every Device.
class Eal {
 public:
  static absl::StatusOr<std::unique_ptr<Eal>> start(const EalConfig& config, LogSink sink = {});
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  const EalConfig& config() const { return config_; }
  /// The command line that EAL was started with.
  const std::vector<std::string>& arguments() const { return arguments_; }
  /// What DPDK logged of late, for a driver's failure.
  std::string recent_log() const { return log_->recent(); }

 private:
  void offer_pdump();
  Eal(EalConfig config, std::vector<std::string> arguments, std::unique_ptr<LogStream> log);

  EalConfig config_;
  std::vector<std::string> arguments_;
  std::unique_ptr<LogStream> log_;
  std::string runtime_directory_;  // /var/run/dpdk/PREFIX
  bool is_up_ = false;
  bool is_shared_ = false;  // other DPDK processes can attach
  bool has_pdump_ = false;
};

}  // namespace tern::io
