// SPDX-License-Identifier: BSD-3-Clause
// Floods of random SYNs, ACKs, RSTs and FINs at a stack with a few honest connections. Whatever
// comes: nothing is taken beyond the SYN cache, nothing leaks, nobody who is not there is answered
// more than he sends, and no honest connection ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"
#include "conservation.h"
#include "script.h"
#include "support/rounds.h"

namespace tern::test {
namespace {

constexpr std::uint16_t kHonest = 4;  // peers' ports 1..4
constexpr std::uint32_t kCache = 64;
constexpr std::uint64_t kBursts = rounds(6000);
constexpr int kBurst = 32;

Given small_stack(SynCookieMode mode) {
  Given given;
  given.stack.max_connections = 16;
  given.stack.max_time_wait = 16;
  given.stack.syn_cache_entries = kCache;
  given.stack.send_memory = given.stack.receive_memory = 1 << 20;
  given.stack.tcp.syn_cookies = mode;
  given.monitored = false;
  return given;
}

Segment from_port(std::uint16_t port, Segment segment) {
  segment.path.source_port = port;
  return segment;
}

class Flood : public testing::TestWithParam<std::tuple<SynCookieMode, std::string>> {
 protected:
  Flood() : t_(small_stack(std::get<0>(GetParam()))), random_(42) {
    t_.listen();
    for (std::uint16_t port = 1; port <= kHonest; ++port) {
      t_.in(from_port(port, t_.given.peer_syn));
      t_.in(from_port(port, ack(1, 1)));
    }
    t_.take();
  }

  // From anywhere in the subnet, from any port; now and then from an honest peer's own.
  Segment random_segment() {
    const std::string& kinds = std::get<1>(GetParam());
    Segment s =
        seg(std::string(1, kinds[random_.below(static_cast<std::uint32_t>(kinds.size()))]),
            static_cast<std::uint32_t>(random_.next()), static_cast<std::uint32_t>(random_.next()));
    if (s.flags != "S" && random_.chance(0.5)) s.flags += s.has('.') ? "P" : ".";
    if (random_.chance(0.3)) s.payload = std::string(1 + random_.below(64), 'x');
    s.path.source_port = static_cast<std::uint16_t>(1024 + random_.below(60'000));
    if (random_.chance(0.2))
      s.path.source_port = static_cast<std::uint16_t>(1 + random_.below(kHonest));
    // What ends a connection by right is not a flood: the one number of 2^32.
    if (s.path.source_port <= kHonest && s.seq - 1 < 65536) s.seq += 0x10000000;
    return s;
  }

  Script t_;
  Prng random_;
};

TEST_P(Flood, LeavesTheHonestAlone) {
  std::size_t sent_bytes = 0, received_bytes = 0;
  for (std::uint64_t burst = 0; burst < kBursts; ++burst) {
    std::vector<Segment> segments;
    for (int i = 0; i < kBurst; ++i) segments.push_back(random_segment());
    for (const Segment& s : segments) received_bytes += 40 + s.option_bytes() + s.payload.size();
    t_.in_burst(segments);
    for (const Segment& s : t_.take()) sent_bytes += 40 + s.option_bytes() + s.payload.size();
    const StackUsage usage = t_.stack().usage();
    ASSERT_EQ(usage.connections, kHonest);
    ASSERT_LE(usage.half_open, kCache);
    ASSERT_EQ(usage.held_frames + usage.receive_chunks + usage.send_chunks, 0u);
    if (burst % 100 == 0) {
      t_.run_for(1s);
      t_.take();  // repeated SYN,ACKs are the cache's
    }
    if (burst % 500 == 0) expect_conserved(t_.stack(), t_.port());
  }
  EXPECT_LE(sent_bytes * 10, received_bytes * 11);
  for (std::uint16_t port = 1; port <= kHonest; ++port) {
    t_.in(from_port(port, seg("P.", 1, 1, "still here")));
    EXPECT_EQ(t_.state(port), TcpState::kEstablished);
  }
  std::size_t heard = 0;
  for (const ConnectionRecord& record : t_.app.records()) heard += record.received == "still here";
  EXPECT_EQ(heard, kHonest);
}

// SYN, ACK, RST and FIN floods, and all of them together.
INSTANTIATE_TEST_SUITE_P(Kinds, Flood,
                         testing::Combine(testing::Values(SynCookieMode::kAuto,
                                                          SynCookieMode::kAlways,
                                                          SynCookieMode::kOff),
                                          testing::Values("S", ".", "R", "F", "S.RF")));

}  // namespace
}  // namespace tern::test
