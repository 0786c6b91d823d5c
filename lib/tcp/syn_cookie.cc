// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/syn_cookie.h"

namespace tern::tcp {
namespace {

constexpr std::uint32_t kDataMask = 0x00ffffff;  // below the byte of the minute counter
constexpr std::uint32_t kNoScale = 0xf;
constexpr std::uint32_t kScaleMask = 0xf, kSackBit = 0x10, kEcnBit = 0x20, kOptionMask = 0x3f;

enum Purpose : std::uint64_t { kStatic = 1, kTurning = 2 };

std::uint32_t keyed(const SipKey& key, const flow::FlowName& name, std::uint64_t count,
                    wire::SeqNum irs) {
  SipHasher<2, 4> hasher(key);
  hasher.add(name.addresses);
  hasher.add(count << 32 | irs.value());
  hasher.add(std::uint64_t{20} << 56 | std::uint64_t{name.local_port} << 16 | name.remote_port);
  return static_cast<std::uint32_t>(hasher.finish());
}

std::uint64_t minutes(Instant now) {
  return static_cast<std::uint64_t>(now.time_since_epoch() / std::chrono::minutes(1));
}

std::uint32_t index_for(std::uint16_t mss) {
  std::uint32_t index = SynCookies::kMss.size() - 1;
  while (index > 0 && SynCookies::kMss[index] > mss) --index;
  return index;
}

}  // namespace

SynCookies::SynCookies(const SipKey& key)
    : static_key_(derive_key(key, kStatic)),
      current_(derive_key(key, kTurning)),
      previous_(current_) {}

// A key that was never used needs no keeping: after a long rest, one step is enough.
void SynCookies::turn_keys(std::uint64_t count) {
  const std::uint64_t epoch = count / kMinutesPerKey;
  if (epoch == epoch_) return;
  previous_ = current_;
  current_ = derive_key(current_, epoch);
  epoch_ = epoch;
}

SynCookies::Minute SynCookies::minute(std::uint64_t count) const {
  return {count, count / kMinutesPerKey == epoch_ ? current_ : previous_};
}

wire::SeqNum SynCookies::make(const flow::FlowName& name, wire::SeqNum irs, std::uint16_t mss,
                              Instant now) {
  const std::uint64_t count = minutes(now);
  turn_keys(count);
  const Minute m = minute(count);
  const std::uint32_t data = (keyed(m.key, name, m.count, irs) + index_for(mss)) & kDataMask;
  return wire::SeqNum(keyed(static_key_, name, 0, {}) + irs.value() +
                      (static_cast<std::uint32_t>(count) << 24) + data);
}

std::optional<std::uint16_t> SynCookies::check(const flow::FlowName& name, wire::SeqNum irs,
                                               wire::SeqNum cookie, Instant now) {
  const std::uint64_t count = minutes(now);
  turn_keys(count);
  const std::uint32_t bare = cookie.value() - keyed(static_key_, name, 0, {}) - irs.value();
  const std::uint64_t age = (count - (bare >> 24)) & 0xff;
  if (age >= kMaxAgeMinutes || age > count) return std::nullopt;
  const Minute m = minute(count - age);
  const std::uint32_t index = (bare - keyed(m.key, name, m.count, irs)) & kDataMask;
  if (index >= kMss.size()) return std::nullopt;
  return kMss[index];
}

std::uint32_t encode_cookie_timestamp(std::uint32_t timestamp, const CookieOptions& options) {
  const std::uint32_t bits = options.window_scale.value_or(kNoScale) |
                             (options.sack_permitted ? kSackBit : 0) | (options.ecn ? kEcnBit : 0);
  // The peer must not see our clock run ahead of itself.
  const std::uint32_t ahead = bits > (timestamp & kOptionMask) ? kOptionMask + 1 : 0;
  return (timestamp & ~kOptionMask) - ahead + bits;
}

CookieOptions decode_cookie_timestamp(std::uint32_t echo) {
  CookieOptions options;
  if ((echo & kScaleMask) != kNoScale)
    options.window_scale = static_cast<std::uint8_t>(echo & kScaleMask);
  options.sack_permitted = (echo & kSackBit) != 0;
  options.ecn = (echo & kEcnBit) != 0;
  return options;
}

}  // namespace tern::tcp
