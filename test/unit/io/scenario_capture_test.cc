// SPDX-License-Identifier: BSD-3-Clause
#include "support/scenario_capture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/external_tool.h"
#include "support/segment.h"

namespace tern::test {
namespace {

TEST(ScenarioCapture, RemembersTheLastFramesOfEveryPort) {
  const Bytes frame = build(Segment{.payload = std::string(46, 'x')});
  ASSERT_EQ(frame.size(), 100u);
  ScenarioCapture capture(250);
  const io::FrameObserver left = capture.observer("left");
  const io::FrameObserver right = capture.observer("right");
  for (int i = 0; i < 3; ++i) {
    left(Instant(Duration(2 * i)), io::FrameDirection::kSent, frame);
    right(Instant(Duration(2 * i + 1)), io::FrameDirection::kReceived, frame);
  }
  EXPECT_EQ(capture.frames(), 2u);
  EXPECT_EQ(capture.frames_forgotten(), 4u);
  const std::string path = testing::TempDir() + "scenario" + std::to_string(::getpid());
  ASSERT_TRUE(capture.write(path));
  const auto text = output_of("tcpdump -n -tt --nano -r " + path + " 2>/dev/null | cut -c1-24");
  ::unlink(path.c_str());
  if (!have_program("tcpdump")) GTEST_SKIP() << "tcpdump is not installed";
  EXPECT_EQ(text, "0.000000004 IP 10.0.0.2.\n0.000000005 IP 10.0.0.2.\n");
}

TEST(ScenarioCapture, SaysWhereItCannotWrite) {
  EXPECT_FALSE(ScenarioCapture().write("/nonexistent/x"));
}

}  // namespace
}  // namespace tern::test
