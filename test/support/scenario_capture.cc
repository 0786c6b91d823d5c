// SPDX-License-Identifier: BSD-3-Clause
#include "support/scenario_capture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "io/tap/pcapng_writer.h"

namespace tern::test {

io::FrameObserver ScenarioCapture::observer(const std::string& interface_name) {
  const auto interface = static_cast<std::uint32_t>(interfaces_.size());
  interfaces_.push_back(interface_name);
  return [this, interface](Instant now, io::FrameDirection direction,
                           std::span<const std::byte> frame) {
    remember({now, direction, interface, {frame.begin(), frame.end()}});
  };
}

void ScenarioCapture::remember(Record record) {
  bytes_ += record.bytes.size();
  frames_.push_back(std::move(record));
  while (bytes_ > limit_bytes_) {
    bytes_ -= frames_.front().bytes.size();
    frames_.pop_front();
    ++forgotten_;
  }
}

bool ScenarioCapture::write(const std::string& path) const {
  auto writer = io::PcapngWriter::open(path, {});
  if (writer.ok()) {
    for (const std::string& name : interfaces_) (*writer)->add_interface(name);
    for (const Record& record : frames_)
      (*writer)->write_frame(record.interface, record.time, record.direction, record.bytes, {});
  }
  const absl::Status status = writer.ok() ? (*writer)->close() : writer.status();
  if (!status.ok()) std::fprintf(stderr, "no capture: %s\n", status.ToString().c_str());
  return status.ok();
}

void keep_capture_of_failure(const ScenarioCapture& capture) {
  const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr || !testing::Test::HasFailure() || capture.frames() == 0) return;
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  std::replace(name.begin(), name.end(), '/', '-');  // parameterised tests
  const std::string path = std::string(TERN_CAPTURE_DIRECTORY) + "/" + name + ".pcapng";
  if (capture.write(path))
    std::printf("capture of the failed scenario: %s (%zu frames, %llu older ones forgotten)\n",
                path.c_str(), capture.frames(),
                static_cast<unsigned long long>(capture.frames_forgotten()));
}

}  // namespace tern::test
