// SPDX-License-Identifier: BSD-3-Clause
// What /tern/... answers, over DPDK's own socket, about a stack on a net_ring device.
#include "runtime/telemetry.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_eal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "dpdk/dpdk_test_env.h"
#include "runtime/watchman.h"
#include "tern/handler.h"

namespace tern::runtime {
namespace {

using nlohmann::json;
using testing::ContainsRegex;

class Silent final : public ConnectionHandler {
 public:
  void on_readable(Connection) override {}
  void on_closed(Connection, CloseReason reason) override { ends.push_back(reason); }
  std::vector<CloseReason> ends;
};

/// A client of the telemetry socket.
class Client {
 public:
  Client() : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = std::string(rte_eal_get_runtime_dir()) + "/dpdk_telemetry.v2";
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << path;
    receive();  // its greeting
  }
  ~Client() { ::close(fd_); }

  json ask(const std::string& command) {
    EXPECT_GT(::send(fd_, command.data(), command.size(), 0), 0);
    const json answer = json::parse(receive());
    return answer.front();  // {"/tern/x": ...}
  }

 private:
  std::string receive() {
    std::string text(64 << 10, '\0');
    const ssize_t size = ::recv(fd_, text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    EXPECT_LE(text.size(), 16u << 10);
    return text;
  }
  int fd_;
};

class TelemetryTest : public testing::Test {
 protected:
  static StackConfig config() {
    StackConfig config;
    config.address = *Ipv4Prefix::parse("10.0.2.2/24");
    config.secret = {1, 2};
    config.max_connections = 512;
    return config;
  }
  static std::unique_ptr<Worker> make_worker(Port& port) {
    auto clock = std::make_unique<TscClock>();
    auto stack = Stack::create(config(), port, clock->now());
    EXPECT_TRUE(stack.ok()) << stack.status();
    return std::make_unique<Worker>(*std::move(stack), std::move(clock), WorkerConfig{});
  }
  TelemetryTest()
      : worker_(make_worker(watch_)),
        telemetry_({.program = "telemetry_test",
                    .device = "net_ring0",
                    .driver = "net_ring",
                    .mac = device_.port().info().mac,
                    .mtu = 1500},
                   {worker_.get()}, captures_) {
    captures_.add_source({&watch_, &worker_->mailbox()});
  }
  ~TelemetryTest() override {
    shared_.stop.add();
    shared_.stop.add();
    if (thread_.joinable()) thread_.join();
  }
  void run() {
    thread_ = std::thread([this] { worker_->run(shared_); });
  }
  Stack& stack() { return worker_->stack(); }

  Silent handler_;
  io::TestDevice device_{"net_ring"};
  io::WatchPort watch_{device_.port(), [] { return Instant{}; }};
  std::unique_ptr<Worker> worker_;
  Captures captures_{"telemetry_test", "net_ring0", 1 << 16};
  SharedByWorkers shared_{1};
  Telemetry telemetry_;
  std::thread thread_;
};

TEST_F(TelemetryTest, TellsWhatRuns) {
  run();
  const json config = Client().ask("/tern/config");
  EXPECT_EQ(config["program"], "telemetry_test");
  EXPECT_EQ(config["pid"], ::getpid());
  EXPECT_EQ(config["address"], "10.0.2.2/24");
  EXPECT_EQ(config["max_connections"], 512);
}

TEST_F(TelemetryTest, HasEveryCounterWithItsSentence) {
  run();
  Client client;
  const json stats = client.ask("/tern/stats");
  json sentences = client.ask("/tern/counters");
  for (std::size_t from = 80; from < counter_infos().size(); from += 80)
    sentences.update(client.ask("/tern/counters," + std::to_string(from)));
  EXPECT_EQ(stats.size(), counter_infos().size());
  for (const CounterInfo& info : counter_infos()) {
    const std::string name(info.name);
    EXPECT_TRUE(stats.contains(name)) << name;
    EXPECT_EQ(sentences[name], std::string(info.unit) + ": " + std::string(info.sentence));
  }
}

TEST_F(TelemetryTest, CountsTheWorkersCycles) {
  run();
  Client client;
  const json before = client.ask("/tern/workers")["0"];
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const json after = client.ask("/tern/workers")["0"];
  EXPECT_GT(after["polls"], before["polls"]);
  EXPECT_GT(after["idle_cycles"], before["idle_cycles"]);
}

TEST_F(TelemetryTest, ListsSocketsInPages) {
  ASSERT_TRUE(stack().listen({.address = {}, .port = 9999}, handler_).ok());
  for (std::uint16_t port = 1; port <= 200; ++port)
    ASSERT_TRUE(stack().connect({.remote = {Ipv4Address(10, 0, 2, 1), port}}, handler_).ok());
  run();
  Client client;
  std::size_t sockets = 0, pages = 0;
  std::uint64_t cursor = 0;
  do {
    const json page = client.ask("/tern/sockets," + std::to_string(cursor) + ",full");
    cursor = page["next"];
    sockets += page.size() - 1;
    if (++pages == 1) {
      EXPECT_EQ(page["0"]["state"], "LISTEN");
      EXPECT_EQ(page["0"]["local"], "0.0.0.0:9999");
      EXPECT_EQ(page["1"]["state"], "SYN-SENT");
      EXPECT_THAT(page["1"]["local"].get<std::string>(), ContainsRegex("10.0.2.2:[0-9]+"));
      EXPECT_TRUE(page["1"].contains("rto_us"));
    }
  } while (cursor != 0);
  EXPECT_EQ(sockets, 201u);
  EXPECT_GE(pages, 8u);
  EXPECT_EQ(client.ask("/tern/usage")["state_syn_sent"], 200);
  EXPECT_EQ(client.ask("/tern/usage")["connections"], 200);
}

TEST_F(TelemetryTest, ClosesOneConnection) {
  for (std::uint16_t port = 1; port <= 2; ++port)
    ASSERT_TRUE(stack().connect({.remote = {Ipv4Address(10, 0, 2, 1), port}}, handler_).ok());
  run();
  Client client;
  const json socket = client.ask("/tern/sockets")["0"];
  const std::string name =
      socket["local"].get<std::string>() + "," + socket["peer"].get<std::string>();
  EXPECT_EQ(client.ask("/tern/close," + name)["closed"], 1);
  EXPECT_EQ(client.ask("/tern/close," + name)["closed"], 0);
  EXPECT_EQ(client.ask("/tern/usage")["connections"], 1);
  shared_.stop.add();
  shared_.stop.add();
  thread_.join();
  EXPECT_THAT(handler_.ends, testing::ElementsAre(CloseReason::kAborted));
}

TEST_F(TelemetryTest, ClosesSeveralConnectionsAtOnceAndSaysWhich) {
  for (std::uint16_t port = 1; port <= 3; ++port)
    ASSERT_TRUE(stack().connect({.remote = {Ipv4Address(10, 0, 2, 1), port}}, handler_).ok());
  run();
  Client client;
  const json sockets = client.ask("/tern/sockets");
  std::string names;
  for (const char* number : {"0", "2"})
    names += "," + sockets[number]["local"].get<std::string>() + "," +
             sockets[number]["peer"].get<std::string>();
  const json answer = client.ask("/tern/close,10.0.2.2:1,10.0.2.1:9" + names);
  EXPECT_EQ(answer, json::parse(R"({"closed": 2, "0": 0, "1": 1, "2": 1})"));
  EXPECT_EQ(client.ask("/tern/usage")["connections"], 1);
}

TEST_F(TelemetryTest, ShowsWhomTheStackIsAskingFor) {
  ASSERT_TRUE(stack().connect({.remote = {Ipv4Address(10, 0, 2, 1), 1}}, handler_).ok());
  run();
  const json neighbour = Client().ask("/tern/neighbours")["0"];
  EXPECT_EQ(neighbour["address"], "10.0.2.1");
  EXPECT_EQ(neighbour["state"], "RESOLVING");
}

TEST_F(TelemetryTest, CapturesToANamedPipe) {
  ASSERT_TRUE(stack().connect({.remote = {Ipv4Address(10, 0, 2, 1), 1}}, handler_).ok());
  run();
  Client client;
  const std::string path = testing::TempDir() + "tern-pipe-" + std::to_string(::getpid());
  EXPECT_TRUE(client.ask("/tern/capture," + path).contains("error")) << "it is not there";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(client.ask("/tern/capture," + path).contains("error")) << "nobody reads it";
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const json refused = client.ask("/tern/capture," + path + ",tcp prot 1");
  EXPECT_EQ(refused["mistake"], 1);
  EXPECT_FALSE(client.ask("/tern/capture," + path + ",arp or tcp port 9").contains("error"));
  std::string text(1 << 16, '\0');
  ssize_t size = -1;
  for (int i = 0; i < 500 && size < 150; ++i) {  // the stack asks for its neighbour once a second
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const ssize_t n = ::read(fd, text.data(), text.size());
    if (n > 0) size = std::max(size, ssize_t{0}) + n;
  }
  EXPECT_GE(size, 150);
  EXPECT_EQ(client.ask("/tern/captures")["0"]["target"], path);
  ::close(fd);
  for (int i = 0; i < 500 && !client.ask("/tern/captures").empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(client.ask("/tern/captures").empty()) << "its reader has gone";
  EXPECT_FALSE(watch_.wants_drops());
  ::unlink(path.c_str());
}

TEST_F(TelemetryTest, RefusesWhatMakesNoSense) {
  run();
  Client client;
  for (const char* command :
       {"/tern/stats,1", "/tern/stats,x", "/tern/sockets,-1", "/tern/sockets,0,fool",
        "/tern/sockets,18446744073709551615", "/tern/sockets,18446744073709551616",
        "/tern/neighbours,x", "/tern/counters,9999", "/tern/close", "/tern/close,,",
        "/tern/close,1.2.3.4:5", "/tern/close,1.2.3.4:5,1.2.3.4:0", "/tern/close,x:1,y:2"})
    EXPECT_TRUE(client.ask(command).is_null()) << command;
}

TEST_F(TelemetryTest, DoesNotWaitForAWorkerThatHasEnded) {
  run();
  shared_.stop.add();
  shared_.stop.add();
  thread_.join();
  EXPECT_TRUE(Client().ask("/tern/stats").is_null());
}

// Not telemetry's, but it needs a worker as well: one that hangs cannot say so itself.
TEST_F(TelemetryTest, TheWatchmanTellsOfAWorkerThatHangs) {
  run();
  std::mutex mutex;
  std::string said;
  const auto heard = [&](const char* words) {
    for (int i = 0; i < 6000; ++i) {
      {
        const std::lock_guard lock(mutex);
        if (said.find(words) != std::string::npos) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  const auto log = [&](LogLevel, const std::string& line) {
    const std::lock_guard lock(mutex);
    said += line + "\n";
  };
  const Watchman watchman(device_.device(), {worker_.get()},
                          EventLog("net_ring0", stack().config(), 1, log));
  std::atomic<bool> released = false;
  const auto hang = [&] {
    while (!released) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  std::thread asker([&] { worker_->mailbox().ask(hang, std::chrono::minutes(5)); });
  EXPECT_TRUE(heard("worker 0 hangs: no poll for ")) << said;
  released = true;
  asker.join();
  EXPECT_TRUE(heard("worker 0 polls again after ")) << said;
}

}  // namespace
}  // namespace tern::runtime
