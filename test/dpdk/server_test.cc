// SPDX-License-Identifier: BSD-3-Clause
// tcp-upper-server as its operator sees it: options, words, exit statuses, signals, what is left.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "dpdk/dpdk_test_env.h"

namespace tern::io {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using Clock = std::chrono::steady_clock;

constexpr const char* kTap = "ternsrv";

std::string server_path() {
  const char* path = std::getenv("TERN_UPPER_SERVER");
  return path == nullptr ? std::string() : path;
}

// A running tcp-upper-server, whose stdout and stderr come through one pipe.
class ServerProcess {
 public:
  explicit ServerProcess(std::vector<std::string> arguments, bool close_stdout = false) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    arguments.insert(arguments.begin(), server_path());
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      if (close_stdout) ::close(STDOUT_FILENO);
      std::vector<char*> argv;
      for (std::string& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~ServerProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    close_pipe();
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Reads until `words` have been said, or the end; all that was said so far.
  const std::string& read_until(const std::string& words, Clock::duration patience = 20s) {
    const auto end = Clock::now() + patience;
    while (said_.find(words) == std::string::npos && Clock::now() < end) {
      pollfd waiting{pipe_, POLLIN, 0};
      if (::poll(&waiting, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t got = ::read(pipe_, buffer, sizeof buffer);
      if (got <= 0) break;
      said_.append(buffer, static_cast<std::size_t>(got));
    }
    return said_;
  }
  void signal(int number) { ::kill(pid_, number); }
  void close_pipe() {
    if (pipe_ >= 0) ::close(pipe_);
    pipe_ = -1;
  }
  // Its exit status; 128 + the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string said_;
};

struct Outcome {
  int status;
  std::string output;
};

Outcome run_server(const std::string& arguments) {
  std::FILE* pipe = ::popen((server_path() + " " + arguments + " 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  std::string output;
  for (int c; (c = std::fgetc(pipe)) != EOF;) output.push_back(static_cast<char>(c));
  return {WEXITSTATUS(::pclose(pipe)), output};
}

class ServerWords : public testing::Test {
 protected:
  void SetUp() override {
    if (server_path().empty())
      GTEST_SKIP() << "TERN_UPPER_SERVER names no program: run by meson test";
  }
};

TEST_F(ServerWords, HelpFitsAScreenAndHasExamples) {
  const Outcome help = run_server("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_LE(std::count(help.output.begin(), help.output.end(), '\n'), 23);  // and the prompt
  std::size_t begin = 0;
  for (std::size_t end; (end = help.output.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 80u) << help.output.substr(begin, end - begin);
  EXPECT_THAT(help.output, HasSubstr("examples:"));
}

TEST_F(ServerWords, VersionIsOneLine) {
  const Outcome version = run_server("--version");
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.output, StartsWith("tcp-upper-server (Tern) "));
}

// One line each on stderr, that names the thing and the remedy: 2 for usage, 1 at run time.
struct Mistake {
  const char* name;
  const char* arguments;
  int status;
  const char* culprit;
  const char* remedy;
};

class ServerMistake : public testing::TestWithParam<Mistake> {
 protected:
  void SetUp() override {
    if (server_path().empty())
      GTEST_SKIP() << "TERN_UPPER_SERVER names no program: run by meson test";
  }
};

TEST_P(ServerMistake, IsOneLineWithTheRemedy) {
  const Outcome outcome = run_server(GetParam().arguments);
  EXPECT_EQ(outcome.status, GetParam().status);
  EXPECT_THAT(outcome.output, StartsWith("tcp-upper-server: "));
  EXPECT_THAT(outcome.output, HasSubstr(GetParam().culprit));
  EXPECT_THAT(outcome.output, HasSubstr(GetParam().remedy));
  EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
}

INSTANTIATE_TEST_SUITE_P(
    All, ServerMistake,
    testing::Values(
        Mistake{"AddressNotANumber", "--ip 10.0.2.300/24", 2, "10.0.2.300/24", "as in 10.0.2.2/24"},
        Mistake{"AddressWithoutSubnet", "--ip 10.0.2.2", 2, "'10.0.2.2'", "as in 10.0.2.2/24"},
        Mistake{"AddressOfNobody", "--ip 255.255.255.255/24", 2, "255.255.255.255", "unicast"},
        Mistake{"GatewayElsewhere", "--gateway 10.9.9.9", 2, "10.9.9.9", "not in the subnet"},
        Mistake{"Ip6WithoutPrefix", "--ip6 fd00::2", 2, "'fd00::2'", "as in fd00::2/64"},
        Mistake{"Ip6OfNobody", "--ip6 ff02::1/64", 2, "ff02::1", "unicast"},
        Mistake{"Gateway6Alone", "--gateway6 fd00::1", 2, "gateway6", "give ip6 as well"},
        Mistake{"Gateway6Elsewhere", "--ip6 fd00::2/64 --gateway6 fd01::1", 2, "fd01::1",
                "neither link-local nor in fd00::2/64"},
        Mistake{"PortTooLarge", "--port 70000", 2, "70000", "1 to 65535"},
        Mistake{"PortZero", "--port 0", 2, "--port", "1 to 65535"},
        Mistake{"UnknownOption", "--bogus", 2, "--bogus", "see --help"},
        Mistake{"EalArgumentWithoutSeparator", "--vdev=net_null0", 2, "--vdev=net_null0",
                "before a '--'"},
        Mistake{"UnknownEalArgument", "--bogus --", 2, "--bogus", "before '--'"},
        Mistake{"UnknownDevice", "--vdev=net_foo0 --", 2, "net_foo0", "net_tap0"},
        Mistake{"UnknownDeviceName", "--vdev=net_null0 -- --device net_x", 1, "net_x", "net_null0"},
        Mistake{"NoDevice", "-a 0000:ff:00.0 --", 1, "'-a 0000:ff:00.0': no DPDK device",
                "dpdk-devbind.py"},
        Mistake{"TapNameTaken", "--tap lo", 1, "'lo' is in use: choose", "another name"},
        Mistake{"HostAddressIsOurs", "--host-ip 10.0.2.2/24", 2, "10.0.2.2/24",
                "must not be the address of"},
        Mistake{"HostAddressElsewhere", "--host-ip 10.9.2.1/24", 2, "10.9.2.1/24",
                "is not in the subnet of 10.0.2.2/24"},
        Mistake{"HostAddress6Alone", "--host-ip6 fd00::1/64", 2, "--host-ip6", "needs --ip6"},
        Mistake{"UnknownSynCookies", "--syn-cookies x", 2, "x not in {", "never"},
        Mistake{"UnknownOptionWithAValue", "--prot 99", 2, "'--prot'", "see --help"},
        Mistake{"TapNameTooLong", "--tap a123456789012345", 2, "a123456789012345", "15 characters"},
        Mistake{"TooManyConnections", "--max-connections 250000000", 1, "250000000 connections x",
                "lower the number"},
        Mistake{"TooLittleEalMemory", "--no-huge -m 24 --vdev=net_null0 -- --max-connections 16384",
                1, "packet buffers", "raise -m"},
        Mistake{"NoSuchConfiguration", "--config /nowhere/x", 2, "/nowhere/x", "does not exist"},
        Mistake{"CaptureNowhere", "--vdev=net_null0 -- --capture /nowhere/x.pcapng", 1,
                "/nowhere/x.pcapng", "No such file"},
        Mistake{"UnknownIdle", "--idle never", 2, "never", "{auto,spin,pause,sleep}"}),
    [](const auto& test) { return test.param.name; });

TEST_F(ServerWords, WithoutRightsItSaysSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give its rights up";
  std::FILE* pipe =
      ::popen(("setpriv --reuid 65534 --clear-groups " + server_path() + " 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char line[1024] = "";
  const bool said = std::fgets(line, sizeof line, pipe) != nullptr;
  const int status = WEXITSTATUS(::pclose(pipe));
  if (status == 126 || status == 127) GTEST_SKIP() << "the program is out of another user's reach";
  ASSERT_TRUE(said);
  EXPECT_THAT(line, HasSubstr("run as root"));
  EXPECT_EQ(status, 1);
}

// What it says to a configuration file of such lines, whose name goes to `path`.
Outcome run_with_file(const std::string& lines, std::string& path) {
  path = testing::TempDir() + "tern-" + std::to_string(::getpid()) + ".conf";
  std::ofstream(path) << lines;
  Outcome outcome = run_server("--config " + path);
  std::filesystem::remove(path);
  return outcome;
}

TEST_F(ServerWords, OptionsComeFromAFileToo) {
  std::string path;
  const Outcome outcome = run_with_file("port = 70001\n", path);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr("70001"));
  EXPECT_THAT(outcome.output, HasSubstr(path));
}

TEST_F(ServerWords, AMistakeInAFileIsNamedWithTheFile) {
  std::string path;
  const Outcome outcome = run_with_file("prot = 7777\n", path);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr(path + ": no option is called 'prot'"));
}

// With a client of the kernel's, over a tap.
class ServerOverTap : public ServerWords {
 protected:
  void SetUp() override {
    ServerWords::SetUp();
    if (const std::string why = why_no_tap(); !why.empty()) GTEST_SKIP() << why;
  }

  static std::vector<std::string> arguments(std::vector<std::string> more = {}) {
    std::vector<std::string> all{"--tap", kTap, "--ip", "10.78.0.2/24"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  static void expect_listening(ServerProcess& server) {
    ASSERT_THAT(server.read_until("connections...\n"),
                HasSubstr("listening at port: 0.0.0.0:9999, waiting for connections...\n"));
    set_up_address();
  }
  static void set_up_address() {
    ASSERT_EQ(std::system((std::string("ip address add 10.78.0.1/24 dev ") + kTap).c_str()), 0);
  }

  // -1 if nobody listens yet.
  static int try_to_connect() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9999);
    ::inet_pton(AF_INET, "10.78.0.2", &address.sin_addr);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    ::close(fd);
    std::this_thread::sleep_for(50ms);
    return -1;
  }
  static int connect_client() {
    const int fd = try_to_connect();
    EXPECT_GE(fd, 0);
    return fd;
  }

  static std::string local_name(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return "10.78.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  static std::string exchange(int fd, const std::string& text) {
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    std::string reply(text.size(), '\0');
    const ssize_t got = ::recv(fd, reply.data(), reply.size(), MSG_WAITALL);
    reply.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return reply;
  }

  static void expect_nothing_left(pid_t pid) {
    EXPECT_EQ(::if_nametoindex(kTap), 0u) << "the tap is still there";
    EXPECT_FALSE(std::filesystem::exists("/var/run/dpdk/tern-" + std::to_string(pid)));
  }
};

TEST_F(ServerOverTap, SaysWhoComesAndGoes) {
  ServerProcess server(arguments());
  const pid_t pid = server.pid();
  expect_listening(server);
  const int fd = connect_client();
  const std::string name = local_name(fd);
  EXPECT_EQ(exchange(fd, "hello world!\n"), "HELLO WORLD!\n");
  ::close(fd);
  EXPECT_THAT(server.read_until(" disconnected\n"),
              HasSubstr("...\n" + name + " connected\n" + name + " disconnected\n"));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
  expect_nothing_left(pid);
}

// A drain: FIN to those there are, no new ones, and the end when they have answered.
TEST_F(ServerOverTap, ASignalDrains) {
  ServerProcess server(arguments({"--linger", "10"}));
  const pid_t pid = server.pid();
  expect_listening(server);
  const int fd = connect_client();
  EXPECT_EQ(exchange(fd, "abc"), "ABC");
  const auto begin = Clock::now();
  server.signal(SIGTERM);
  char byte;
  EXPECT_EQ(::recv(fd, &byte, 1, 0), 0);  // its FIN
  ::close(fd);                            // ours
  EXPECT_EQ(server.wait(), 0);
  EXPECT_LT(Clock::now() - begin, 5s);
  expect_nothing_left(pid);
}

// A client that never closes is reset when the linger time is over.
TEST_F(ServerOverTap, ADrainEndsWithAReset) {
  ServerProcess server(arguments({"--linger", "0.5"}));
  expect_listening(server);
  const int fd = connect_client();
  EXPECT_EQ(exchange(fd, "abc"), "ABC");
  const auto begin = Clock::now();
  server.signal(SIGINT);
  char byte;
  EXPECT_EQ(::recv(fd, &byte, 1, 0), 0);
  EXPECT_THAT(server.read_until("reset\n"), HasSubstr("1 connection did not end in time: reset"));
  EXPECT_EQ(server.wait(), 0);
  EXPECT_GE(Clock::now() - begin, 500ms);
  EXPECT_LE(Clock::now() - begin, 5s);
  EXPECT_EQ(::send(fd, "x", 1, MSG_NOSIGNAL), -1);  // the RST has arrived
  ::close(fd);
}

TEST_F(ServerOverTap, ASecondSignalEndsAtOnce) {
  ServerProcess server(arguments({"--linger", "3600"}));
  const pid_t pid = server.pid();
  expect_listening(server);
  const int fd = connect_client();
  EXPECT_EQ(exchange(fd, "abc"), "ABC");
  server.signal(SIGTERM);
  char byte;
  EXPECT_EQ(::recv(fd, &byte, 1, 0), 0);
  const auto begin = Clock::now();
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
  EXPECT_LT(Clock::now() - begin, 5s);
  ::close(fd);
  expect_nothing_left(pid);
}

TEST_F(ServerOverTap, GoesOnWhenNobodyReadsItsWords) {
  ServerProcess server(arguments());
  expect_listening(server);
  server.close_pipe();  // SIGPIPE from now on
  for (int i = 0; i < 3; ++i) {
    const int fd = connect_client();
    EXPECT_EQ(exchange(fd, "abc"), "ABC");
    ::close(fd);
  }
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
}

// Descriptor 1 must not become the tap's.
TEST_F(ServerOverTap, StartsWithStdoutClosed) {
  ServerProcess server(arguments({"--quiet"}), true);
  for (int i = 0; i < 200 && ::if_nametoindex(kTap) == 0; ++i) std::this_thread::sleep_for(50ms);
  set_up_address();  // It cannot say when it listens.
  int fd = -1;
  for (int i = 0; i < 100 && fd < 0; ++i) fd = try_to_connect();
  ASSERT_GE(fd, 0);
  EXPECT_EQ(exchange(fd, "abc"), "ABC");
  ::close(fd);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
}

TEST_F(ServerOverTap, QuietIsQuietAndStatsAreCounted) {
  ServerProcess server(arguments({"--quiet", "--stats"}));
  expect_listening(server);
  const int fd = connect_client();
  EXPECT_EQ(exchange(fd, "abc"), "ABC");
  ::close(fd);
  server.signal(SIGTERM);
  const std::string said = server.read_until("no such words");
  EXPECT_EQ(server.wait(), 0);
  EXPECT_THAT(said, StartsWith("listening at port"));
  EXPECT_EQ(said.find(" connected\n"), std::string::npos);
  EXPECT_THAT(said, HasSubstr("\npassive_opens                         1 connections"));
}

TEST_F(ServerOverTap, CapturesWhatIsOnTheWire) {
  const std::string path = testing::TempDir() + "tern-" + std::to_string(::getpid()) + ".pcapng";
  ServerProcess server(arguments({"--capture", path}));
  expect_listening(server);
  const int fd = connect_client();
  EXPECT_EQ(exchange(fd, "capture me"), "CAPTURE ME");
  ::close(fd);
  server.read_until(" disconnected\n");
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(bytes, StartsWith("\x0a\x0d\x0d\x0a"));
  EXPECT_THAT(bytes, HasSubstr("capture me"));
  EXPECT_THAT(bytes, HasSubstr("CAPTURE ME"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace tern::io
