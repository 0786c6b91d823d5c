// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tern::runtime {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(InSeconds, HasOneDecimal) {
  EXPECT_EQ(in_seconds(0s), "0.0 s");
  EXPECT_EQ(in_seconds(1250ms), "1.2 s");
  EXPECT_EQ(in_seconds(61s), "61.0 s");
}

TEST(Episode, BeginsWhenTheCounterGrowsAndEndsAfterTheQuiet) {
  Episode episode;
  EXPECT_EQ(episode.look(100, Instant(0s)), Episode::News::kNone) << "what was before is old";
  EXPECT_EQ(episode.look(100, Instant(1s)), Episode::News::kNone);
  EXPECT_EQ(episode.look(103, Instant(2s)), Episode::News::kBegan);
  EXPECT_EQ(episode.look(200, Instant(3s)), Episode::News::kNone);
  EXPECT_EQ(episode.look(200, Instant(13s) - 1ns), Episode::News::kNone);
  EXPECT_EQ(episode.look(200, Instant(13s)), Episode::News::kOver);
  EXPECT_EQ(episode.count(), 100u);
  EXPECT_EQ(episode.lasted(), 2s);
  EXPECT_EQ(episode.look(200, Instant(99s)), Episode::News::kNone);
  EXPECT_EQ(episode.look(201, Instant(100s)), Episode::News::kBegan);
  EXPECT_EQ(episode.count(), 1u);
}

// One that comes and goes more often than every ten seconds is one, and said once.
TEST(Episode, ComesAtMostEveryTenSeconds) {
  Episode episode;
  episode.look(0, Instant(0s));
  int began = 0;
  for (int second = 1; second <= 100; ++second)
    began += episode.look(static_cast<std::uint64_t>(second / 5), Instant(1s * second)) ==
             Episode::News::kBegan;
  EXPECT_EQ(began, 1);
}

class EventLogTest : public testing::Test {
 protected:
  // One look a tenth of a second after the last.
  void look() {
    seen.now += 100ms;
    log.look(seen);
  }
  void looks(int count) {
    for (int i = 0; i < count; ++i) ++seen.turns[0], ++seen.turns[1], look();
  }

  static StackConfig config() {
    StackConfig config;
    config.max_connections = 64;
    config.address = *Ipv4Prefix::parse("10.0.2.2/24");
    return config;
  }

  std::vector<std::string> lines;
  EventLog log{"net_x", config(), 2, [this](LogLevel level, const std::string& line) {
                 lines.push_back((level == LogLevel::kWarning ? "W " : "I ") + line);
               }};
  Observation seen{.turns = {1, 1}, .counters = Counters{}};
};

TEST_F(EventLogTest, SaysNothingWhileAllIsWell) {
  looks(1000);
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(EventLogTest, ALinkThatFlickersIsNotTold) {
  for (int i = 0; i < 10; ++i) {
    seen.link_up = false;
    looks(2);
    seen.link_up = true;
    looks(1);
  }
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(EventLogTest, ALinkThatGoesDownAndComesUpIsToldOnce) {
  seen.link_up = false;
  looks(100);
  seen.link_up = true;
  looks(100);
  EXPECT_THAT(lines,
              ElementsAre("W net_x: link down, nothing arrives or leaves", "I net_x: link up"));
}

TEST_F(EventLogTest, AWorkerThatHangsIsToldOnceAndWhenItGoesOn) {
  looks(5);
  for (int i = 0; i < 35; ++i) ++seen.turns[0], look();
  looks(5);
  EXPECT_THAT(lines, ElementsAre(AllOf(HasSubstr("W worker 1 hangs: no poll for 1.0 s"),
                                       HasSubstr("a callback that takes long")),
                                 "I worker 1 polls again after 3.6 s"));
}

TEST_F(EventLogTest, WhatRunsOutIsToldWithItsRemedyAndWhenItIsOver) {
  looks(2);
  seen.counters->drop_tcp_no_connection = 5;
  looks(3);
  seen.counters->drop_tcp_no_connection = 9;
  looks(200);
  EXPECT_THAT(lines, ElementsAre(AllOf(HasSubstr("W no room for another connection: all 64"),
                                       HasSubstr("raise --max-connections")),
                                 "I room for connections again: 9 SYNs refused in 0.4 s"));
}

TEST_F(EventLogTest, EveryKindHasALineOfItsOwn) {
  looks(1);
  seen.counters->send_buffer_short = seen.counters->drop_tcp_no_buffer = 1;
  seen.counters->tx_no_frame = seen.counters->arp_conflicts = 1;
  seen.frames_missed = 1;
  looks(1);
  EXPECT_THAT(lines, ElementsAre(HasSubstr("raise send_memory"), HasSubstr("raise receive_memory"),
                                 HasSubstr("net_x has no empty buffer"), HasSubstr("net_x loses"),
                                 HasSubstr("another host claims our address 10.0.2.2")));
}

TEST_F(EventLogTest, AWorkerThatDoesNotAnswerBeginsAndEndsNothing) {
  looks(1);
  seen.counters->tx_no_frame = 1;
  looks(1);
  const auto answer = std::exchange(seen.counters, std::nullopt);
  looks(300);
  EXPECT_EQ(lines.size(), 1u);
  seen.counters = answer;
  looks(1);
  EXPECT_EQ(lines.size(), 2u);
}

}  // namespace
}  // namespace tern::runtime
