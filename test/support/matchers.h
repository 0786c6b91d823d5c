// SPDX-License-Identifier: BSD-3-Clause
// gmock matchers over Segment. They compose: ElementsAre(AllOf(HasFlags("S."), HasAck(101)), ...).
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <tuple>

#include "support/segment.h"

namespace tern::test {

/// The same TCP segment: flags, numbers, window, options and payload. Addresses, IP header fields
/// and the time are not compared; both checksums must be right.
MATCHER_P(IsSegment, expected, testing::PrintToString(expected)) {
  const auto tcp = [](const Segment& s) {
    return std::tuple(normal_flags(s.flags), s.seq, s.has('.') ? s.ack : 0, s.window, s.urgent,
                      s.mss, s.sack_permitted, s.ts, s.wscale, s.sack, s.user_timeout, s.payload);
  };
  return arg.ip_checksum_ok && arg.tcp_checksum_ok && tcp(arg) == tcp(expected);
}

inline auto HasFlags(const std::string& flags) {
  return testing::Field("flags", &Segment::flags, normal_flags(flags));
}
template <typename M>
auto HasSeq(M seq) {
  return testing::Field("seq", &Segment::seq, seq);
}
template <typename M>
auto HasAck(M ack) {
  return testing::AllOf(testing::Field("flags", &Segment::flags, testing::HasSubstr(".")),
                        testing::Field("ack", &Segment::ack, ack));
}
template <typename M>
auto HasWindow(M window) {
  return testing::Field("window", &Segment::window, window);
}
template <typename M>
auto HasPayload(M payload) {
  return testing::Field("payload", &Segment::payload, payload);
}
template <typename M>
auto HasMss(M mss) {
  return testing::Field("mss", &Segment::mss, testing::Optional(mss));
}
template <typename M>
auto HasWscale(M wscale) {
  return testing::Field("wscale", &Segment::wscale, testing::Optional(wscale));
}
inline auto HasTimestamps() {
  return testing::Field("ts", &Segment::ts, testing::Field("present", &Timestamps::present, true));
}
inline auto HasTimestamps(std::uint32_t value, std::uint32_t echo) {
  return testing::Field("ts", &Segment::ts, Timestamps(value, echo));
}
/// Sent at exactly this time.
inline auto SentAt(Instant time) { return testing::Field("time", &Segment::time, time); }
inline auto HasPath(const Path& path) { return testing::Field("path", &Segment::path, path); }

}  // namespace tern::test
