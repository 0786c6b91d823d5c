// SPDX-License-Identifier: BSD-3-Clause
// Links that lose, reorder and duplicate: how often the retransmission timer has to help, and what
// is sent again for nothing, with SACK and RACK-TLP against NewReno on the very same links.
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "support/rounds.h"
#include "support/sender.h"
#include "support/simulation.h"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7000;
constexpr std::uint64_t kSeeds = rounds(40);

struct Outcome {
  std::uint64_t time_outs = 0, sent_again = 0, duplicates = 0, segments = 0;
  Duration taken{0};
};

// 300 KB one way, over a link that turns bad when the connection stands.
void run(const io::LinkConfig& link, bool sack, Outcome& sum) {
  Simulation sim;
  HostConfig a = numbered_host(1), b = numbered_host(2);
  a.stack.tcp.sack = sack;
  a.stack.tcp.congestion = CongestionAlgorithm::kNewReno;  // recovery is compared, not windows
  Host& client = sim.add_host(a);
  Host& server = sim.add_host(b);
  const io::LinkPair pair = sim.connect(client, server);
  pair.a_to_b.set_config({.delay = link.delay});
  pair.b_to_a.set_config({.delay = link.delay});
  Sender from_client(random_text(300'000, 1)), from_server(std::string{});
  ASSERT_TRUE(server.stack().listen({.port = kPort}, from_server));
  ASSERT_TRUE(client.stack().connect({.remote = {server.address(), kPort}}, from_client));
  const auto established = [&] {
    return !from_client.records().empty() && from_client.records()[0].established == 1;
  };
  ASSERT_TRUE(sim.run_until(established, 1min));
  io::LinkConfig back = link;
  back.seed += 1000;
  pair.a_to_b.set_config(link);
  pair.b_to_a.set_config(back);
  const Instant began = sim.now();
  const auto closed = [&] { return from_client.records()[0].closed == 1; };
  ASSERT_TRUE(sim.run_until(closed, 1h));
  EXPECT_TRUE(from_server.only().received == from_client.text());
  const Counters& c = client.stack().counters();
  sum.taken += sim.now() - began;
  sum.time_outs += c.rto_timeouts;
  sum.sent_again += c.retransmitted;
  sum.segments += c.segs_out;
  sum.duplicates += server.stack().counters().rx_duplicate;
}

Outcome over_seeds(io::LinkConfig link, bool sack) {
  Outcome sum;
  for (link.seed = 1; link.seed <= kSeeds && !testing::Test::HasFatalFailure(); ++link.seed)
    run(link, sack, sum);
  return sum;
}

void report(const char* name, const Outcome& o) {
  std::cout << name << ": " << o.time_outs << " time-outs, " << o.sent_again << " of " << o.segments
            << " segments sent again, " << o.duplicates << " of them for nothing, "
            << std::chrono::duration<double>(o.taken).count() << " s\n";
}

struct Bad {
  const char* name;
  io::LinkConfig link;
  double time_outs_at_most;  // of NewReno's
};

TEST(LossRecovery, NeedsFewerTimeOuts) {
  const Bad links[] = {
      {"1 % loss", {.delay = 10ms, .bits_per_second = 100e6, .loss = 0.01}, 0.4},
      {"5 % loss", {.delay = 10ms, .bits_per_second = 100e6, .loss = 0.05}, 0.4},
      {"5 % loss, reordering",
       {.delay = 10ms,
        .bits_per_second = 100e6,
        .loss = 0.05,
        .duplicate = 0.01,
        .reorder = 0.1,
        .reorder_delay = 3ms},
       0.4},
  };
  for (const Bad& bad : links) {
    SCOPED_TRACE(bad.name);
    const Outcome with = over_seeds(bad.link, true), without = over_seeds(bad.link, false);
    std::cout << bad.name << "\n";
    report("  SACK, RACK-TLP", with);
    report("  NewReno", without);
    EXPECT_LE(static_cast<double>(with.time_outs),
              bad.time_outs_at_most * static_cast<double>(without.time_outs));
    EXPECT_LT(with.taken, without.taken);
  }
}

// Reordering alone is no loss: once it has been seen, RACK waits for it.
TEST(LossRecovery, SeldomTakesReorderingForLoss) {
  const Outcome o = over_seeds(
      {.delay = 10ms, .bits_per_second = 100e6, .reorder = 0.1, .reorder_delay = 3ms}, true);
  report("reordering by 3 ms of 20", o);
  EXPECT_EQ(o.time_outs, 0u);
  EXPECT_LT(o.sent_again * 50, o.segments);
}

}  // namespace
}  // namespace tern::test
