// SPDX-License-Identifier: BSD-3-Clause
// The upper-case server on a stack on a tap device, with the kernel as its client: both ends in
// this thread, on sockets that do not block.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "dpdk/dpdk_test_env.h"
#include "runtime/tsc_clock.h"
#include "tern/stack.h"
#include "upper_server.h"

namespace tern::io {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 9999;
constexpr Duration kPatience = 10s;

sockaddr_in server_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, "10.77.0.2", &address.sin_addr);
  return address;
}

class TapStack : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_tap(); !why.empty()) GTEST_SKIP() << why;
    tap_ = std::make_unique<TestDevice>("net_tap", "iface=ternts");
    full_ = tap_->available();
    StackConfig config;
    config.address = *Ipv4Prefix::parse("10.77.0.2/24");
    config.max_connections = 64;
    config.secret = {1, 2};
    auto stack = Stack::create(config, tap_->port(), clock_.now());
    ASSERT_TRUE(stack.ok()) << stack.status();
    stack_ = *std::move(stack);
    ASSERT_TRUE(stack_->listen({.address = {}, .port = kPort}, server_).ok());
    ASSERT_EQ(std::system("ip address add 10.77.0.1/24 dev ternts"), 0);
  }

  // Conservation: with the stack gone every buffer is back.
  void TearDown() override {
    stack_.reset();
    if (tap_ == nullptr) return;
    EXPECT_EQ(tap_->available(), full_);
  }

  // Turns the loop until `done`; false if that takes too long.
  bool poll_until(const std::function<bool()>& done) {
    const Instant end = clock_.now() + kPatience;
    while (!done()) {
      if (clock_.now() > end) return false;
      stack_->poll(clock_.now());
    }
    return true;
  }

  int connect(std::uint16_t port = kPort) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const sockaddr_in address = server_address(port);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), -1);
    EXPECT_EQ(errno, EINPROGRESS);
    return fd;
  }

  std::string receive(int fd, std::size_t bytes) {
    std::string text;
    std::vector<char> buffer(65536);
    poll_until([&] {
      const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
      return got == 0 || text.size() >= bytes;
    });
    return text;
  }

  std::vector<std::string> said_;
  upper::UpperServer server_{[this](const std::string& line) { said_.push_back(line); }};
  runtime::TscClock clock_;
  unsigned full_ = 0;
  std::unique_ptr<TestDevice> tap_;
  std::unique_ptr<Stack> stack_;
};

TEST_F(TapStack, AnswersInUpperCaseAndClosesInOrder) {
  const int fd = connect();
  const std::string text = "hello world! {az} AZ [`@] \xe4\xff";
  ASSERT_TRUE(poll_until([&] { return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) > 0; }));
  EXPECT_EQ(receive(fd, text.size()), "HELLO WORLD! {AZ} AZ [`@] \xe4\xff");
  ASSERT_EQ(::shutdown(fd, SHUT_WR), 0);
  EXPECT_EQ(receive(fd, 1), "");  // its FIN
  EXPECT_TRUE(poll_until([&] { return stack_->usage().connections == 0; }));
  ::close(fd);
  ASSERT_EQ(said_.size(), 2u);
  EXPECT_TRUE(said_[0].starts_with("10.77.0.1:") && said_[0].ends_with(" connected")) << said_[0];
  EXPECT_EQ(said_[1], said_[0].substr(0, said_[0].find(' ')) + " disconnected");
}

TEST_F(TapStack, AMebibyteComesBackByteForByte) {
  std::string text(1 << 20, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  std::string expected = text;
  upper::to_upper(std::as_writable_bytes(std::span(expected)));

  const int fd = connect();
  std::string back;
  std::size_t sent = 0;
  std::vector<char> buffer(65536);
  ASSERT_TRUE(poll_until([&] {
    const ssize_t put = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (put > 0) sent += static_cast<std::size_t>(put);
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got > 0) back.append(buffer.data(), static_cast<std::size_t>(got));
    return back.size() >= text.size();
  }));
  EXPECT_TRUE(back == expected);
  ::close(fd);
  EXPECT_TRUE(poll_until([&] { return stack_->usage().connections == 0; }));
}

// A RST, while data waits on both sides.
TEST_F(TapStack, APeerThatResetsLeavesNothing) {
  const int fd = connect();
  const std::string text(100'000, 'x');
  ASSERT_TRUE(poll_until([&] { return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) > 0; }));
  ASSERT_TRUE(poll_until([&] { return stack_->counters().established == 1; }));
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
  ::close(fd);
  EXPECT_TRUE(poll_until([&] { return stack_->usage().connections == 0; }));
  EXPECT_EQ(stack_->usage().held_frames, 0u);
  EXPECT_EQ(stack_->usage().send_chunks, 0u);
  EXPECT_EQ(said_.size(), 2u);
}

TEST_F(TapStack, APortWithoutListenerRefuses) {
  const int fd = connect(kPort + 1);
  int error = 0;
  ASSERT_TRUE(poll_until([&] {
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error != 0;
  }));
  EXPECT_EQ(error, ECONNREFUSED);
  ::close(fd);
}

TEST_F(TapStack, AnswersPing) {
  const int fd = ::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
  ASSERT_GE(fd, 0);
  icmphdr request{};
  request.type = ICMP_ECHO;
  request.un.echo.id = htons(0x1234);
  request.checksum = static_cast<std::uint16_t>(~(htons(ICMP_ECHO << 8) + request.un.echo.id));
  const sockaddr_in address = server_address(0);
  ASSERT_EQ(::sendto(fd, &request, sizeof request, 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address),
            static_cast<ssize_t>(sizeof request));
  EXPECT_TRUE(poll_until([&] {
    std::array<std::uint8_t, 128> reply{};
    return ::recv(fd, reply.data(), reply.size(), 0) == 28 && reply[20] == ICMP_ECHOREPLY;
  }));
  ::close(fd);
  EXPECT_EQ(stack_->counters().icmp_echo_replies, 1u);
}

}  // namespace
}  // namespace tern::io
