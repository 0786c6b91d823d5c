// SPDX-License-Identifier: BSD-3-Clause
// Which of DPDK's directories are swept away, in one of the test's own; eal_test.cc has the rest.
#include "io/dpdk/runtime_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dpdk/dpdk_test_env.h"

namespace tern::io {
namespace {

namespace fs = std::filesystem;

class RuntimeDirectorySweep : public testing::Test {
 protected:
  void SetUp() override { fs::create_directory(root_); }
  void TearDown() override { fs::remove_all(root_); }

  fs::path make(const std::string& name) {
    fs::create_directory(root_ / name);
    return root_ / name;
  }
  fs::path make_abandoned() { return make("tern-" + std::to_string(pid_of_nobody())); }
  void sweep() { sweep_runtime_directories(root_ / "mine"); }

  // A socket as telemetry's; it goes on listening until it is closed, and its file remains.
  static int listen_in(const fs::path& directory) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = directory / "dpdk_telemetry.v2";
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << path;
    EXPECT_EQ(::listen(fd, 1), 0);
    return fd;
  }

  const fs::path root_ = "/tmp/terntest-sweep-" + std::to_string(::getpid());
};

TEST_F(RuntimeDirectorySweep, TakesWhatADeadProcessLeft) {
  const fs::path left = make_abandoned();
  ::close(listen_in(left));
  std::ofstream(left / "config") << "x";
  sweep();
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(RuntimeDirectorySweep, LeavesThatOfARunningProcess) {
  const fs::path own = make("tern-" + std::to_string(::getpid()));
  sweep();
  EXPECT_TRUE(fs::exists(own));
}

// Its process may be of another PID namespace.
TEST_F(RuntimeDirectorySweep, LeavesThatWhereSomebodyListens) {
  const fs::path used = make_abandoned();
  const int fd = listen_in(used);
  sweep();
  EXPECT_TRUE(fs::exists(used / "dpdk_telemetry.v2"));
  ::close(fd);
  sweep();
  EXPECT_FALSE(fs::exists(used));
}

TEST_F(RuntimeDirectorySweep, LeavesThatWhoseLockIsHeld) {
  const fs::path used = make_abandoned();
  std::ofstream(used / "config") << "x";
  int held[2], end[2];  // the child says that it holds the lock, and is told to end
  ASSERT_EQ(::pipe2(held, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(end, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {  // as EAL locks it; a lock of our own process would not show
    char byte = 0;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    ::close(end[1]);
    if (::fcntl(::open((used / "config").c_str(), O_RDWR), F_SETLK, &lock) != 0) ::_exit(1);
    if (::write(held[1], &byte, 1) != 1) ::_exit(1);
    ::_exit(::read(end[0], &byte, 1) == 0 ? 0 : 1);
  }
  char byte = 0;
  ::close(held[1]);
  ASSERT_EQ(::read(held[0], &byte, 1), 1);
  sweep();
  EXPECT_TRUE(fs::exists(used / "config"));
  for (const int fd : {held[0], end[0], end[1]}) ::close(fd);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  sweep();
  EXPECT_FALSE(fs::exists(used));
}

TEST_F(RuntimeDirectorySweep, LeavesOtherNames) {
  const std::string pid = std::to_string(pid_of_nobody());
  const std::vector<std::string> names = {"rte",
                                          "tern-",
                                          "tern-x",
                                          "xtern-" + pid,
                                          "tern-" + pid + "x",
                                          "tern--" + pid,
                                          "tern-bench-" + pid + "-server"};
  for (const std::string& name : names) make(name);
  sweep();
  for (const std::string& name : names) EXPECT_TRUE(fs::exists(root_ / name)) << name;
}

TEST_F(RuntimeDirectorySweep, LeavesItsOwnWhateverItIsCalled) {
  const fs::path own = make_abandoned();
  sweep_runtime_directories(own);
  EXPECT_TRUE(fs::exists(own));
}

TEST(RuntimeDirectorySweepOfNothing, IsNoError) { sweep_runtime_directories("/tmp/no/such"); }

}  // namespace
}  // namespace tern::io
