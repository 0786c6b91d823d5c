// SPDX-License-Identifier: BSD-3-Clause
#include "tern/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <limits>

#include "runtime/idle_watch.h"
#include "runtime/memory_plan.h"
#include "runtime/stop_requests.h"
#include "runtime/tsc_clock.h"
#include "stack/config_check.h"
#include "upper_server.h"

namespace tern::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Instant at(Duration time) { return Instant(time); }

TEST(CycleScale, IsExactOnWholeSeconds) {
  constexpr std::uint64_t kStart = 123'456'789'000;
  for (const std::uint64_t hz : {1'000'000'000ull, 2'600'000'000ull, 3'999'999'999ull}) {
    const CycleScale scale(kStart, hz);
    EXPECT_EQ(scale.instant_at(kStart), at(0ns));
    for (const std::int64_t seconds : {1, 60, 86'400}) {
      const Instant instant = scale.instant_at(kStart + hz * static_cast<std::uint64_t>(seconds));
      EXPECT_LE(instant, at(std::chrono::seconds(seconds)));
      EXPECT_GE(instant, at(std::chrono::seconds(seconds)) - Duration(seconds)) << "1 ns a second";
    }
  }
}

// 100 years at 3 GHz: the 64-bit counter does not wrap, and neither does the product.
TEST(CycleScale, DoesNotOverflow) {
  constexpr std::uint64_t kHz = 3'000'000'000;
  constexpr std::uint64_t kSeconds = 100ull * 365 * 86'400;
  const CycleScale scale(0, kHz);
  const auto error = at(std::chrono::seconds(kSeconds)) - scale.instant_at(kHz * kSeconds);
  EXPECT_GE(error, 0ns);
  EXPECT_LE(error, 4s);
}

TEST(CycleScale, ACounterThatLagsBehindTheStartIsZero) {
  EXPECT_EQ(CycleScale(1000, 1'000'000'000).instant_at(999), at(0ns));
}

TEST(TscClock, NeverGoesBackwardsAndKeepsTime) {
  using Wall = std::chrono::steady_clock;
  const Wall::time_point before = Wall::now();
  TscClock clock;
  const Wall::time_point after = Wall::now();
  Instant last = clock.now();
  while (Wall::now() - after < 50ms) {
    const Instant now = clock.now();
    ASSERT_GE(now, last);
    last = now;
  }
  const auto at_least = std::chrono::duration_cast<Duration>(Wall::now() - after);
  const Duration elapsed = clock.now().time_since_epoch();
  const auto at_most = std::chrono::duration_cast<Duration>(Wall::now() - before);
  EXPECT_GE(elapsed, at_least - at_least / 100);  // the rate is known to 10 MHz in some GHz
  EXPECT_LE(elapsed, at_most + at_most / 100);
}

auto due(Instant deadline) {
  return [deadline] { return deadline; };
}

TEST(IdleWatch, WorkNeverNaps) {
  IdleWatch watch(true);
  for (int ms = 0; ms < 100; ++ms)
    EXPECT_EQ(watch.after_poll(1, at(std::chrono::milliseconds(ms)), due(kNever)).nap, 0ns);
}

TEST(IdleWatch, NapsDoubleAfterTwoHundredMicroseconds) {
  IdleWatch watch(true);
  EXPECT_EQ(watch.after_poll(0, at(0us), due(kNever)).nap, 0ns);
  EXPECT_EQ(watch.after_poll(0, at(199us), due(kNever)).nap, 0ns);
  std::vector<Duration> naps;
  for (int i = 0; i < 7; ++i)
    naps.push_back(watch.after_poll(0, at(std::chrono::milliseconds(1 + i)), due(kNever)).nap);
  EXPECT_EQ(naps, (std::vector<Duration>{50us, 100us, 200us, 400us, 800us, 1ms, 1ms}));
}

// With an interrupt that ends it, a nap need not be short at first.
TEST(IdleWatch, NapsBeginAndEndWhereTheyAreToldTo) {
  IdleWatch watch(true, 10ms, 10ms);
  watch.after_poll(0, at(0us), due(kNever));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(watch.after_poll(0, at(std::chrono::milliseconds(1 + i)), due(kNever)).nap, 10ms);
  EXPECT_EQ(watch.after_poll(0, at(5ms), due(at(7ms))).nap, 2ms);
}

TEST(Departure, NobodyIsLeftOnlyWhenAllAreGone) {
  SharedByWorkers shared(2);
  shared.without_connections.leave();
  EXPECT_FALSE(shared.without_connections.everybody_left());
  shared.without_connections.leave();
  EXPECT_TRUE(shared.without_connections.everybody_left());
  EXPECT_FALSE(shared.without_frames.everybody_left());
}

TEST(IdleWatch, WorkStartsThePatienceAnew) {
  IdleWatch watch(true);
  watch.after_poll(0, at(0us), due(kNever));
  EXPECT_EQ(watch.after_poll(0, at(500us), due(kNever)).nap, 50us);
  watch.after_poll(3, at(600us), due(kNever));
  EXPECT_EQ(watch.after_poll(0, at(700us), due(kNever)).nap, 0ns);
  EXPECT_EQ(watch.after_poll(0, at(899us), due(kNever)).nap, 0ns);
  EXPECT_EQ(watch.after_poll(0, at(900us), due(kNever)).nap, 50us);
}

TEST(IdleWatch, ATimerIsNotSleptThrough) {
  IdleWatch watch(true);
  watch.after_poll(0, at(0us), due(kNever));
  EXPECT_EQ(watch.after_poll(0, at(300us), due(at(310us))).nap, 10us);
  EXPECT_EQ(watch.after_poll(0, at(310us), due(at(310us))).nap, 0ns);
  EXPECT_EQ(watch.after_poll(0, at(320us), due(at(310us))).nap, 0ns);
}

TEST(IdleWatch, BusyNeverNapsButKeepsHouse) {
  IdleWatch watch(false);
  int became_idle = 0;
  for (int us = 0; us < 5000; us += 10) {
    const auto verdict = watch.after_poll(0, at(std::chrono::microseconds(us)), due(kNever));
    EXPECT_EQ(verdict.nap, 0ns);
    became_idle += verdict.became_idle ? 1 : 0;
  }
  EXPECT_EQ(became_idle, 1);
}

TEST(StopRequests, SignalsCountAndAreGivenBack) {
  StopRequests requests;
  struct sigaction before {
  }, after{};
  ::sigaction(SIGTERM, nullptr, &before);
  {
    SignalScope scope(requests);
    std::raise(SIGTERM);
    EXPECT_TRUE(requests.drain());
    EXPECT_FALSE(requests.at_once());
    std::raise(SIGINT);
    EXPECT_TRUE(requests.at_once());
  }
  ::sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(StopRequests, AnIgnoredHangupStaysIgnored) {
  StopRequests requests;
  const auto old = std::signal(SIGHUP, SIG_IGN);
  {
    SignalScope scope(requests);
    std::raise(SIGHUP);
    EXPECT_FALSE(requests.drain());
  }
  std::signal(SIGHUP, old);
}

StackConfig sized_config(std::uint32_t connections) {
  StackConfig config;
  config.address = *Ipv4Prefix::parse("10.0.2.2/24");
  config.max_connections = connections;
  return with_derived_sizes(config);
}

TEST(MemoryPlan, GrowsWithConnectionsAndCountsEverything) {
  io::DeviceConfig device;
  const MemoryPlan small = plan_memory(sized_config(1000), device);
  const MemoryPlan large = plan_memory(sized_config(1'000'000), device);
  // 512 bytes at most for an idle connection: TCB, its share of the table; and its TIME-WAIT
  // records.
  EXPECT_GE(large.total() - small.total(), 999'000ull * 484);
  EXPECT_EQ(small.rows.size(), 8u);
  EXPECT_GE(small.mbuf_bytes, std::uint64_t{io::mbufs_per_queue(device)} * 2176);
}

TEST(MemoryPlan, WhatDoesNotFitIsRefusedWithTheArithmetic) {
  const MemoryPlan plan = plan_memory(sized_config(10'000'000), {});
  const absl::Status status =
      check_memory(plan, {.ordinary_bytes = 100 << 20, .hugepage_bytes = 0});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("10000000 connections x "));
  EXPECT_THAT(message,
              HasSubstr(" of 100 MiB available: lower the number of connections or of workers"));
  EXPECT_TRUE(check_memory(plan, {.ordinary_bytes = plan.total(), .hugepage_bytes = 0}).ok());
  EXPECT_FALSE(check_memory(plan, {.ordinary_bytes = plan.total() - 1, .hugepage_bytes = 0}).ok());
}

TEST(MemoryPlan, EveryWorkerHasItsOwn) {
  io::DeviceConfig one, three;
  three.queues = 3;
  three.exchanged_frames = 512;
  const MemoryPlan single = plan_memory(sized_config(1000), one);
  const MemoryPlan triple = plan_memory(sized_config(1000), three);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(triple.rows[i].count, 3 * single.rows[i].count);
  // Of each worker's buffers the two others may hold as much as their receive queues take.
  EXPECT_GE(io::mbufs_per_queue(three), io::mbufs_per_queue(one) + 2 * (one.held_frames / 2 + 512));
}

// Large segments have a row of their own, and cost nothing where no device cuts.
TEST(MemoryPlan, LargeSegmentsAreCounted) {
  io::DeviceConfig without, with;
  with.queues = 2;
  with.tso_bytes = io::DeviceConfig::kMostTsoBytes;
  EXPECT_EQ(io::large_mbuf_bytes(without), 0u);
  const MemoryPlan plan = plan_memory(sized_config(1000), with);
  EXPECT_EQ(plan.rows.back().what, "large segments");
  EXPECT_EQ(plan.rows.back().bytes(), io::large_mbuf_bytes(with));
  EXPECT_GE(plan.rows.back().bytes(), 2 * 64 * std::uint64_t{io::DeviceConfig::kMostTsoBytes});
  EXPECT_GE(plan.mbuf_bytes, plan.rows[plan.rows.size() - 2].bytes() + plan.rows.back().bytes());
  const std::uint64_t rest = plan.total() - plan.mbuf_bytes;
  EXPECT_TRUE(check_memory(plan, {.ordinary_bytes = rest, .hugepage_bytes = plan.mbuf_bytes}).ok());
}

TEST(MemoryPlan, HugepagesTakeThePacketBuffers) {
  const MemoryPlan plan = plan_memory(sized_config(1000), {});
  const std::uint64_t rest = plan.total() - plan.mbuf_bytes;
  EXPECT_TRUE(check_memory(plan, {.ordinary_bytes = rest, .hugepage_bytes = plan.mbuf_bytes}).ok());
  EXPECT_FALSE(
      check_memory(plan, {.ordinary_bytes = rest, .hugepage_bytes = plan.mbuf_bytes - 1}).ok());
}

TEST(AvailableMemory, IsThatOfThisMachine) {
  const std::uint64_t bytes = available_memory().ordinary_bytes;
  EXPECT_GT(bytes, 1u << 20);
  EXPECT_LT(bytes, std::uint64_t{1} << 50);  // neither 0 nor "unlimited"
}

TEST(HeldFrames, FollowTheConnectionsWithinLimits) {
  EXPECT_EQ(held_frames(sized_config(1)), 1024u);
  EXPECT_EQ(held_frames(sized_config(5000)), 5000u);
  EXPECT_EQ(held_frames(sized_config(1'000'000)), 16384u);
}

TEST(Runtime, RefusesAnAddressBeforeItTouchesTheMachine) {
  RuntimeConfig config;
  config.stack.address = *Ipv4Prefix::parse("224.0.0.1/24");
  const auto runtime = Runtime::create(config);
  EXPECT_EQ(runtime.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(runtime.status().message()), HasSubstr("224.0.0.1"));
}

TEST(ToUpper, ChangesTheLettersAndNothingElse) {
  std::array<std::byte, 256> all;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  upper::to_upper(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t expected = i >= 'a' && i <= 'z' ? i - 32 : i;
    EXPECT_EQ(static_cast<std::size_t>(all[i]), expected);
  }
}

}  // namespace
}  // namespace tern::runtime
