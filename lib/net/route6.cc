// SPDX-License-Identifier: BSD-3-Clause
#include "net/route6.h"

#include <algorithm>

#include "base/assert.h"

namespace tern::net {
namespace {

constexpr std::uint32_t kForever = 0xffffffff;
// Of what a router may ask of the table: no flood of solicitations, and no deafness.
constexpr std::uint32_t kLeastMs = 1'000, kMostReachableMs = 3'600'000, kMostRetransmitMs = 10'000;

Duration bounded_ms(std::uint32_t said, std::uint32_t most) {
  return std::chrono::milliseconds(said == 0 ? 0 : std::clamp(said, kLeastMs, most));
}

Instant lifetime_end(std::uint32_t seconds, Instant now) {
  return seconds == kForever ? kNever : now + std::chrono::seconds(seconds);
}

bool is_loopback(const Ipv6Address& address) {
  std::array<std::uint8_t, 16> one{};
  one[15] = 1;
  return address.octets() == one;
}

}  // namespace

Route6::Route6(const StackConfig& config, const OwnAddresses6& own, std::uint16_t port_mtu,
               flow::AddressBook& book, NeighbourTable& neighbours, Generation& generation,
               std::uint32_t jitter)
    : configured_(*config.ip6),
      own_(own),
      port_mtu_(port_mtu),
      book_(book),
      neighbours_(neighbours),
      generation_(generation),
      static_gateway_(config.gateway6.has_value()),
      jitter_(jitter),
      mtu_(port_mtu) {
  if (!config.gateway6) return;
  const std::uint32_t handle = book_.acquire(*config.gateway6);
  add_router(handle, kNever);
  book_.release(handle);
}

Route6::~Route6() {
  while (router_count_ > 0) remove_router(router_count_ - 1);
}

bool Route6::is_unicast(const Ipv6Address& address) const {
  return !address.is_unspecified() && !address.is_multicast() && !is_loopback(address) &&
         !address.is_v4_mapped() && !own_.is_own(address);
}

bool Route6::is_on_link(const Ipv6Address& address) const {
  if (address.is_link_local() || configured_.contains(address)) return true;
  for (std::size_t i = 0; i < prefix_count_; ++i)
    if (prefixes_[i].prefix.contains(address)) return true;
  return false;
}

std::uint32_t Route6::next_hop(std::uint32_t destination) const {
  const Ipv6Address& address = book_.address(destination);
  if (!is_unicast(address) || own_.is_lost()) return 0;
  return is_on_link(address) ? destination : default_router();
}

// RFC 4861 6.3.6: one that is probably there before one that is to be asked for first, and that
// before one that did not answer just now.
std::uint32_t Route6::default_router() const {
  for (std::size_t i = 0; i < router_count_; ++i)
    if (neighbours_.is_known(routers_[i].handle)) return routers_[i].handle;
  for (std::size_t i = 0; i < router_count_; ++i)
    if (!neighbours_.has_failed(routers_[i].handle)) return routers_[i].handle;
  return router_count_ > 0 ? routers_[0].handle : 0;
}

// --- What routers say ----------------------------------------------------------------------------

void Route6::hear_router(const NeighbourNews& news, Instant now) {
  take_link(news);
  if (static_gateway_) return;
  const std::uint32_t known = book_.find(news.address.v6());
  const std::size_t at = find_router(known);
  if (news.lifetime_s == 0) {
    if (at < router_count_) remove_router(at);
    return;
  }
  const Instant expires = lifetime_end(news.lifetime_s, now);
  if (at < router_count_) {
    routers_[at].expires = expires;
  } else if (router_count_ < kMaxRouters) {
    const std::uint32_t handle = book_.acquire(news.address.v6());
    if (handle == flow::AddressBook::kNone) return;
    add_router(handle, expires);
    book_.release(handle);
  }
}

// RFC 4861 6.3.4. A smaller MTU than IPv6's least, or a larger one than the port's, is nonsense; a
// hop limit of a few would keep us from everybody (CVE-2015-2922).
void Route6::take_link(const NeighbourNews& news) {
  if (news.hop_limit >= kLeastHopLimit) hop_limit_ = news.hop_limit;
  if (news.mtu >= kMinMtu && news.mtu <= port_mtu_) mtu_ = static_cast<std::uint16_t>(news.mtu);
  neighbours_.set_times(jittered(bounded_ms(news.reachable_ms, kMostReachableMs), jitter_),
                        bounded_ms(news.retransmit_ms, kMostRetransmitMs));
}

void Route6::hear_prefix(const NeighbourNews& news, Instant now) {
  const Ipv6Prefix prefix{news.address.v6(), news.prefix_length};
  if (prefix.address.is_link_local() || prefix.address.is_multicast()) return;
  const auto known =
      std::find_if(prefixes_.begin(), prefixes_.begin() + prefix_count_, [&](const Prefix& p) {
        return p.prefix.length == prefix.length && p.prefix.contains(prefix.address);
      });
  const bool is_known = known != prefixes_.begin() + prefix_count_;
  if (is_known && news.lifetime_s == 0) {
    *known = prefixes_[--prefix_count_];
    return generation_.advance();
  }
  const Instant expires = lifetime_end(news.lifetime_s, now);
  if (is_known) {
    known->expires = expires;
  } else if (news.lifetime_s > 0 && prefix_count_ < kMaxPrefixes) {
    prefixes_[prefix_count_++] = {prefix, expires};
    generation_.advance();
  }
}

void Route6::forget_router(const Ipv6Address& address) {
  if (static_gateway_) return;
  const std::size_t at = find_router(book_.find(address));
  if (at < router_count_) remove_router(at);
}

bool Route6::needs_router() const { return router_count_ == 0; }

// --- Lists ---------------------------------------------------------------------------------------

// The router's entry keeps its handle.
void Route6::add_router(std::uint32_t handle, Instant expires) {
  TERN_ASSERT(router_count_ < kMaxRouters && handle != flow::AddressBook::kNone);
  if (!neighbours_.pin(handle)) return;
  routers_[router_count_++] = {handle, expires};
  generation_.advance();
}

void Route6::remove_router(std::size_t at) {
  neighbours_.unpin(routers_[at].handle);
  std::move(routers_.begin() + at + 1, routers_.begin() + router_count_, routers_.begin() + at);
  --router_count_;
  generation_.advance();
}

std::size_t Route6::find_router(std::uint32_t handle) const {
  std::size_t at = 0;
  while (at < router_count_ && routers_[at].handle != handle) ++at;
  return at;
}

std::size_t Route6::expire(Instant now) {
  std::size_t expired = 0;
  for (std::size_t i = router_count_; i-- > 0;) {
    if (now < routers_[i].expires) continue;
    remove_router(i);
    ++expired;
  }
  for (std::size_t i = prefix_count_; i-- > 0;) {
    if (now < prefixes_[i].expires) continue;
    prefixes_[i] = prefixes_[--prefix_count_];
    generation_.advance();
    ++expired;
  }
  return expired;
}

Instant Route6::next_deadline() const {
  Instant next = kNever;
  for (std::size_t i = 0; i < router_count_; ++i) next = std::min(next, routers_[i].expires);
  for (std::size_t i = 0; i < prefix_count_; ++i) next = std::min(next, prefixes_[i].expires);
  return next;
}

}  // namespace tern::net
