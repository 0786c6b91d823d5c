// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tern::runtime {
namespace {

using namespace std::chrono_literals;

/// A thread that serves a mailbox as a worker does, until it is told to stop.
class Server {
 public:
  explicit Server(Mailbox& mailbox)
      : thread_([this, &mailbox] {
          mailbox.open();
          while (!stop_.load()) served_ += mailbox.serve();
          mailbox.close();
        }) {}
  ~Server() { join(); }

  void join() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
  }
  std::thread::id id() const { return thread_.get_id(); }
  std::size_t served() const { return served_; }  // after join()

 private:
  std::atomic<bool> stop_{false};
  std::size_t served_ = 0;
  std::thread thread_;
};

TEST(Mailbox, TheServerRunsTheFunction) {
  Mailbox mailbox;
  Server server(mailbox);
  std::thread::id ran_by;
  EXPECT_EQ(mailbox.ask([&] { ran_by = std::this_thread::get_id(); }, 10s), AskResult::kDone);
  EXPECT_EQ(ran_by, server.id());
  server.join();
  EXPECT_EQ(server.served(), 1u);
}

TEST(Mailbox, AskersTakeTurns) {
  Mailbox mailbox;
  Server server(mailbox);
  constexpr int kAskers = 4, kQuestions = 500;
  int count = 0;  // no lock: only the server changes it
  std::vector<std::thread> askers;
  for (int i = 0; i < kAskers; ++i)
    askers.emplace_back([&] {
      for (int n = 0; n < kQuestions; ++n)
        EXPECT_EQ(mailbox.ask([&] { ++count; }, 60s), AskResult::kDone);
    });
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(count, kAskers * kQuestions);
}

TEST(Mailbox, WithoutAServerTheQuestionIsWithdrawn) {
  Mailbox mailbox;
  bool ran = false;
  EXPECT_EQ(mailbox.ask([&] { ran = true; }, 20ms), AskResult::kTimedOut);
  EXPECT_EQ(mailbox.serve(), 0u);  // nothing is left of it
  EXPECT_FALSE(ran);
}

TEST(Mailbox, AQuestionWaitsForTheServerToBegin) {
  Mailbox mailbox;
  AskResult result = AskResult::kTimedOut;
  std::thread asker([&] { result = mailbox.ask([] {}, 60s); });
  std::this_thread::sleep_for(20ms);
  Server server(mailbox);
  asker.join();
  EXPECT_EQ(result, AskResult::kDone);
}

TEST(Mailbox, AfterTheEndEveryoneIsRefusedAtOnce) {
  Mailbox mailbox;
  Server(mailbox).join();
  EXPECT_EQ(mailbox.ask([] { FAIL(); }, 60s), AskResult::kStopped);
}

// Each question is either answered or refused, whenever the end comes.
TEST(Mailbox, TheEndStrandsNobody) {
  for (int round = 0; round < 200; ++round) {
    Mailbox mailbox;
    int answered = 0, ran = 0;
    Server server(mailbox);
    std::thread asker([&] {
      while (mailbox.ask([&] { ++ran; }, 60s) == AskResult::kDone) ++answered;
    });
    std::this_thread::yield();
    server.join();
    asker.join();
    EXPECT_EQ(ran, answered);
  }
}

// A callback that asks its own worker would wait for itself.
TEST(Mailbox, TheServersOwnQuestionRunsAtOnce) {
  Mailbox mailbox;
  Server server(mailbox);
  AskResult inner = AskResult::kTimedOut;
  EXPECT_EQ(mailbox.ask([&] { inner = mailbox.ask([] {}, 1s); }, 60s), AskResult::kDone);
  EXPECT_EQ(inner, AskResult::kDone);
}

}  // namespace
}  // namespace tern::runtime
