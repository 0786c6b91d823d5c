// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/dpdk_log.h"

#include <string>
#include <string_view>

namespace tern::runtime {

namespace {

// DPDK's word for a level; its chatter about interfaces coming up is of no interest to an operator.
LogLevel level_of(unsigned dpdk_level, bool asked_for) {
  constexpr unsigned kDpdkError = 4;
  if (asked_for) return LogLevel::kInfo;
  return dpdk_level <= kDpdkError ? LogLevel::kWarning : LogLevel::kDebug;
}

// Printed by every tap, as errors: the kernel lacks a qdisc that only rte_flow would need; and no
// secondary process is told of queues, since none is possible without files. By packet sockets:
// they have no receive interrupt, for which short naps make up.
bool is_harmless(std::string_view line) {
  for (const std::string_view words :
       {"qdisc", "Disabling rte flow support", "tap_mp_req_on_rxtx", "Rx Intr handle unset"})
    if (line.find(words) != std::string_view::npos) return true;
  return false;
}

}  // namespace

io::LogSink dpdk_log_sink(const RuntimeConfig& config) {
  if (!config.log) return {};
  bool asked_for = false;
  for (const std::string& argument : config.eal_arguments)
    asked_for |= argument.starts_with("--log-level");
  return [log = config.log, asked_for](unsigned level, std::string_view line) {
    log(is_harmless(line) && !asked_for ? LogLevel::kDebug : level_of(level, asked_for), line);
  };
}

}  // namespace tern::runtime
