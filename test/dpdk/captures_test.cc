// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/captures.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "dpdk_test_env.h"
#include "runtime/control_thread.h"

namespace tern::runtime {
namespace {

// Somebody attaches while the workers end: the process waits for it, writes what there is to write,
// and leaves no thread behind.
TEST(Captures, WhoAttachesAtTheEndIsWaitedFor) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("tern-captures-" + std::to_string(::getpid()));
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  io::TestDevice device("net_ring");
  io::WatchPort first(device.port(), [] { return Instant{}; });
  io::WatchPort second(device.port(), [] { return Instant{}; });
  Mailbox answers, ends;
  {
    Captures captures("captures_test", "net_ring0", 64 << 10);
    captures.add_source({&first, &answers});
    captures.add_source({&second, &ends});
    absl::Status attached, finished;
    std::thread attaching([&] { attached = captures.attach_pipe(path, ""); });
    while (answers.serve() == 0) std::this_thread::yield();
    // It now waits for the second worker, which never answers it.
    std::thread finishing([&] { finished = captures.finish(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ends.close();
    answers.close();
    attaching.join();
    finishing.join();
    EXPECT_TRUE(attached.ok()) << attached;
    EXPECT_TRUE(finished.ok()) << finished;
    EXPECT_FALSE(captures.attach_pipe(path, "").ok()) << "the process is ending";
  }
  EXPECT_FALSE(first.wants_drops() || second.wants_drops()) << "a stream is still attached";
  char begin[4];
  EXPECT_EQ(::read(reader, begin, sizeof begin), 4) << "the capture's header block";
  ::close(reader);
  std::filesystem::remove(path);
}

TEST(ControlThread, RunsAndIsJoined) {
  bool ran = false;
  ControlThread thread("tern-test", [&] { ran = true; });
  EXPECT_TRUE(thread.joinable());
  ControlThread other = std::move(thread);
  other.join();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(other.joinable());
  other.join();
}

}  // namespace
}  // namespace tern::runtime
