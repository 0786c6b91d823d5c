// SPDX-License-Identifier: BSD-3-Clause
// Stack::list, find and usage().by_state: what tern-ss shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "script.h"

namespace tern::test {
namespace {

using enum TcpState;

Segment from_port(std::uint16_t port, Segment segment) {
  segment.path.source_port = port;
  return segment;
}

std::uint32_t count(const Script& t, TcpState state) {
  return t.stack().usage().by_state[static_cast<std::size_t>(state)];
}

void open_from(Script& t, std::uint16_t port) {
  t.in(from_port(port, t.given.peer_syn));
  t.in(from_port(port, ack(1, 1)));
}

TEST(SocketList, CountsConnectionsByState) {
  Script t;
  t.listen();
  for (std::uint16_t port = 1; port <= 3; ++port) open_from(t, port);
  t.in(from_port(9, t.given.peer_syn));
  EXPECT_EQ(count(t, kEstablished), 3u);
  EXPECT_EQ(count(t, kSynReceived), 1u);
  t.in(from_port(1, seg("F.", 1, 1)));
  EXPECT_EQ(count(t, kCloseWait), 1u);
  EXPECT_EQ(count(t, kEstablished), 2u);
  t.run_for(300s);
  EXPECT_EQ(count(t, kSynReceived), 0u);
}

TEST(SocketList, TheClosersConnectionMovesToTimeWait) {
  Script t;
  t.listen();
  open_from(t, 1);
  t.shutdown_send();
  EXPECT_EQ(count(t, kFinWait1), 1u);
  t.in(from_port(1, seg("F.", 1, 2)));
  EXPECT_EQ(t.stack().usage().time_wait, 1u);
  for (const std::uint32_t tcbs : t.stack().usage().by_state) EXPECT_EQ(tcbs, 0u);
}

TEST(SocketList, PagesShowEachSocketOnce) {
  Script t;
  t.listen();
  for (std::uint16_t port = 1; port <= 40; ++port) open_from(t, port);
  std::set<Endpoint> seen;
  std::uint64_t cursor = 0;
  std::size_t pages = 0;
  do {
    std::vector<ConnectionInfo> page;
    cursor = t.stack().list(cursor, 7, page);
    EXPECT_LE(page.size(), 7u);
    for (const ConnectionInfo& info : page) EXPECT_TRUE(seen.insert(info.remote).second);
    ++pages;
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), 41u);  // and the listener
  EXPECT_EQ(pages, 6u);
}

// 200 connections have been there, one is left: a page must not search the whole table for it.
TEST(SocketList, APageLooksAtABoundedNumberOfPlaces) {
  Given given;
  given.stack.max_connections = 200;
  Script t(given);
  t.listen();
  for (std::uint16_t port = 1; port <= 200; ++port) open_from(t, port);
  ASSERT_EQ(count(t, kEstablished), 200u);
  for (std::uint16_t port = 1; port <= 200; ++port)
    if (port != 180) t.in(from_port(port, seg("R", 1, 0)));
  ASSERT_EQ(count(t, kEstablished), 1u);
  std::size_t pages = 0, sockets = 0;
  std::uint64_t cursor = 0;
  do {
    std::vector<ConnectionInfo> page;
    const std::uint64_t next = t.stack().list(cursor, 2, page);
    EXPECT_LE(next, cursor + 32);
    cursor = next;
    sockets += page.size();
    ++pages;
  } while (cursor != 0);
  EXPECT_EQ(sockets, 2u);
  EXPECT_GE(pages, 6u);
}

TEST(SocketList, TellsTheNextTimer) {
  Script t;
  t.listen();
  open_from(t, Path{}.source_port);
  EXPECT_EQ(t.info().timer, ConnectionTimer::kNone);
  t.write(100);
  t.poll();
  EXPECT_EQ(t.info().timer, ConnectionTimer::kRetransmit);
  EXPECT_GT(t.info().timer_us, 100'000u);
  EXPECT_EQ(t.info().backoffs, 0);
  t.run_for(2s);
  EXPECT_GE(t.info().backoffs, 1);
}

TEST(SocketList, FindsAConnectionByItsEndpoints) {
  Script t;
  t.listen();
  open_from(t, Path{}.source_port);
  const Connection c = t.connection();
  const auto found = t.stack().find(c.local(), c.remote());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, c);
  Endpoint other = c.remote();
  ++other.port;
  EXPECT_FALSE(t.stack().find(c.local(), other).has_value());
  EXPECT_FALSE(t.stack().find(c.remote(), c.local()).has_value());
}

// What tern-ss -K does to each kind of entry.
bool abort_listed(Script& t, TcpState state) {
  std::vector<ConnectionInfo> all;
  t.stack().list(0, 100, all);
  for (const ConnectionInfo& info : all)
    if (info.state == state && t.stack().abort(info.local, info.remote)) {
      t.poll();
      return !t.stack().abort(info.local, info.remote);  // and it is gone
    }
  return false;
}

TEST(SocketList, AbortEndsAConnectionWithARst) {
  Established t;
  EXPECT_TRUE(abort_listed(t, kEstablished));
  t.out({seg("R.", 1, 1)});
  EXPECT_EQ(t.stack().usage().connections, 0u);
  EXPECT_EQ(t.record().reason, CloseReason::kAborted);
}

TEST(SocketList, AbortEndsAHalfOpenConnectionWithARst) {
  SynReceived t;
  EXPECT_TRUE(abort_listed(t, kSynReceived));
  t.out({seg("R.", 1, 1)});
  EXPECT_EQ(t.stack().usage().half_open, 0u);
  EXPECT_EQ(t.stack().usage().table_entries, 0u);
}

TEST(SocketList, AbortForgetsATimeWaitRecordWithoutAWord) {
  TimeWait t;
  EXPECT_TRUE(abort_listed(t, kTimeWait));
  t.silent();
  EXPECT_EQ(t.stack().usage().time_wait, 0u);
  EXPECT_EQ(t.stack().usage().table_entries, 0u);
}

TEST(SocketList, TellsOfSackAndCongestionControl) {
  Given given;
  given.peer_syn.sack_permitted = true;
  Established t(given);
  EXPECT_TRUE(t.info().sack);
  EXPECT_EQ(to_string(t.info().congestion), "reno");
  EXPECT_FALSE(Established().info().sack);
}

}  // namespace
}  // namespace tern::test
