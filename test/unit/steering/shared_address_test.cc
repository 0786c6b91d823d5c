// SPDX-License-Identifier: BSD-3-Clause
// Several stacks with one address, on the queues of one device, against another such host: what
// arrives at the wrong queue finds its connection, and nothing of it depends on the device.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "queue_port.h"
#include "steering/steering_port.h"
#include "support/fragments.h"
#include "support/segment.h"
#include "tern/stack.h"

namespace tern::steering {
namespace {

using namespace std::chrono_literals;

class Echo final : public ConnectionHandler {
 public:
  void on_readable(Connection c) override {
    while (auto chunk = c.receive_to_forward())
      if (c.forward(std::move(*chunk)) != Errc::kOk) return c.abort();
  }
};

// Says one thing, hears it, says it again as often as it is told to, and finishes.
class Client final : public ConnectionHandler {
 public:
  explicit Client(int rounds) : rounds_(rounds) {}
  void on_established(Connection c) override {
    ++established;
    c.set_user_data(static_cast<std::uint64_t>(rounds_));
    say(c);
  }
  void on_readable(Connection c) override {
    while (auto chunk = c.receive()) answered += chunk->size();
    c.set_user_data(c.user_data() - 1);
    if (c.user_data() == 0)
      c.shutdown_send();
    else
      say(c);
  }
  void on_closed(Connection, CloseReason reason) override {
    if (reason == CloseReason::kFinished)
      ++finished;
    else
      ++failed;
  }

  int established = 0, failed = 0;
  std::atomic<int> finished{0};
  std::size_t answered = 0;

 private:
  static void say(Connection c) { EXPECT_TRUE(c.write(std::as_bytes(std::span("0123456", 8)))); }
  const int rounds_;
};

// A host of some workers, whose device has a queue for each.
class Host {
 public:
  // Which queue of this host a frame for it arrives at.
  using Device = std::function<std::size_t(std::span<const std::byte>)>;

  Host(std::uint8_t number, std::uint16_t workers, Device device, bool says_how = false)
      : device_(std::move(device)), exchange_(homes(workers, says_how), 4096) {
    for (std::uint16_t i = 0; i < workers; ++i) {
      queues_.push_back(std::make_unique<QueuePort>(
          MacAddress{{2, 0, 0, 0, 0, number}}, out_,
          [this](std::span<const std::byte> bytes) { peer_->arrive(bytes); }));
      ports_.push_back(std::make_unique<SteeringPort>(*queues_[i], exchange_, i));
      StackConfig config;
      config.address = {Ipv4Address(10, 0, 0, number), 24};
      config.tcp_fragments = true;
      if (test::speaks_v6()) config.ip6 = Ipv6Prefix{test::numbered_address(number).v6(), 64};
      config.dad_transmits6 = 0;
      config.max_connections = 2048;
      config.secret = {number, 7};
      config.tcp.msl = 10ms;
      auto stack = Stack::create(config, *ports_[i], Instant{}, ports_[i].get());
      EXPECT_TRUE(stack.ok()) << stack.status();
      stacks_.push_back(*std::move(stack));
    }
  }
  void tear_down() {
    stacks_.clear();
    ports_.clear();
    queues_.clear();
    EXPECT_EQ(out_, 0) << "frames were not given back";
  }

  void join(Host& peer) { peer_ = &peer; }
  void set_device(Device device) { device_ = std::move(device); }
  void arrive(std::span<const std::byte> bytes) {
    const std::size_t queue = device_(bytes);
    queues_.at(queue)->deliver(bytes);
  }
  Stack& stack(std::size_t i) { return *stacks_.at(i); }
  std::size_t workers() const { return stacks_.size(); }
  std::size_t poll(Instant now) {
    std::size_t work = 0;
    for (auto& stack : stacks_) work += stack->poll(now);
    return work;
  }
  Counters counters() const {
    Counters sum;
    for (const auto& stack : stacks_) sum += stack->counters();
    return sum;
  }
  std::uint32_t connections() const {
    StackUsage sum;
    for (const auto& stack : stacks_) sum += stack->usage();
    return sum.connections;
  }
  const Exchange& exchange() const { return exchange_; }

  static RssSettings rss(std::uint16_t queues) {
    RssSettings settings;
    for (std::uint8_t i = 0; i < 40; ++i)
      settings.key.push_back(static_cast<std::uint8_t>(i * 37 + 11));
    for (std::uint16_t i = 0; i < 128; ++i)
      settings.reta.push_back(static_cast<std::uint16_t>(i % queues));
    return settings;
  }

 private:
  static HomeMap homes(std::uint16_t workers, bool says_how) {
    constexpr SipKey kKey{3, 4};
    return says_how ? HomeMap(kKey, workers, rss(workers)) : HomeMap(kKey, workers);
  }

  Device device_;
  FrameCount out_{0};
  Exchange exchange_;
  Host* peer_ = nullptr;
  std::vector<std::unique_ptr<QueuePort>> queues_;
  std::vector<std::unique_ptr<SteeringPort>> ports_;
  std::vector<std::unique_ptr<Stack>> stacks_;
};

// Devices. Whatever is not TCP arrives at queue 0.
Host::Device by(const HomeMap& homes) {
  return [homes](std::span<const std::byte> bytes) -> std::size_t {
    const auto s = test::parse_segment(bytes);
    if (!s) return 0;
    return homes.home_of(
        {{s->path.destination, s->path.destination_port}, {s->path.source, s->path.source_port}});
  };
}
Host::Device by_rss(std::uint16_t queues) { return by(HomeMap({}, queues, Host::rss(queues))); }
// One that steers by a rule of its own that nobody is told.
Host::Device by_unknown_rule(std::uint16_t queues) { return by(HomeMap({99, 98}, queues)); }
Host::Device to_queue(std::size_t queue) {
  return [queue](std::span<const std::byte>) { return queue; };
}

class SharedAddress : public testing::Test {
 protected:
  void make(std::unique_ptr<Host> server, std::unique_ptr<Host> client) {
    server_ = std::move(server);
    client_ = std::move(client);
    server_->join(*client_);
    client_->join(*server_);
    const ListenOptions options{.address = test::wildcard(), .port = 9999};
    for (std::size_t i = 0; i < server_->workers(); ++i)
      ASSERT_TRUE(server_->stack(i).listen(options, echo_).ok());
  }
  ~SharedAddress() override {
    for (Host* host : {server_.get(), client_.get()}) host->tear_down();
  }

  void connect(std::size_t worker, int count, Client& client) {
    ConnectOptions options;
    options.remote = {test::numbered_address(1), 9999};
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(client_->stack(worker).connect(options, client).ok());
      // Until the neighbour's address is known, no more than three packets wait for it.
      if (i == 0) run(200us);
    }
  }
  void run(Duration time) {
    for (const Instant end = now_ + time; now_ < end; now_ += 100us)
      while (server_->poll(now_) + client_->poll(now_) > 0) continue;
  }
  void expect_all_finished(const Client& client, int count) {
    EXPECT_EQ(client.established, count);
    EXPECT_EQ(client.finished, count);
    EXPECT_EQ(client.failed, 0);
    EXPECT_EQ(server_->connections() + client_->connections(), 0u);
    EXPECT_EQ(server_->counters().retransmitted + client_->counters().retransmitted, 0u);
    EXPECT_EQ(server_->counters().rst_out + client_->counters().rst_out, 0u);
    EXPECT_EQ(server_->exchange().frames_under_way() + client_->exchange().frames_under_way(), 0u);
  }

  Echo echo_;
  std::unique_ptr<Host> server_, client_;
  Instant now_{};
};

TEST_F(SharedAddress, AConnectionStaysWhereItsSynArrived) {
  make(std::make_unique<Host>(1, 2, by_unknown_rule(2)), std::make_unique<Host>(2, 1, to_queue(0)));
  Client client(3);
  connect(0, 1000, client);
  run(100ms);
  expect_all_finished(client, 1000);
  EXPECT_EQ(server_->counters().asked_around, 0u);
  EXPECT_EQ(server_->counters().handed_over, 0u);
  for (const std::size_t worker : {0, 1})
    EXPECT_NEAR(static_cast<double>(server_->stack(worker).counters().established), 500, 100);
}

// The device says how it steers: source ports are chosen so that every answer comes home.
TEST_F(SharedAddress, ConnectsLandAtHomeByTheDevicesRss) {
  for (std::uint16_t workers = 2; workers <= 4; ++workers) {
    if (client_) {
      client_->tear_down();
      server_->tear_down();
    }
    make(std::make_unique<Host>(1, workers, by_rss(workers), true),
         std::make_unique<Host>(2, workers, by_rss(workers), true));
    Client client(2);
    for (std::size_t i = 0; i < workers; ++i) connect(i, 200, client);
    run(100ms);
    expect_all_finished(client, 200 * int{workers});
    EXPECT_EQ(client_->counters().asked_around + server_->counters().asked_around, 0u);
    EXPECT_EQ(client_->counters().handed_over + server_->counters().handed_over, 0u);
    for (std::size_t i = 0; i < workers; ++i)
      EXPECT_EQ(client_->stack(i).counters().established, 200u);
  }
}

TEST_F(SharedAddress, AnswersThatArriveElsewhereAreHandedOver) {
  make(std::make_unique<Host>(1, 1, to_queue(0)), std::make_unique<Host>(2, 3, by_unknown_rule(3)));
  Client client(5);
  for (const std::size_t worker : {0, 1, 2}) connect(worker, 100, client);
  run(100ms);
  expect_all_finished(client, 300);
  EXPECT_GT(client_->counters().handed_over, 300u);
  // The port is drawn so that the first one asked is the right one.
  EXPECT_EQ(client_->counters().asked_around, client_->counters().handed_over);
  for (const std::size_t worker : {0, 1, 2})
    EXPECT_EQ(client_->stack(worker).counters().established, 100u);
}

TEST_F(SharedAddress, AFlowThatTheDeviceMovesIsFollowed) {
  const auto restless = [frames = 0u](std::span<const std::byte>) mutable -> std::size_t {
    return ++frames / 64 % 4;
  };
  make(std::make_unique<Host>(1, 4, restless), std::make_unique<Host>(2, 1, to_queue(0)));
  Client client(200);
  connect(0, 50, client);
  run(100ms);
  expect_all_finished(client, 50);
  EXPECT_GT(server_->counters().handed_over, 5000u);  // three quarters of 50 x 200
  // Found once, an owner is known and asked at once: there are few passes beside those to him.
  EXPECT_LT(server_->counters().asked_around, server_->counters().handed_over * 21 / 20);
}

// ARP's answers arrive at queue 0, whoever asked.
TEST_F(SharedAddress, AllHearOfANeighbour) {
  make(std::make_unique<Host>(1, 3, to_queue(2)), std::make_unique<Host>(2, 3, to_queue(0)));
  Client client(1);
  connect(2, 1, client);
  run(10ms);
  expect_all_finished(client, 1);
  for (const std::size_t worker : {1, 2})
    EXPECT_GT(client_->stack(worker).counters().neighbour_news, 0u) << worker;
  EXPECT_EQ(client_->stack(1).counters().arp_in, 0u);
  EXPECT_EQ(client_->counters().neighbour_news_lost, 0u);
  // A question is answered once, not by every worker.
  EXPECT_EQ(server_->counters().arp_replies_out, 1u);
}

// An error about a segment that nobody here has sent goes round to nobody, whatever it quotes:
// least of all an address that is a handle inside.
TEST_F(SharedAddress, AnErrorThatQuotesAnInventedSourceGoesNowhere) {
  make(std::make_unique<Host>(1, 2, to_queue(0)), std::make_unique<Host>(2, 1, to_queue(0)));
  test::Bytes icmp(8 + 28);
  icmp[0] = std::byte{3}, icmp[1] = std::byte{1};
  icmp[8] = std::byte{0x45}, icmp[8 + 9] = std::byte{6};
  icmp[8 + 12] = std::byte{255}, icmp[8 + 15] = std::byte{1};
  icmp[8 + 16] = std::byte{10}, icmp[8 + 19] = std::byte{2};
  const std::uint16_t sum = test::textbook_checksum(icmp);
  icmp[2] = std::byte(sum >> 8), icmp[3] = std::byte(sum);
  test::Datagram datagram;
  datagram.path.source = Ipv4Address(10, 0, 0, 2);
  datagram.path.destination = Ipv4Address(10, 0, 0, 1);
  datagram.payload = icmp;
  server_->arrive(test::build(datagram));
  run(1ms);
  EXPECT_EQ(server_->counters().drop_icmp_unbelieved, 1u);
  EXPECT_EQ(server_->counters().asked_around, 0u);
}

TEST_F(SharedAddress, AStrayIsAnsweredOnceAfterEverybodyWasAsked) {
  make(std::make_unique<Host>(1, 4, to_queue(2)), std::make_unique<Host>(2, 1, to_queue(0)));
  run(1ms);
  test::Segment stray;
  stray.path.source_port = 4000;
  stray.path.destination_port = 9999;
  stray.flags = ".";
  stray.seq = 1000;
  stray.ack = 2000;
  server_->arrive(test::build(stray));
  run(1ms);
  EXPECT_EQ(server_->counters().asked_around, 3u);
  EXPECT_EQ(server_->counters().rst_out, 1u);
  EXPECT_EQ(server_->counters().handed_over, 0u);
}

// No device can know which fragments belong together, or to which connection: they meet at one
// worker, and the whole goes on to the connection's.
TEST_F(SharedAddress, FragmentsMeetAndTheWholeFindsItsConnection) {
  const auto anywhere = [frames = 0u](std::span<const std::byte>) mutable -> std::size_t {
    return ++frames % 4;
  };
  make(std::make_unique<Host>(1, 4, to_queue(2)), std::make_unique<Host>(2, 1, to_queue(0)));
  Client client(1);
  connect(0, 1, client);
  run(10ms);
  expect_all_finished(client, 1);
  server_->set_device(anywhere);
  for (std::uint32_t id = 1; id <= 40; ++id) {  // each of which is a stray to all four
    test::Segment stray;
    stray.path.source_port = 4000;
    stray.path.destination_port = 9999;
    stray.payload = std::string(1000, 'x');
    stray.dont_fragment = false;
    for (const test::Bytes& fragment : test::cut(test::build(stray), 400, id))
      server_->arrive(fragment);
  }
  run(1ms);
  EXPECT_EQ(server_->counters().datagrams_reassembled, 40u);
  EXPECT_NEAR(static_cast<double>(server_->counters().fragments_handed_over), 90, 25);
  EXPECT_EQ(server_->counters().asked_around, 120u) << "everybody, as of any other segment";
  EXPECT_EQ(server_->counters().rst_out, 40u);
  EXPECT_EQ(server_->exchange().frames_under_way(), 0u);
}

// RFC 6864 4.3: what the workers send in fragments to the same host must not have the same numbers.
TEST_F(SharedAddress, AnswersInFragmentsHaveNumbersOfTheirOwn) {
  const auto anywhere = [frames = 0u](std::span<const std::byte>) mutable -> std::size_t {
    return ++frames % 3;
  };
  make(std::make_unique<Host>(1, 3, to_queue(2)), std::make_unique<Host>(2, 1, to_queue(0)));
  Client client(1);
  connect(0, 1, client);  // so that all know the way
  run(10ms);
  std::vector<test::Bytes> answers;
  client_->set_device([&](std::span<const std::byte> bytes) -> std::size_t {
    answers.emplace_back(bytes.begin(), bytes.end());
    return 0;
  });
  server_->set_device(anywhere);
  constexpr std::uint16_t kRequests = 60;
  for (std::uint16_t i = 1; i <= kRequests; ++i) {
    for (const test::Bytes& fragment : test::cut(test::echo_request(2000, i), 1400, i))
      server_->arrive(fragment);
    run(2ms);
  }
  EXPECT_EQ(server_->counters().icmp_echo_replies, kRequests);
  std::set<std::uint32_t> ids;
  for (const test::Bytes& answer : answers) ids.insert(test::fragment_id_of(answer));
  EXPECT_EQ(answers.size(), 2u * kRequests);
  EXPECT_EQ(ids.size(), kRequests);
}

// Each worker in a thread of its own, and devices that take no account of homes. For
// ThreadSanitizer as much as for the counts.
TEST_F(SharedAddress, WorkersInThreadsOfTheirOwn) {
  make(std::make_unique<Host>(1, 2, by_unknown_rule(2)),
       std::make_unique<Host>(2, 2, by_unknown_rule(2)));
  Client clients[] = {Client(20), Client(20)};
  connect(0, 200, clients[0]);
  connect(1, 200, clients[1]);
  std::atomic<std::int64_t> clock{0};  // virtual time goes on while the threads poll
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (Host* host : {server_.get(), client_.get()})
    for (const std::size_t worker : {0, 1})
      threads.emplace_back([&, host, worker] {
        while (!stop) {
          if (host->stack(worker).poll(Instant(Duration(clock.load()))) == 0)
            std::this_thread::yield();
        }
      });
  // At a tenth of the real pace, so that no timer takes a slow machine for a loss.
  for (int ms = 0; ms < 20'000 && clients[0].finished + clients[1].finished < 400; ++ms) {
    std::this_thread::sleep_for(1ms);
    clock += 100'000;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  now_ = Instant(Duration(clock.load()));
  run(100ms);
  EXPECT_EQ(clients[0].finished + clients[1].finished, 400);
  EXPECT_EQ(clients[0].failed + clients[1].failed, 0);
  EXPECT_EQ(server_->connections() + client_->connections(), 0u);
  EXPECT_GT(client_->counters().handed_over, 0u);
  EXPECT_EQ(server_->counters().rst_out + client_->counters().rst_out, 0u);
}

}  // namespace
}  // namespace tern::steering
