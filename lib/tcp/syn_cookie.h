// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/siphash.h"
#include "flow/four_tuple.h"
#include "tern/time.h"
#include "wire/seq_num.h"

namespace tern::tcp {

/// SYN cookies (Bernstein 1996; RFC 4987 3.6): an initial sequence number that is all the memory of
/// a half-open connection. Linux's form: SipHash-2-4 under secret keys, a counter of minutes in the
/// top byte, and two bits for the MSS below. A guess succeeds once in 2^22. Unlike Linux's, the
/// hash has the SYN's number in it: else where the third packet and a first byte are lost, what
/// follows would pass for the beginning, with another MSS.
///
/// The second key is drawn on from itself every kMinutesPerKey minutes and the old one forgotten,
/// so that who learns today's keys cannot tell what yesterday's cookies said. Deterministic in the
/// key and the calls; `now` must not go backwards. Thread: the stack's.
class SynCookies {
 public:
  /// What a cookie can say of the peer's MSS: the largest that is not above it.
  static constexpr std::array<std::uint16_t, 4> kMss = {536, 1300, 1440, 1460};
  static constexpr std::uint64_t kMaxAgeMinutes = 2;  ///< accepted in this minute and the next
  static constexpr std::uint64_t kMinutesPerKey = 16;

  explicit SynCookies(const SipKey& key);

  /// The SYN,ACK's sequence number. `mss` >= kMss[0].
  wire::SeqNum make(const flow::FlowName& name, wire::SeqNum irs, std::uint16_t mss, Instant now);

  /// Whether `cookie` was made for this tuple and SYN less than two minutes ago; its MSS.
  std::optional<std::uint16_t> check(const flow::FlowName& name, wire::SeqNum irs,
                                     wire::SeqNum cookie, Instant now);

 private:
  struct Minute {
    std::uint64_t count;
    const SipKey& key;
  };
  Minute minute(std::uint64_t count) const;
  void turn_keys(std::uint64_t count);

  const SipKey static_key_;
  SipKey current_, previous_;
  std::uint64_t epoch_ = 0;  // of current_: minutes / kMinutesPerKey
};

/// What a cookie has no room for and the timestamp of its SYN,ACK carries in the low six bits.
struct CookieOptions {
  std::optional<std::uint8_t> window_scale;  ///< 0..14
  bool sack_permitted = false;
  bool ecn = false;
};

/// A timestamp that says `options`, at most 64 ms before `timestamp`. Without the keyed offset.
std::uint32_t encode_cookie_timestamp(std::uint32_t timestamp, const CookieOptions& options);
CookieOptions decode_cookie_timestamp(std::uint32_t echo);

}  // namespace tern::tcp
