// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "io/frame_observer.h"
#include "support/segment.h"

namespace tern::test {

/// Remembers the last frames of a scenario, of any number of ports, to write them out when it
/// fails.
class ScenarioCapture {
 public:
  /// Memory for frames; older ones are forgotten.
  explicit ScenarioCapture(std::size_t limit_bytes = 64u << 20) : limit_bytes_(limit_bytes) {}
  ScenarioCapture(const ScenarioCapture&) = delete;
  ScenarioCapture& operator=(const ScenarioCapture&) = delete;

  /// For ModelPort::observe; the capture must outlive its use. Each port is an interface of its
  /// own.
  io::FrameObserver observer(const std::string& interface_name);

  /// Writes everything as pcapng; false (and a line on standard error) if that fails.
  bool write(const std::string& path) const;

  std::size_t frames() const { return frames_.size(); }
  std::uint64_t frames_forgotten() const { return forgotten_; }

 private:
  struct Record {
    Instant time;
    io::FrameDirection direction;
    std::uint32_t interface;
    Bytes bytes;
  };
  void remember(Record record);

  std::size_t limit_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t forgotten_ = 0;
  std::vector<std::string> interfaces_;
  std::deque<Record> frames_;
};

/// If the running gtest has failed: writes the capture into the build directory, as
/// <suite>.<test>.pcapng, and prints where.
void keep_capture_of_failure(const ScenarioCapture& capture);

}  // namespace tern::test
