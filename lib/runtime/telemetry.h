// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/captures.h"
#include "runtime/socket_pager.h"
#include "runtime/worker.h"
#include "tern/runtime.h"

struct rte_tel_data;

namespace tern::runtime {

/// What telemetry tells about the program and its device: constant while it runs.
struct TelemetryFacts {
  std::string program;
  std::string device;  ///< DPDK's name
  std::string driver;
  MacAddress mac;
  std::uint16_t mtu = 0;
};

/// Serves /tern/... on DPDK's telemetry socket, in that socket's own threads: whatever concerns a
/// stack is asked of its worker through the mailbox, in pages so small that the worker's loop does
/// not notice. An answer has at most DPDK's 16 KiB.
///
///   /tern/config                    program, device, addresses, limits, TCP's settings
///   /tern/stats[,WORKER]            every counter of counters.def, of all workers or of one
///   /tern/counters,FROM             "unit: sentence" of the counters from number FROM on
///   /tern/usage                     what the stacks hold, and connections by state
///   /tern/workers                   polls, busy and idle cycles, frames and bursts of each
///   /tern/sockets[,CURSOR[,full]]   a page of sockets, and in `next` the cursor of the following
///                                   page, or 0 at the end
///   /tern/neighbours[,FROM]         a page of the neighbour table, likewise
///   /tern/close,LOCAL,REMOTE        aborts one connection; says how many (0 or 1)
///   /tern/capture,PIPE[,FILTER]     writes what passes as pcapng to a named pipe, until its reader
///                                   goes away; or says in `error` why not
///   /tern/captures                  the captures, with the frames written and lost
///
/// One at a time in a process: DPDK's commands have no argument of their own to carry it. Thread:
/// made and destroyed by the main thread, while EAL is up. The workers and the captures must
/// outlive it.
class Telemetry {
 public:
  Telemetry(TelemetryFacts facts, std::vector<Worker*> workers, Captures& captures);
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  /// A command's answer, or a negative errno value: -EINVAL for parameters that make no sense,
  /// -ETIMEDOUT when a worker does not answer.
  using Answer = int (Telemetry::*)(std::string_view parameters, rte_tel_data* out);

 private:
  template <Answer kAnswer>
  static int serve(const char* command, const char* parameters, rte_tel_data* out);
  static void register_commands();

  int config(std::string_view parameters, rte_tel_data* out);
  int stats(std::string_view parameters, rte_tel_data* out);
  int counters(std::string_view parameters, rte_tel_data* out);
  int usage(std::string_view parameters, rte_tel_data* out);
  int workers(std::string_view parameters, rte_tel_data* out);
  int sockets(std::string_view parameters, rte_tel_data* out);
  int neighbours(std::string_view parameters, rte_tel_data* out);
  int close(std::string_view parameters, rte_tel_data* out);
  int capture(std::string_view parameters, rte_tel_data* out);
  int captures(std::string_view parameters, rte_tel_data* out);

  template <class F>
  int ask(std::size_t worker, F&& function);
  template <class F>
  int ask_all(F&& function);

  const TelemetryFacts facts_;
  const std::vector<Worker*> workers_;
  Captures& captures_;
  std::vector<std::unique_ptr<SocketPager>> pagers_;  // of each worker
};

}  // namespace tern::runtime
