// SPDX-License-Identifier: BSD-3-Clause
// RFC 9293's eleven states, entered and left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "script.h"
#include "support/matchers.h"

namespace tern::test {
namespace {

using enum TcpState;
using testing::ElementsAre;

Segment from_port(std::uint16_t port, Segment segment) {
  segment.path.source_port = port;
  return segment;
}

TEST(States, AllElevenAreEnteredAndLeft) {
  Script t;
  const ListenerId listener = t.listen();
  const auto open = [&](std::uint16_t port) {
    t.in(from_port(port, t.given.peer_syn));
    t.in(from_port(port, ack(1, 1)));
    return t.connection();
  };
  // 1: the peer closes first.
  open(1);
  t.in(from_port(1, seg("F.", 1, 1)));
  t.shutdown_send();
  t.in(from_port(1, ack(2, 2)));
  // 2: we do.
  open(2);
  t.shutdown_send();
  t.in(from_port(2, ack(1, 2)));
  t.in(from_port(2, seg("F.", 1, 2)));
  // 3: both at once.
  open(3);
  t.shutdown_send();
  t.in(from_port(3, seg("F.", 1, 1)));
  t.in(from_port(3, ack(2, 2)));
  t.stack().stop_listening(listener);
  // 4: both open at once.
  const Connection active = t.connect();
  EXPECT_EQ(active.state(), kSynSent);
  t.take();
  t.in(t.given.peer_syn);
  t.in(ack(1, 1));
  EXPECT_EQ(active.state(), kEstablished);
  t.abort();
  EXPECT_EQ(active.state(), kClosed);
  t.run_for(60s);

  EXPECT_THAT(t.history(0), ElementsAre(kListen, kClosed));
  EXPECT_THAT(t.history(1), ElementsAre(kSynReceived, kEstablished, kCloseWait, kLastAck, kClosed));
  EXPECT_THAT(t.history(2),
              ElementsAre(kSynReceived, kEstablished, kFinWait1, kFinWait2, kTimeWait, kClosed));
  EXPECT_THAT(t.history(3),
              ElementsAre(kSynReceived, kEstablished, kFinWait1, kClosing, kTimeWait, kClosed));
  EXPECT_THAT(t.history(), ElementsAre(kSynSent, kSynReceived, kEstablished, kClosed));
  for (std::size_t i = 0; i < kTcpStateCount; ++i)
    EXPECT_TRUE(t.seen(static_cast<TcpState>(i))) << to_string(static_cast<TcpState>(i));
}

}  // namespace
}  // namespace tern::test
