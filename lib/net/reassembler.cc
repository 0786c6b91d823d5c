// SPDX-License-Identifier: BSD-3-Clause
#include "net/reassembler.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "wire/ipv6.h"

namespace tern::net {
namespace {

constexpr std::uint8_t kNotEct = 0, kMarked = 3;  // RFC 3168 5

// RFC 3168 5.3: a mark on one fragment is one on the datagram, but not where a part of it cannot
// have been marked.
bool ecn_is_sane(std::uint8_t seen) {
  return (seen >> kMarked & 1) == 0 || (seen >> kNotEct & 1) == 0;
}

// Whether the length field of the whole has room for so much. IPv6's counts neither its fixed
// header nor the fragment header.
bool length_fits(bool is_v6, std::size_t header_bytes, std::size_t total) {
  if (is_v6) header_bytes -= wire::kIpv6HeaderBytes + wire::kFragmentHeaderBytes;
  return header_bytes + total <= wire::kMaxDatagramBytes;
}

}  // namespace

Reassembler::Reassembler(std::uint32_t max_datagrams, const SipKey& key, Counters& counters)
    : counters_(counters),
      key_(key),
      datagrams_(max_datagrams),
      buffers_(max_datagrams),
      names_(std::bit_ceil(max_datagrams * kBucketsEach)),
      sources_(names_.size()) {}

Reassembler::Key Reassembler::key_of(const wire::Fragment& fragment) {
  constexpr std::size_t kSource4 = 12, kProtocol4 = 9, kAddress4Bytes = 4;
  constexpr std::size_t kSource6 = 8, kAddress6Bytes = 16;
  Key key{.is_v6 = fragment.is_v6, .id = fragment.id};
  if (!fragment.is_v6) key.protocol = load_u8(&fragment.header[kProtocol4]);
  const std::size_t bytes = fragment.is_v6 ? kAddress6Bytes : kAddress4Bytes;
  const std::byte* source = &fragment.header[fragment.is_v6 ? kSource6 : kSource4];
  std::memcpy(key.source.data(), source, bytes);
  std::memcpy(key.destination.data(), source + bytes, bytes);
  return key;
}

std::span<std::byte> Reassembler::take(const Frame& frame, std::span<std::byte> packet,
                                       Instant now) {
  const wire::Fragment fragment = wire::read_fragment(packet);
  const std::uint32_t index = find_or_begin(key_of(fragment), now);
  if (index == kNoIndex) {
    count(DropReason::drop_ip_fragment);
    return {};
  }
  Datagram& d = datagrams_[index];
  const DropReason drop = store(d, frame, fragment);
  if (drop != DropReason::kNone) {
    count(drop);
    return {};
  }
  ++counters_.fragments_in;
  if (d.total == 0 || d.received != d.total) return {};
  const std::span<std::byte> whole = finish(d);
  release(index);  // its bytes stay until another one takes the place
  return whole;
}

std::uint32_t Reassembler::find_or_begin(const Key& key, Instant now) {
  for (std::uint32_t i = named_as(key).front(); i != kNoIndex; i = datagrams_[i].by_name.next)
    if (datagrams_[i].key == key) return i;
  return begin(key, now);
}

std::uint32_t Reassembler::begin(const Key& key, Instant now) {
  if (datagrams_.capacity() == 0) return kNoIndex;
  Source& source = source_of(key);
  make_room(source);
  const std::uint32_t index = datagrams_.acquire();
  Datagram& d = datagrams_[index];
  d.buffer = &buffers_[index];
  d.key = key;
  d.expires = now + kTimeout;
  d.refused = DropReason::kNone;
  d.ecn_seen = 0;
  d.link_bytes = d.header_bytes = d.first_bytes = 0;
  d.next_header_at = d.total = d.received = d.piece_count = 0;
  by_age_.push_back(links(&Datagram::by_age), index);
  named_as(key).push_back(links(&Datagram::by_name), index);
  source.datagrams.push_back(links(&Datagram::by_source), index);
  ++source.count;
  return index;
}

// Of the source that has its share already the oldest goes, else the oldest of all if it must.
void Reassembler::make_room(const Source& source) {
  const std::uint32_t share = std::max(datagrams_.capacity() / kSources, 1u);
  const bool has_share = source.count >= share;
  if (!has_share && datagrams_.available() > 0) return;
  ++counters_.reassembly_evicted;
  release(has_share ? source.datagrams.front() : by_age_.front());
}

void Reassembler::release(std::uint32_t index) {
  const Key& key = datagrams_[index].key;
  by_age_.remove(links(&Datagram::by_age), index);
  named_as(key).remove(links(&Datagram::by_name), index);
  Source& source = source_of(key);
  source.datagrams.remove(links(&Datagram::by_source), index);
  --source.count;
  datagrams_.release(index);
}

IndexList& Reassembler::named_as(const Key& key) {
  return names_[siphash24(key_, key.bytes()) & (names_.size() - 1)];
}

Reassembler::Source& Reassembler::source_of(const Key& key) {
  return sources_[siphash24(key_, key.source_bytes()) & (sources_.size() - 1)];
}

// What refuses the datagram refuses all that comes of it.
DropReason Reassembler::store(Datagram& d, const Frame& frame, const wire::Fragment& fragment) {
  if (d.refused != DropReason::kNone) return d.refused;
  DropReason drop = fit_end(d, fragment);
  if (drop == DropReason::kNone) drop = place(d, fragment);
  if (drop == DropReason::drop_ip_fragment_duplicate) return drop;
  if (drop == DropReason::kNone) {
    if (fragment.is_first()) keep_headers(d, frame, fragment);
    d.ecn_seen |= static_cast<std::uint8_t>(1u << fragment.ecn);
    const bool whole = d.total != 0 && d.received == d.total;
    const bool sane = !d.has_first() || length_fits(d.key.is_v6, d.header_bytes, d.total);
    if (!sane || (whole && !ecn_is_sane(d.ecn_seen))) drop = DropReason::drop_ip_fragment;
  }
  d.refused = drop;
  return drop;
}

// The last fragment says where the datagram ends, and nothing is beyond that or contradicts it.
DropReason Reassembler::fit_end(Datagram& d, const wire::Fragment& fragment) {
  const std::uint32_t end = fragment.end();
  const std::uint32_t reached = d.piece_count == 0 ? 0 : d.buffer->pieces[d.piece_count - 1].end();
  // Whatever came before the last fragment has said that there is more behind it.
  const bool is_end = d.total == 0 ? reached < end : end == d.total;
  const bool fits = fragment.more ? d.total == 0 || end < d.total : is_end;
  if (!fits) return DropReason::drop_ip_fragment;
  if (!fragment.more) d.total = end;
  return DropReason::kNone;
}

// Copies the data to its place, unless something of it is there already.
DropReason Reassembler::place(Datagram& d, const wire::Fragment& fragment) {
  std::uint32_t at = d.piece_count;
  while (at > 0 && d.buffer->pieces[at - 1].begin >= fragment.offset) --at;
  std::byte* const place = d.buffer->bytes.data() + kHeaderRoom + fragment.offset;
  const std::size_t length = fragment.payload.size();
  const bool is_next_there = at < d.piece_count && d.buffer->pieces[at].begin < fragment.end();
  if (is_next_there && d.buffer->pieces[at].begin == fragment.offset &&
      d.buffer->pieces[at].length == length &&
      std::memcmp(place, fragment.payload.data(), length) == 0)
    return DropReason::drop_ip_fragment_duplicate;
  if (is_next_there || (at > 0 && d.buffer->pieces[at - 1].end() > fragment.offset))
    return DropReason::drop_ip_fragment_overlap;
  if (d.piece_count == kMaxFragments) return DropReason::drop_ip_fragment_many;
  std::memcpy(place, fragment.payload.data(), length);
  std::copy_backward(d.buffer->pieces.begin() + at, d.buffer->pieces.begin() + d.piece_count,
                     d.buffer->pieces.begin() + d.piece_count + 1);
  d.buffer->pieces[at] = {static_cast<std::uint16_t>(fragment.offset),
                          static_cast<std::uint16_t>(length)};
  ++d.piece_count;
  d.received += static_cast<std::uint32_t>(length);
  return DropReason::kNone;
}

// The link and IP headers of the whole are the first fragment's (RFC 8200 4.5).
void Reassembler::keep_headers(Datagram& d, const Frame& frame, const wire::Fragment& fragment) {
  const auto link_bytes = static_cast<std::size_t>(fragment.header.data() - frame.data);
  const std::size_t bytes = link_bytes + fragment.header.size();
  TERN_ASSERT(bytes <= kHeaderRoom);
  std::memcpy(d.buffer->bytes.data() + kHeaderRoom - bytes, frame.data, bytes);
  d.link_bytes = static_cast<std::uint16_t>(link_bytes);
  d.header_bytes = static_cast<std::uint16_t>(fragment.header.size());
  d.first_bytes = static_cast<std::uint16_t>(fragment.payload.size());
  d.next_header_at = fragment.next_header_at;
}

std::span<std::byte> Reassembler::finish(Datagram& d) {
  const std::size_t ip_at = kHeaderRoom - d.header_bytes;
  wire::Fragment first;
  first.is_v6 = d.key.is_v6;
  first.next_header_at = d.next_header_at;
  const auto header =
      wire::make_whole(first, std::span(d.buffer->bytes).subspan(ip_at, d.header_bytes), d.total,
                       (d.ecn_seen >> kMarked & 1) != 0);
  std::byte* const begin = header.data() - d.link_bytes;  // moves with an IPv6 header
  std::memmove(begin, d.buffer->bytes.data() + ip_at - d.link_bytes, d.link_bytes);
  ++counters_.datagrams_reassembled;
  return {begin, d.link_bytes + header.size() + d.total};
}

}  // namespace tern::net
