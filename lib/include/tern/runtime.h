// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/address.h"
#include "tern/config.h"
#include "tern/stack.h"
#include "tern/time.h"

namespace tern {

/// What a worker does when there is nothing to do.
enum class IdleStrategy : std::uint8_t {
  kAuto,   ///< kSleep where the kernel is the device's other end (tap, packet socket), else kSpin
  kSpin,   ///< polls on: the shortest latency, a whole core
  kPause,  ///< the same with a pause between polls, which leaves more to the core's other thread
  kSleep,  ///< after 200 us without work sleeps until the device's receive interrupt or the next
           ///< deadline, 10 ms at most; without such an interrupt 1 ms at most
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// A program with a stack on a DPDK device. The defaults need neither hardware nor hugepages: a tap
/// device named `tap_name` appears, whose other end is this host's kernel.
struct RuntimeConfig {
  std::string program = "tern";
  /// DPDK's own arguments, e.g. {"-l", "1", "-a", "0000:00:05.0"}. What they leave open is filled
  /// in: memory (hugepages if enough are free, else ordinary memory), the device (the tap), the
  /// cores.
  std::vector<std::string> eal_arguments = {};
  std::string tap_name = "tern0";  ///< at most 15 characters, and not that of an existing interface
  std::string device = {};         ///< DPDK's name of the device to use; empty = the first one
  std::optional<MacAddress> mac = {};  ///< ours; by default derived from the device
  std::uint16_t mtu = 1500;
  /// Frames whose checksum "was not computed" come from a trusted neighbour on a virtual wire.
  bool trust_missing_checksum = false;
  /// TSO: hand large segments to a device that cuts them, as many as it takes at once.
  bool tso = true;
  /// How many stacks there are, each on a queue of the device and a core of its own. 0: as many as
  /// the cores that eal_arguments name (-l), else one. More than one need as many cores.
  unsigned workers = 0;
  /// Of each worker's stack, sizes included; all have the same address. The address is needed. A
  /// secret of zeros (the default) is replaced by random bits.
  StackConfig stack;
  IdleStrategy idle = IdleStrategy::kAuto;
  Duration linger = std::chrono::seconds(5);  ///< how long a drain waits for connections to end
  /// Writes every frame of all workers to this pcapng file, with why it was dropped if it was.
  std::string capture_path = {};
  /// Which ones, in libpcap's language ("tcp port 9999"); empty = all.
  std::string capture_filter = {};
  /// What waits for the file, of each worker; what finds no room is lost to the capture, counted.
  std::size_t capture_buffer = 4 << 20;
  /// Called by each worker once a turn, before the poll, with its own stack: for what is no answer
  /// to an event, as load that is offered by the clock, a report, a deadline of the application's.
  /// Must be short.
  std::function<void(Stack&, Instant)> between_polls = {};
  bool handle_signals = true;  ///< SIGINT and SIGTERM stop run()
  /// Takes log lines, among them one when a SYN flood begins and one when it is over; may be called
  /// from DPDK's threads. Empty: nobody wants them.
  std::function<void(LogLevel, std::string_view)> log = {};
};

/// What became of a question to a worker.
enum class AskResult : std::uint8_t {
  kDone,      ///< the function has run
  kTimedOut,  ///< the worker did not come to it in time; the function will not run
  kStopped,   ///< run() has ended; the function will not run
};

/// What a worker has done since run() began. A poll that did something counts as busy until the
/// next one begins.
struct WorkerUsage {
  std::uint64_t polls = 0, busy_polls = 0;
  Duration busy{}, idle{};  ///< idle: polls without work, and sleep
};

/// One kind of thing that is allocated at start, of all workers together. Memory that has never
/// been used is not resident.
struct MemoryRow {
  std::string_view what;
  std::uint64_t count = 0;
  std::uint64_t bytes_each = 0;
  bool is_mbufs = false;  ///< lies in hugepages if there are any
  std::uint64_t bytes() const { return count * bytes_each; }
};

/// Owns everything between the machine and its stacks: DPDK's EAL, the device, the buffers, the
/// workers with their clocks and loops, and the signals. Workers share nothing on the data path: a
/// connection lives at one of them from its SYN to its end (docs/cores.md). A service that has its
/// own loop and EAL uses Stack and a Port by itself instead. One at a time, and once per process,
/// since DPDK's EAL is. Thread rule: one thread creates it, runs it and destroys it; only stop(),
/// ask() and workers() may be called from others.
class Runtime {
 public:
  /// Brings everything up. Errors are sentences for an operator, with the remedy: no permission, an
  /// unknown device, a name in use, a configuration that memory does not hold (with the
  /// arithmetic).
  static absl::StatusOr<std::unique_ptr<Runtime>> create(RuntimeConfig config);

  /// Tears everything down; connections that are left end without a word.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// A worker's stack: listen and connect here, before run() or in its callbacks.
  Stack& stack(unsigned worker = 0);

  /// Makes the handler of one worker's connections; called once for each, before anything runs.
  using HandlerFactory = std::function<std::unique_ptr<ConnectionHandler>(unsigned worker)>;

  /// Listens on every worker, each with a handler of its own, so that handlers need no locks.
  /// Before run(). The handlers go with the runtime, before the stacks do. If one refuses, none
  /// listens.
  Errc listen(const ListenOptions& options, const HandlerFactory& factory);

  /// Polls until stop() or a signal. The first one drains: no new connections, FIN to those there
  /// are, up to `linger` for them to end, then RST to the rest. The second one ends at once.
  absl::Status run();

  /// Like a signal: the first call drains, the second ends at once. Any thread, any time, also in a
  /// signal handler.
  void stop();

  /// How many workers there are, each with a stack of its own: numbered from 0.
  unsigned workers() const;

  /// Has the thread of a worker run `function` on its stack between two polls, and waits for that:
  /// some microseconds if the worker is busy, up to ten milliseconds if it sleeps. Its loop waits
  /// while the function runs, so that should be short: say less than 50 us. Before run() it waits
  /// for run() to begin. Any thread, but no signal handler; within a callback it runs at once.
  /// Those who ask the same worker take turns. `worker` < workers().
  AskResult ask(unsigned worker, const std::function<void(Stack&)>& function,
                std::chrono::milliseconds patience = std::chrono::seconds(1));

  /// What a worker has done. Asks it, like ask(): zeros when it does not answer.
  WorkerUsage worker_usage(unsigned worker);

  /// The sum of all workers' counters, and of what their stacks hold. Before and after run(), on
  /// its thread; meanwhile ask().
  Counters counters() const;
  StackUsage usage() const;

  /// The time now, on the time line of poll() and between_polls, for an application that needs it
  /// finer than a poll. Thread: any.
  Instant now() const;
  /// Cycles of the time-stamp counter in a second, by DPDK's reckoning.
  static std::uint64_t cycles_per_second();

  /// The device, its offload table (requested, supported, chosen) and the memory taken: several
  /// lines, each ended, for the operator.
  std::string describe() const;

  /// What everything takes when it is all in use: "connections", "table slots", "packet buffers"...
  const std::vector<MemoryRow>& memory() const;

 private:
  class Impl;
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
