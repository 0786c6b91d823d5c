// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>

#include "base/prng.h"
#include "base/siphash.h"
#include "tern/time.h"

namespace tern::tcp {

/// How many RSTs may answer segments that belong to nothing: so many for each source prefix,
/// so that a flood from one does not silence the answers to the rest, and so many in all, or the
/// stack would be a reflector. Each answer costs between half and one and a half of its share, as a
/// generator seeded with the key says: who counts answers cannot tell how many others got
/// (CVE-2016-5696 was such a counter). Prefixes that share a bucket share a limit; which ones do,
/// the key says. Deterministic in the key and the calls. Thread: the stack's.
class StrayLimit {
 public:
  static constexpr std::uint32_t kPerSecond = 10'000, kBurst = 1'000;
  static constexpr std::uint32_t kPrefixPerSecond = 1'000, kPrefixBurst = 200;

  explicit StrayLimit(const SipKey& key) : key_(key), random_(key.k1) {}

  /// True if a RST may go to a source of this prefix (AddressBook::prefix) now.
  bool take(std::uint64_t source_prefix, Instant now) {
    SipHasher<1, 3> hasher(key_);
    hasher.add(source_prefix);
    Bucket& prefix = prefixes_[hasher.finish() % kBuckets];
    return prefix.has_room(now, kPrefix) && all_.has_room(now, kAll) &&
           (prefix.spend(now, kPrefix, random_), all_.spend(now, kAll, random_), true);
  }

 private:
  static constexpr std::size_t kBuckets = 1024;

  struct Limit {
    Duration share;  // of one answer, on average
    Duration depth;
  };
  static constexpr Duration kSecond = std::chrono::seconds(1);
  static constexpr Limit kPrefix{kSecond / kPrefixPerSecond,
                                 kSecond / kPrefixPerSecond* kPrefixBurst};
  static constexpr Limit kAll{kSecond / kPerSecond, kSecond / kPerSecond* kBurst};

  // Kept as the time when it will be full again (see net::TokenBucket).
  struct Bucket {
    Instant full_at{};
    bool has_room(Instant now, const Limit& limit) const {
      return full_at + limit.share <= now + limit.depth;
    }
    void spend(Instant now, const Limit& limit, Prng& random) {
      const auto jitter = Duration(random.below(static_cast<std::uint32_t>(limit.share.count())));
      full_at = (full_at > now ? full_at : now) + limit.share / 2 + jitter;
    }
  };

  SipKey key_;
  Prng random_;
  Bucket all_;
  std::array<Bucket, kBuckets> prefixes_{};
};

}  // namespace tern::tcp
