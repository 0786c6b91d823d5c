// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/prng.h"
#include "timer/timer_wheel.h"

namespace tern::timer {
namespace {

// A wheel and a multimap, driven by the same random calls. Time here has 64 bits and never wraps;
// the wheel sees its lower half.
class WheelAndOracle {
 public:
  WheelAndOracle(std::uint32_t capacity, std::uint64_t start, std::uint64_t seed)
      : capacity_(capacity), now_(start), rng_(seed), wheel_(capacity, static_cast<Tick>(start)) {}

  void arm_any() { arm(rng_.below(capacity_)); }

  void cancel_any() {
    const std::uint32_t id = rng_.below(capacity_);
    wheel_.cancel(id);
    forget(id);
    ASSERT_FALSE(wheel_.is_armed(id));
  }

  void advance(std::uint64_t step, std::size_t max_fired) {
    now_ += step;
    fresh_.clear();
    advancing_ = true;
    const std::uint64_t fired_before = fired_;
    const std::size_t count = wheel_.advance(static_cast<Tick>(now_), max_fired,
                                             [this](std::uint32_t id) { on_fire(id); });
    advancing_ = false;
    ASSERT_EQ(count, fired_ - fired_before);
    ASSERT_LE(count, max_fired);
    const bool left = due_are_left();
    if (left) {
      ASSERT_TRUE(wheel_.has_backlog());
    }
    if (max_fired == SIZE_MAX) {
      ASSERT_FALSE(left);
      ASSERT_FALSE(wheel_.has_backlog());
    }
  }

  void check() {
    ASSERT_EQ(wheel_.armed(), oracle_.size());
    const std::uint32_t id = rng_.below(capacity_);
    const auto at = place_.find(id);
    ASSERT_EQ(wheel_.is_armed(id), at != place_.end());
    if (at != place_.end()) {
      ASSERT_EQ(wheel_.deadline(id), static_cast<Tick>(at->second->first));
    }
    const std::optional<Tick> next = wheel_.next_deadline();
    ASSERT_EQ(next.has_value(), !oracle_.empty());
    if (next) {
      ASSERT_FALSE(is_after(*next, static_cast<Tick>(oracle_.begin()->first)));
    }
  }

  // Sleeping until next_deadline() again and again must come to the earliest timer in a few steps.
  void sleep_to_the_earliest() {
    if (oracle_.empty()) return;
    const std::uint64_t fired_before = fired_;
    for (int step = 0; fired_ == fired_before; ++step) {
      ASSERT_LT(step, 5);
      const auto ahead =
          static_cast<std::int32_t>(*wheel_.next_deadline() - static_cast<Tick>(now_));
      advance(ahead > 0 ? static_cast<std::uint64_t>(ahead) : 0, SIZE_MAX);
      if (testing::Test::HasFatalFailure() || oracle_.empty()) return;
    }
  }

  bool has_backlog() const { return wheel_.has_backlog(); }
  std::uint64_t fired() const { return fired_; }
  std::uint64_t now() const { return now_; }
  Prng& rng() { return rng_; }

  // Spread over the sizes: each level of the wheel is as likely as the others.
  std::uint64_t random_delay() { return rng_.next() >> (34 + rng_.below(30)); }  // < 2^30

 private:
  using Timers = std::multimap<std::uint64_t, std::uint32_t>;

  void arm(std::uint32_t id) {
    const bool passed = rng_.below(8) == 0;
    const std::uint64_t deadline = passed ? now_ - rng_.below(1000) : now_ + random_delay();
    wheel_.arm(id, static_cast<Tick>(deadline));
    forget(id);
    place_[id] = oracle_.emplace(std::max(deadline, now_), id);
    if (advancing_ && deadline <= now_) fresh_[id] = true;
  }

  void forget(std::uint32_t id) {
    if (const auto at = place_.find(id); at != place_.end()) {
      oracle_.erase(at->second);
      place_.erase(at);
    }
    fresh_.erase(id);
  }

  void on_fire(std::uint32_t id) {
    ++fired_;
    EXPECT_FALSE(wheel_.is_armed(id));
    const auto at = place_.find(id);
    ASSERT_NE(at, place_.end()) << "fired though not armed: " << id;
    ASSERT_LE(at->second->first, now_) << "early: " << id;
    ASSERT_EQ(at->second->first, oracle_.begin()->first) << "out of order: " << id;
    ASSERT_FALSE(fresh_.contains(id)) << "armed during this advance: " << id;
    forget(id);
    const std::uint32_t dice = rng_.below(10);
    if (dice < 3) arm(id);
    if (dice == 3) arm_any();
    if (dice == 4) cancel_any();
  }

  // Whether anything is due that had been armed before the last advance began.
  bool due_are_left() const {
    for (const auto& [deadline, id] : oracle_) {
      if (deadline > now_) return false;
      if (!fresh_.contains(id)) return true;
    }
    return false;
  }

  const std::uint32_t capacity_;
  std::uint64_t now_;
  bool advancing_ = false;
  std::uint64_t fired_ = 0;
  Prng rng_;
  TimerWheel wheel_;
  Timers oracle_;
  std::unordered_map<std::uint32_t, Timers::iterator> place_;
  std::unordered_map<std::uint32_t, bool> fresh_;
};

// While there is a backlog time goes on in small steps: a deadline may be no more than 2^31 ticks
// from where the wheel has got to.
std::uint64_t random_step(WheelAndOracle& both) {
  const std::uint64_t step = both.random_delay();
  return both.has_backlog() ? step % 1000 : step;
}

void run(std::uint32_t capacity, std::uint64_t start, std::uint64_t seed, int operations,
         bool bounded) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " start " << start);
  WheelAndOracle both(capacity, start, seed);
  for (int i = 0; i < operations; ++i) {
    const std::uint32_t dice = both.rng().below(100);
    if (dice < 60) {
      both.arm_any();
    } else if (dice < 70) {
      both.cancel_any();
    } else if (dice < 75 && !bounded) {
      both.sleep_to_the_earliest();
    } else {
      const std::uint64_t step = dice < 95 ? both.rng().below(300) : random_step(both);
      both.advance(step, bounded ? both.rng().below(6) : SIZE_MAX);
    }
    both.check();
    if (testing::Test::HasFatalFailure()) FAIL() << "operation " << i;
  }
  EXPECT_GT(both.fired(), static_cast<std::uint64_t>(operations) / 50);
  EXPECT_GT(both.now() - start, std::uint64_t{1} << 32) << "must have wrapped around";
}

TEST(TimerWheelPropertyTest, AgreesWithAMultimap) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) run(300, seed << 40, seed, 100000, false);
}

TEST(TimerWheelPropertyTest, AgreesWithAMultimapAroundTheWrap) {
  for (std::uint64_t seed = 11; seed <= 14; ++seed)
    run(20, (std::uint64_t{1} << 32) - seed * 7, seed, 50000, false);
}

TEST(TimerWheelPropertyTest, AgreesWithAMultimapWithFewFiredPerCall) {
  for (std::uint64_t seed = 21; seed <= 24; ++seed)
    run(300, (std::uint64_t{1} << 32) - 1000, seed, 100000, true);
}

}  // namespace
}  // namespace tern::timer
