// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/tap/capture_stream.h"
#include "io/tap/pcapng_writer.h"
#include "io/tap/watch_port.h"
#include "runtime/control_thread.h"
#include "runtime/mailbox.h"

namespace tern::runtime {

/// A worker as captures see it: where its frames pass, and how to reach its thread.
struct CaptureSource {
  io::WatchPort* port = nullptr;
  Mailbox* mailbox = nullptr;
};

/// How a capture fares.
struct CaptureCount {
  std::string target;
  std::uint64_t written = 0, lost = 0;
};

/// The captures of a process: a file that was asked for at start, and whoever attaches meanwhile.
/// Workers leave frames in bounded rings, and one thread writes them down as pcapng; a slow disk or
/// reader loses records, which are counted, and never holds up traffic. A reader that goes away
/// ends its capture.
/// Thread rule: made, finished and destroyed by the main thread; the rest by any.
class Captures {
 public:
  static constexpr std::size_t kMost = io::WatchPort::kMostStreams;

  Captures(std::string program, std::string device, std::size_t buffer_bytes);
  ~Captures();
  Captures(const Captures&) = delete;
  Captures& operator=(const Captures&) = delete;

  /// The workers' ends, before the first capture; they must outlive finish().
  void add_source(const CaptureSource& source) { sources_.push_back(source); }

  /// Captures to a file from now on, which is created or truncated; before the workers run. Errors:
  /// a filter that libpcap does not understand, a file that cannot be made.
  absl::Status open_file(const std::string& path, const std::string& filter);
  /// Captures to a named pipe that somebody reads already. While the workers run.
  absl::Status attach_pipe(const std::string& path, const std::string& filter);

  std::vector<CaptureCount> counts() const;

  /// After the workers have ended: writes what is left, and tells what went wrong with the file.
  absl::Status finish();

 private:
  struct Capture;

  absl::Status add(std::unique_ptr<io::PcapngWriter> writer, const std::string& target,
                   const std::string& filter, bool workers_run);
  io::PcapngOptions options() const;
  void on_each_worker(bool workers_run, const std::function<void(std::size_t)>& function);
  void detach(Capture& capture);
  void write_until_finished();
  bool pump_all();

  const std::string program_, device_;
  const std::size_t buffer_bytes_;
  std::vector<CaptureSource> sources_;
  mutable std::mutex mutex_;  // guards captures_ and writer_; workers never take it
  std::vector<std::unique_ptr<Capture>> captures_;
  std::atomic<bool> finishing_{false};
  ControlThread writer_;
};

}  // namespace tern::runtime
